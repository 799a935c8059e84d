#include "base/json_writer.h"
#include "experiment/verdict/report.h"

namespace bowerbird::experiment::verdict {
namespace {

void Write(const v1::ResultRange& range, base::JsonWriter* json) {
  json->BeginObject().Key("low").Double(range.low()).Key("high").Double(range.high()).EndObject();
}

void Write(const v1::ResultEffect& effect, base::JsonWriter* json) {
  json->BeginObject().Key("value").Double(effect.value()).Key("always_valid");
  Write(effect.always_valid(), json);
  json->Key("always_valid_p").Double(effect.always_valid_p()).Key("fixed_horizon");
  Write(effect.fixed_horizon(), json);
  json->Key("fixed_horizon_p").Double(effect.fixed_horizon_p()).EndObject();
}

void Write(const v1::MetricResult& metric, base::JsonWriter* json) {
  json->BeginObject().Key("metric").String(metric.metric()).Key("kind").String(metric.kind());
  json->Key("role").String(metric.role()).Key("arm").String(metric.arm()).Key("better").String(metric.better());
  json->Key("finding").String(metric.finding()).Key("problem").String(metric.problem());
  json->Key("units").Uint(metric.units()).Key("cut_units").Uint(metric.cut_units());
  json->Key("control").Double(metric.control()).Key("treatment").Double(metric.treatment());
  json->Key("effect");
  metric.has_effect() ? Write(metric.effect(), json) : (void)json->Null();
  json->Key("lift");
  metric.has_lift() ? Write(metric.lift(), json) : (void)json->Null();
  json->Key("p_adjusted").Double(metric.p_adjusted());
  json->Key("probability_better").Double(metric.probability_better());
  json->Key("variance_reduction").Double(metric.variance_reduction());
  json->Key("detectable").Double(metric.detectable());
  json->Key("days_to_go");
  metric.days_unknown() ? json->Null() : json->Uint(metric.days_to_go());
  json->Key("novelty_p").Double(metric.novelty_p()).Key("novelty_slope").Double(metric.novelty_slope());
  json->Key("weekday_p").Double(metric.weekday_p()).Key("segments_p").Double(metric.segments_p());
  json->Key("days").BeginArray();
  for (const v1::DayResult& day : metric.days()) {
    json->BeginObject().Key("day").String(day.day()).Key("units").Uint(day.units());
    json->Key("effect").Double(day.effect()).Key("standard_error").Double(day.standard_error()).EndObject();
  }
  json->EndArray().Key("segments").BeginArray();
  for (const v1::SegmentResult& segment : metric.segments()) {
    json->BeginObject().Key("segment").String(segment.segment()).Key("units").Uint(segment.units());
    json->Key("effect").Double(segment.effect()).Key("fixed_horizon");
    Write(segment.fixed_horizon(), json);
    json->EndObject();
  }
  json->EndArray().Key("interleaved");
  if (metric.has_interleaved()) {
    const v1::InterleavedPreference& chosen = metric.interleaved();
    json->BeginObject().Key("requests").Uint(chosen.requests()).Key("users_for").Uint(chosen.users_for());
    json->Key("users_against").Uint(chosen.users_against()).Key("users_alike").Uint(chosen.users_alike());
    json->Key("preference").Double(chosen.preference()).Key("sign_p").Double(chosen.sign_p()).EndObject();
  } else {
    json->Null();
  }
  json->EndObject();
}

}  // namespace

std::string ToJson(const v1::ExperimentResults& results) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("experiment").String(results.experiment());
  json.Key("begin_us").Int(results.begin_us()).Key("end_us").Int(results.end_us());
  json.Key("decision").String(v1::ExperimentResults::Decision_Name(results.decision()));
  json.Key("arm").String(results.arm()).Key("sentence").String(results.sentence());
  json.Key("arms").BeginArray();
  for (const v1::ArmResult& arm : results.arms()) {
    json.BeginObject().Key("arm").String(arm.arm()).Key("units").Uint(arm.units());
    json.Key("exposures").Uint(arm.exposures()).Key("share_expected").Double(arm.share_expected()).EndObject();
  }
  json.EndArray().Key("metrics").BeginArray();
  for (const v1::MetricResult& metric : results.metrics()) Write(metric, &json);
  json.EndArray().Key("health").BeginArray();
  for (const v1::HealthCheck& check : results.health()) {
    json.BeginObject().Key("check").String(check.check());
    json.Key("level").String(v1::HealthCheck::Level_Name(check.level())).Key("text").String(check.text()).EndObject();
  }
  json.EndArray().Key("interactions").BeginArray();
  for (const v1::InteractionResult& one : results.interactions()) {
    json.BeginObject().Key("experiment").String(one.experiment()).Key("other_arm").String(one.other_arm());
    json.Key("arm").String(one.arm()).Key("metric").String(one.metric()).Key("effect").Double(one.effect());
    json.Key("p_adjusted").Double(one.p_adjusted()).EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

}  // namespace bowerbird::experiment::verdict
