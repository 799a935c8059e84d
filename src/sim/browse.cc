#include "sim/browse.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "fmt/format.h"
#include "sim/adaptation.h"

namespace bowerbird::sim {
namespace {

using world::ItemNumber;
using world::UserNumber;

constexpr int kFailuresMax = 20;
/// Visits between two withdrawals.
constexpr uint64_t kWithdrawEvery = 25;
/// The probes get the last part of the time: a fifth, at most 15 seconds.
constexpr double kProbeShare = .2;
constexpr double kProbeSecondsMax = 15;

double Quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<size_t>(at)];
}

/// Counts what goes through a client, and gives up after too many failures in a row.
class MeteredClient final : public Client {
 public:
  explicit MeteredClient(Client* client) : client_(client) {}

  absl::StatusOr<FeedPage> Recommend(const FeedQuery& query) override {
    ++requests_;
    const int64_t begin_us = base::MonotonicUs();
    absl::StatusOr<FeedPage> page = client_->Recommend(query);
    latencies_ms_.push_back(static_cast<double>(base::MonotonicUs() - begin_us) / 1000);
    Note(page.status());
    return page;
  }
  absl::Status SendEvents(std::span<const SentEvent> events) override {
    if (events.empty()) return absl::OkStatus();
    absl::Status status = client_->SendEvents(events);
    if (status.ok()) acknowledged_ += events.size();
    Note(status);
    return status;
  }
  absl::Status AddItem(const world::Item& item) override {
    absl::Status status = client_->AddItem(item);
    Note(status);
    return status;
  }
  absl::Status Withdraw(std::string_view item) override {
    absl::Status status = client_->Withdraw(item);
    Note(status);
    return status;
  }

  /// The last error, once too many came in a row.
  absl::Status Verdict() const { return in_a_row_ >= kFailuresMax ? last_ : absl::OkStatus(); }
  void Report(BrowseReport& report) {
    report.events_acknowledged = acknowledged_;
    report.requests = requests_;
    report.failed_requests = failures_;
    report.p50_ms = Quantile(latencies_ms_, .5);
    report.p99_ms = Quantile(latencies_ms_, .99);
  }

 private:
  void Note(const absl::Status& status) {
    if (status.ok()) {
      in_a_row_ = 0;
      return;
    }
    ++failures_;
    ++in_a_row_;
    last_ = status;
  }

  Client* client_;
  uint64_t requests_ = 0;
  uint64_t failures_ = 0;
  uint64_t acknowledged_ = 0;
  int in_a_row_ = 0;
  absl::Status last_;
  std::vector<double> latencies_ms_;
};

class Browser {
 public:
  Browser(world::World* world, Audience* audience, Client* client, const base::Clock* clock,
          const BrowseOptions& options)
      : world_(*world),
        audience_(*audience),
        client_(client),
        clock_(*clock),
        options_(options),
        rng_(options.seed ^ 0x62726f777365ULL),
        run_(fmt::format("sim-{}", clock->NowUs())),
        world_now_us_(world->options().end_time_us) {}

  absl::StatusOr<BrowseReport> Run() {
    const int64_t begin_us = base::MonotonicUs();
    const double probe_s = std::min(kProbeSecondsMax, kProbeShare * options_.seconds);
    const auto until_us = begin_us + static_cast<int64_t>((options_.seconds - probe_s) * 1e6);
    for (uint64_t visits = 0; options_.visits_max == 0 || visits < options_.visits_max; ++visits) {
      if (base::MonotonicUs() >= until_us || IsStopped()) break;
      RETURN_IF_ERROR(client_.Verdict());
      Visit(world_.NextVisit());
      Pace(begin_us);
    }
    AdaptationOptions probing{LookedOver::kOwnFeed,
                              options_.probes,
                              options_.probe_page,
                              options_.seed,
                              begin_us + static_cast<int64_t>(options_.seconds * 1e6),
                              options_.stop};
    report_.adapted = MeasureAdaptation(world_, audience_, client_, clock_, probing);
    probing.looked_over = LookedOver::kWholeCatalog;
    probing.probes = options_.probes / 2;
    report_.adapted_discovery = MeasureAdaptation(world_, audience_, client_, clock_, probing);
    RETURN_IF_ERROR(client_.Verdict());
    client_.Report(report_);
    std::vector<UserOutcome> outcomes;
    for (const auto& [user, outcome] : outcomes_) outcomes.push_back(outcome);
    report_.utility = MeasureShare(outcomes, options_.seed);
    return report_;
  }

