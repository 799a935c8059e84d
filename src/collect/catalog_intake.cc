#include "collect/catalog_intake.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/status_macros.h"

namespace bowerbird::collect {
namespace {

constexpr uint32_t kSchema = 1;
/// Records and bytes that go to the log in one append.
constexpr size_t kAppendRecords = 1000;
constexpr size_t kAppendBytes = 8u << 20;
constexpr size_t kReadRecords = 1000;
constexpr size_t kReadBytes = 8u << 20;

v1::ItemVerdict VerdictOf(std::string_view id, const catalog::Problem& problem) {
  v1::ItemVerdict verdict;
  verdict.set_id(std::string(id.substr(0, 256)));
  verdict.set_code(problem.code);
  verdict.set_field(problem.field);
  verdict.set_detail(problem.detail);
  return verdict;
}

v1::UserRecord GoneUser(std::string_view id, const catalog::KeyHasher& hasher) {
  v1::UserRecord record;
  record.set_schema(kSchema);
  record.set_user_key(hasher.User(id).value);
  record.set_deleted(std::string(id));
  return record;
}

absl::Status FeedProblem(std::string_view code, std::string detail) {
  return catalog::ToStatus({std::string(code), "feed", std::move(detail)}, absl::StatusCode::kFailedPrecondition);
}

}  // namespace

/// Changes under the writer's lock, which the caller holds: each is checked against the catalog as the earlier ones
/// leave it, then all are appended and applied.
class CatalogIntake::Transaction {
 public:
  explicit Transaction(CatalogIntake* intake, std::string_view feed = {})
      : intake_(*intake), feed_(feed), now_us_(intake->clock_->NowUs()) {}

  absl::StatusOr<v1::Item> Put(v1::Item item) {
    item.set_withdrawn(false);
    item.set_updated_time_us(now_us_);
    RETURN_IF_ERROR(catalog::ValidateItem(item, *intake_.config_.Get()));
    ASSIGN_OR_RETURN(const std::optional<v1::Item> stored, Find(item.id()));
    if (item.created_time_us() == 0) item.set_created_time_us(stored ? stored->created_time_us() : now_us_);
    RETURN_IF_ERROR(Write(item, feed_));
    return item;
  }

  absl::StatusOr<v1::Item> Patch(const v1::Item& patch) {
    ASSIGN_OR_RETURN(const v1::Item stored, Known(patch.id()));
    v1::Item item = catalog::MergePatch(stored, patch);
    item.set_updated_time_us(now_us_);
    RETURN_IF_ERROR(catalog::ValidateItem(item, *intake_.config_.Get()));
    RETURN_IF_ERROR(Write(item, feed_));
    return item;
  }

  absl::StatusOr<v1::Item> Withdraw(std::string_view id) {
    ASSIGN_OR_RETURN(v1::Item item, Known(id));
    item.set_withdrawn(true);
    item.set_updated_time_us(now_us_);
    RETURN_IF_ERROR(Write(item, {}));
    return item;
  }

  absl::Status Delete(std::string_view id) {
    RETURN_IF_ERROR(Known(id).status());
    v1::CatalogRecord record;
    record.set_schema(kSchema);
    record.set_item_key(intake_.hasher_.Item(id).value);
    record.set_deleted(std::string(id));
    pending_[intake_.hasher_.Item(id)] = std::nullopt;
    return Add(std::move(record), std::string(id));
  }

  /// Marks a known item as named by the feed, though the change itself was refused.
  absl::Status Touch(std::string_view id) {
    const absl::StatusOr<v1::Item> item = Known(id);
    return item.ok() ? Write(*item, feed_) : absl::OkStatus();
  }

  absl::Status EndFeed(uint64_t batch_hash, uint32_t withdrawn) {
    v1::CatalogRecord record;
    record.set_schema(kSchema);
    record.mutable_feed_end()->set_token(std::string(feed_));
    record.mutable_feed_end()->set_batch(batch_hash);
    record.mutable_feed_end()->set_withdrawn(withdrawn);
    // No item id has this byte, so that compaction by key does not mix them.
    return Add(std::move(record), "\xff" + std::string(feed_.substr(0, 255)));
  }

