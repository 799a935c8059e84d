#include "experiment/metrics/query_texts.h"

#include <fmt/format.h>

#include "absl/strings/str_replace.h"
#include "base/time_text.h"
#include "experiment/metrics/metric_columns.h"
#include "expression/sql.h"

namespace bowerbird::experiment::metrics {

using config::Metric;
using expression::SqlText;

std::string DayText(int64_t time_us) { return base::FormatTimeUs(time_us).substr(0, 10); }
std::string TimeText(int64_t time_us) {
  std::string text = base::FormatTimeUs(time_us);
  text.pop_back();
  return absl::StrReplaceAll(text, {{"T", " "}});
}

std::string ArmIndex(const v1::Experiment& experiment, std::string_view column) {
  std::string text = fmt::format("CASE {}", column);
  for (int arm = 0; arm < experiment.arms_size(); ++arm)
    text += fmt::format(" WHEN {} THEN {}", SqlText(experiment.arms(arm).name()), arm);
  return text + " ELSE -1 END";
}

std::string OfTypes(const std::vector<Metric>& metrics) {
  std::string types;
  for (const std::string& type : TypesOf(metrics)) types += (types.empty() ? "" : ", ") + SqlText(type);
  return types.empty() ? "" : fmt::format("\n    AND e.type IN ({})", types);
}

absl::Status CheckQuestion(const StatisticsQuestion& question) {
  const v1::Experiment& experiment = *question.experiment;
  if (experiment.arms_size() < 2) {
    return absl::InvalidArgumentError(
        fmt::format("{}: found {} arms; expected two or more", experiment.id(), experiment.arms_size()));
  }
  if (experiment.started_us() <= 0)
    return absl::FailedPreconditionError(fmt::format("{}: it was not started yet", experiment.id()));
  if (question.end_us <= experiment.started_us()) {
    return absl::InvalidArgumentError(fmt::format("{}: found the end {}; expected one after the start, {}",
                                                  experiment.id(), base::FormatTimeUs(question.end_us),
                                                  base::FormatTimeUs(experiment.started_us())));
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::experiment::metrics
