#include "state/item_table_publisher.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "bowerbird/v1/served.pb.h"
#include "state/next_record.h"

namespace bowerbird::state {
namespace {

using log::Offset;
using log::Topic;

/// Version of the newest record of the item_tables topic; 0 for none.
absl::StatusOr<uint64_t> LastVersion(const log::EventLog& log) {
  if (log.PartitionCount(Topic::kItemTables) == 0) return 0;
  ASSIGN_OR_RETURN(const Offset begin, log.BeginOffset(Topic::kItemTables, 0));
  ASSIGN_OR_RETURN(const Offset end, log.EndOffset(Topic::kItemTables, 0));
  // Offsets need not be dense: look further back until there is a record.
  for (Offset back = 1; begin < end; back *= 2) {
    Offset from = end - begin > back ? end - back : begin;
    std::string newest;
    while (from < end) {
      ASSIGN_OR_RETURN(log::ReadResult read, log.Read(Topic::kItemTables, 0, from, 1024, 1 << 20));
      if (!read.records.empty()) newest = std::move(read.records.back().value);
      if (read.next_offset <= from) break;
      from = read.next_offset;
    }
    v1::ItemTableRecord record;
    if (!newest.empty() && record.ParseFromString(newest)) return record.version();
    if (end - begin <= back) break;
  }
  return 0;
}

}  // namespace

ItemTablePublisher::ItemTablePublisher(const config::Config* config, const ItemLayout& layout, log::EventLog* log,
                                       std::shared_ptr<AppendHealth> appends, Options options)
    : config_(*config),
      layout_(layout),
      log_(log),
      appends_(std::move(appends)),
      options_(std::move(options)),
      epoch_(base::Hash64(base::RandomBytes(16))) {}

absl::Status ItemTablePublisher::Load(const StateStore& store, const signal::Set& signals, std::vector<Offset> offsets,
                                      int64_t moves_from_us) {
  const std::lock_guard lock(mutex_);
  builder_.emplace(config_, layout_, static_cast<uint32_t>(offsets.size()), options_.owned);
  RETURN_IF_ERROR(ScanItemLanes(store, signals,
                                [&](catalog::ItemKey item, const auto& lanes) { builder_->LoadSignals(item, lanes); }));
  RETURN_IF_ERROR(
      store.ScanItems([&](catalog::ItemKey item, const ItemRecord& record) { builder_->Load(item, record); }));
  RETURN_IF_ERROR(store.ScanNext([&](catalog::ItemKey from, NextRecord record) {
    if (record.moves.empty() || int64_t{record.moves.front().time_s} * 1'000'000 < moves_from_us) return;
    builder_->LoadNext(from, std::move(record));
  }));
  builder_->SetOffsets(std::move(offsets));
  return absl::OkStatus();
}

absl::Status ItemTablePublisher::Begin(int64_t time_us, std::span<const std::unique_ptr<Partition>> partitions,
                                       ItemLanes* lanes, CacheBudget* budget) {
  const std::lock_guard lock(mutex_);
  partitions_ = partitions;
  lanes_ = lanes;
  budget_ = budget;
  ASSIGN_OR_RETURN(last_version_, LastVersion(*log_));
  table_.Set(builder_->Build(time_us, 0));
  budget_->table_bytes = static_cast<int64_t>(builder_->memory_bytes());
  return absl::OkStatus();
}

void ItemTablePublisher::AbsorbHeld(Partition* partition) {
  // Under one lock: a table made between the two steps would claim events that it does not have.
  std::vector<ItemEvent> events;
  const Offset folded = partition->TakeItemEvents(&events, &signals_taken_);
  builder_->Absorb(partition->index(), folded, &events);
}

void ItemTablePublisher::Absorb(Partition* partition) {
  const std::lock_guard lock(mutex_);
  AbsorbHeld(partition);
}

/// An error leaves the builder between two tables: none may be made of it until this has succeeded.
absl::Status ItemTablePublisher::AbsorbAll() {
  for (const auto& partition : partitions_) AbsorbHeld(partition.get());
  while (!signals_taken_.empty()) {
    const auto item = signals_taken_.begin();
    const absl::StatusOr<std::vector<ItemLane>> lanes = lanes_->AsTaken(*item);
    if (absl::IsDataLoss(lanes.status())) options_.store_damaged();
    RETURN_IF_ERROR(lanes.status());
    builder_->AbsorbSignals(*item, *lanes);
    signals_taken_.erase(item);
  }
  return absl::OkStatus();
}

std::shared_ptr<const ItemTable> ItemTablePublisher::Publish(int64_t time_us, uint64_t version) {
  const std::lock_guard lock(mutex_);
  if (absl::Status absorbed = AbsorbAll(); !absorbed.ok()) {
    // The last one is true still.
    appends_->Set(std::move(absorbed));
    return table_.Get();
  }
  peers_changed_ = false;
  if (version == 0) {
    do ++last_version_;
    while (last_version_ % options_.version_step != options_.version_offset);
  } else {
    last_version_ = std::max(version, last_version_);
  }
  std::shared_ptr<const ItemTable> table = builder_->Build(time_us, version == 0 ? last_version_ : version);
  budget_->table_bytes = static_cast<int64_t>(builder_->memory_bytes());
  if (options_.append) AppendVersion(*table);
  table_.Set(table);
  return table;
}

ItemCountsDelta ItemTablePublisher::CountsSince(uint64_t epoch, uint64_t change) {
  ItemCountsDelta delta;
  delta.epoch = epoch_;
  delta.whole = epoch != epoch_ || change == 0;
  ItemTableBuilder::CountsSince counts;
  {
    const std::lock_guard lock(mutex_);
    if (!AbsorbAll().ok()) {
      // Nothing new, until the store can be read.
      delta = {epoch, change, false, {builder_->offsets().begin(), builder_->offsets().end()}, {}};
      return delta;
    }
    counts = builder_->Since(delta.whole ? 0 : change);
  }
  counts.Encode(&delta);
  return delta;
}

absl::Status ItemTablePublisher::TakeCounts(uint32_t peer, const ItemCountsDelta& delta) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(builder_->TakeCounts(peer, delta));
  peers_changed_ = true;
  return absl::OkStatus();
}

bool ItemTablePublisher::HasNews() const {
  if (peers_changed_) return true;
  const std::shared_ptr<const ItemTable> last = table_.Get();
  return std::ranges::any_of(partitions_, [&](const std::unique_ptr<Partition>& partition) {
    const uint32_t p = partition->index();
    return options_.owned.Has(p) && partition->settled() != last->offsets()[p];
  });
}

void ItemTablePublisher::AppendVersion(const ItemTable& table) {
  v1::ItemTableRecord record;
  record.set_version(table.version());
  record.set_time_us(table.time_us());
  record.mutable_offsets()->Add(table.offsets().begin(), table.offsets().end());
  log::AppendRecord append{Topic::kItemTables, 0, {}, record.SerializeAsString()};
  log_->AppendAsync({std::move(append)}, AppendHealth::Note(appends_));
}

}  // namespace bowerbird::state