  /// Appends and applies what was written so far.
  absl::Status Commit() {
    if (records_.empty()) return absl::OkStatus();
    // Whatever fails below: the log may hold records that the catalog lacks.
    intake_.behind_ = true;
    const log::Offset from = intake_.catalog_->applied_offset();
    ASSIGN_OR_RETURN(const std::vector<log::Offset> offsets, intake_.log_->Append(std::move(appends_)));
    if (offsets.front() == from && offsets.back() == from + offsets.size() - 1) {
      RETURN_IF_ERROR(intake_.ApplyAll(offsets, records_));
      intake_.behind_ = false;
    } else {
      // Another node's records are between: the log's order counts.
      RETURN_IF_ERROR(intake_.CatchUpLocked());
    }
    records_.clear();
    appends_.clear();
    bytes_ = 0;
    pending_.clear();
    return absl::OkStatus();
  }

  bool full() const { return records_.size() >= kAppendRecords || bytes_ >= kAppendBytes; }

 private:
  /// Nothing for an unknown item.
  absl::StatusOr<std::optional<v1::Item>> Find(std::string_view id) const {
    const auto it = pending_.find(intake_.hasher_.Item(id));
    if (it != pending_.end()) {
      if (it->second && it->second->id() != id) {
        return catalog::ToStatus(
            {"id_collision", "id", "found an id whose key belongs to another item; expected another id"},
            absl::StatusCode::kFailedPrecondition);
      }
      return it->second;
    }
    absl::StatusOr<v1::Item> item = intake_.catalog_->Get(id);
    if (absl::IsNotFound(item.status())) return std::optional<v1::Item>();
    if (!item.ok()) return std::move(item).status();
    return std::optional<v1::Item>(*std::move(item));
  }

  absl::StatusOr<v1::Item> Known(std::string_view id) const {
    if (auto problem = catalog::CheckId(id, "id", intake_.config_.Get()->collect.id_bytes_max))
      return catalog::ToStatus(*problem);
    ASSIGN_OR_RETURN(std::optional<v1::Item> item, Find(id));
    if (item) return *std::move(item);
    return catalog::ToStatus({"unknown_item", "id", fmt::format("found \"{}\"; expected an item of the catalog", id)},
                             absl::StatusCode::kNotFound);
  }

  absl::Status Write(const v1::Item& item, std::string_view feed) {
    const catalog::ItemKey key = intake_.hasher_.Item(item.id());
    v1::CatalogRecord record;
    record.set_schema(kSchema);
    record.set_item_key(key.value);
    *record.mutable_item() = item;
    record.set_feed(std::string(feed));
    RETURN_IF_ERROR(Add(std::move(record), item.id()));
    pending_[key] = item;
    return absl::OkStatus();
  }

  absl::Status Add(v1::CatalogRecord record, std::string key) {
    log::AppendRecord append;
    append.topic = log::Topic::kCatalog;
    append.key = std::move(key);
    append.value = record.SerializeAsString();
    if (append.value.size() > log::EventLog::kValueBytesMax) {
      return catalog::ToStatus({"too_long", "",
                                fmt::format("found an item of {} bytes; expected at most {}", append.value.size(),
                                            log::EventLog::kValueBytesMax)});
    }
    bytes_ += append.value.size() + append.key.size();
    appends_.push_back(std::move(append));
    records_.push_back(std::move(record));
    return absl::OkStatus();
  }

