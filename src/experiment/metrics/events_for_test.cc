#include "experiment/metrics/events_for_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/rng.h"

namespace bowerbird::experiment::metrics {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

class WorldMaker {
 public:
  explicit WorldMaker(uint64_t seed) : rng_(seed) {}

  TestWorld Make() {
    for (int n = 0; n < 240; ++n) AddUser(fmt::format("user-{}", n));
    for (int n = 0; n < 40; ++n) AddVisitor(n);
    AddCircle();
    std::ranges::stable_sort(world_.events, {}, [](const TestEvent& one) { return one.event.receive_time_us(); });
    for (uint64_t n = 0; n < world_.events.size(); ++n) world_.events[n].order = n;
    return std::move(world_);
  }

 private:
  int64_t Within(int64_t from_us, int64_t to_us) {
    return from_us + static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(to_us - from_us)));
  }

  void AddUser(const std::string& user) {
    const char* arm = Arm();
    AddExposures(user, arm);
    AddActions(user);
    if (rng_.Bernoulli(0.05)) AddMark(user, "by_hand");
    if (rng_.Bernoulli(0.05)) AddMark(user, "unmarked");
    if (rng_.Bernoulli(0.03)) AddMark(user, "rate");
  }

  const char* Arm() {
    static constexpr const char* kArms[] = {"control", "green", "blue"};
    return kArms[rng_.Below(3)];
  }

  void AddExposures(const std::string& user, const char* arm) {
    const int64_t first_us = Within(kTestBeginUs - kTestDayUs, kTestEndUs + kTestDayUs);
    for (int64_t at_us = first_us; at_us < kTestEndUs + kTestDayUs; at_us += Within(kSecondUs, 3 * kTestDayUs)) {
      v1::Exposure exposure;
      exposure.set_experiment("buttons");
      exposure.set_arm(arm);
      if (rng_.Bernoulli(0.01)) exposure.set_arm(Arm());
      if (rng_.Bernoulli(0.005)) exposure.set_arm("purple");
      exposure.set_phase(at_us < kTestBeginUs + 3 * kTestDayUs ? 0 : 1);
      exposure.set_unit("user");
      exposure.set_unit_id(user);
      if (!rng_.Bernoulli(0.01)) exposure.set_user(user);
      exposure.set_time_us(at_us);
      exposure.set_surface(rng_.Bernoulli(0.5) ? "home" : "related");
      exposure.set_forced(rng_.Bernoulli(0.01));
      world_.exposures.push_back(exposure);
      if (rng_.Bernoulli(0.1)) world_.exposures.push_back(exposure);
      if (rng_.Bernoulli(0.3)) {
        exposure.set_experiment(rng_.Bernoulli(0.5) ? "banner" : "footer");
        exposure.set_arm(rng_.Bernoulli(0.5) ? "on" : "off");
        exposure.set_forced(false);
        world_.exposures.push_back(exposure);
      }
    }
  }

  void AddActions(const std::string& user) {
    const uint64_t count = rng_.Below(40);
    for (uint64_t n = 0; n < count; ++n) {
      static constexpr const char* kTypes[] = {"click", "impression", "impression", "purchase", "save", "closeup"};
      v1::Event event;
      event.set_type(kTypes[rng_.Below(std::size(kTypes))]);
      event.set_event_time_us(Within(kTestBeginUs - 25 * kTestDayUs, kTestEndUs + kTestDayUs));
      // Most come at once, some later, some with a clock that is behind.
      int64_t received_us = event.event_time_us() + Within(0, 5 * kSecondUs);
      if (rng_.Bernoulli(0.1)) received_us += Within(0, 6 * kTestDayUs);
      event.set_receive_time_us(received_us);
      event.set_item(fmt::format("item-{}", rng_.Below(20)));
      event.set_surface(rng_.Bernoulli(0.7) ? "home" : "it's \\ odd");
      if (event.type() == "purchase") event.set_value(static_cast<double>(1 + rng_.Below(1000)) / 8);
      if (event.type() == "click" && rng_.Bernoulli(0.8))
        (*event.mutable_attributes())["depth"].set_number_value(static_cast<double>(rng_.Below(9)));
      if (rng_.Bernoulli(0.05)) event.set_agent("bot/");
      Send(user, event);
    }
  }

  /// The second record of an identify; what was done before and after is the user's.
  void AddVisitor(int n) {
    const std::string visitor = fmt::format("visitor-{}", n), user = fmt::format("user-{}", rng_.Below(240));
    if (rng_.Bernoulli(0.7)) AddExposures(visitor, Arm());
    AddActions(visitor);
    // Some said before that they are another one.
    if (rng_.Bernoulli(0.2)) Become(visitor, "user-3", kTestBeginUs - kTestDayUs);
    std::string to = user;
    // The query follows an id through four others.
    const bool onward = rng_.Bernoulli(0.2) && n > 0 && hops_ < 3;
    hops_ = onward ? hops_ + 1 : 0;
    if (onward) to = fmt::format("visitor-{}", n - 1);
    Become(visitor, to, Within(kTestBeginUs, kTestEndUs));
    if (rng_.Bernoulli(0.1)) AddMark(visitor, "by_hand");
  }

  /// Left becomes right, then right becomes left: it is left.
  void AddCircle() {
    for (const char* id : {"left", "right"}) {
      AddExposures(id, "green");
      AddActions(id);
    }
    Become("left", "right", kTestBeginUs + kSecondUs);
    Become("right", "left", kTestBeginUs + 2 * kSecondUs);
    world_.becomes.erase("left");
  }

  void Become(const std::string& id, const std::string& user, int64_t at_us) {
    v1::Event event;
    event.set_type("identify");
    event.set_becomes(user);
    event.set_becomes_key(TestKey(user));
    event.set_event_time_us(at_us);
    event.set_receive_time_us(at_us);
    world_.becomes[id] = user;
    Add(id, event);
  }

  void AddMark(const std::string& user, const char* reason) {
    v1::Event event;
    const bool rule = std::string(reason) == "rate";
    event.set_receive_time_us(kTestBeginUs);
    event.mutable_mark()->set_reason(reason);
    if (rule) {
      event.mutable_mark()->set_from_us(kTestBeginUs);
      event.mutable_mark()->set_until_us(kTestBeginUs + kTestDayUs);
      // An operator's word outlasts it.
      if (!world_.marked.contains(user) && !world_.unmarked.contains(user)) world_.marked.insert(user);
    } else {
      (std::string(reason) == "unmarked" ? world_.unmarked : world_.marked).insert(user);
      (std::string(reason) == "unmarked" ? world_.marked : world_.unmarked).erase(user);
    }
    Add(user, event);
  }

  /// With a client id, often twice.
  void Send(const std::string& user, v1::Event event) {
    if (rng_.Bernoulli(0.9)) event.set_dedupe_print(base::CombineHash(TestKey(user), ++prints_));
    Add(user, event);
    if (event.dedupe_print() == 0 || !rng_.Bernoulli(0.15)) return;
    event.set_receive_time_us(event.receive_time_us() + Within(kSecondUs, kTestDayUs));
    event.set_value(event.value() * 2);  // the first one counts
    Add(user, event);
  }

  void Add(const std::string& user, v1::Event event) {
    event.set_user(user);
    event.set_user_key(TestKey(user));
    world_.events.push_back({std::move(event)});
  }

  base::Rng rng_;
  uint64_t prints_ = 0;
  int hops_ = 0;  ///< from the last visitor to the user whom it became
  TestWorld world_;
};

}  // namespace

