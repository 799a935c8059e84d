#include "state/state.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/thread_priority.h"
#include "bowerbird/v1/event.pb.h"
#include "fmt/format.h"
#include "state/adopt_signals.h"
#include "state/append_health.h"
#include "state/fold.h"
#include "state/fold_group.h"
#include "state/fold_waiters.h"
#include "state/handover_log.h"
#include "state/identities.h"
#include "state/item_lanes.h"
#include "state/item_table_publisher.h"
#include "state/next_record.h"
#include "state/open_store.h"
#include "state/partition.h"
#include "state/state_store.h"
#include "state/stop_signal.h"
#include "state/user_cache.h"
#include "state/visit_users.h"

namespace bowerbird::state {
namespace {

using log::Offset;
using log::Topic;

// How long a fold thread sleeps without news of the log: bounds how late Stop is.
constexpr int64_t kIdleWaitUs = 50'000;
// How long a fold thread waits after the store has refused a write.
constexpr int64_t kWriteRetryUs = 100'000;
// Item events that one partition may gather before they go into the table's counters.
constexpr size_t kItemEventsMax = 1 << 13;
// A table is published again after this long even if nothing was folded: windows move on.
constexpr int64_t kTableAgeUsMax = 60'000'000;
constexpr size_t kEvictAtOnce = 32;
// A store with less writes small files often, as long as that leaves users half of the memory.
constexpr uint64_t kStoreBytesMin = 256u << 20;
// A tenth of the share of a thread that takes in events.
constexpr int kFoldNice = 10;

/// What of state.cache_bytes is the store's, for blocks and for writes not yet flushed; users have the rest.
uint64_t StoreBytes(uint64_t cache_bytes) {
  return std::max(cache_bytes / 4, std::min(cache_bytes / 2, kStoreBytesMin));
}

class StateImpl final : public State {
 public:
  StateImpl(std::shared_ptr<const config::Config> config, log::EventLog* log, const base::Clock* clock, Options options)
      : config_(std::move(config)),
        log_(log),
        clock_(clock),
        options_(std::move(options)),
        stores_(options_.stores != nullptr ? *options_.stores : RocksStateStores()),
        policy_(*config_),
        signals_(std::make_shared<const signal::Set>(*config_)),
        item_signals_(std::make_shared<const signal::Set>(*config_, signal::Per::kItem)),
        partition_count_(log->PartitionCount(Topic::kEvents)),
        budget_(config_->state.cache_bytes - StoreBytes(config_->state.cache_bytes)),
        tables_(config_.get(), policy_.item_layout(), log, appends_,
                {options_.owned, options_.publish, options_.version_offset, options_.version_step,
                 [this] { stores_.MarkDamaged(dir_); }}) {}
  ~StateImpl() override { Stop(); }

  absl::Status Init(const std::string& dir);

  void Start() override;
  absl::Status CatchUp() override;
  void Stop() override;
  absl::Status Flush() override;
  absl::Status Checkpoint(const std::string& to) override;

  absl::StatusOr<std::shared_ptr<const UserState>> Get(catalog::UserKey key, std::string_view id) const override;
  Offset FoldedOffset(uint32_t partition) const override { return partitions_[partition]->settled(); }
  void WhenFolded(uint32_t partition, Offset offset, int64_t timeout_us, std::function<void(bool)> done) override {
    waiters_->Wait(partition, offset, timeout_us, std::move(done));
  }
  absl::StatusOr<std::vector<Person>> Identities(catalog::UserKey key, std::string_view id) const override;
  absl::Status Erase(std::span<const catalog::UserKey> users) override;
  absl::Status VisitStored(const std::function<void(std::string_view, std::string_view, std::string_view)>&) override;
  std::shared_ptr<const signal::Set> signals() const override { return signals_; }
  std::shared_ptr<const signal::Set> item_signals() const override { return item_signals_; }
  absl::StatusOr<uint64_t> VisitActions(
      catalog::UserKey key, std::string_view id, uint64_t before,
      const std::function<bool(uint64_t ordinal, const Action& action)>& visit) const override;
  absl::StatusOr<SignalStatistics> CollectSignals(uint64_t users_max) override;
  absl::Status VisitUsers(catalog::UserKey from, const std::function<bool(const UserState&)>& visit) override;
  absl::Status FoldSignalsAhead(const config::Config& wanted) override;
  std::shared_ptr<const ItemTable> item_table() const override { return tables_.table(); }
  std::shared_ptr<const ItemTable> PublishItemTable(int64_t time_us, uint64_t version) override {
    return tables_.Publish(time_us, version);
  }
  ItemCountsDelta ItemCountsSince(uint64_t epoch, uint64_t change) override {
    return tables_.CountsSince(epoch, change);
  }
  absl::Status TakeItemCounts(uint32_t peer, const ItemCountsDelta& delta) override {
    return tables_.TakeCounts(peer, delta);
  }
  Counters counters() const override;
  absl::Status Health() const override;