  CatalogIntake& intake_;
  const std::string_view feed_;
  const int64_t now_us_;
  /// Items as the records below leave them; nothing for a deleted one.
  absl::flat_hash_map<catalog::ItemKey, std::optional<v1::Item>> pending_;
  std::vector<v1::CatalogRecord> records_;
  std::vector<log::AppendRecord> appends_;
  size_t bytes_ = 0;
};

CatalogIntake::CatalogIntake(std::shared_ptr<const config::Config> config, const catalog::KeyHasher& hasher,
                             log::EventLog* log, catalog::Catalog* catalog, const base::Clock* clock, Listener listener)
    : config_(std::move(config)),
      hasher_(hasher),
      log_(log),
      catalog_(catalog),
      clock_(clock),
      listener_(std::move(listener)) {}

CatalogIntake::~CatalogIntake() = default;

absl::Status CatalogIntake::ApplyAll(std::span<const log::Offset> offsets, std::span<const v1::CatalogRecord> records) {
  absl::Status status;
  std::vector<CatalogChange> changes;
  for (size_t i = 0; i < records.size(); ++i) {
    status = catalog_->Apply(offsets[i], records[i]);
    if (!status.ok()) break;
    if (!records[i].has_item() && !records[i].has_deleted()) continue;
    const v1::Item* item = records[i].has_item() ? &records[i].item() : nullptr;
    changes.push_back({offsets[i], catalog::ItemKey(records[i].item_key()), item});
  }
  // Also when a later one failed: what the catalog has applied is not told again.
  if (listener_ && !changes.empty()) listener_(changes);
  return status;
}

absl::Status CatalogIntake::CatchUp() {
  const std::lock_guard lock(mutex_);
  return CatchUpLocked();
}

absl::Status CatalogIntake::CatchUpLocked() {
  behind_ = true;
  while (true) {
    ASSIGN_OR_RETURN(const log::ReadResult read,
                     log_->Read(log::Topic::kCatalog, 0, catalog_->applied_offset(), kReadRecords, kReadBytes));
    if (read.records.empty()) break;
    std::vector<log::Offset> offsets;
    std::vector<v1::CatalogRecord> records(read.records.size());
    for (size_t i = 0; i < records.size(); ++i) {
      offsets.push_back(read.records[i].offset);
      // One that cannot be decoded changes nothing and stops nobody; its offset is passed.
      if (!records[i].ParseFromString(read.records[i].value)) records[i].Clear();
    }
    RETURN_IF_ERROR(ApplyAll(offsets, records));
  }
  for (uint32_t partition = 0; partition < log_->PartitionCount(log::Topic::kUsers); ++partition) {
    while (true) {
      ASSIGN_OR_RETURN(const log::ReadResult read,
                       log_->Read(log::Topic::kUsers, partition, catalog_->users_applied_offset(partition),
                                  kReadRecords, kReadBytes));
      if (read.records.empty()) break;
      for (const log::Record& record : read.records) {
        v1::UserRecord user;
        if (!user.ParseFromString(record.value)) user.Clear();
        // Of a user who was forgotten nothing is left in the record but whose it is, and not even that once it is
        // redacted.
        if (record.value.empty() && !record.key.empty()) user = GoneUser(record.key, hasher_);
        RETURN_IF_ERROR(catalog_->ApplyUser(partition, record.offset, user));
      }
    }
  }
  behind_ = false;
  return absl::OkStatus();
}

absl::StatusOr<v1::Item> CatalogIntake::Put(v1::Item item) {
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  Transaction transaction(this);
  ASSIGN_OR_RETURN(v1::Item written, transaction.Put(std::move(item)));
  RETURN_IF_ERROR(transaction.Commit());
  return written;
}

absl::StatusOr<v1::Item> CatalogIntake::Patch(const v1::Item& patch) {
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  Transaction transaction(this);
  ASSIGN_OR_RETURN(v1::Item written, transaction.Patch(patch));
  RETURN_IF_ERROR(transaction.Commit());
  return written;
}

absl::StatusOr<v1::Item> CatalogIntake::Withdraw(std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  Transaction transaction(this);
  ASSIGN_OR_RETURN(v1::Item written, transaction.Withdraw(id));
  RETURN_IF_ERROR(transaction.Commit());
  return written;
}

absl::Status CatalogIntake::Delete(std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  Transaction transaction(this);
  RETURN_IF_ERROR(transaction.Delete(id));
  return transaction.Commit();
}

absl::StatusOr<v1::BatchItemsResponse> CatalogIntake::Batch(const ItemsBatch& batch) {
  const v1::BatchItemsRequest& request = batch.request;
  const size_t changes = static_cast<size_t>(request.upsert_size()) + request.patch_size() + request.delete__size() +
                         request.withdraw_size() + batch.rejected.size();
  if (changes > kItemBatchMax) {
    return catalog::ToStatus(
        {"too_many_items", "", fmt::format("found {} changes; expected at most {}", changes, kItemBatchMax)});
  }
  if (request.feed_end() && request.feed().empty()) {
    return catalog::ToStatus({"missing_field", "feed", "found feed_end without a feed; expected the feed's token"});
  }
  if (!request.feed().empty()) {
    if (auto problem = catalog::CheckId(request.feed(), "feed", config_.Get()->collect.id_bytes_max))
      return catalog::ToStatus(*problem);
  }
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  v1::BatchItemsResponse response;
  ASSIGN_OR_RETURN(const bool again, IsSentAgain(batch));
  if (again) {
    response.set_applied(static_cast<uint32_t>(changes - batch.rejected.size()));
    response.set_withdrawn(catalog_->FindFeed(request.feed())->withdrawn);
    response.mutable_rejected()->Assign(batch.rejected.begin(), batch.rejected.end());
    return response;
  }

  Transaction transaction(this, request.feed());
  for (const v1::ItemVerdict& verdict : batch.rejected) {
    *response.add_rejected() = verdict;
    if (!request.feed().empty() && !verdict.id().empty()) RETURN_IF_ERROR(transaction.Touch(verdict.id()));
  }
  // A problem of the client's is a verdict; anything else ends the batch.
  const auto judge = [&](std::string_view id, const absl::Status& status, bool named) -> absl::Status {
    if (status.ok()) {
      response.set_applied(response.applied() + 1);
    } else if (status.GetPayload(catalog::kCodePayload).has_value()) {
      *response.add_rejected() = VerdictOf(id, catalog::FromStatus(status));
      if (named && !request.feed().empty()) RETURN_IF_ERROR(transaction.Touch(id));
    } else {
      return status;
    }
    return transaction.full() ? transaction.Commit() : absl::OkStatus();
  };
  for (const v1::Item& item : request.upsert()) {
    RETURN_IF_ERROR(judge(item.id(), transaction.Put(item).status(), true));
  }
  for (const v1::Item& patch : request.patch()) {
    RETURN_IF_ERROR(judge(patch.id(), transaction.Patch(patch).status(), true));
  }
  for (const std::string& id : request.delete_()) RETURN_IF_ERROR(judge(id, transaction.Delete(id), false));
  for (const std::string& id : request.withdraw()) {
    RETURN_IF_ERROR(judge(id, transaction.Withdraw(id).status(), false));
  }
  RETURN_IF_ERROR(transaction.Commit());
  if (request.feed_end()) {
    ASSIGN_OR_RETURN(const uint32_t withdrawn, EndFeed(request.feed(), batch.hash, &transaction));
    response.set_withdrawn(withdrawn);
  }
  return response;
}

absl::StatusOr<bool> CatalogIntake::IsSentAgain(const ItemsBatch& batch) const {
  const std::string& token = batch.request.feed();
  if (token.empty()) return false;
  const std::shared_ptr<const catalog::Feed> feed = catalog_->FindFeed(token);
  if (feed == nullptr || feed->state == catalog::Feed::State::kOpen) return false;
  if (feed->state == catalog::Feed::State::kExpired) {
    return FeedProblem(
        "feed_expired",
        fmt::format("found \"{}\", which newer feeds pushed out; expected a new token and the feed from its start",
                    token));
  }
  if (batch.request.feed_end() && batch.hash != 0 && batch.hash == feed->last_batch) return true;
  return FeedProblem("feed_ended",
                     fmt::format("found \"{}\", which has ended; expected a new token for each feed", token));
}

absl::StatusOr<uint32_t> CatalogIntake::EndFeed(const std::string& token, uint64_t batch_hash,
                                                Transaction* transaction) {
  const std::shared_ptr<const catalog::Feed> feed = catalog_->FindFeed(token);
  // An exporter that failed must not empty the catalog.
  if (feed == nullptr) {
    return FeedProblem(
        "feed_empty",
        fmt::format("found \"{}\" ending without a known item; expected at least one: nothing was withdrawn", token));
  }
  uint32_t withdrawn = 0;
  absl::Status status;
  RETURN_IF_ERROR(catalog_->ScanMissingFromFeed(*feed, [&](catalog::ItemKey, const v1::Item& item) {
    status = transaction->Withdraw(item.id()).status();
    if (status.ok() && transaction->full()) status = transaction->Commit();
    ++withdrawn;
    return status.ok();
  }));
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(transaction->EndFeed(batch_hash, withdrawn));
  RETURN_IF_ERROR(transaction->Commit());
  return withdrawn;
}

absl::StatusOr<v1::User> CatalogIntake::PutUser(v1::User user) {
  if (auto problem = catalog::CheckUser(user, *config_.Get())) return catalog::ToStatus(*problem);
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  if (const auto stored = catalog_->GetUser(user.id()); !stored.ok() && !absl::IsNotFound(stored.status())) {
    return stored.status();
  }
  user.set_updated_time_us(clock_->NowUs());
  v1::UserRecord record;
  *record.mutable_user() = user;
  RETURN_IF_ERROR(AppendUser(user.id(), std::move(record)));
  return user;
}

namespace {

/// Takes away what a former config declared, or declared otherwise. Whether there was any.
bool DropUndeclared(const config::Config& config, google::protobuf::Map<std::string, v1::Value>* attributes) {
  std::vector<std::string> dropped;
  for (const auto& [name, value] : *attributes) {
    const auto declared = std::ranges::find(config.user_attributes, name, &config::Attribute::name);
    if (declared == config.user_attributes.end() ||
        catalog::CheckValue(value, *declared, name, config.collect.attribute_bytes_max)) {
      dropped.push_back(name);
    }
  }
  for (const std::string& name : dropped) attributes->erase(name);
  return !dropped.empty();
}

}  // namespace

absl::StatusOr<std::vector<absl::Status>> CatalogIntake::PatchUsers(std::span<const v1::User> patches) {
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  std::vector<absl::Status> outcomes;
  // As they will be.
  std::map<std::string, v1::UserRecord> changed;
  for (const v1::User& patch : patches) {
    v1::User user;
    if (const auto known = changed.find(patch.id()); known != changed.end()) {
      user = known->second.user();
    } else if (auto stored = catalog_->GetUser(patch.id()); stored.ok()) {
      user = *std::move(stored);
    } else if (!absl::IsNotFound(stored.status())) {
      outcomes.push_back(stored.status());
      continue;
    }
    user.set_id(patch.id());
    bool changes = DropUndeclared(*config_.Get(), user.mutable_attributes());
    for (const auto& [name, value] : patch.attributes()) {
      auto& attributes = *user.mutable_attributes();
      const auto old = attributes.find(name);
      if (value.kind_case() == v1::Value::KIND_NOT_SET) {
        changes |= attributes.erase(name) > 0;
      } else if (old == attributes.end() || old->second.SerializeAsString() != value.SerializeAsString()) {
        attributes[name] = value;
        changes = true;
      }
    }
    if (auto problem = catalog::CheckUser(user, *config_.Get())) {
      outcomes.push_back(catalog::ToStatus(*problem));
      continue;
    }
    outcomes.push_back(absl::OkStatus());
    if (!changes) continue;
    user.set_updated_time_us(clock_->NowUs());
    v1::UserRecord& record = changed[patch.id()];
    record.set_schema(kSchema);
    record.set_user_key(hasher_.User(patch.id()).value);
    *record.mutable_user() = std::move(user);
  }
  if (changed.empty()) return outcomes;
  std::vector<log::AppendRecord> batch;
  for (const auto& [id, record] : changed) {
    const uint32_t partition =
        catalog::PartitionOf(catalog::UserKey(record.user_key()), log_->PartitionCount(log::Topic::kUsers));
    batch.push_back({log::Topic::kUsers, partition, id, record.SerializeAsString()});
  }
  std::vector<uint32_t> partitions(batch.size());
  std::ranges::transform(batch, partitions.begin(), &log::AppendRecord::partition);
  behind_ = true;
  ASSIGN_OR_RETURN(const std::vector<log::Offset> offsets, log_->Append(std::move(batch)));
  size_t at = 0;
  for (const auto& [id, record] : changed) {
    // Another node's records are between: the log's order counts.
    if (offsets[at] != catalog_->users_applied_offset(partitions[at])) {
      RETURN_IF_ERROR(CatchUpLocked());
      return outcomes;
    }
    RETURN_IF_ERROR(catalog_->ApplyUser(partitions[at], offsets[at], record));
    ++at;
  }
  behind_ = false;
  return outcomes;
}

absl::Status CatalogIntake::DeleteUser(std::string_view id) {
  if (auto problem = catalog::CheckId(id, "id", config_.Get()->collect.id_bytes_max))
    return catalog::ToStatus(*problem);
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  RETURN_IF_ERROR(catalog_->GetUser(id).status());
  v1::UserRecord record;
  record.set_deleted(std::string(id));
  return AppendUser(id, std::move(record));
}

absl::StatusOr<std::vector<log::Offset>> CatalogIntake::ForgetUsers(std::span<const std::string> ids,
                                                                    std::vector<log::AppendRecord> also) {
  const std::lock_guard lock(mutex_);
  if (behind_) RETURN_IF_ERROR(CatchUpLocked());
  const size_t before = also.size();
  for (const std::string& id : ids) {
    const uint32_t partition = catalog::PartitionOf(hasher_.User(id), log_->PartitionCount(log::Topic::kUsers));
    also.push_back({log::Topic::kUsers, partition, id, ""});
  }
  std::vector<uint32_t> partitions;
  for (size_t i = before; i < also.size(); ++i) partitions.push_back(also[i].partition);
  behind_ = true;
  ASSIGN_OR_RETURN(std::vector<log::Offset> offsets, log_->Append(std::move(also)));
  for (size_t i = 0; i < ids.size(); ++i) {
    RETURN_IF_ERROR(catalog_->ApplyUser(partitions[i], offsets[before + i], GoneUser(ids[i], hasher_)));
  }
  behind_ = false;
  offsets.resize(before);
  return offsets;
}

absl::Status CatalogIntake::AppendUser(std::string_view id, v1::UserRecord record) {
  const catalog::UserKey key = hasher_.User(id);
  record.set_schema(kSchema);
  record.set_user_key(key.value);
  const uint32_t partition = catalog::PartitionOf(key, log_->PartitionCount(log::Topic::kUsers));
  behind_ = true;
  ASSIGN_OR_RETURN(const std::vector<log::Offset> offsets,
                   log_->Append({{log::Topic::kUsers, partition, std::string(id), record.SerializeAsString()}}));
  if (offsets[0] != catalog_->users_applied_offset(partition)) return CatchUpLocked();
  RETURN_IF_ERROR(catalog_->ApplyUser(partition, offsets[0], record));
  behind_ = false;
  return absl::OkStatus();
}

}  // namespace bowerbird::collect
