#include "server/keys.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "store/file.h"

namespace bowerbird::server {

bool ApiKey::Allows(std::string_view scope) const {
  return scope.empty() || std::any_of(scopes.begin(), scopes.end(), [&](const std::string& s) {
           return s == scope || s == "operator" || (s == "admin" && scope != "operator");
         });
}

absl::StatusOr<std::unique_ptr<Keys>> Keys::Open(const std::string& path) {
  auto keys = std::unique_ptr<Keys>(new Keys(path));
  absl::MutexLock lock(&keys->mutex_);
  keys->modified_ns_ = keys->ModifiedNs();
  ASSIGN_OR_RETURN(keys->by_hash_, Read(path));
  return keys;
}

absl::StatusOr<Keys::ByHash> Keys::Read(const std::string& path) {
  ByHash keys;
  if (!std::filesystem::exists(path)) return keys;
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(text)["keys"].get(list) != simdjson::SUCCESS) {
    return absl::DataLossError(
        fmt::format("{}: found no list 'keys'; the file is written by `bowerbird key create`", path));
  }
  for (const simdjson::dom::element element : list) {
    auto key = std::make_shared<ApiKey>();
    std::string_view id, name, hash, app;
    simdjson::dom::array scopes;
    if (element["id"].get(id) || element["name"].get(name) || element["hash"].get(hash) ||
        element["created_us"].get(key->created_us) || element["scopes"].get(scopes)) {
      return absl::DataLossError(fmt::format("{}: a key lacks id, name, hash, created_us or scopes", path));
    }
    key->id = id;
    key->name = name;
    key->hash = hash;
    for (const simdjson::dom::element scope : scopes) {
      std::string_view text_scope;
      if (scope.get(text_scope) == simdjson::SUCCESS) key->scopes.emplace_back(text_scope);
    }
    // Files of before there were several apps name none.
    if (!key->Allows("operator")) key->app = element["app"].get(app) == simdjson::SUCCESS ? app : "default";
    keys[key->hash] = std::move(key);
  }
  return keys;
}

int64_t Keys::ModifiedNs() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
}

void Keys::Refresh() {
  constexpr int64_t kIntervalUs = 1'000'000;
  const int64_t now_us = base::MonotonicUs();
  int64_t checked_us = checked_us_.load();
  if (now_us - checked_us < kIntervalUs || !checked_us_.compare_exchange_strong(checked_us, now_us)) return;
  absl::MutexLock lock(&mutex_);
  const int64_t modified_ns = ModifiedNs();
  if (modified_ns == modified_ns_) return;
  // A file that does not read leaves the keys as they were: a revoked key ends once it reads again.
  if (auto keys = Read(path_); keys.ok()) {
    by_hash_ = *std::move(keys);
    modified_ns_ = modified_ns;
  }
}

absl::Status Keys::Save() const {
  std::vector<std::shared_ptr<const ApiKey>> sorted;
  for (const auto& [hash, key] : by_hash_) sorted.push_back(key);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("keys").BeginArray();
  for (const auto& key : sorted) {
    json.BeginObject().Key("id").String(key->id).Key("name").String(key->name).Key("app").String(key->app);
    json.Key("hash").String(key->hash);
    json.Key("created_us").Int(key->created_us).Key("scopes").BeginArray();
    for (const std::string& scope : key->scopes) json.String(scope);
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return store::AtomicWriteFile(path_, text, store::Privacy::kSecret);
}

absl::StatusOr<std::string> Keys::Create(std::string_view name, std::string_view app,
                                         const std::vector<std::string>& scopes, int64_t now_us) {
  for (const std::string& scope : scopes) {
    if (std::find(std::begin(kScopes), std::end(kScopes), scope) == std::end(kScopes)) {
      return absl::InvalidArgumentError(
          fmt::format("scopes: found '{}'; expected collect, serve, admin or operator", scope));
    }
  }
  if (scopes.empty())
    return absl::InvalidArgumentError("scopes: found none; expected some of collect, serve, admin, operator");
  if (name.size() > 128) return absl::InvalidArgumentError("name: expected at most 128 bytes");
  const std::string secret = "bb_" + base::HexEncode(base::RandomBytes(32));
  auto key = std::make_shared<ApiKey>();
  key->id = "key_" + base::HexEncode(base::RandomBytes(6));
  key->name = name;
  key->scopes = scopes;
  if (!key->Allows("operator")) {
    if (app.empty()) return absl::InvalidArgumentError("app: found none; a key without scope operator is for one app");
    key->app = app;
  }
  key->hash = base::Sha256Hex(secret);
  key->created_us = now_us;
  absl::MutexLock lock(&mutex_);
  by_hash_[key->hash] = key;
  if (absl::Status status = Save(); !status.ok()) {
    by_hash_.erase(key->hash);
    return status;
  }
  return secret;
}

absl::Status Keys::Revoke(std::string_view id) {
  absl::MutexLock lock(&mutex_);
  for (auto it = by_hash_.begin(); it != by_hash_.end(); ++it) {
    if (it->second->id != id) continue;
    auto key = it->second;
    by_hash_.erase(it);
    if (absl::Status status = Save(); !status.ok()) {
      by_hash_[key->hash] = key;
      return status;
    }
    return absl::OkStatus();
  }
  return absl::NotFoundError(fmt::format("id: found no key '{}'; `bowerbird key list` shows them", id));
}

absl::Status Keys::RevokeApp(std::string_view app) {
  absl::MutexLock lock(&mutex_);
  ByHash before = by_hash_;
  absl::erase_if(by_hash_, [&](const auto& entry) { return entry.second->app == app; });
  if (by_hash_.size() == before.size()) return absl::OkStatus();
  absl::Status status = Save();
  if (!status.ok()) by_hash_ = std::move(before);
  return status;
}

std::vector<ApiKey> Keys::List() const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<ApiKey> keys;
  for (const auto& [hash, key] : by_hash_) keys.push_back(*key);
  std::sort(keys.begin(), keys.end(), [](const ApiKey& a, const ApiKey& b) { return a.id < b.id; });
  return keys;
}

std::shared_ptr<const ApiKey> Keys::Find(std::string_view secret) {
  Refresh();
  const std::string hash = base::Sha256Hex(secret);
  absl::ReaderMutexLock lock(&mutex_);
  const auto it = by_hash_.find(hash);
  return it == by_hash_.end() ? nullptr : it->second;
}

}  // namespace bowerbird::server
