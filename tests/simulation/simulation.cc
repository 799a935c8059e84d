#include "simulation/simulation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/rng.h"
#include "catalog/catalog.h"
#include "collect/catalog_intake.h"
#include "collect/collector.h"
#include "index/live_index.h"
#include "serve/engine.h"
#include "simulation/memory_log.h"
#include "simulation/memory_state_store.h"
#include "state/state.h"

namespace bowerbird::simulation {
namespace {

using log::Offset;
using log::Topic;

constexpr uint32_t kPartitions = 4, kUsers = 9, kItems = 24;
constexpr char kStateFolder[] = "state", kScratchFolder[] = "scratch";

class SimulatedClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us; }
  int64_t now_us = 1'700'000'000'000'000;
};

/// The log as the state's fold sees it: up to where the simulation has let it come.
class LaggingLog final : public log::EventLog {
 public:
  explicit LaggingLog(MemoryLog* log) : log_(log) {}
  /// Per partition of the events topic; empty: all there is.
  std::vector<Offset> visible;

  uint32_t PartitionCount(Topic topic) const override { return log_->PartitionCount(topic); }
  absl::StatusOr<std::vector<Offset>> Append(std::vector<log::AppendRecord> batch) override {
    return log_->Append(std::move(batch));
  }
  void AppendAsync(std::vector<log::AppendRecord> batch, AppendDone done) override {
    log_->AppendAsync(std::move(batch), std::move(done));
  }
  absl::StatusOr<log::ReadResult> Read(Topic topic, uint32_t partition, Offset offset, size_t records_max,
                                       size_t bytes_max) const override {
    return log_->Read(topic, partition, offset, records_max, bytes_max);
  }
  absl::StatusOr<Offset> BeginOffset(Topic topic, uint32_t partition) const override {
    return log_->BeginOffset(topic, partition);
  }
  absl::StatusOr<Offset> EndOffset(Topic topic, uint32_t partition) const override {
    auto end = log_->EndOffset(topic, partition);
    if (end.ok() && topic == Topic::kEvents && !visible.empty()) *end = std::min(*end, visible[partition]);
    return end;
  }
  bool WaitForAppend(Topic topic, std::span<const Offset> seen_ends, int64_t timeout_us) const override {
    return log_->WaitForAppend(topic, seen_ends, timeout_us);
  }
  absl::Status Truncate(Topic topic, uint32_t partition, Offset offset) override {
    return log_->Truncate(topic, partition, offset);
  }
  absl::StatusOr<Offset> OffsetAtTime(Topic topic, uint32_t partition, int64_t time_us) const override {
    return log_->OffsetAtTime(topic, partition, time_us);
  }
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override { return log_->Stats(); }

 private:
  MemoryLog* const log_;
};

constexpr std::string_view kConfigText = R"(
[app]
partitions = 4
[signals.interests]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "1d"
top = 3
[signals.recent]
kind = "last_n"
on = ["click", "save", "hide"]
n = 5
[signals.hourly]
kind = "count"
on = ["impression", "click"]
window = "1h"
[signals.item_strength]
per = "item"
kind = "decayed_sum"
by = "event.surface"
on = ["click", "save", "hide"]
half_life = "1d"
top = 2
[signals.item_users]
per = "item"
kind = "distinct"
of = "event.user"
on = ["impression", "click"]
)";

/// One event as a client knows it.
struct Sent {
  std::string type, item;
  bool acknowledged = false;
};
/// One request with events, sent again until it is acknowledged.
struct Batch {
  std::string body;
  std::vector<std::pair<std::string, std::string>> events;  ///< user, client id
  bool acknowledged = false;
};

