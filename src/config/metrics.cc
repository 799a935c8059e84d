#include "config/metrics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "config/metrics_section.h"
#include "expression/sql.h"

namespace bowerbird::config {
namespace {

using expression::Type;
using Kind = Metric::Kind;

constexpr size_t kMetricsMax = 64;
constexpr uint32_t kDaysMax = 365;
constexpr std::string_view kOne = "1", kItem = "item.";
constexpr std::pair<std::string_view, Kind> kKinds[] = {{"mean", Kind::kMean},
                                                        {"proportion", Kind::kProportion},
                                                        {"ratio", Kind::kRatio},
                                                        {"quantile", Kind::kQuantile},
                                                        {"retention", Kind::kRetention}};
constexpr std::pair<std::string_view, Type> kEventFields[] = {
    {"value", Type::kNumber}, {"dwell_ms", Type::kNumber},   {"position", Type::kNumber}, {"surface", Type::kString},
    {"query", Type::kString}, {"collection", Type::kString}, {"type", Type::kString},
};

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
    AddFields(source);
    ReadWhere(table, source);
    if (!has_of) return;
    table->Text("of", 1, 128, &source->of);
    if (source->of == kOne || IsBroken(source->of)) return;
    const std::optional<uint32_t> field = source->fields.Find(source->of);
    if (field.has_value() && source->fields.type(*field) == Type::kNumber) return Stamp(source->of);
    table->Refuse(
        "of", Quote(source->of),
        "\"1\", event.value, event.dwell_ms, event.position, or a declared number: an attribute of an event type "
        "in `on` as event.NAME, of items as item.NAME");
  }

  /// Metrics are counted over the lake, whose columns are what intake stored: no weights, which are the config's.
  void AddFields(MetricSource* source) {
    for (const std::string& type : source->on) {
      for (const Attribute& attribute : draft_->config.FindEventType(type)->attributes) {
        std::string name = fmt::format("event.{}", attribute.name);
        if (source->fields.Add(name, attribute.type).ok()) source->attributes.push_back(std::move(name));
      }
    }
    const auto add = [&](const std::string& name, Type type) { (void)source->fields.Add(name, type); };
    for (const auto& [name, type] : kEventFields) add(fmt::format("event.{}", name), type);
    for (const Attribute& attribute : draft_->config.item_attributes) {
      if (!attribute.embedding) add(fmt::format("item.{}", attribute.name), attribute.type);
    }
    add("item.id", Type::kString);
    if (!draft_->config.state.category_attribute.empty()) add("item.category", Type::kStrings);
  }

  void ReadWhere(TableReader* table, MetricSource* source) {
    table->Text("where", 1, expression::Program::kTextBytesMax, &source->where);
    if (source->where.empty()) return;
    expression::CompileError error;
    const auto column = [&](uint32_t field) {
      Stamp(source->fields.name(field));
      return std::string();
    };
    if (expression::ToSql(source->where, source->fields, column, &error).has_value()) return;
    const bool on_broken = std::ranges::any_of(draft_->broken_attributes, [&](const std::string& name) {
      return source->where.find(name) != std::string::npos;
    });
    if (on_broken) return;
    table->Refuse("where", fmt::format("{} at {} of {}", error.found, error.position, Quote(source->where)),
                  error.expected);
  }

  bool IsBroken(std::string_view field) const {
    return field.starts_with(kItem) && draft_->broken_attributes.contains(field.substr(kItem.size()));
  }
  /// What is read of the item is in each event from now on, as it was then.
  void Stamp(std::string_view field) {
    for (Attribute& attribute : draft_->config.item_attributes) {
      if (field.starts_with(kItem) && attribute.name == field.substr(kItem.size())) attribute.stamp = true;
    }
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

void ReadMetrics(TableReader* root, Draft* draft, std::vector<Metric>* metrics) {
  TableReader tables = root->Table("metrics");
  for (auto& [name, table] : tables.NamedTables(kMetricsMax)) {
    CheckName(name, draft->problems);
    Metric metric;
    metric.name = name.text;
    MetricReader(std::move(table), draft, &metric).Read();
    metrics->push_back(std::move(metric));
  }
}

}  // namespace bowerbird::config