 private:
  absl::Status OpenAndRead(std::vector<Offset>* offsets);
  void FoldLoop(FoldGroup* group);
  void PublishLoop();
  void EvictIfExceeded() const;
  void AppendDeadLetters(uint32_t partition, std::vector<DeadLetter> letters);
  absl::StatusOr<std::vector<Offset>> Ends() const;

  const std::shared_ptr<const config::Config> config_;
  log::EventLog* const log_;
  const base::Clock* const clock_;
  const Options options_;
  const StateStores& stores_;
  std::string dir_;
  const FoldPolicy policy_;
  const std::shared_ptr<const signal::Set> signals_, item_signals_;
  const uint32_t partition_count_;

  std::unique_ptr<StateStore> store_;
  FoldCounters counters_;
  CacheBudget budget_;
  std::unique_ptr<ItemLanes> item_lanes_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  mutable std::atomic<uint32_t> evict_hand_ = 0;
  std::unique_ptr<FoldWaiters> waiters_;
  std::optional<HandoverLog> handovers_;
  std::atomic<uint64_t> handovers_sent_ = 0;
  std::vector<std::unique_ptr<FoldGroup>> groups_;
  const std::shared_ptr<AppendHealth> appends_ = std::make_shared<AppendHealth>();
  ItemTablePublisher tables_;

