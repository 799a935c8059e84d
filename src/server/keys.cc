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
namespace {

using simdjson::dom::element;

std::string NewSecret() { return fmt::format("bb_{}", base::HexEncode(base::RandomBytes(32))); }

bool ReadKey(element from, ApiKey* key) {
  std::string_view id, name, hash, text;
  simdjson::dom::array scopes;
  if (from["id"].get(id) || from["name"].get(name) || from["hash"].get(hash) ||
      from["created_us"].get(key->created_us) || from["scopes"].get(scopes)) {
    return false;
  }
  key->id = id;
  key->name = name;
  key->hash = hash;
  for (const element scope : scopes) {
    if (scope.get(text) == simdjson::SUCCESS) key->scopes.emplace_back(text);
  }
  // Files of before there were several apps name none.
  if (!key->Allows("operator")) key->app = from["app"].get(text) == simdjson::SUCCESS ? text : "default";
  const auto number = [&](std::string_view name) {
    double value = 0;
    return from[name].get(value) == simdjson::SUCCESS ? value : 0.0;
  };
  key->quota = {number("requests_per_second"), number("events_per_second")};
  if (from["former_hash"].get(text) == simdjson::SUCCESS) key->former_hash = text;
  if (from["former_until_us"].get(key->former_until_us) != simdjson::SUCCESS) key->former_until_us = 0;
  key->left = std::make_shared<QuotaLeft>(key->quota);
  return true;
}

void WriteKey(const ApiKey& key, base::JsonWriter* json) {
  json->BeginObject().Key("id").String(key.id).Key("name").String(key.name).Key("app").String(key.app);
  json->Key("hash").String(key.hash).Key("created_us").Int(key.created_us).Key("scopes").BeginArray();
  for (const std::string& scope : key.scopes) json->String(scope);
  json->EndArray();
  json->Key("requests_per_second").Double(key.quota.requests_per_second);
  json->Key("events_per_second").Double(key.quota.events_per_second);
  if (!key.former_hash.empty()) {
    json->Key("former_hash").String(key.former_hash).Key("former_until_us").Int(key.former_until_us);
  }
  json->EndObject();
}

absl::Status UnknownKey(std::string_view id) {
  return absl::NotFoundError(fmt::format("id: found no key '{}'; `bowerbird keys list` shows them", id));
}

}  // namespace

bool ApiKey::Allows(std::string_view scope) const {
  return scope.empty() || std::any_of(scopes.begin(), scopes.end(), [&](const std::string& s) {
           return s == scope || s == "operator" || (s == "admin" && scope != "operator" && scope != "peer") ||
                  (s == "collect" && scope == "events");
         });
}

absl::StatusOr<std::unique_ptr<Keys>> Keys::Open(const std::string& path, const base::Clock* clock) {
  auto keys = std::unique_ptr<Keys>(new Keys(path, clock));
  absl::MutexLock lock(&keys->mutex_);
  keys->stamp_ = keys->Stamp();
  ASSIGN_OR_RETURN(keys->by_id_, Read(path));
  keys->Index();
  return keys;
}

absl::StatusOr<Keys::ById> Keys::Read(const std::string& path) {
  ById keys;
  if (!std::filesystem::exists(path)) return keys;
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(text)["keys"].get(list) != simdjson::SUCCESS) {
    return absl::DataLossError(
        fmt::format("{}: found no list 'keys'; the file is written by `bowerbird keys create`", path));
  }
  for (const element entry : list) {
    auto key = std::make_shared<ApiKey>();
    if (!ReadKey(entry, key.get()))
      return absl::DataLossError(fmt::format("{}: a key lacks id, name, hash, created_us or scopes", path));
    keys[key->id] = std::move(key);
  }
  return keys;
}

Keys::FileStamp Keys::Stamp() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return {};
  return {info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino};
}

void Keys::Index() {
  by_hash_.clear();
  for (const auto& [id, key] : by_id_) {
    by_hash_[key->hash] = key;
    if (!key->former_hash.empty()) by_hash_[key->former_hash] = key;
  }
}

void Keys::RefreshNowAndThen() {
  constexpr int64_t kIntervalUs = 1'000'000;
  const int64_t now_us = base::MonotonicUs();
  int64_t checked_us = checked_us_.load();
  if (now_us - checked_us < kIntervalUs || !checked_us_.compare_exchange_strong(checked_us, now_us)) return;
  const absl::MutexLock lock(&mutex_);
  Refresh();
}

void Keys::Refresh() {
  const FileStamp stamp = Stamp();
  if (stamp == stamp_) return;
  // A file that does not read leaves the keys as they were: a revoked key ends once it reads again.
  auto keys = Read(path_);
  if (!keys.ok()) return;
  for (auto& [id, key] : *keys) {
    const auto known = by_id_.find(id);
    if (known == by_id_.end() || known->second->quota != key->quota) continue;
    auto same = std::make_shared<ApiKey>(*key);
    same->left = known->second->left;
    key = std::move(same);
  }
  by_id_ = *std::move(keys);
  Index();
  stamp_ = stamp;
}