class Simulation {
 public:
  Simulation(uint64_t seed, const Options& options) : options_(options), rng_(seed) {
    const config::ParseResult parsed = config::Parse(kConfigText, "simulated.toml");
    BOWERBIRD_CHECK(parsed.config != nullptr);
    auto config = std::make_shared<config::Config>(*parsed.config);
    // Written after each batch of the fold, or at its end only: no wall clock decides.
    config->state.flush_interval_us = rng_.Bernoulli(0.5) ? 0 : int64_t{1} << 60;
    config_ = std::move(config);
    stores_.offsets_first = options.offsets_first;
    stores_.flushes_by_itself = [this] { return !options_.offsets_first && rng_.Bernoulli(0.15); };
    stores_.refuses = [this] { return stores_refuse_ && rng_.Bernoulli(0.3); };
    catalog_disk_.reset(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  }

  Result Run() {
    Open();
    for (uint32_t item = 0; item < kItems; ++item) PutItem(fmt::format("i{}", item));
    for (uint32_t step = 0; step < options_.steps && result_.errors.empty(); ++step) Step();
    if (result_.errors.empty()) Finish();
    process_.reset();
    result_.trace_hash = hash_;
    return std::move(result_);
  }

 private:
  /// Everything that ends with the process.
  struct Process {
    std::unique_ptr<MemoryLog> log;
    std::unique_ptr<LaggingLog> lagging;
    std::unique_ptr<catalog::Catalog> catalog;
    std::unique_ptr<index::LiveIndex> live;
    collect::HideOverlay hides{1024};
    collect::LastAcknowledged last_acknowledged{256};
    std::unique_ptr<collect::Collector> collector;
    std::unique_ptr<collect::CatalogIntake> intake;
    std::unique_ptr<state::State> state;
    std::unique_ptr<serve::Engine> engine;
  };

  void Note(std::string_view what) {
    hash_ = base::CombineHash(hash_, base::Hash64(what));
    if (options_.trace) std::printf("%.*s\n", static_cast<int>(what.size()), what.data());
  }
  void Fail(std::string what) {
    Note(what);
    result_.errors.push_back(std::move(what));
  }
  void Check(const absl::Status& status, std::string_view doing) {
    if (!status.ok()) Fail(fmt::format("{}: {}", doing, status.ToString()));
  }
  std::string RandomUser() { return fmt::format("u{}", rng_.Below(kUsers)); }
  std::string RandomItem() { return fmt::format("i{}", rng_.Below(kItems)); }

  // As app::App does it, with what is handed in.
  void Open() {
    process_ = std::make_unique<Process>();
    Process& p = *process_;
    p.log = std::make_unique<MemoryLog>(&log_disk_, &clock_, kPartitions);
    p.log->Hold();
    p.lagging = std::make_unique<LaggingLog>(p.log.get());
    auto catalog = catalog::Catalog::Open("/catalog", config_, hasher_, {.env = catalog_disk_.get()});
    Check(catalog.status(), "open the catalog");
    if (!catalog.ok()) return;
    p.catalog = *std::move(catalog);
    p.live = std::make_unique<index::LiveIndex>(config_);
    CatchUpIndex();
    p.intake = std::make_unique<collect::CatalogIntake>(config_, hasher_, p.log.get(), p.catalog.get(), &clock_,
                                                        [this](std::span<const collect::CatalogChange> applied) {
                                                          std::vector<index::Change> told;
                                                          for (const auto& change : applied)
                                                            told.push_back({change.offset, change.key, change.item});
                                                          Check(process_->live->Apply(told), "tell the index");
                                                        });
    Check(p.intake->CatchUp(), "catch the catalog up");
    p.collector = std::make_unique<collect::Collector>(config_, hasher_, p.log.get(), p.catalog.get(), &clock_,
                                                       collect::Collector::Overlays{&p.last_acknowledged, &p.hides});
    state::State::Options state_options;
    state_options.stores = &stores_;
    auto state = state::State::Open(kStateFolder, config_, p.lagging.get(), &clock_, state_options);
    Check(state.status(), "open the state");
    if (!state.ok()) return;
    p.state = *std::move(state);
    Check(p.state->CatchUp(), "catch the state up");
    MakeEngine();
  }

  void CatchUpIndex() {
    Offset offset = 0;
    while (true) {
      auto read = process_->log->Read(Topic::kCatalog, 0, offset, 100, 1 << 20);
      Check(read.status(), "read the catalog topic");
      if (!read.ok() || read->records.empty()) return;
      std::vector<v1::CatalogRecord> records(read->records.size());
      std::vector<index::Change> changes;
      for (size_t i = 0; i < records.size(); ++i) {
        BOWERBIRD_CHECK(records[i].ParseFromString(read->records[i].value));
        changes.push_back({read->records[i].offset, catalog::ItemKey(records[i].item_key()),
                           records[i].has_item() ? &records[i].item() : nullptr});
      }
      Check(process_->live->Apply(changes), "replay into the index");
      offset = read->next_offset;
    }
  }

  void MakeEngine() {
    Process* p = process_.get();
    serve::Engine::Sources sources;
    sources.config = [this] { return config_; };
    sources.view = [p] { return p->live->View(); };
    sources.user = [p](catalog::UserKey key, std::string_view id) { return p->state->Get(key, id); };
    sources.item_table = [p] { return p->state->item_table(); };
    sources.unfolded_hides = [p](catalog::UserKey user, uint64_t folded) {
      std::vector<serve::OverlayHide> hides;
      for (collect::HideOverlay::Hide& hide : p->hides.Unfolded(user, folded))
        hides.push_back({std::move(hide.item), hide.key});
      return hides;
    };
    p->engine = std::make_unique<serve::Engine>(std::move(sources), &clock_,
                                                serve::Engine::Options{.hasher = hasher_, .seed = rng_()});
  }

  void Step() {
    // Weights of what happens next.
    static constexpr std::pair<int, void (Simulation::*)()> kActions[] = {
        {18, &Simulation::Send},         {24, &Simulation::Deliver}, {20, &Simulation::Commit},
        {14, &Simulation::Fold},         {4, &Simulation::Flush},    {8, &Simulation::Retry},
        {6, &Simulation::ChangeCatalog}, {14, &Simulation::Ask},     {5, &Simulation::MoveClock},
        {2, &Simulation::Crash},         {2, &Simulation::Look}};
    int total = 0;
    for (const auto& [weight, action] : kActions) total += weight;
    int drawn = static_cast<int>(rng_.Below(static_cast<uint64_t>(total)));
    for (const auto& [weight, action] : kActions) {
      drawn -= weight;
      if (drawn < 0) return (this->*action)();
    }
  }

  void Send() {
    const size_t number = batches_.size();
    Batch& batch = batches_.emplace_back();
    batch.body = R"({"events":[)";
    for (uint64_t i = 0, count = 1 + rng_.Below(5); i < count; ++i) {
      static constexpr const char* kTypes[] = {"click", "click", "save", "impression", "hide"};
      const std::string user = RandomUser(), client_id = fmt::format("{}-{}", number, i);
      Sent sent{kTypes[rng_.Below(std::size(kTypes))], RandomItem()};
      fmt::format_to(std::back_inserter(batch.body), R"({}{{"type":"{}","user":"{}","item":"{}","client_id":"{}"}})",
                     i == 0 ? "" : ",", sent.type, user, sent.item, client_id);
      batch.events.emplace_back(user, client_id);
      sent_[user][client_id] = std::move(sent);
      ++result_.events;
    }
    batch.body += "]}";
    network_.push_back(number);
    Note(fmt::format("send {}: {}", number, batch.body));
  }

  /// Some request on its way arrives, or is lost; one that arrives may do so again later.
  void Deliver() {
    if (network_.empty()) return;
    const size_t at = rng_.Below(network_.size());
    const size_t number = network_[at];
    const bool again = rng_.Bernoulli(0.1), lost = rng_.Bernoulli(0.08);
    if (!again) network_.erase(network_.begin() + static_cast<ptrdiff_t>(at));
    Note(fmt::format("deliver {}{}", number, lost ? ", lost" : ""));
    if (!lost) Collect(number, rng_.Bernoulli(0.1));
  }

  void Collect(size_t number, bool answer_lost) {
    process_->collector->Collect(batches_[number].body, collect::Collector::Source::kLive,
                                 [this, number, answer_lost](absl::StatusOr<collect::CollectResult> result) {
                                   Batch& batch = batches_[number];
                                   Note(fmt::format("answer {}: {}", number, result.status().ToString()));
                                   if (!result.ok()) {
                                     ++result_.refused;
                                     if (!absl::IsUnavailable(result.status()))
                                       Fail(fmt::format("{}: {}", number, result.status().ToString()));
                                     return;
                                   }
                                   if (result->accepted != batch.events.size())
                                     Fail(fmt::format("{}: accepted {}", number, result->accepted));
                                   if (answer_lost) return;  // on its way to the client
                                   ++result_.acknowledged;
                                   batch.acknowledged = true;
                                   for (const auto& [user, client_id] : batch.events)
                                     sent_[user][client_id].acknowledged = true;
                                 });
  }

  void Commit() {
    const size_t pending = process_->log->pending();
    if (pending == 0) return;
    const size_t count = 1 + rng_.Below(pending);
    const bool fails = rng_.Bernoulli(0.07), kept = rng_.Bernoulli(0.5);
    Note(fmt::format("commit {} of {}{}", count, pending, !fails ? "" : kept ? ", fails but kept" : ", fails"));
    fails ? process_->log->Fail(count, kept) : process_->log->Commit(count);
  }

  void Fold() {
    LaggingLog& log = *process_->lagging;
    log.visible.clear();
    std::vector<Offset> visible;
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      const Offset folded = process_->state->FoldedOffset(partition);
      const Offset end = *log.EndOffset(Topic::kEvents, partition);
      visible.push_back(folded + rng_.Below(end - folded + 1));
    }
    log.visible = std::move(visible);
    stores_refuse_ = rng_.Bernoulli(0.1);
    const absl::Status folded = process_->state->CatchUp();
    stores_refuse_ = false;
    if (!folded.ok() && !absl::IsUnavailable(folded)) Check(folded, "fold");
    Note(fmt::format("fold to {}: {}", fmt::join(log.visible, ","), folded.ToString()));
  }

