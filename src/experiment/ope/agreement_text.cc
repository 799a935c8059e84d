#include <optional>

#include "base/json_writer.h"
#include "experiment/ope/agreement.h"
#include "experiment/ope/estimate_json.h"
#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

void Row(base::JsonWriter* json, const Agreement& agreement) {
  const Estimate& estimate = agreement.estimate;
  const bool verdict = estimate.refused.empty();
  const auto if_verdict = [&](double value) { return verdict ? std::optional(value) : std::nullopt; };
  json->BeginObject().Key("campaign").String(agreement.campaign).Key("log").String(agreement.log);
  json->Key("target").String(agreement.target).Key("estimator").String(NameOf(estimate.estimator));
  json->Key("assumption").String(estimate.assumption);
  WriteNumber(json, "value", estimate.value);
  WriteNumber(json, "low", if_verdict(estimate.bootstrap.low));
  WriteNumber(json, "high", if_verdict(estimate.bootstrap.high));
  WriteNumber(json, "truth", agreement.truth);
  WriteNumber(json, "difference", if_verdict(agreement.difference));
  WriteNumber(json, "difference_low", if_verdict(agreement.difference_interval.low));
  WriteNumber(json, "difference_high", if_verdict(agreement.difference_interval.high));
  json->Key("covers");
  if (verdict) {
    json->Bool(agreement.covers);
  } else {
    json->Null();
  }
  json->Key("refused");
  if (verdict) {
    json->Null();
  } else {
    json->String(estimate.refused);
  }
  WriteNumber(json, "standard_error", estimate.standard_error);
  WriteNumber(json, "normal_low", if_verdict(estimate.normal.low));
  WriteNumber(json, "normal_high", if_verdict(estimate.normal.high));
  WriteNumber(json, "weight_max", estimate.weight_max);
  WriteDiagnostics(json, estimate.diagnostics);
  json->EndObject();
}

std::string PerThousand(double value) { return fmt::format("{:.2f}", 1000 * value); }
std::string PerThousand(const Interval& interval) {
  return fmt::format("{:.2f} to {:.2f}", 1000 * interval.low, 1000 * interval.high);
}

std::string TableLine(const Agreement& agreement) {
  const Estimate& estimate = agreement.estimate;
  const std::string begin = fmt::format("{:<9} {:<7} {:<7} {:<11}", agreement.campaign, agreement.log, agreement.target,
                                        NameOf(estimate.estimator));
  if (!estimate.refused.empty()) {
    return fmt::format("{} {:>6}  refused: {}\n", begin, PerThousand(estimate.value), estimate.refused);
  }
  return fmt::format("{} {:>6}  {:<14} {:>6}  {:>6}  {:<14} {:<6} {:>9.0f}\n", begin, PerThousand(estimate.value),
                     PerThousand(estimate.bootstrap), PerThousand(agreement.truth), PerThousand(agreement.difference),
                     PerThousand(agreement.difference_interval), agreement.covers ? "yes" : "no",
                     estimate.diagnostics.all.effective);
}

}  // namespace

std::string ToJson(std::span<const Agreement> agreements) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("interval").String(fmt::format("{:.0f}%, percentile bootstrap by request", 100 * kConfidence));
  json.Key("rows").BeginArray();
  for (const Agreement& agreement : agreements) Row(&json, agreement);
  json.EndArray().EndObject();
  return text;
}

std::string ToTable(std::span<const Agreement> agreements) {
  std::string text = fmt::format(
      "Clicks per 1,000 rows, {:.0f}% intervals (percentile bootstrap by request); truth is the target's own log.\n\n"
      "{:<9} {:<7} {:<7} {:<11} {:>6}  {:<14} {:>6}  {:>6}  {:<14} {:<6} {:>9}\n",
      100 * kConfidence, "campaign", "log", "target", "estimator", "value", "interval", "truth", "differ", "interval",
      "covers", "effective");
  for (const Agreement& agreement : agreements) text += TableLine(agreement);
  return text;
}

}  // namespace bowerbird::experiment::ope
