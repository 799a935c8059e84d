#include "rows/row_fields.h"

#include <utility>

namespace bowerbird::rows {
namespace {

using lake::Field;
using lake::Kind;

Field Of(std::string name, Kind kind) { return {std::move(name), kind, true, {}}; }

}  // namespace

std::vector<Field> RowFields(const std::vector<std::string>& features, const std::vector<std::string>& objectives) {
  Field feature_values = lake::Struct("features", {}), labels = lake::Struct("labels", {});
  for (const std::string& name : features) feature_values.children.push_back(Of(name, Kind::kFloat));
  for (const std::string& name : objectives) labels.children.push_back(Of(name, Kind::kInt32));
  Field action = lake::Struct("element", {Of("item_key", Kind::kInt64), Of("type", Kind::kText),
                                          Of("time", Kind::kTime), Of("strength", Kind::kFloat)});
  Field reading = lake::Struct(
      "element", {Of("key", Kind::kText), Of("number", Kind::kDouble),
                  lake::List("items", lake::Struct("element", {Of("value", Kind::kText), Of("number", Kind::kDouble),
                                                               Of("time", Kind::kTime)}))});
  Field signal = lake::Struct("element", {Of("name", Kind::kText), Of("id", Kind::kInt64), Of("value", Kind::kBytes),
                                          Of("newest", Kind::kTime), lake::List("readings", std::move(reading))});
  Field candidate =
      lake::Struct("element", {Of("item", Kind::kText), Of("item_key", Kind::kInt64), Of("position", Kind::kInt32),
                               Of("rank_score", Kind::kFloat), Of("final_score", Kind::kFloat),
                               Of("propensity", Kind::kDouble), Of("weight", Kind::kDouble), Of("cut", Kind::kBool),
                               Of("seen", Kind::kBool), std::move(feature_values), std::move(labels)});
  return {{"partition", Kind::kInt32, false, {}},
          {"offset", Kind::kInt64, false, {}},
          {"append_time", Kind::kTime, false, {}},
          Of("request_id", Kind::kText),
          Of("kind", Kind::kText),
          Of("user", Kind::kText),
          Of("user_key", Kind::kInt64),
          Of("surface", Kind::kText),
          Of("time", Kind::kTime),
          Of("config_version", Kind::kText),
          Of("snapshot", Kind::kText),
          Of("ranker", Kind::kText),
          Of("item_table", Kind::kInt64),
          Of("user_offset", Kind::kInt64),
          Of("explored", Kind::kBool),
          Of("temperature", Kind::kDouble),
          Of("chain", Kind::kText),
          Of("page", Kind::kInt32),
          lake::List("degraded", Of("element", Kind::kText)),
          Of("l2_weight", Kind::kDouble),
          Of("union_weight", Kind::kDouble),
          Of("seen_by", Kind::kText),
          lake::List("sequence", std::move(action)),
          lake::List("signals", std::move(signal)),
          lake::List("candidates", std::move(candidate))};
}

}  // namespace bowerbird::rows