  std::mutex run_mutex_;  ///< of what follows
  bool started_ = false;
  bool stopped_ = false;
  StopSignal stop_;
  std::vector<std::thread> threads_;
};

absl::Status StateImpl::Init(const std::string& dir) {
  if (!options_.end_offsets.empty() && options_.end_offsets.size() != partition_count_) {
    return absl::InvalidArgumentError(fmt::format("state: found {} end offsets; expected {}, one a partition",
                                                  options_.end_offsets.size(), partition_count_));
  }
  dir_ = dir;
  std::vector<Offset> offsets;
  absl::Status read = OpenAndRead(&offsets);
  if (absl::IsDataLoss(read) && !stores_.MarkedDamaged(dir_)) {
    // What is damaged is made anew, once.
    store_ = nullptr;
    stores_.MarkDamaged(dir_);
    read = OpenAndRead(&offsets);
  }
  RETURN_IF_ERROR(read);
  if (options_.publish) {
    ASSIGN_OR_RETURN(handovers_, HandoverLog::Open(log_, options_.handed_over));
  }
  item_lanes_ = std::make_unique<ItemLanes>(item_signals_, store_.get(), &budget_);
  for (uint32_t index = 0; index < partition_count_; ++index) {
    partitions_.push_back(std::make_unique<Partition>(index, partition_count_, offsets[index], &policy_, signals_,
                                                      item_lanes_.get(), store_.get(), &budget_, &counters_,
                                                      options_.publish));
  }
  // A replay of the past makes tables of past times: the first one must not forbid them.
  RETURN_IF_ERROR(tables_.Begin(options_.publish ? clock_->NowUs() : 0, partitions_, item_lanes_.get(), &budget_));
  waiters_ = std::make_unique<FoldWaiters>(partition_count_, [this](uint32_t p) { return FoldedOffset(p); });

  std::vector<Partition*> owned;
  for (const auto& partition : partitions_) {
    if (options_.owned.Has(partition->index())) owned.push_back(partition.get());
  }
  if (owned.empty()) {
    return absl::InvalidArgumentError(fmt::format("state: found partitions {} to {} to fold; expected some of 0 to {}",
                                                  options_.owned.first, options_.owned.end, partition_count_ - 1));
  }
  const size_t threads = std::clamp<size_t>(options_.threads, 1, owned.size());
  for (size_t thread = 0; thread < threads; ++thread) {
    std::vector<Partition*> members;
    for (size_t index = thread; index < owned.size(); index += threads) members.push_back(owned[index]);
    FoldGroup::Hooks hooks;
    hooks.advanced = [this](uint32_t partition) { waiters_->Advanced(partition); };
    hooks.batch_done = [this, thread](Partition* partition) -> absl::Status {
      if (partition->untaken_item_events() >= kItemEventsMax) tables_.Absorb(partition);
      EvictIfExceeded();
      if (!budget_.Exceeded()) return absl::OkStatus();
      // Only users that the store has can leave memory.
      RETURN_IF_ERROR(groups_[thread]->Write());
      EvictIfExceeded();
      return absl::OkStatus();
    };
    hooks.store_damaged = [this] { stores_.MarkDamaged(dir_); };
    hooks.dead_letters = [this](uint32_t partition, std::vector<DeadLetter> letters) {
      AppendDeadLetters(partition, std::move(letters));
    };
    hooks.hand_over = [this](uint32_t partition, std::span<const Handover> handovers) {
      handovers_sent_ += handovers.size();
      return handovers_->Send(partition, handovers);
    };
    groups_.push_back(std::make_unique<FoldGroup>(std::move(members), log_, store_.get(), policy_.item_layout(),
                                                  options_.end_offsets, std::move(hooks)));
  }
  return absl::OkStatus();
}

absl::Status StateImpl::OpenAndRead(std::vector<Offset>* offsets) {
  ASSIGN_OR_RETURN(
      store_, OpenStateStore(stores_, dir_, policy_, StoreBytes(config_->state.cache_bytes), *log_, options_.owned));
  ASSIGN_OR_RETURN(*offsets, store_->LoadOffsets(partition_count_));
  RETURN_IF_ERROR(AdoptSignals(stores_, dir_, *config_, log_, *offsets, store_.get()));
  // What is too old to be shown again need not be held.
  const int64_t held_us = options_.publish ? clock_->NowUs() - int64_t{2} * kMovesSpanS * 1'000'000 : 0;
  return tables_.Load(*store_, *item_signals_, *offsets, held_us);
}

void StateImpl::Start() {
  const std::lock_guard lock(run_mutex_);
  BOWERBIRD_CHECK(!started_ && !stopped_);
  started_ = true;
  if (options_.publish) {
    // A first table whose version is in the log, so that what is served from now on can be replayed.
    PublishItemTable(clock_->NowUs(), 0);
    threads_.emplace_back([this] { PublishLoop(); });
  }
  for (const auto& group : groups_) threads_.emplace_back([this, &group] { FoldLoop(group.get()); });
}

void StateImpl::Stop() {
  const std::lock_guard lock(run_mutex_);
  if (stopped_ || waiters_ == nullptr) return;  // or Init failed
  stopped_ = true;
  stop_.Stop();
  for (std::thread& thread : threads_) thread.join();
  waiters_->Stop();
  // What is not written is folded again after the next Open.
  Flush().IgnoreError();
}

absl::Status StateImpl::Flush() {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Write());
  return store_->Flush();
}

absl::Status StateImpl::Checkpoint(const std::string& to) {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Write());
  return store_->Checkpoint(to);
}

absl::StatusOr<std::vector<State::Person>> StateImpl::Identities(catalog::UserKey key, std::string_view id) const {
  RETURN_IF_ERROR(Get(key, id).status());
  return CollectIdentities(key, id, [this](catalog::UserKey user) {
    return partitions_[catalog::PartitionOf(user, partition_count_)]->Identity(user);
  });
}

absl::Status StateImpl::Erase(std::span<const catalog::UserKey> users) {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Write());
  return store_->Erase(users);
}

absl::Status StateImpl::VisitStored(
    const std::function<void(std::string_view, std::string_view, std::string_view)>& visit) {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Write());
  for (size_t column = 0; column < StateStore::kColumns; ++column) {
    RETURN_IF_ERROR(store_->VisitVersions(
        static_cast<StateStore::Column>(column),
        [&](std::string_view key, std::string_view value) { visit(StateStore::ColumnName(column), key, value); }));
  }
  return absl::OkStatus();
}

absl::StatusOr<SignalStatistics> StateImpl::CollectSignals(uint64_t users_max) {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Write());
  return CollectSignalStatistics(*store_, *signals_, *item_signals_, users_max);
}

absl::Status StateImpl::VisitUsers(catalog::UserKey from, const std::function<bool(const UserState&)>& visit) {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Write());
  return VisitStoredUsers(*store_, signals_, config_->state.sequence_max, from, visit);
}

