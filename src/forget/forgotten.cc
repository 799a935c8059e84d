#include "forget/forgotten.h"

#include <algorithm>
#include <utility>

#include "base/byte_codec.h"
#include "base/json_writer.h"

namespace bowerbird::forget {

void ForgottenUsers::Add(ForgottenUser user) {
  const auto [found, added] = by_key_.try_emplace(user.key, users_.size());
  if (added) {
    by_id_[user.id] = users_.size();
    users_.push_back(std::move(user));
  } else if (user.offset > users_[found->second].offset) {
    users_[found->second] = std::move(user);
  }
}

const ForgottenUser* ForgottenUsers::Find(catalog::UserKey key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &users_[found->second];
}

const ForgottenUser* ForgottenUsers::Find(std::string_view id) const {
  if (id.empty()) return nullptr;
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &users_[found->second];
}

bool ForgottenUsers::NamedIn(std::string_view bytes) const {
  return std::ranges::any_of(users_, [&](const ForgottenUser& user) { return Names(bytes, user.id); });
}

bool Names(std::string_view bytes, std::string_view id) {
  if (bytes.size() < id.size() || id.empty()) return false;
  if (id.size() >= kTextBytesMin) {
    if (bytes.find(id) != std::string_view::npos) return true;
  } else {
    std::string field;
    base::PutString(id, &field);
    if (bytes.find(field) != std::string_view::npos) return true;
  }
  std::string quoted;
  base::JsonWriter(&quoted).String(id);
  return bytes.find(quoted) != std::string_view::npos;
}

}  // namespace bowerbird::forget
