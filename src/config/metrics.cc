#include "config/metrics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "config/sections.h"
#include "expression/sql.h"

namespace bowerbird::config {
namespace {

using expression::Type;
using Kind = Metric::Kind;

constexpr size_t kMetricsMax = 64;
constexpr uint32_t kDaysMax = 365;
constexpr std::string_view kOne = "1", kEvent = "event.", kItem = "item.", kWeight = "event.weight";
constexpr std::pair<std::string_view, Kind> kKinds[] = {{"mean", Kind::kMean},
                                                        {"proportion", Kind::kProportion},
                                                        {"ratio", Kind::kRatio},
                                                        {"quantile", Kind::kQuantile},
                                                        {"retention", Kind::kRetention}};
constexpr std::string_view kNumbers[] = {"value", "dwell_ms", "position"};

class MetricReader {
 public:
  MetricReader(TableReader table, Draft* draft, Metric* metric)
      : table_(std::move(table)), draft_(draft), metric_(metric) {}

  void Read() {
    table_.Require("kind", "one of mean, proportion, ratio, quantile, retention");
    if (!table_.Choice<Kind>("kind", kKinds, &metric_->kind)) return;
    table_.Text("owner", 1, 128, &metric_->owner);
    table_.Text("description", 1, 1024, &metric_->description);
    ReadSources();
    constexpr std::pair<std::string_view, bool> kBetter[] = {{"up", true}, {"down", false}};
    table_.Choice<bool>("better", kBetter, &metric_->up_is_better);
    table_.Number("minimum_effect", Interval::AboveTo(0, 10), &metric_->effect_min);
    ReadQuantile();
    ReadDays();
    if (metric_->kind == Kind::kMean || metric_->kind == Kind::kRatio)
      table_.Number("winsorize", Interval::Closed(0.5, 1), &metric_->winsorize);
    if (metric_->kind != Kind::kQuantile) table_.Integer("covariate_days", 0, kDaysMax, &metric_->covariate_days);
    table_.RefuseUnknown(fmt::format("a metric of kind \"{}\"", MetricKindName(metric_->kind)));
  }

 private:
  void ReadSources() {
    if (metric_->kind != Kind::kRatio) {
      const bool sums = metric_->kind == Kind::kMean || metric_->kind == Kind::kQuantile;
      return ReadSource(&table_, sums, metric_->kind != Kind::kRetention, &metric_->source);
    }
    const auto read = [&](std::string_view key, MetricSource* source) {
      table_.Require(key, "a table such as { on = [\"click\"] }");
      TableReader part = table_.Table(key);
      if (!part.exists()) return;
      ReadSource(&part, true, true, source);
      part.RefuseUnknown(fmt::format("the {} of a ratio", key));
    };
    read("numerator", &metric_->source);
    read("denominator", &metric_->denominator);
  }

  void ReadSource(TableReader* table, bool has_of, bool needs_on, MetricSource* source) {
    if (needs_on) table->Require("on", "a list of event types");
    std::vector<NameAt> names;
    if (table->Names("on", &names) && names.empty()) table->Refuse("on", "an empty list", "at least one event type");
    for (const NameAt& name : names) {
      if (CheckEventType(name, *draft_)) source->on.push_back(name.text);
    }
    ReadEventWhere(table, draft_, source->on, &source->where, &source->where_fields);
    if (source->where != nullptr) CheckWhere(table, *source);
    if (!has_of) return;
    table->Text("of", 1, 128, &source->of);
    if (source->of != kOne && !IsNumber(*source)) {
      table->Refuse(
          "of", Quote(source->of),
          "\"1\", event.value, event.dwell_ms, event.position, or a declared number: an attribute of an event "
          "type in `on` as event.NAME, of items as item.NAME");
    }
  }

  /// Metrics are counted over the lake, whose columns are what intake stored.
  void CheckWhere(TableReader* table, const MetricSource& source) {
    for (const uint32_t attribute : source.where->attributes()) {
      if (source.where_fields[attribute] == kWeight && !HasAttribute(source, "weight"))
        table->Refuse("where", Quote(kWeight), "fields that events are stored with: weights are of the config");
    }
    const auto sql = expression::ToSql(*source.where, [](uint32_t) { return std::string("x"); });
    if (!sql.ok()) table->Refuse("where", Quote(source.where->text()), std::string(sql.status().message()));
  }

  const Attribute* FindAttribute(const MetricSource& source, std::string_view name) const {
    for (const std::string& type : source.on) {
      for (const Attribute& attribute : draft_->config.FindEventType(type)->attributes) {
        if (attribute.name == name) return &attribute;
      }
    }
    return nullptr;
  }
  bool HasAttribute(const MetricSource& source, std::string_view name) const {
    return FindAttribute(source, name) != nullptr;
  }

  bool IsNumber(const MetricSource& source) {
    const std::string_view field = source.of;
    if (field.starts_with(kEvent)) {
      const std::string_view name = field.substr(kEvent.size());
      if (const Attribute* attribute = FindAttribute(source, name)) return attribute->type == Type::kNumber;
      return std::ranges::find(kNumbers, name) != std::end(kNumbers);
    }
    if (!field.starts_with(kItem)) return false;
    const std::string_view name = field.substr(kItem.size());
    if (draft_->broken_attributes.contains(name)) return true;
    for (Attribute& attribute : draft_->config.item_attributes) {
      if (attribute.name != name || attribute.embedding || attribute.type != Type::kNumber) continue;
      attribute.stamp = true;  // read from the event, so that it is what it was then
      return true;
    }
    return false;
  }

  void ReadQuantile() {
    if (metric_->kind != Kind::kQuantile) return;
    table_.Require("q", "which quantile, such as 0.9");
    table_.Number("q", {0, 1, true, true}, &metric_->q);
    constexpr std::pair<std::string_view, bool> kPer[] = {{"user", false}, {"event", true}};
    table_.Choice<bool>("per", kPer, &metric_->per_event);
  }

  void ReadDays() {
    if (metric_->kind != Kind::kRetention) return;
    table_.Require("from", "the first day after the exposure that counts, such as 7");
    table_.Require("to", "the last day after the exposure that counts, such as 13");
    table_.Integer("from", 1, kDaysMax, &metric_->from_day);
    metric_->to_day = metric_->from_day;
    table_.Integer("to", 1, kDaysMax, &metric_->to_day);
    if (metric_->to_day < metric_->from_day) {
      table_.Refuse("to", fmt::format("{}, before from = {}", metric_->to_day, metric_->from_day),
                    "a day that is not before `from`");
    }
  }

  TableReader table_;
  Draft* draft_;
  Metric* metric_;
};

}  // namespace

std::string_view MetricKindName(Kind kind) {
  for (const auto& [name, one] : kKinds) {
    if (one == kind) return name;
  }
  return "";
}

void ReadMetrics(TableReader* root, Draft* draft) {
  TableReader metrics = root->Table("metrics");
  for (auto& [name, table] : metrics.NamedTables(kMetricsMax)) {
    CheckName(name, draft->problems);
    Metric metric;
    metric.name = name.text;
    MetricReader(std::move(table), draft, &metric).Read();
    draft->metrics.push_back(std::move(metric));
  }
}

}  // namespace bowerbird::config