  void Flush() {
    Note("flush");
    Check(process_->state->Flush(), "flush the state");
    if (rng_.Bernoulli(0.5)) Check(process_->catalog->Flush(), "flush the catalog");
  }

  void Retry() {
    for (size_t number = 0; number < batches_.size(); ++number) {
      if (!batches_[number].acknowledged && rng_.Bernoulli(0.3)) {
        network_.push_back(number);
        Note(fmt::format("retry {}", number));
      }
    }
  }

  void PutItem(const std::string& id) {
    v1::Item item;
    item.set_id(id);
    item.set_title(fmt::format("Item {} at {}", id, clock_.now_us));
    item.add_categories(fmt::format("c{}", base::Hash64(id) % 3));
    Check(process_->intake->Put(std::move(item)).status(), "put an item");
    withdrawn_.erase(id);
  }

  void ChangeCatalog() {
    const std::string id = RandomItem();
    const uint64_t what = rng_.Below(3);
    Note(fmt::format("catalog {} {}", what, id));
    if (what == 0) return PutItem(id);
    const absl::Status status = what == 1 ? process_->intake->Withdraw(id).status() : process_->intake->Delete(id);
    if (!absl::IsNotFound(status)) Check(status, "withdraw or delete an item");
    withdrawn_.insert(id);
  }

