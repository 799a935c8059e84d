#include "experiment/metrics/plain_count_for_test.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "base/time_text.h"

namespace bowerbird::experiment::metrics {
namespace {

using Events = std::vector<const v1::Event*>;
using Values = std::array<double, JointMoments::kVariables>;

std::string DayOf(int64_t time_us) { return base::FormatTimeUs(time_us).substr(0, 10); }

JointMoments MomentsOf(const std::vector<Values>& values) {
  JointMoments moments;
  moments.count = values.size();
  for (const Values& one : values) {
    for (size_t i = 0; i < one.size(); ++i) moments.mean[i] += one[i] / static_cast<double>(values.size());
  }
  for (const Values& one : values) {
    for (size_t i = 0; i < one.size(); ++i) {
      for (size_t j = 0; j <= i; ++j) moments.comoment(i, j) += (one[i] - moments.mean[i]) * (one[j] - moments.mean[j]);
    }
  }
  return moments;
}

double Quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (at - static_cast<double>(low));
}

struct Person {
  int arm = -1;
  uint32_t phase = 99;
  int64_t at_us = INT64_MAX;
  bool two_arms = false, no_arm = false, forced = false, marked = false, unmarked = false;
  std::set<int> arms;
  uint64_t exposures = 0, repeated = 0;
  std::string surface;
  Events before, after, skewed;
};

/// One metric, as TestConfigText declares it.
struct Rule {
  std::string name;
  uint32_t covariate_days = 14;
  double winsorize = 0.999;
  bool yes_or_no = false;
  std::function<std::optional<double>(const v1::Event&)> y, d;
};

double Depth(const v1::Event& event) {
  const auto found = event.attributes().find("depth");
  return found == event.attributes().end() ? 0 : found->second.number_value();
}

std::vector<Rule> Rules() {
  const auto is = [](const v1::Event& event, std::initializer_list<const char*> types) {
    return std::ranges::any_of(types, [&](const char* type) { return event.type() == type; });
  };
  std::vector<Rule> rules(7);
  rules[0] = {"clicks",
              14,
              0.999,
              false,
              [is](const v1::Event& e) {
                return is(e, {"click", "closeup"}) ? std::optional(1.0) : std::nullopt;
              },
              nullptr};
  rules[1] = {"spend",
              5,
              0.9,
              false,
              [is](const v1::Event& e) {
                return is(e, {"purchase"}) && e.surface() == "home" && e.value() > 2.5 ? std::optional(e.value())
                                                                                       : std::nullopt;
              },
              nullptr};
  rules[2] = {"buyers",
              14,
              1,
              true,
              [is](const v1::Event& e) {
                return is(e, {"purchase"}) && (e.surface() != "home" || (e.value() != 1 && e.value() != 2))
                           ? std::optional(1.0)
                           : std::nullopt;
              },
              nullptr};
  rules[3] = {"ctr",
              10,
              0.999,
              false,
              [is](const v1::Event& e) { return is(e, {"click"}) ? std::optional(Depth(e)) : std::nullopt; },
              [is](const v1::Event& e) { return is(e, {"impression"}) ? std::optional(1.0) : std::nullopt; }};
  rules[4] = {"back",
              14,
              1,
              true,
              [is](const v1::Event& e) { return is(e, {"save", "click"}) ? std::optional(1.0) : std::nullopt; },
              nullptr};
  rules[5] = {"basket",
              0,
              1,
              false,
              [is](const v1::Event& e) { return is(e, {"purchase"}) ? std::optional(e.value()) : std::nullopt; },
              nullptr};
  rules[6] = {"busy",
              0,
              1,
              false,
              [is](const v1::Event& e) { return is(e, {"impression"}) ? std::optional(1.0) : std::nullopt; },
              nullptr};
  return rules;
}

class Oracle {
 public:
  explicit Oracle(const TestWorld& world) : world_(world) {
    out_.begin_us = kTestBeginUs;
    out_.end_us = kTestEndUs;
    out_.arms = 3;
    CountExposures();
    CountEvents();
    for (auto& [name, person] : persons_) {
      if (Counts(person)) counted_.push_back(&person);
    }
    for (size_t rule = 0; rule < rules_.size(); ++rule) CountMetric(rule);
    for (const Person* person : counted_) {
      std::vector<uint64_t>& day = out_.entered[DayOf(person->at_us)];
      day.resize(3);
      ++day[static_cast<size_t>(person->arm)];
    }
  }
  const Statistics& statistics() const { return out_; }

 private:
  static int ArmOf(const std::string& arm) {
    return arm == "control" ? 0 : arm == "green" ? 1 : arm == "blue" ? 2 : -1;
  }

  std::string PersonOf(const std::string& id) const {
    std::string person = id;
    for (int hops = 0; hops < 4; ++hops) {
      const auto next = world_.becomes.find(person);
      if (next == world_.becomes.end()) break;
      person = next->second;
    }
    return person;
  }

