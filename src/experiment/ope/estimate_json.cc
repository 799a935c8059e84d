#include "experiment/ope/estimate_json.h"

namespace bowerbird::experiment::ope {

namespace {

void SupportFields(base::JsonWriter* json, const Support& support) {
  json->Key("rows").Uint(support.rows);
  WriteNumber(json, "effective", support.effective);
  WriteNumber(json, "weight_share_max", support.weight_share_max);
  WriteNumber(json, "mean_weight", support.mean_weight);
  WriteNumber(json, "mean_weight_error", support.mean_weight_error);
  WriteNumber(json, "target_share", support.target_share);
}

}  // namespace

void WriteNumber(base::JsonWriter* json, std::string_view key, std::optional<double> value) {
  json->Key(key);
  if (value) {
    json->Double(*value);
  } else {
    json->Null();
  }
}

void WriteDiagnostics(base::JsonWriter* json, const Diagnostics& diagnostics) {
  json->Key("requests").Uint(diagnostics.requests);
  SupportFields(json, diagnostics.all);
  WriteNumber(json, "effective_rewards", diagnostics.effective_rewards);
  WriteNumber(json, "cut_share", diagnostics.cut_share);
  json->Key("by_position").BeginArray();
  for (const PositionSupport& support : diagnostics.by_position) {
    json->BeginObject().Key("position").Uint(support.position + 1);
    SupportFields(json, support);
    json->EndObject();
  }
  json->EndArray();
}

}  // namespace bowerbird::experiment::ope
