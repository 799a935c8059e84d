#include "state/past_fold.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "catalog/keys.h"
#include "fmt/format.h"
#include "state/partition_blocks.h"

namespace bowerbird::state {
namespace {

using log::Offset;
using log::Topic;

constexpr size_t kEvictAtOnce = 256;
constexpr std::string_view kPlan = "plan";

/// What the bytes of the store depend on.
std::string PlanText(const FoldPolicy& policy, const signal::Set& signals, const signal::Set& item_signals,
                     uint32_t partitions) {
  std::string text = fmt::format("{}; {}; partitions={};", policy.LayoutText(), policy.MeaningText(), partitions);
  for (const signal::Set* set : {&signals, &item_signals}) {
    for (size_t slot = 0; slot < set->size(); ++slot) {
      fmt::format_to(std::back_inserter(text), " {:016x}", (*set)[slot].id());
    }
  }
  return text;
}

}  // namespace

PastFold::PastFold(const config::Config& config, std::shared_ptr<const signal::Set> signals, const log::EventLog* log)
    : policy_(config),
      signals_(std::move(signals)),
      item_signals_(std::make_shared<const signal::Set>(config, signal::Per::kItem)),
      log_(log),
      partition_count_(log->PartitionCount(Topic::kEvents)),
      write_interval_us_(config.state.flush_interval_us),
      store_bytes_(config.state.cache_bytes / 2),
      budget_(config.state.cache_bytes - store_bytes_) {}

absl::StatusOr<std::unique_ptr<PastFold>> PastFold::Open(const StateStores& stores, const std::string& dir,
                                                         const config::Config& config,
                                                         std::shared_ptr<const signal::Set> signals,
                                                         const log::EventLog* log, std::span<const Offset> ends_max) {
  auto fold = std::unique_ptr<PastFold>(new PastFold(config, std::move(signals), log));
  RETURN_IF_ERROR(fold->Init(stores, dir, ends_max));
  return fold;
}

absl::Status PastFold::OpenStore(const StateStores& stores, const std::string& dir, std::span<const Offset> ends_max) {
  const StateStore::Options options{policy_.user_layout(), policy_.item_layout(), store_bytes_};
  const std::string plan = PlanText(policy_, *signals_, *item_signals_, partition_count_);
  const auto examine = [&]() -> absl::StatusOr<bool> {
    if (stores.MarkedDamaged(dir)) return false;
    ASSIGN_OR_RETURN(store_, stores.Open(dir, options));
    ASSIGN_OR_RETURN(const std::string stored, store_->LoadFormat(kPlan));
    ASSIGN_OR_RETURN(const std::vector<Offset> offsets, store_->LoadOffsets(partition_count_));
    for (uint32_t p = 0; p < partition_count_; ++p) {
      if (offsets[p] > ends_max[p]) return false;
    }
    return stored == plan;
  };
  if (stores.Exists(dir)) {
    const absl::StatusOr<bool> fits = examine();
    if (!fits.ok() && !absl::IsDataLoss(fits.status()) && !absl::IsNotFound(fits.status())) return fits.status();
    if (fits.ok() && *fits) return store_->EnableCompaction();
  }
  store_ = nullptr;
  RETURN_IF_ERROR(stores.Destroy(dir));
  ASSIGN_OR_RETURN(store_, stores.Open(dir, options));
  const std::unique_ptr<StateStore::Batch> batch = store_->NewBatch();
  batch->PutFormat(kPlan, plan);
  RETURN_IF_ERROR(store_->Write(batch.get()));
  return store_->EnableCompaction();
}

absl::Status PastFold::Init(const StateStores& stores, const std::string& dir, std::span<const Offset> ends_max) {
  RETURN_IF_ERROR(OpenStore(stores, dir, ends_max));
  ASSIGN_OR_RETURN(const std::vector<Offset> offsets, store_->LoadOffsets(partition_count_));
  item_lanes_ = std::make_unique<ItemLanes>(item_signals_, store_.get(), &budget_);
  for (uint32_t p = 0; p < partition_count_; ++p) {
    partitions_.push_back(std::make_unique<Partition>(p, partition_count_, offsets[p], &policy_, signals_,
                                                      item_lanes_.get(), store_.get(), &budget_, &counters_,
                                                      /*hands_over=*/false));
  }
  const uint32_t threads = std::clamp<uint32_t>(std::thread::hardware_concurrency(), 1, partition_count_);
  for (uint32_t thread = 0; thread < threads; ++thread) {
    std::vector<Partition*> members;
    for (uint32_t p = thread; p < partition_count_; p += threads) members.push_back(partitions_[p].get());
    FoldGroup::Hooks hooks;
    hooks.advanced = [](uint32_t) {};
    hooks.batch_done = [this, thread](Partition* partition) {
      std::vector<ItemEvent> unused;
      absl::flat_hash_set<catalog::ItemKey> unused_items;
      partition->TakeItemEvents(&unused, &unused_items);
      return MakeRoom(thread);
    };
    // They lie in dead_letters since they were first met.
    hooks.dead_letters = [](uint32_t, const std::vector<DeadLetter>&) {};
    hooks.hand_over = [](uint32_t, std::span<const Handover>) { return absl::OkStatus(); };
    hooks.store_damaged = [&stores, dir] { stores.MarkDamaged(dir); };
    groups_.push_back(std::make_unique<FoldGroup>(std::move(members), log_, store_.get(), policy_.item_layout(),
                                                  std::span<const Offset>(), std::move(hooks)));
  }
  return absl::OkStatus();
}

absl::Status PastFold::MakeRoom(size_t group) {
  if (!budget_.Exceeded()) return absl::OkStatus();
  Evict();
  if (!budget_.Exceeded()) return absl::OkStatus();
  RETURN_IF_ERROR(groups_[group]->Write());
  Evict();
  return absl::OkStatus();
}

void PastFold::Evict() {
  for (const auto& partition : partitions_) {
    while (budget_.Exceeded() && partition->TryEvict(kEvictAtOnce) > 0) {
    }
  }
  while (budget_.Exceeded() && item_lanes_->TryEvict(kEvictAtOnce) > 0) {
  }
}

PastFold::~PastFold() {
  // What is not written is folded again by whoever goes on.
  if (store_ != nullptr) Flush().IgnoreError();
}

absl::Status PastFold::FoldUntil(std::span<const Offset> ends) {
  std::vector<bool> behind(groups_.size());
  for (uint32_t p = 0; p < partition_count_; ++p) {
    if (partitions_[p]->folded() < ends[p]) behind[p % groups_.size()] = true;
  }
  std::vector<absl::Status> statuses(groups_.size());
  const auto fold = [&](size_t i) { statuses[i] = groups_[i]->FoldUntil(ends, write_interval_us_); };
  std::vector<std::thread> others;
  const auto mine = static_cast<size_t>(std::find(behind.begin(), behind.end(), true) - behind.begin());
  for (size_t i = mine + 1; i < groups_.size(); ++i) {
    if (behind[i]) others.emplace_back(fold, i);
  }
  if (mine < groups_.size()) fold(mine);
  for (std::thread& thread : others) thread.join();
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

absl::Status PastFold::Flush() {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Write());
  return store_->Flush();
}

std::vector<Offset> PastFold::Offsets() const {
  std::vector<Offset> offsets;
  offsets.reserve(partitions_.size());
  for (const auto& partition : partitions_) offsets.push_back(partition->folded());
  return offsets;
}

absl::StatusOr<std::vector<std::string>> PastFold::ItemSignals(catalog::ItemKey item) {
  ASSIGN_OR_RETURN(const std::vector<ItemLane> lanes, item_lanes_->AsTaken(item));
  std::vector<std::vector<BlockValue>> values(item_signals_->size());
  for (const ItemLane& lane : lanes) {
    values[lane.slot].push_back({{lane.partition, lane.partition + 1}, lane.value});
  }
  std::vector<std::string> merged;
  for (uint32_t slot = 0; slot < values.size(); ++slot) {
    merged.push_back(MergeBlocks((*item_signals_)[slot], values[slot], {0, partition_count_}));
  }
  return merged;
}

absl::StatusOr<std::shared_ptr<const UserState>> PastFold::Get(catalog::UserKey key, std::string_view id) {
  return partitions_[catalog::PartitionOf(key, partition_count_)]->Get(key, id);
}

}  // namespace bowerbird::state
