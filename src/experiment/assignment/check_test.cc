#include "experiment/assignment/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "catalog/problem.h"
#include "experiment/assignment/experiment_for_test.h"
#include "experiment/assignment/targeting.h"

namespace bowerbird::experiment::assignment {
namespace {

using testing::HasSubstr;

absl::Status CheckOne(const v1::Experiment& experiment) {
  return Check(experiment, TargetingSchema(ConfigForTest()), [](std::string_view name) { return name == "clicks"; });
}

v1::ConfigChange* AddChange(v1::ExperimentArm* arm) {
  v1::ConfigChange* change = arm->add_changes();
  change->set_path("surfaces.home.diversity");
  change->set_value("0.4");
  return change;
}

v1::Experiment Full() {
  v1::Experiment experiment = Draft("diverse-home", "feed");
  experiment.set_targeting("plan == 'pro' and age >= 18 and segments contains 'core' and request.device == 'phone'");
  AddChange(experiment.mutable_arms(1));
  for (v1::ExperimentArm& arm : *experiment.mutable_arms()) {
    (*arm.mutable_flags())["button.Color"].set_string_value(arm.name());
    (*arm.mutable_flags())["on"].set_bool_value(true);
  }
  v1::ForcedArm* forced = experiment.add_forced();
  forced->set_unit("tester");
  forced->set_arm("treatment");
  v1::ExperimentMetric* metric = experiment.add_metrics();
  metric->set_name("clicks");
  metric->set_role(v1::ExperimentMetric::GUARDRAIL);
  metric->set_harm_max(0.02);
  return experiment;
}

TEST(CheckTest, TakesWhatIsWhole) {
  EXPECT_TRUE(CheckOne(Draft("a")).ok());
  const absl::Status full = CheckOne(Full());
  EXPECT_TRUE(full.ok()) << full;
}

/// Full(), as an interleaved experiment may be.
v1::Experiment Interleaved() {
  v1::Experiment experiment = Full();
  experiment.set_design("interleaved");
  for (v1::ExperimentArm& arm : *experiment.mutable_arms()) arm.clear_flags();
  experiment.mutable_metrics(0)->set_role(v1::ExperimentMetric::PRIMARY);
  experiment.mutable_metrics(0)->set_harm_max(0);
  return experiment;
}

TEST(CheckTest, AnInterleavedExperimentHasNothingThatIsOfOneArmAlone) {
  const absl::Status whole = CheckOne(Interleaved());
  EXPECT_TRUE(whole.ok()) << whole;
  const std::vector<std::pair<std::string, std::function<void(v1::Experiment*)>>> spoilt = {
      {"arms", [](auto* e) { e->mutable_arms(1)->clear_changes(); }},
      {"arms[1].name",
       [](auto* e) {
         e->clear_forced();
         e->mutable_arms(1)->set_name("interleaved");
       }},
      {"arms[1].weight", [](auto* e) { e->mutable_arms(1)->set_weight(3); }},
      {"arms[0].flags",
       [](auto* e) {
         for (auto& arm : *e->mutable_arms()) (*arm.mutable_flags())["on"].set_bool_value(true);
       }},
      {"unit", [](auto* e) { e->set_unit("device"); }},
      {"sticky", [](auto* e) { e->set_sticky(true); }},
      {"trigger", [](auto* e) { e->set_trigger("answer"); }},
      {"metrics[0].role",
       [](auto* e) {
         e->mutable_metrics(0)->set_role(v1::ExperimentMetric::GUARDRAIL);
         e->mutable_metrics(0)->set_harm_max(0.1);
       }},
      {"arms",
       [](auto* e) {
         for (int i = 0; i < 15; ++i) {
           *e->add_arms() = e->arms(1);
           e->mutable_arms()->rbegin()->set_name("more-" + std::to_string(i));
         }
       }},
      {"design", [](auto* e) { e->set_design("drafted"); }},
  };
  for (const auto& [field, spoil] : spoilt) {
    v1::Experiment experiment = Interleaved();
    spoil(&experiment);
    EXPECT_EQ(catalog::FromStatus(CheckOne(experiment)).field, field);
  }
}

struct Refused {
  const char* name;
  std::function<void(v1::Experiment*)> spoil;
  const char* field;
  const char* detail;
};

class CheckRefusesTest : public testing::TestWithParam<Refused> {};

TEST_P(CheckRefusesTest, NamesTheField) {
  v1::Experiment experiment = Full();
  GetParam().spoil(&experiment);
  const absl::Status status = CheckOne(experiment);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const catalog::Problem problem = catalog::FromStatus(status);
  EXPECT_EQ(problem.field, GetParam().field);
  EXPECT_THAT(problem.detail, HasSubstr(GetParam().detail));
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckRefusesTest,
    testing::Values(
        Refused{"no_id", [](auto* e) { e->set_id(""); }, "id", "a-z, 0-9"},
        Refused{"capital_id", [](auto* e) { e->set_id("Home"); }, "id", "found 'Home'"},
        Refused{"long_id", [](auto* e) { e->set_id(std::string(65, 'a')); }, "id", "1 to 64"},
        Refused{"layer", [](auto* e) { e->set_layer("of:x"); }, "layer", "found 'of:x'"},
        Refused{"unit", [](auto* e) { e->set_unit("a b"); }, "unit", "found 'a b'"},
        Refused{"targeting", [](auto* e) { e->set_targeting("plan == 3"); }, "targeting", "plan == 3"},
        Refused{"unknown_attribute", [](auto* e) { e->set_targeting("plam == 'pro'"); }, "targeting", "plam"},
        Refused{"one_arm", [](auto* e) { e->mutable_arms()->RemoveLast(); }, "arms", "found 1; expected 2"},
        Refused{"same_name", [](auto* e) { e->mutable_arms(1)->set_name("control"); }, "arms[1].name", "a second"},
        Refused{"no_weight", [](auto* e) { e->mutable_arms(1)->set_weight(0); }, "arms[1].weight", "over 0"},
        Refused{"negative_weight", [](auto* e) { e->mutable_arms(0)->set_weight(-1); }, "arms[0].weight", "found -1"},
        Refused{"nan_weight", [](auto* e) { e->mutable_arms(0)->set_weight(std::numeric_limits<double>::quiet_NaN()); },
                "arms[0].weight", "nan"},
        Refused{"no_path", [](auto* e) { e->mutable_arms(1)->mutable_changes(0)->set_path(""); },
                "arms[1].changes[0].path", "a key of the config"},
        Refused{"no_value", [](auto* e) { e->mutable_arms(1)->mutable_changes(0)->set_value(""); },
                "arms[1].changes[0].value", "TOML"},
        Refused{"flag_type", [](auto* e) { (*e->mutable_arms(1)->mutable_flags())["on"].set_number_value(1); },
                "arms[1].flags.on", "expected true or false, as in arm 'control'"},
        Refused{"flag_missing", [](auto* e) { e->mutable_arms(1)->mutable_flags()->erase("on"); }, "arms[1].flags.on",
                "found nothing"},
        Refused{"flag_extra", [](auto* e) { (*e->mutable_arms(1)->mutable_flags())["off"].set_bool_value(true); },
                "arms[1].flags.off", "every flag in every arm"},
        Refused{"flag_infinite",
                [](auto* e) {
                  for (auto& arm : *e->mutable_arms())
                    (*arm.mutable_flags())["n"].set_number_value(std::numeric_limits<double>::infinity());
                },
                "arms[0].flags.n", "not finite"},
        Refused{"forced_arm", [](auto* e) { e->mutable_forced(0)->set_arm("green"); }, "forced[0].arm",
                "name of an arm"},
        Refused{"forced_twice", [](auto* e) { *e->add_forced() = e->forced(0); }, "forced[1].unit", "each unit once"},
        Refused{"trigger", [](auto* e) { e->set_trigger("click"); }, "trigger", "'recipe' or 'answer'"},
        Refused{"metric", [](auto* e) { e->mutable_metrics(0)->set_name("cliks"); }, "metrics[0].name",
                "a metric of the config"},
        Refused{"guardrail", [](auto* e) { e->mutable_metrics(0)->set_harm_max(0); }, "metrics[0].harm_max", "(0, 1)"},
        Refused{"no_traffic", [](auto* e) { e->set_traffic(0); }, "traffic", "(0, 1]"},
        Refused{"traffic_over_one", [](auto* e) { e->set_traffic(1.01); }, "traffic", "found 1.01"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bowerbird::experiment::assignment