 private:
  bool IsStopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }

  void Pace(int64_t begin_us) const {
    if (options_.visits_per_second_max <= 0) return;
    const auto due_us =
        begin_us + static_cast<int64_t>(static_cast<double>(report_.sessions) / options_.visits_per_second_max * 1e6);
    while (base::MonotonicUs() < due_us && !IsStopped()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }

  Policy PolicyOf(UserNumber user) {
    const auto [it, is_new] = outcomes_.try_emplace(user.value);
    // By the user's number alone, so that the split does not depend on the order of visits.
    if (is_new) {
      base::Rng draw(options_.seed * 0x9e3779b97f4a7c15ULL + user.value);
      it->second.policy = static_cast<Policy>(draw.Below(kPolicies));
    }
    return it->second.policy;
  }

  /// What happens in the world between visits: items arrive, and a few are withdrawn.
  void Pass(int64_t now_us) {
    for (const ItemNumber item : world_.NewItems(world_now_us_, now_us)) {
      world::Item added = world_.ItemAt(item);
      added.created_time_us = clock_.NowUs();
      if (!client_.AddItem(added).ok()) continue;
      audience_.Add(item);
      ++report_.items_added;
    }
    world_now_us_ = std::max(world_now_us_, now_us);
    if (report_.items_withdrawn >= options_.withdrawals || report_.sessions % kWithdrawEvery != kWithdrawEvery - 1)
      return;
    const ItemNumber item = audience_.available()[rng_.Below(audience_.available().size())];
    if (!client_.Withdraw(world_.ItemAt(item).id).ok()) return;
    audience_.Withdraw(item);
    ++report_.items_withdrawn;
  }

  /// The next page of a session under its user's policy; the engine's chain state is kept in `page`.
  std::optional<std::vector<ItemNumber>> NextPage(Policy policy, world::Session& session,
                                                  const std::vector<ItemNumber>& shown, FeedPage& page) {
    switch (policy) {
      case Policy::kPersonal:
        return AskEngine(session, shown, page);
      case Policy::kPopularity:
        return audience_.Popular(session.user(), options_.page, shown);
      case Policy::kRandom: {
        std::vector<ItemNumber> random;
        const auto& all = audience_.available();
        while (random.size() < std::min<size_t>(options_.page, all.size())) {
          const ItemNumber item = all[rng_.Below(all.size())];
          if (std::find(random.begin(), random.end(), item) == random.end()) random.push_back(item);
        }
        return random;
      }
      case Policy::kOracle:
        break;
    }
    return session.OraclePage(options_.page, shown, audience_.available());
  }

  std::optional<std::vector<ItemNumber>> AskEngine(world::Session& session, const std::vector<ItemNumber>& shown,
                                                   FeedPage& page) {
    if (!shown.empty() && page.next_cursor.empty()) return std::nullopt;
    const std::string cursor = std::move(page.next_cursor);
    absl::StatusOr<FeedPage> answer = client_.Recommend({.user = world_.UserId(session.user()),
                                                         .n = options_.page,
                                                         .cursor = cursor,
                                                         .exclude = {},
                                                         .device = session.device()});
    if (!answer.ok()) return std::nullopt;
    page = *std::move(answer);
    std::vector<ItemNumber> items;
    absl::flat_hash_set<uint32_t> chain;
    for (const ItemNumber item : shown) chain.insert(item.value);
    for (const std::string& id : page.items) {
      const std::optional<ItemNumber> item = world_.FindItem(id);
      if (!item.has_value()) {
        ++report_.unknown_shown;
        continue;
      }
      if (!chain.insert(item->value).second) ++report_.duplicates;
      if (audience_.IsWithdrawn(*item) || audience_.HasHidden(session.user(), *item)) ++report_.hidden_shown;
      items.push_back(*item);
    }
    return items;
  }

  void Visit(const world::Visit& visit) {
    Pass(visit.time_us);
    const Policy policy = PolicyOf(visit.user);
    world::Session session = world_.Begin(visit.user, visit.time_us);
    UserOutcome outcome = {};
    std::vector<ItemNumber> shown;
    FeedPage page;
    bool wants_more = true;
    while (wants_more) {
      const std::optional<std::vector<ItemNumber>> items = NextPage(policy, session, shown, page);
      // A session that an error cut short would count against the engine twice: it is counted as a failure instead.
      if (!items.has_value() && shown.empty()) return;
      if (!items.has_value() || items->empty()) break;
      shown.insert(shown.end(), items->begin(), items->end());
      const world::PageOutcome result = session.View(*items);
      outcome.utility += result.utility;
      wants_more = result.wants_more;
      if (!Send(visit, page.request_id, result.actions)) break;
    }
    if (options_.judged_visits == 0 || report_.sessions < options_.judged_visits) {
      UserOutcome& total = outcomes_[visit.user.value];
      total.utility += outcome.utility;
      ++total.sessions;
    }
    ++report_.sessions;
  }

  bool Send(const world::Visit& visit, std::string_view request_id, const std::vector<world::Action>& actions) {
    std::vector<SentEvent> events;
    const int64_t now_us = clock_.NowUs();
    for (const world::Action& action : actions) {
      SentEvent event;
      event.type = world::ActionName(action.type);
      event.user = world_.UserId(visit.user);
      event.item = world_.ItemAt(action.item).id;
      event.client_id = fmt::format("{}-{}", run_, ++sent_);
      event.surface = "home";
      event.request_id = request_id;
      event.position = action.position;
      event.time_us = now_us + static_cast<int64_t>(events.size());
      event.dwell_ms = action.dwell_ms;
      event.value = action.value;
      events.push_back(std::move(event));
    }
    if (!client_.SendEvents(events).ok()) return false;
    for (const world::Action& action : actions) audience_.Take(visit.user, visit.time_us + action.offset_us, action);
    return true;
  }

  world::World& world_;
  Audience& audience_;
  MeteredClient client_;
  const base::Clock& clock_;
  const BrowseOptions options_;
  base::Rng rng_;
  const std::string run_;
  uint64_t sent_ = 0;
  int64_t world_now_us_;
  absl::flat_hash_map<uint32_t, UserOutcome> outcomes_;
  BrowseReport report_;
};

}  // namespace

absl::StatusOr<BrowseReport> Browse(world::World* world, Audience* audience, Client* client, const base::Clock* clock,
                                    const BrowseOptions& options) {
  return Browser(world, audience, client, clock, options).Run();
}

}  // namespace bowerbird::sim