  static bool Counts(const Person& person) {
    return !person.two_arms && !person.no_arm && !person.forced && !person.marked;
  }

  void CountExposures() {
    std::map<std::string, std::vector<const v1::Exposure*>> by_id;
    std::set<std::string> no_user;
    for (const v1::Exposure& one : world_.exposures) {
      if (one.time_us() < kTestBeginUs || one.time_us() >= kTestEndUs) continue;
      if (one.experiment() != "buttons") continue;
      one.user().empty() ? (void)no_user.insert(one.unit_id()) : by_id[one.user()].push_back(&one);
    }
    for (auto& [id, exposures] : by_id) {
      std::ranges::sort(exposures, {}, [](const v1::Exposure* one) { return one->time_us(); });
      Person& person = persons_[PersonOf(id)];
      std::set<int> arms;
      for (const v1::Exposure* one : exposures) {
        arms.insert(ArmOf(one->arm()));
        person.forced = person.forced || one->forced();
        person.phase = std::min(person.phase, one->phase());
      }
      person.two_arms = person.two_arms || arms.size() > 1;
      person.no_arm = person.no_arm || arms.contains(-1);
      person.arms.insert(*arms.begin());
      if (exposures.front()->time_us() < person.at_us) {
        person.at_us = exposures.front()->time_us();
        person.arm = *arms.begin();
        person.surface = exposures.front()->surface();
      }
      person.exposures += exposures.size();
      const int64_t days = exposures.back()->time_us() / kTestDayUs - exposures.front()->time_us() / kTestDayUs + 1;
      if (static_cast<int64_t>(exposures.size()) > days)
        person.repeated += exposures.size() - static_cast<uint64_t>(days);
      for (const std::string& one : {id, PersonOf(id)}) {
        person.marked = person.marked || world_.marked.contains(one);
        person.unmarked = person.unmarked || world_.unmarked.contains(one);
      }
    }
    out_.left_out.no_user = no_user.size();
    for (const auto& [name, person] : persons_) {
      LeftOut& left_out = out_.left_out;
      if (person.marked) {
        ++left_out.marked;
      } else if (person.forced) {
        ++left_out.forced;
      } else if (person.two_arms) {
        ++left_out.two_arms;
      } else if (person.no_arm) {
        ++left_out.no_arm;
      } else if (person.arms.size() > 1) {
        ++left_out.merged_arms;
      }
    }
  }

  void CountEvents() {
    std::set<uint64_t> prints;
    for (const TestEvent& one : world_.events) {
      const v1::Event& event = one.event;
      if (event.has_mark() || event.becomes_key() != 0) continue;
      if (event.dedupe_print() != 0 && !prints.insert(event.dedupe_print()).second) continue;
      const std::string name = PersonOf(event.user());
      const auto found = persons_.find(name);
      if (found == persons_.end() || (name != event.user() && world_.marked.contains(event.user()))) continue;
      Person& person = found->second;
      if (!event.agent().empty() && !person.unmarked) continue;
      if (event.event_time_us() >= kTestEndUs || event.event_time_us() < person.at_us - 14 * kTestDayUs) continue;
      if (event.event_time_us() >= person.at_us) {
        person.after.push_back(&event);
      } else {
        (event.receive_time_us() > person.at_us ? person.skewed : person.before).push_back(&event);
      }
    }
  }

  /// A person's values y, x, d, p before they are cut; nothing: the person is no part of it.
  std::optional<Values> ValuesOf(const Person& person, size_t index) const {
    const Rule& rule = rules_[index];
    Values values{};
    const auto add = [&](const v1::Event& event, size_t y, size_t d) {
      if (const auto amount = rule.y(event)) values[y] = rule.yes_or_no ? 1 : values[y] + *amount;
      if (rule.d == nullptr) return;
      if (const auto amount = rule.d(event)) values[d] += *amount;
    };
    const bool back = rule.name == "back";
    if (back && person.at_us + 3 * kTestDayUs > kTestEndUs) return std::nullopt;
    for (const v1::Event* event : person.after) {
      const int64_t since_us = event->event_time_us() - person.at_us;
      if (!back || (since_us >= kTestDayUs && since_us < 3 * kTestDayUs))
        add(*event, JointMoments::kY, JointMoments::kD);
    }
    for (const v1::Event* event : person.before) {
      if (event->event_time_us() >= person.at_us - rule.covariate_days * kTestDayUs)
        add(*event, JointMoments::kX, JointMoments::kP);
    }
    return values;
  }