absl::Status StateImpl::FoldSignalsAhead(const config::Config& wanted) {
  const FoldPolicy policy(wanted);
  if (policy.LayoutText() != policy_.LayoutText() || policy.MeaningText() != policy_.MeaningText())
    return absl::OkStatus();
  std::vector<Offset> offsets;
  for (uint32_t partition = 0; partition < partition_count_; ++partition) offsets.push_back(FoldedOffset(partition));
  return state::FoldSignalsAhead(stores_, dir_, wanted, *config_, log_, offsets);
}

void StateImpl::FoldLoop(FoldGroup* group) {
  // When the cores do not suffice for both, events are taken in first: what is in the log can be folded later, an event
  // that was turned away cannot be taken in later.
  base::GiveWay(kFoldNice);
  const int64_t interval_us = config_->state.flush_interval_us;
  int64_t written_us = base::MonotonicUs();
  while (!stop_.stopped()) {
    const bool any = group->FoldOnce();
    if (base::MonotonicUs() - written_us >= interval_us) {
      while (!group->Write().ok() && !stop_.WaitFor(kWriteRetryUs)) {
      }
      written_us = base::MonotonicUs();
    }
    if (!any) {
      log_->WaitForAppend(Topic::kEvents, group->SeenEnds(), std::clamp<int64_t>(interval_us, 1'000, kIdleWaitUs));
    }
  }
}

absl::StatusOr<std::vector<Offset>> StateImpl::Ends() const {
  std::vector<Offset> ends;
  for (uint32_t partition = 0; partition < partition_count_; ++partition) {
    ASSIGN_OR_RETURN(const Offset end, log_->EndOffset(Topic::kEvents, partition));
    ends.push_back(options_.end_offsets.empty() ? end : std::min(end, options_.end_offsets[partition]));
  }
  return ends;
}

absl::Status StateImpl::CatchUp() {
  ASSIGN_OR_RETURN(std::vector<Offset> ends, Ends());
  const std::lock_guard lock(run_mutex_);
  if (started_) {
    const auto caught_up = [&] {
      for (uint32_t p = 0; p < partition_count_; ++p) {
        if (options_.owned.Has(p) && FoldedOffset(p) < ends[p]) return false;
      }
      return true;
    };
    while (!caught_up()) {
      RETURN_IF_ERROR(Health());
      if (stop_.WaitFor(1'000)) return absl::CancelledError("state: stopped");
    }
    return absl::OkStatus();
  }
  for (uint64_t sent_before = ~uint64_t{0}; sent_before != handovers_sent_;) {
    sent_before = handovers_sent_;
    std::vector<absl::Status> statuses(groups_.size());
    std::vector<std::thread> others;
    const auto fold = [&](size_t i) { statuses[i] = groups_[i]->FoldUntil(ends, config_->state.flush_interval_us); };
    for (size_t i = 1; i < groups_.size(); ++i) others.emplace_back(fold, i);
    fold(0);
    for (std::thread& thread : others) thread.join();
    for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
    ASSIGN_OR_RETURN(ends, Ends());
  }
  if (options_.publish) PublishItemTable(clock_->NowUs(), 0);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const UserState>> StateImpl::Get(catalog::UserKey key, std::string_view id) const {
  const uint32_t partition = catalog::PartitionOf(key, partition_count_);
  if (!options_.owned.Has(partition)) {
    return absl::UnavailableError(fmt::format("state: partition {} is folded by another node", partition));
  }
  auto state = partitions_[partition]->Get(key, id);
  if (absl::IsDataLoss(state.status())) stores_.MarkDamaged(dir_);
  EvictIfExceeded();
  return state;
}

absl::StatusOr<uint64_t> StateImpl::VisitActions(
    catalog::UserKey key, std::string_view id, uint64_t before,
    const std::function<bool(uint64_t ordinal, const Action& action)>& visit) const {
  ASSIGN_OR_RETURN(const Partition::Actions held,
                   partitions_[catalog::PartitionOf(key, partition_count_)]->GetActions(key, id));
  EvictIfExceeded();
  const uint64_t in_blocks = held.total - held.newest.size();
  uint64_t ordinal = before == 0 ? held.total : std::min(before, held.total);
  while (ordinal > in_blocks) {
    --ordinal;
    if (!visit(ordinal, held.newest[ordinal - in_blocks])) return held.total;
  }
  while (ordinal > 0) {
    const auto block = static_cast<uint32_t>((ordinal - 1) / kLifelongBlock);
    const auto pending = std::ranges::find(held.pending, block, &SpilledBlock::ordinal);
    absl::StatusOr<std::vector<Action>> actions =
        pending != held.pending.end() ? pending->actions : store_->LoadLifelongBlock(key, block);
    if (absl::IsDataLoss(actions.status())) stores_.MarkDamaged(dir_);
    RETURN_IF_ERROR(actions.status());
    while (ordinal > uint64_t{block} * kLifelongBlock) {
      --ordinal;
      if (!visit(ordinal, (*actions)[ordinal % kLifelongBlock])) return held.total;
    }
  }
  return held.total;
}

/// Takes the least recently used users of one partition after the other, until memory is within its bound or nothing
/// clean is left.
void StateImpl::EvictIfExceeded() const {
  for (uint32_t without = 0; budget_.Exceeded() && without < partition_count_;) {
    const uint32_t at = evict_hand_++ % partition_count_;
    const size_t evicted = partitions_[at]->TryEvict(kEvictAtOnce) + item_lanes_->TryEvict(kEvictAtOnce);
    without = evicted > 0 ? 0 : without + 1;
  }
}

void StateImpl::AppendDeadLetters(uint32_t partition, std::vector<DeadLetter> letters) {
  if (!options_.publish) return;
  const uint32_t target = partition % log_->PartitionCount(Topic::kDeadLetters);
  for (DeadLetter& letter : letters) {
    v1::DeadLetter record;
    record.set_topic(std::string(log::TopicName(Topic::kEvents)));
    record.set_partition(partition);
    record.set_offset(letter.offset);
    record.set_reason(std::move(letter.reason));
    record.set_key(std::move(letter.key));
    record.set_value(std::move(letter.value));
    std::string key = fmt::format("{}/{}/{}", record.topic(), partition, letter.offset);
    std::string value = record.SerializeAsString();
    if (value.size() > log::EventLog::kValueBytesMax) {  // the record is in its own topic still
      record.clear_value();
      value = record.SerializeAsString();
    }
    log_->AppendAsync({log::AppendRecord{Topic::kDeadLetters, target, std::move(key), std::move(value)}},
                      AppendHealth::Note(appends_));
  }
}

void StateImpl::PublishLoop() {
  const int64_t interval_us = std::max<int64_t>(config_->state.item_table_interval_us, 1'000);
  int64_t published_us = base::MonotonicUs();
  while (!stop_.WaitFor(interval_us)) {
    if (!tables_.HasNews() && base::MonotonicUs() - published_us < kTableAgeUsMax) continue;
    PublishItemTable(clock_->NowUs(), 0);
    published_us = base::MonotonicUs();
  }
}

State::Counters StateImpl::counters() const {
  Counters counters;
  counters.folded = counters_.folded;
  counters.duplicates = counters_.duplicates;
  counters.too_late = counters_.too_late;
  counters.dead_letters = counters_.dead_letters;
  for (size_t reason = 0; reason < kMarkReasons; ++reason) {
    counters.left_out[reason] = counters_.left_out[reason];
    counters.marks[reason] = counters_.marks[reason];
  }
  for (const auto& group : groups_) {
    counters.flushes += group->writes();
    counters.batch_bytes += group->batch_bytes();
    counters.skipped += group->skipped();
  }
  counters.bytes_written = store_->file_bytes_written();
  counters.users_cached = static_cast<uint64_t>(budget_.users.load());
  counters.cache_bytes =
      static_cast<uint64_t>(budget_.bytes.load() + budget_.table_bytes.load()) + store_->memory_bytes();
  for (uint32_t p = 0; p < partition_count_; ++p) {
    if (!options_.owned.Has(p)) continue;
    const Offset folded = FoldedOffset(p);
    const absl::StatusOr<Offset> end = log_->EndOffset(Topic::kEvents, p);
    if (!end.ok() || *end <= folded) continue;
    counters.lag_records += *end - folded;
    const absl::StatusOr<log::ReadResult> oldest = log_->Read(Topic::kEvents, p, folded, 1, 1);
    if (!oldest.ok() || oldest->records.empty()) continue;
    counters.lag_us = std::max(counters.lag_us, clock_->NowUs() - oldest->records.front().append_time_us);
  }
  return counters;
}

absl::Status StateImpl::Health() const {
  for (const auto& group : groups_) RETURN_IF_ERROR(group->Health());
  return appends_->status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<State>> State::Open(const std::string& dir, std::shared_ptr<const config::Config> config,
                                                   log::EventLog* log, const base::Clock* clock,
                                                   const Options& options) {
  auto state = std::make_unique<StateImpl>(std::move(config), log, clock, options);
  RETURN_IF_ERROR(state->Init(dir));
  return state;
}

}  // namespace bowerbird::state