uint64_t TestKey(const std::string& user) { return base::Hash64(user) | 1; }

v1::Experiment TestExperiment() {
  v1::Experiment experiment;
  experiment.set_id("buttons");
  experiment.set_started_us(kTestBeginUs);
  experiment.set_state(v1::Experiment::RUNNING);
  for (const char* arm : {"control", "green", "blue"}) {
    experiment.add_arms()->set_name(arm);
    experiment.mutable_arms()->rbegin()->set_weight(1);
  }
  for (const char* metric : {"clicks", "spend", "buyers", "ctr", "back", "basket", "busy"})
    experiment.add_metrics()->set_name(metric);
  return experiment;
}

std::string TestConfigText() {
  return R"(
[events.click.attributes]
depth = "number"
[metrics.clicks]
kind = "mean"
on = ["click", "closeup"]
[metrics.spend]
kind = "mean"
on = ["purchase"]
of = "event.value"
where = "event.surface == 'home' and event.value > 2.5"
winsorize = 0.9
covariate_days = 5
[metrics.buyers]
kind = "proportion"
on = ["purchase"]
where = "event.surface != 'home' or not event.value in [1, 2]"
[metrics.ctr]
kind = "ratio"
numerator = { on = ["click"], of = "event.depth" }
denominator = { on = ["impression"], where = "event.surface in ['home', \"it's \\\\ odd\"]" }
covariate_days = 10
[metrics.back]
kind = "retention"
on = ["save", "click"]
from = 1
to = 2
[metrics.basket]
kind = "quantile"
on = ["purchase"]
of = "event.value"
q = 0.4
per = "event"
[metrics.busy]
kind = "quantile"
on = ["impression"]
q = 0.7
)";
}

TestWorld MakeTestWorld(uint64_t seed) { return WorldMaker(seed).Make(); }

}  // namespace bowerbird::experiment::metrics