  void Ask() {
    v1::RecommendRequest request;
    request.set_user(RandomUser());
    request.set_surface("home");
    request.set_n(10);
    const auto answer = process_->engine->Recommend(request);
    ++result_.answers;
    if (!answer.ok()) return Check(answer.status(), "recommend");
    std::string ids;
    for (const serve::AnswerItem& item : answer->items) {
      ids += fmt::format(" {}={:a}", item.id, item.score);
      if (withdrawn_.contains(item.id)) Fail(fmt::format("{}: served although withdrawn: {}", request.user(), item.id));
      for (const auto& [client_id, sent] : sent_[request.user()]) {
        if (sent.type == "hide" && sent.acknowledged && sent.item == item.id)
          Fail(fmt::format("{}: served although hidden: {}", request.user(), item.id));
      }
    }
    Note(fmt::format("answer for {}:{}", request.user(), ids));
  }

  void MoveClock() {
    const int64_t jump_us = static_cast<int64_t>(rng_.Below(7'200'000'000));
    clock_.now_us += rng_.Bernoulli(0.3) ? -jump_us : jump_us / 8;
    Note(fmt::format("clock {}", clock_.now_us));
  }

  void Crash() {
    ++result_.crashes;
    const size_t pending = process_->log->pending();
    const size_t durable = pending == 0 ? 0 : rng_.Below(pending + 1);
    const bool catalog_lost = rng_.Bernoulli(0.5);
    Note(fmt::format("crash: {} of {} appends became durable{}", durable, pending, catalog_lost ? ", no catalog" : ""));
    process_->log->Crash(durable);
    // The state's destructor flushes, which a crash does not.
    const MemoryStateStores at_the_crash = stores_;
    process_.reset();
    stores_ = at_the_crash;
    if (catalog_lost) catalog_disk_.reset(rocksdb::NewMemEnv(rocksdb::Env::Default()));
    Open();
    if (result_.errors.empty()) Look();
  }

  /// What was acknowledged is in effect, if it is folded; nothing is there that was not sent, and nothing twice.
  void Look() {
    process_->lagging->visible.clear();
    Check(process_->state->CatchUp(), "catch up");
    for (const auto& [user, events] : sent_) LookAt(user, false);
  }

  void LookAt(const std::string& user, bool all) {
    const auto state = process_->state->Get(hasher_.User(user), user);
    if (!state.ok()) return Check(state.status(), "get a user");
    const state::UserState& seen = **state;
    uint64_t must = 0;
    std::map<uint64_t, int64_t> actions;  // by item: sent, minus those there
    std::set<uint64_t> must_hide, may_hide;
    for (const auto& [client_id, sent] : sent_[user]) {
      const uint64_t item = hasher_.Item(sent.item).value;
      must += sent.acknowledged || all ? 1 : 0;
      if (sent.type == "click" || sent.type == "save") ++actions[item];
      if (sent.type != "hide") continue;
      may_hide.insert(item);
      if (sent.acknowledged || all) must_hide.insert(item);
    }
    Note(fmt::format("look at {}: {} events", user, seen.events));
    if (seen.events < must || seen.events > sent_[user].size()) {
      Fail(fmt::format("{}: {} events in effect; {} must be, {} were sent", user, seen.events, must,
                       sent_[user].size()));
    }
    for (const uint64_t item : must_hide) {
      if (!seen.IsHidden(catalog::ItemKey(item))) Fail(fmt::format("{}: a hide is lost", user));
    }
    for (const catalog::ItemKey item : seen.hidden) {
      if (!may_hide.contains(item.value)) Fail(fmt::format("{}: hidden, and nobody did", user));
    }
    for (const state::Action& action : seen.actions) --actions[action.item.value];
    for (const auto& [item, left] : actions) {
      if (left < 0) Fail(fmt::format("{}: an action is there twice", user));
      if (all && left > 0 && !may_hide.contains(item)) Fail(fmt::format("{}: an action is lost", user));
    }
  }

  /// Clients try again until all is acknowledged; then everything is there exactly once, and equals a replay.
  void Finish() {
    network_.clear();
    for (size_t number = 0; number < batches_.size(); ++number) {
      for (int attempt = 0; !batches_[number].acknowledged && attempt < 3; ++attempt) {
        Collect(number, false);
        process_->log->Commit(process_->log->pending());
      }
    }
    Look();
    for (const auto& [user, events] : sent_) LookAt(user, true);
    result_.duplicates = process_->state->counters().duplicates;
    Check(process_->state->Flush(), "flush at the end");
    process_->state.reset();
    stores_.flushes_by_itself = nullptr;  // the replay has threads of its own
    const auto report =
        state::VerifyByReplay(kStateFolder, kScratchFolder, config_, process_->log.get(), &clock_, &stores_);
    if (!report.ok()) return Check(report.status(), "verify");
    Note(fmt::format("verify: {} keys, {} events", report->keys, report->events));
    for (const std::string& difference : report->differences) Fail(difference);
  }

  const Options options_;
  base::Rng rng_;
  const catalog::KeyHasher hasher_{base::HashSeed{1, 2, 3}};
  std::shared_ptr<const config::Config> config_;

  SimulatedClock clock_;
  LogDisk log_disk_;
  MemoryStateStores stores_;
  bool stores_refuse_ = false;
  std::unique_ptr<rocksdb::Env> catalog_disk_;

  std::vector<Batch> batches_;
  std::vector<size_t> network_;  ///< batches on their way, in any order
  std::map<std::string, std::map<std::string, Sent>> sent_;
  std::set<std::string> withdrawn_;

  std::unique_ptr<Process> process_;
  uint64_t hash_ = 0;
  Result result_;
};

}  // namespace

Result RunSeed(uint64_t seed, const Options& options) { return Simulation(seed, options).Run(); }

}  // namespace bowerbird::simulation