  void CountMetric(size_t index) {
    std::vector<std::pair<const Person*, Values>> raw;
    for (const Person* person : counted_) {
      if (const auto values = ValuesOf(*person, index)) raw.emplace_back(person, *values);
    }
    const Rule& rule = rules_[index];
    if (rule.name == "basket") return CountEventQuantile(index);
    if (rule.name == "busy") {
      for (const auto& [person, values] : raw) AddToBucket(index, static_cast<size_t>(person->arm), values[0]);
    }
    Values caps;
    caps.fill(INFINITY);
    for (size_t i = 0; i < caps.size() && rule.winsorize < 1; ++i) {
      std::vector<double> some;
      for (const auto& [person, values] : raw) {
        if (values[i] != 0) some.push_back(std::abs(values[i]));
      }
      if (!some.empty()) caps[i] = Quantile(some, rule.winsorize);
    }
    std::map<std::pair<size_t, uint32_t>, std::vector<Values>> by_arm;
    std::map<std::pair<std::string, size_t>, std::vector<Values>> by_segment;
    for (auto [person, values] : raw) {
      const auto arm = static_cast<size_t>(person->arm);
      MetricCell& cell = MetricOf(out_.by_arm_and_phase[{arm, person->phase}], index);
      cell.total += values[0];
      cell.largest = std::max(cell.largest, std::abs(values[0]));
      if (std::abs(values[0]) > caps[0]) ++cell.cut;
      for (size_t i = 0; i < values.size(); ++i) values[i] = std::clamp(values[i], -caps[i], caps[i]);
      by_arm[{arm, person->phase}].push_back(values);
      by_segment[{person->surface, arm}].push_back(values);
    }
    for (const auto& [key, values] : by_arm) MetricOf(out_.by_arm_and_phase[key], index).moments = MomentsOf(values);
    for (const auto& [key, values] : by_segment) {
      std::vector<Cell>& arms = out_.by_segment[key.first];
      arms.resize(3);
      MetricOf(arms[key.second], index).moments = MomentsOf(values);
    }
    if (rule.name != "back" && rule.name != "busy") CountDays(index, caps);
  }

  void CountDays(size_t index, const Values& caps) {
    const Rule& rule = rules_[index];
    std::map<std::pair<std::string, size_t>, std::vector<Values>> days;
    for (const Person* person : counted_) {
      std::map<std::string, Values> by_day;
      for (const v1::Event* event : person->after) {
        if (event->type() == "save") continue;  // of no metric that is followed by day
        Values& values = by_day[DayOf(event->event_time_us())];
        if (const auto amount = rule.y(*event)) values[0] = rule.yes_or_no ? 1 : values[0] + *amount;
        if (rule.d != nullptr && rule.d(*event)) values[2] += *rule.d(*event);
      }
      for (auto& [day, values] : by_day) {
        for (size_t i = 0; i < values.size(); ++i) values[i] = std::clamp(values[i], -caps[i], caps[i]);
        days[{day, static_cast<size_t>(person->arm)}].push_back(values);
      }
    }
    for (const auto& [key, values] : days) {
      std::vector<Cell>& arms = out_.by_day[key.first];
      arms.resize(3);
      MetricOf(arms[key.second], index).moments = MomentsOf(values);
    }
  }

  void CountEventQuantile(size_t index) {
    std::map<size_t, std::vector<double>> values;
    for (const Person* person : counted_) {
      for (const v1::Event* event : person->after) {
        if (const auto amount = rules_[index].y(*event)) values[static_cast<size_t>(person->arm)].push_back(*amount);
      }
    }
    for (const auto& [arm, all] : values) {
      const double cutoff = Quantile(all, 0.4);
      for (const double value : all) AddToBucket(index, arm, value);
      std::vector<Values> persons;
      for (const Person* person : counted_) {
        Values of{};
        for (const v1::Event* event : person->after) {
          const auto amount = rules_[index].y(*event);
          if (!amount.has_value()) continue;
          of[1] += 1;
          of[0] += *amount <= cutoff;
        }
        if (of[1] > 0 && static_cast<size_t>(person->arm) == arm) persons.push_back(of);
      }
      out_.quantiles[{index, arm}] = MomentsOf(persons);
    }
  }

  void AddToBucket(size_t index, size_t arm, double value) {
    auto& buckets = out_.buckets[{index, arm}];
    const double low = value == 0 ? 0 : std::exp(std::floor(std::log(value) * 100) / 100);
    const auto found =
        std::ranges::find_if(buckets, [&](const ValueBucket& one) { return std::abs(one.low - low) < 1e-9; });
    if (found != buckets.end()) {
      ++found->count;
    } else {
      buckets.push_back({low, value == 0 ? 0 : std::exp((std::floor(std::log(value) * 100) + 1) / 100), 1});
      std::ranges::sort(buckets, {}, &ValueBucket::low);
    }
  }

  MetricCell& MetricOf(Cell& cell, size_t index) const {
    cell.metrics.resize(rules_.size());
    return cell.metrics[index];
  }

  const TestWorld& world_;
  const std::vector<Rule> rules_ = Rules();
  std::map<std::string, Person> persons_;
  std::vector<Person*> counted_;
  Statistics out_;
};

}  // namespace

Statistics PlainCount(const TestWorld& world) { return Oracle(world).statistics(); }

}  // namespace bowerbird::experiment::metrics
