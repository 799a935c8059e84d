#include "experiment/assignment/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/status_macros.h"
#include "catalog/problem.h"
#include "experiment/assignment/targeting.h"

namespace bowerbird::experiment::assignment {
namespace {

constexpr std::string_view kIdForm = "1 to 64 of a-z, 0-9, '-' and '_'";
constexpr double kWeightMax = 1e6;
constexpr size_t kUnitBytesMax = 256;

absl::Status Refuse(std::string field, std::string detail) {
  return catalog::ToStatus({"invalid_argument", std::move(field), std::move(detail)});
}

std::string Quoted(std::string_view text) { return fmt::format("'{}'", text.substr(0, 64)); }

absl::Status CheckId(const std::string& field, std::string_view id) {
  if (IsId(id)) return absl::OkStatus();
  return Refuse(field, fmt::format("found {}; expected {}", Quoted(id), kIdForm));
}

absl::Status CheckLength(const std::string& field, std::string_view text) {
  if (text.size() <= kTextBytesMax) return absl::OkStatus();
  return Refuse(field, fmt::format("found {} bytes; expected at most {}", text.size(), kTextBytesMax));
}

absl::Status CheckCount(const std::string& field, int count, int least, int most) {
  if (count >= least && count <= most) return absl::OkStatus();
  return Refuse(field, fmt::format("found {}; expected {} to {}", count, least, most));
}

/// Flags are named by the product's code: dots and capitals are usual.
bool IsFlagName(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

std::string_view KindName(v1::Value::KindCase kind) {
  switch (kind) {
    case v1::Value::kBoolValue:
      return "true or false";
    case v1::Value::kNumberValue:
      return "a number";
    case v1::Value::kStringValue:
      return "a string";
    case v1::Value::kStrings:
      return "a list of strings";
    case v1::Value::kTimeUs:
      return "a time";
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return "nothing";
}

absl::Status CheckChanges(const std::string& field, const v1::ExperimentArm& arm) {
  RETURN_IF_ERROR(CheckCount(field + ".changes", arm.changes_size(), 0, kChangesMax));
  for (int i = 0; i < arm.changes_size(); ++i) {
    const std::string at = fmt::format("{}.changes[{}]", field, i);
    if (arm.changes(i).path().empty()) return Refuse(at + ".path", "found nothing; expected a key of the config");
    RETURN_IF_ERROR(CheckLength(at + ".path", arm.changes(i).path()));
    RETURN_IF_ERROR(CheckLength(at + ".value", arm.changes(i).value()));
    if (arm.changes(i).value().empty()) return Refuse(at + ".value", "found nothing; expected a value in TOML");
  }
  return absl::OkStatus();
}

/// Whoever is in the experiment reads every flag, whatever the arm.
absl::Status CheckFlags(const v1::Experiment& experiment) {
  std::map<std::string, v1::Value::KindCase> kinds;
  for (const auto& [name, value] : experiment.arms(0).flags()) kinds[name] = value.kind_case();
  for (int i = 0; i < experiment.arms_size(); ++i) {
    const v1::ExperimentArm& arm = experiment.arms(i);
    const std::string field = fmt::format("arms[{}].flags", i);
    RETURN_IF_ERROR(CheckCount(field, static_cast<int>(arm.flags().size()), 0, kFlagsMax));
    for (const auto& [name, value] : arm.flags()) {
      const std::string at = fmt::format("{}.{}", field, name.substr(0, 128));
      if (!IsFlagName(name)) return Refuse(at, "expected 1 to 128 letters, digits, '-', '_' and '.'");
      if (value.kind_case() == v1::Value::KIND_NOT_SET || value.kind_case() == v1::Value::kTimeUs) {
        return Refuse(at, fmt::format("found {}; expected true, false, a number, a string or a list of strings",
                                      KindName(value.kind_case())));
      }
      if (value.has_number_value() && !std::isfinite(value.number_value()))
        return Refuse(at, "found a number that is not finite");
      const auto first = kinds.find(name);
      if (first == kinds.end()) {
        return Refuse(at, fmt::format("found a flag that arm '{}' has not; expected every flag in every arm",
                                      experiment.arms(0).name()));
      }
      if (first->second != value.kind_case()) {
        return Refuse(at, fmt::format("found {}; expected {}, as in arm '{}'", KindName(value.kind_case()),
                                      KindName(first->second), experiment.arms(0).name()));
      }
    }
    for (const auto& [name, kind] : kinds) {
      if (!arm.flags().contains(name)) {
        return Refuse(fmt::format("{}.{}", field, name), fmt::format("found nothing; expected {}, as in arm '{}'",
                                                                     KindName(kind), experiment.arms(0).name()));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckArms(const v1::Experiment& experiment) {
  RETURN_IF_ERROR(CheckCount("arms", experiment.arms_size(), 2, kArmsMax));
  std::set<std::string> names;
  for (int i = 0; i < experiment.arms_size(); ++i) {
    const v1::ExperimentArm& arm = experiment.arms(i);
    const std::string field = fmt::format("arms[{}]", i);
    RETURN_IF_ERROR(CheckId(field + ".name", arm.name()));
    if (!names.insert(arm.name()).second)
      return Refuse(field + ".name", fmt::format("found a second {}; expected each name once", Quoted(arm.name())));
    // Not a number compares false.
    if (!(arm.weight() > 0 && arm.weight() <= kWeightMax)) {
      return Refuse(field + ".weight",
                    fmt::format("found {}; expected a number over 0, at most {:g}", arm.weight(), kWeightMax));
    }
    RETURN_IF_ERROR(CheckLength(field + ".description", arm.description()));
    RETURN_IF_ERROR(CheckChanges(field, arm));
  }
  return CheckFlags(experiment);
}

/// What an interleaved experiment cannot have: its units are in all arms at once.
absl::Status CheckDesign(const v1::Experiment& experiment) {
  if (experiment.design().empty() || experiment.design() == kDesignSplit) return absl::OkStatus();
  if (!IsInterleaved(experiment)) {
    return Refuse("design", fmt::format("found {}; expected '{}' or '{}'", Quoted(experiment.design()), kDesignSplit,
                                        kDesignInterleaved));
  }
  RETURN_IF_ERROR(CheckCount("arms", experiment.arms_size(), 2, kInterleavedArmsMax));
  bool changes = false;
  for (int i = 0; i < experiment.arms_size(); ++i) {
    const v1::ExperimentArm& arm = experiment.arms(i);
    const std::string field = fmt::format("arms[{}]", i);
    if (arm.name() == kAllArms)
      return Refuse(field + ".name", fmt::format("found {}; expected another name: it is that of all arms together",
                                                 Quoted(arm.name())));
    if (arm.weight() != experiment.arms(0).weight())
      return Refuse(field + ".weight",
                    fmt::format("found {}; expected {} as in arm '{}': the arms of an interleaved "
                                "experiment draft alike",
                                arm.weight(), experiment.arms(0).weight(), experiment.arms(0).name()));
    if (!arm.flags().empty())
      return Refuse(field + ".flags", "found flags; expected none: an interleaved experiment is in all arms at once");
    changes = changes || arm.changes_size() > 0;
  }
  if (!changes) return Refuse("arms", "found no changes in any arm; expected rankings to interleave");
  if (experiment.unit() != kUserUnit)
    return Refuse("unit", fmt::format("found {}; expected '{}' for an interleaved experiment",
                                      Quoted(experiment.unit()), kUserUnit));
  if (experiment.sticky())
    return Refuse("sticky", "found true; expected false: an interleaved experiment has no arm to keep");
  if (experiment.trigger() == kTriggerAnswer)
    return Refuse("trigger", fmt::format("found '{}'; expected it to be left out: an interleaved answer exposes where "
                                         "any arm alone placed an item",
                                         kTriggerAnswer));
  for (int i = 0; i < experiment.metrics_size(); ++i) {
    if (experiment.metrics(i).role() == v1::ExperimentMetric::GUARDRAIL)
      return Refuse(fmt::format("metrics[{}].role", i),
                    "found a guardrail; expected primary or secondary: what harms a "
                    "user is no item's, so an interleaved experiment cannot tell");
  }
  return absl::OkStatus();
}

absl::Status CheckForced(const v1::Experiment& experiment) {
  RETURN_IF_ERROR(CheckCount("forced", experiment.forced_size(), 0, kForcedMax));
  std::set<std::string> units;
  for (int i = 0; i < experiment.forced_size(); ++i) {
    const v1::ForcedArm& forced = experiment.forced(i);
    const std::string field = fmt::format("forced[{}]", i);
    if (forced.unit().empty() || forced.unit().size() > kUnitBytesMax)
      return Refuse(field + ".unit",
                    fmt::format("found {} bytes; expected 1 to {}", forced.unit().size(), kUnitBytesMax));
    if (!units.insert(forced.unit()).second)
      return Refuse(field + ".unit", fmt::format("found a second {}; expected each unit once", Quoted(forced.unit())));
    if (FindArm(experiment, forced.arm()) < 0)
      return Refuse(field + ".arm", fmt::format("found {}; expected the name of an arm", Quoted(forced.arm())));
  }
  return absl::OkStatus();
}

absl::Status CheckMetrics(const v1::Experiment& experiment, const std::function<bool(std::string_view)>& has_metric) {
  RETURN_IF_ERROR(CheckCount("metrics", experiment.metrics_size(), 0, kMetricsMax));
  std::set<std::string> names;
  for (int i = 0; i < experiment.metrics_size(); ++i) {
    const v1::ExperimentMetric& metric = experiment.metrics(i);
    const std::string field = fmt::format("metrics[{}]", i);
    if (has_metric ? !has_metric(metric.name()) : metric.name().empty())
      return Refuse(field + ".name", fmt::format("found {}; expected a metric of the config", Quoted(metric.name())));
    if (!names.insert(metric.name()).second)
      return Refuse(field + ".name", fmt::format("found a second {}; expected each once", Quoted(metric.name())));
    const bool guardrail = metric.role() == v1::ExperimentMetric::GUARDRAIL;
    if (guardrail ? !(metric.harm_max() > 0 && metric.harm_max() < 1) : metric.harm_max() != 0) {
      return Refuse(field + ".harm_max", fmt::format("found {}; expected {}", metric.harm_max(),
                                                     guardrail ? "a relative change in (0, 1) for a guardrail"
                                                               : "0 for a metric that is no guardrail"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kIdBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

void FillDefaults(v1::Experiment* experiment) {
  if (experiment->unit().empty()) experiment->set_unit(std::string(kUserUnit));
  if (experiment->trigger().empty()) experiment->set_trigger(std::string(kTriggerRecipe));
  if (experiment->design().empty()) experiment->set_design(std::string(kDesignSplit));
}

absl::Status Check(const v1::Experiment& experiment, const expression::Schema& schema,
                   const std::function<bool(std::string_view)>& has_metric) {
  RETURN_IF_ERROR(CheckId("id", experiment.id()));
  RETURN_IF_ERROR(CheckLength("description", experiment.description()));
  RETURN_IF_ERROR(CheckLength("owner", experiment.owner()));
  if (!experiment.layer().empty()) RETURN_IF_ERROR(CheckId("layer", experiment.layer()));
  RETURN_IF_ERROR(CheckId("unit", experiment.unit()));
  if (!experiment.targeting().empty()) RETURN_IF_ERROR(CompileTargeting(experiment.targeting(), schema).status());
  RETURN_IF_ERROR(CheckArms(experiment));
  RETURN_IF_ERROR(CheckForced(experiment));
  if (experiment.trigger() != kTriggerRecipe && experiment.trigger() != kTriggerAnswer) {
    return Refuse("trigger", fmt::format("found {}; expected '{}' or '{}'", Quoted(experiment.trigger()),
                                         kTriggerRecipe, kTriggerAnswer));
  }
  RETURN_IF_ERROR(CheckMetrics(experiment, has_metric));
  RETURN_IF_ERROR(CheckDesign(experiment));
  if (!(experiment.traffic() > 0 && experiment.traffic() <= 1))
    return Refuse("traffic", fmt::format("found {}; expected a share in (0, 1]", experiment.traffic()));
  return absl::OkStatus();
}

int FindArm(const v1::Experiment& experiment, std::string_view name) {
  for (int i = 0; i < experiment.arms_size(); ++i) {
    if (experiment.arms(i).name() == name) return i;
  }
  return -1;
}

}  // namespace bowerbird::experiment::assignment
