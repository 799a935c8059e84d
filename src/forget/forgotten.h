#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/string_map.h"
#include "catalog/keys.h"
#include "log/event_log.h"

namespace bowerbird::forget {

/// Somebody who was forgotten, and where the log says so.
struct ForgottenUser {
  catalog::UserKey key;
  std::string id;
  log::Offset offset = 0;  ///< of the record that says so, in the user's partition of topic events
  int64_t time_us = 0;     ///< its append time
  /// Nothing has been done under the id since: then what was answered to it since names somebody unknown, and goes too.
  bool unknown = false;
};

/// Who is to leave the stores.
///
/// Threads  immutable once filled.
class ForgottenUsers {
 public:
  /// Of somebody who was forgotten twice, the later time counts.
  void Add(ForgottenUser user);
  bool empty() const { return users_.empty(); }
  const std::vector<ForgottenUser>& all() const { return users_; }
  std::vector<ForgottenUser>& all() { return users_; }
  /// Null: not one of them.
  const ForgottenUser* Find(catalog::UserKey key) const;
  const ForgottenUser* Find(std::string_view id) const;
  /// Whether bytes that nobody can take apart name one of them.
  bool NamedIn(std::string_view bytes) const;

 private:
  std::vector<ForgottenUser> users_;
  absl::flat_hash_map<catalog::UserKey, size_t> by_key_;
  base::StringMap<size_t> by_id_;
};

/// An id so short that other bytes hold it by chance is looked for as a field alone: with its length before it, as
/// protobuf and our own records have it, or in quotes, as JSON has it.
inline constexpr size_t kTextBytesMin = 6;
/// Whether `bytes` name `id`: as a field; or anywhere, if it is long enough.
bool Names(std::string_view bytes, std::string_view id);

}  // namespace bowerbird::forget