void Keys::ReadAgain() {
  stamp_ = {};
  Refresh();
}

absl::Status Keys::Replace(ById keys) {
  std::vector<std::shared_ptr<const ApiKey>> sorted;
  for (const auto& [id, key] : keys) sorted.push_back(key);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("keys").BeginArray();
  for (const auto& key : sorted) WriteKey(*key, &json);
  json.EndArray().EndObject();
  RETURN_IF_ERROR(store::AtomicWriteFile(path_, text, store::Privacy::kSecret));
  by_id_ = std::move(keys);
  Index();
  stamp_ = Stamp();
  return absl::OkStatus();
}

absl::StatusOr<Keys::Made> Keys::Create(const Wanted& wanted) {
  for (const std::string& scope : wanted.scopes) {
    if (std::find(std::begin(kScopes), std::end(kScopes), scope) == std::end(kScopes)) {
      return absl::InvalidArgumentError(
          fmt::format("scopes: found '{}'; expected events, collect, serve, analyst, admin or operator", scope));
    }
  }
  if (wanted.scopes.empty())
    return absl::InvalidArgumentError(
        "scopes: found none; expected some of events, collect, serve, analyst, admin, operator");
  if (wanted.name.size() > 128) return absl::InvalidArgumentError("name: expected at most 128 bytes");
  for (const double quota : {wanted.quota.requests_per_second, wanted.quota.events_per_second}) {
    if (!(quota >= 0 && quota <= kQuotaMax))
      return absl::InvalidArgumentError(
          fmt::format("quota: found {}; expected 0 to {:.0f} a second", quota, kQuotaMax));
  }
  Made made;
  made.secret = NewSecret();
  made.key.id = fmt::format("key_{}", base::HexEncode(base::RandomBytes(6)));
  made.key.name = wanted.name;
  made.key.scopes = wanted.scopes;
  if (!made.key.Allows("operator")) {
    if (wanted.app.empty())
      return absl::InvalidArgumentError("app: found none; a key without scope operator is for one app");
    made.key.app = wanted.app;
  }
  made.key.quota = wanted.quota;
  made.key.hash = base::Sha256Hex(made.secret);
  made.key.created_us = clock_->NowUs();
  made.key.left = std::make_shared<QuotaLeft>(made.key.quota);
  const absl::MutexLock lock(&mutex_);
  ReadAgain();
  ById keys = by_id_;
  keys[made.key.id] = std::make_shared<const ApiKey>(made.key);
  RETURN_IF_ERROR(Replace(std::move(keys)));
  return made;
}

absl::StatusOr<Keys::Made> Keys::Rotate(std::string_view id, int64_t overlap_us) {
  if (overlap_us < 0) return absl::InvalidArgumentError("overlap: expected a duration from \"0s\"");
  const absl::MutexLock lock(&mutex_);
  ReadAgain();
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return UnknownKey(id);
  Made made{*it->second, NewSecret()};
  made.key.former_hash = overlap_us > 0 ? made.key.hash : "";
  made.key.former_until_us = overlap_us > 0 ? clock_->NowUs() + overlap_us : 0;
  made.key.hash = base::Sha256Hex(made.secret);
  ById keys = by_id_;
  keys[made.key.id] = std::make_shared<const ApiKey>(made.key);
  RETURN_IF_ERROR(Replace(std::move(keys)));
  return made;
}

absl::Status Keys::Revoke(std::string_view id) {
  const absl::MutexLock lock(&mutex_);
  ReadAgain();
  ById keys = by_id_;
  if (keys.erase(id) == 0) return UnknownKey(id);
  return Replace(std::move(keys));
}

absl::Status Keys::RevokeApp(std::string_view app) {
  const absl::MutexLock lock(&mutex_);
  ReadAgain();
  ById keys = by_id_;
  absl::erase_if(keys, [&](const auto& entry) { return entry.second->app == app; });
  return keys.size() == by_id_.size() ? absl::OkStatus() : Replace(std::move(keys));
}

std::vector<ApiKey> Keys::List() const {
  const absl::ReaderMutexLock lock(&mutex_);
  std::vector<ApiKey> keys;
  for (const auto& [id, key] : by_id_) keys.push_back(*key);
  std::sort(keys.begin(), keys.end(), [](const ApiKey& a, const ApiKey& b) { return a.id < b.id; });
  return keys;
}

std::shared_ptr<const ApiKey> Keys::Find(std::string_view secret) {
  RefreshNowAndThen();
  const std::string hash = base::Sha256Hex(secret);
  const absl::ReaderMutexLock lock(&mutex_);
  const auto it = by_hash_.find(hash);
  if (it == by_hash_.end()) return nullptr;
  const bool former = it->second->hash != hash;
  return former && clock_->NowUs() >= it->second->former_until_us ? nullptr : it->second;
}

}  // namespace bowerbird::server
