#include "experiment/metrics/metric_columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "expression/sql.h"

namespace bowerbird::experiment::metrics {
namespace {

using config::Metric;
using config::MetricSource;
using expression::Type;
using Kind = Metric::Kind;

constexpr std::string_view kEvent = "event.";

std::string ValueOf(std::string_view map, std::string_view name, Type type) {
  const char* member = type == Type::kBool     ? "bool_value"
                       : type == Type::kNumber ? "number_value"
                       : type == Type::kString ? "string_value"
                       : type == Type::kTime   ? "time_value"
                                               : "strings_value";
  return fmt::format("e.{}[{}].{}", map, expression::SqlText(name), member);
}

/// The column of events that has a field, as EventField (signal/event_field.h) reads it from the record.
std::string ColumnOf(const MetricSource& source, uint32_t index) {
  const std::string field(source.fields.name(index));
  const std::string name = field.substr(field.find('.') + 1);
  if (field.starts_with(kEvent)) {
    if (std::ranges::find(source.attributes, field) != source.attributes.end())
      return ValueOf("attributes", name, source.fields.type(index));
    return name == "value" ? "COALESCE(e.value, 0e0)" : "e." + name;
  }
  if (name == "id") return "e.item";
  if (name == "category") return "e.item_categories";
  return ValueOf("item_attributes", name, source.fields.type(index));
}

/// That an event counts for a source.
absl::StatusOr<std::string> Counts(const MetricSource& source) {
  std::string condition = "TRUE";
  if (!source.on.empty()) {
    std::string types;
    for (const std::string& type : source.on) types += (types.empty() ? "" : ", ") + expression::SqlText(type);
    condition = fmt::format("e.type IN ({})", types);
  }
  if (source.where.empty()) return condition;
  expression::CompileError error;
  const auto column = [&](uint32_t field) { return ColumnOf(source, field); };
  const auto sql = expression::ToSql(source.where, source.fields, column, &error);
  if (sql.has_value()) return fmt::format("{} AND {}", condition, *sql);
  return absl::InvalidArgumentError(
      fmt::format("where: found {} at {}; expected {}", error.found, error.position, error.expected));
}

/// What an event counts for a source; null: nothing.
absl::StatusOr<std::string> Amount(const MetricSource& source) {
  if (source.of == "1") return "1e0";
  const std::optional<uint32_t> field = source.fields.Find(source.of);
  if (field.has_value()) return fmt::format("CAST({} AS DOUBLE)", ColumnOf(source, *field));
  return absl::InvalidArgumentError(fmt::format("of: found {}; expected a field of the event or its item", source.of));
}

/// Values of a person that are cut at a quantile: of those that are not 0, in distance from 0.
bool IsCut(const Metric& metric) {
  return (metric.kind == Kind::kMean || metric.kind == Kind::kRatio) && metric.winsorize < 1;
}

bool IsYesOrNo(const Metric& metric) { return metric.kind == Kind::kProportion || metric.kind == Kind::kRetention; }

std::string Cut(std::string_view value, std::string_view cap) {
  return fmt::format("LEAST(GREATEST({0}, -{1}), {1})", value, cap);
}

/// The columns of one metric, in the order in which the query gathers them.
class Writer {
 public:
  Writer(const Metric& metric, size_t index, uint32_t days, std::string_view end)
      : metric_(metric), i_(index), days_(days), end_(end) {}

  absl::StatusOr<MetricColumns> Write(std::string_view member_events) {
    ASSIGN_OR_RETURN(counts_, Counts(metric_.source));
    ASSIGN_OR_RETURN(const std::string amount, Amount(metric_.source));
    WriteInstants();
    if (metric_.kind == Kind::kQuantile && metric_.per_event) {
      WriteEventQuantile(amount, member_events);
    } else {
      RETURN_IF_ERROR(WriteValues(amount));
    }
    for (size_t k = ColumnCount(metric_); k > 0; --k) out_.none += ", CAST(NULL AS DOUBLE)";
    return std::move(out_);
  }

 private:
  bool HasCovariate() const { return metric_.covariate_days > 0 && metric_.kind != Kind::kQuantile; }

  /// Instants are computed once a person, not once an event.
  void WriteInstants() {
    if (HasCovariate() && metric_.covariate_days < days_) {
      Instant(fmt::format("from{}", i_), fmt::format("p.at - INTERVAL {} DAY", metric_.covariate_days));
    }
    if (metric_.kind == Kind::kRetention) {
      Instant(fmt::format("back{}", i_), fmt::format("p.at + INTERVAL {} DAY", metric_.from_day));
      Instant(fmt::format("gone{}", i_), fmt::format("p.at + INTERVAL {} DAY", metric_.to_day + 1));
    }
  }
  void Instant(const std::string& name, const std::string& value) {
    out_.counted += fmt::format(", {} AS {}", value, name);
    out_.member += fmt::format(", c.{0} AS {0}", name);
  }

  /// That an event is in time, before or after the exposure.
  std::string InTime() const {
    std::string before = "e.event_time < m.at", after = "e.event_time >= m.at";
    if (!HasCovariate()) before.clear();
    if (HasCovariate() && metric_.covariate_days < days_) before += fmt::format(" AND e.event_time >= m.from{}", i_);
    if (metric_.kind == Kind::kRetention)
      after = fmt::format("e.event_time >= m.back{0} AND e.event_time < m.gone{0}", i_);
    if (before.empty()) return after;
    if (before == "e.event_time < m.at" && metric_.kind != Kind::kRetention) return "";
    return fmt::format("({} OR {})", before, after);
  }

  absl::Status WriteValues(const std::string& amount) {
    const std::string in_time = InTime().empty() ? "" : " AND " + InTime();
    AddValue("y", "x", "v", fmt::format("{}{}", counts_, in_time), amount);
    if (metric_.kind == Kind::kRatio) {
      ASSIGN_OR_RETURN(const std::string counts, Counts(metric_.denominator));
      ASSIGN_OR_RETURN(const std::string of, Amount(metric_.denominator));
      AddValue("d", "p", "w", fmt::format("{}{}", counts, in_time), of);
    }
    std::vector<std::string> values = {fmt::format("v.y{}", i_), HasCovariate() ? fmt::format("v.x{}", i_) : "0e0"};
    std::vector<std::string> of_day = {DayValue("v", "y"), "0e0"};
    if (metric_.kind == Kind::kRatio) {
      values.push_back(fmt::format("v.d{}", i_));
      values.push_back(HasCovariate() ? fmt::format("v.p{}", i_) : "0e0");
      of_day.push_back(DayValue("w", "d"));
      of_day.push_back("0e0");
    }
    const std::string in_front = fmt::format(", CAST(sum(v.cut{0}) AS DOUBLE), sum(v.raw{0}), max(abs(v.raw{0}))", i_);
    out_.moments = MomentColumns(fmt::format("count(v.y{})", i_), in_front, values);
    if (metric_.kind == Kind::kRetention || metric_.kind == Kind::kQuantile) {
      out_.day.clear();
    } else {
      out_.of_day = MomentColumns("count(*)", ", 0e0, 0e0, 0e0", of_day);
    }
    return absl::OkStatus();
  }

  std::string DayValue(std::string_view day_column, std::string_view cap) const {
    const std::string value = fmt::format("d.{}{}", day_column, i_);
    return IsCut(metric_) ? Cut(value, fmt::format("k.{}{}", cap, i_)) : value;
  }

  /// One value of a person, and the same of before.
  void AddValue(std::string_view after, std::string_view before, std::string_view day, const std::string& counts,
                const std::string& amount) {
    const char* gather = IsYesOrNo(metric_) ? "max" : "sum";
    const std::string value = fmt::format("CASE WHEN {} THEN COALESCE({}, 0e0) ELSE 0e0 END", counts, amount);
    out_.event += fmt::format(",\n    {} AS {}{}", value, day, i_);
    out_.day += fmt::format(", {}({}) AS {}{}", gather, value, day, i_);
    out_.sum +=
        fmt::format(",\n    {0}(CASE WHEN t.period = 1 THEN t.{1}{2} ELSE 0e0 END) AS {3}{2}", gather, day, i_, after);
    const bool covariate = HasCovariate();
    if (covariate)
      out_.sum +=
          fmt::format(", {0}(CASE WHEN t.period = 0 THEN t.{1}{2} ELSE 0e0 END) AS {3}{2}", gather, day, i_, before);
    for (const std::string_view name : {after, before}) {
      if (name == before && !covariate) continue;
      std::string sum = fmt::format("COALESCE(s.{}{}, 0e0)", name, i_);
      // Whoever may still come back is no part of it.
      if (metric_.kind == Kind::kRetention) sum = fmt::format("CASE WHEN c.gone{} <= {} THEN {} END", i_, end_, sum);
      out_.value += fmt::format(",\n    {} AS {}{}", sum, name, i_);
      const std::string raw = fmt::format("v.{}{}", name, i_), cap = fmt::format("k.{}{}", name, i_);
      if (IsCut(metric_)) {
        out_.cap += fmt::format(
            ",\n    percentile_cont({0}) WITHIN GROUP (ORDER BY CASE WHEN {1} <> 0e0 THEN abs({1}) END) AS {2}{3}",
            metric_.winsorize, raw, name, i_);
      }
      out_.cut += fmt::format(",\n    {} AS {}{}", IsCut(metric_) ? Cut(raw, cap) : raw, name, i_);
      if (name != "y") continue;
      out_.cut += fmt::format(", {} AS cut{}, {} AS raw{}",
                              IsCut(metric_) ? fmt::format("CASE WHEN abs({}) > {} THEN 1 ELSE 0 END", raw, cap) : "0",
                              i_, raw, i_);
    }
  }

  void WriteEventQuantile(const std::string& amount, std::string_view member_events) {
    out_.moments = MomentColumns("count(*)", ", 0e0, 0e0, 0e0", {"0e0", "0e0"});
    out_.tables = fmt::format(
        ",\nq{0}_values AS (\n  SELECT m.person AS person, m.arm AS arm, {1} AS value\n  {2}    AND {3}\n    AND "
        "e.event_time >= m.at\n    AND {1} IS NOT NULL\n),\nq{0}_cutoffs AS (\n  SELECT v.arm AS arm, "
        "percentile_cont({4}) "
        "WITHIN GROUP (ORDER BY v.value) AS cutoff\n  FROM q{0}_values v\n  GROUP BY v.arm\n),\nq{0}_persons AS (\n  "
        "SELECT "
        "v.person AS person, min(v.arm) AS arm, CAST(count(*) AS DOUBLE) AS total,\n    sum(CASE WHEN v.value <= "
        "k.cutoff "
        "THEN 1e0 ELSE 0e0 END) AS below\n  FROM q{0}_values v\n  JOIN q{0}_cutoffs k ON v.arm = k.arm\n  GROUP BY "
        "v.person\n)",
        i_, amount, member_events, counts_, metric_.q);
  }

  const Metric& metric_;
  const size_t i_;
  const uint32_t days_;
  const std::string_view end_;
  std::string counts_;
  MetricColumns out_;
};

}  // namespace

size_t VariableCount(const Metric& metric) { return metric.kind == Kind::kRatio ? 4 : 2; }

size_t ColumnCount(const Metric& metric) {
  const size_t values = VariableCount(metric);
  return 4 + values + values * (values + 1) / 2;
}

absl::StatusOr<MetricColumns> ColumnsOf(const Metric& metric, size_t index, uint32_t covariate_days,
                                        std::string_view end, std::string_view member_events) {
  return Writer(metric, index, covariate_days, end).Write(member_events);
}

absl::StatusOr<std::string> CountedAmount(const Metric& metric) {
  ASSIGN_OR_RETURN(const std::string counts, Counts(metric.source));
  ASSIGN_OR_RETURN(const std::string amount, Amount(metric.source));
  return fmt::format("CASE WHEN {} THEN COALESCE({}, 0e0) ELSE 0e0 END", counts, amount);
}

std::string MomentColumns(std::string_view count, std::string_view in_front, const std::vector<std::string>& values) {
  std::string columns = fmt::format(",\n  CAST({} AS DOUBLE){}", count, in_front);
  const auto constant = [](const std::string& value) { return value == "0e0"; };
  for (const std::string& value : values) columns += constant(value) ? ", 0e0" : fmt::format(", avg({})", value);
  for (size_t a = 0; a < values.size(); ++a) {
    for (size_t b = 0; b <= a; ++b) {
      columns += constant(values[a]) || constant(values[b]) ? ", 0e0"
                 : a == b                                   ? fmt::format(", var_pop({})", values[a])
                                                            : fmt::format(", covar_pop({}, {})", values[a], values[b]);
    }
  }
  return columns;
}

std::string BucketOf(std::string_view value) {
  return fmt::format(
      "CASE WHEN {0} > 0e0 THEN CAST(floor(ln({0}) * 100e0) AS BIGINT) + 100000 WHEN {0} < 0e0 THEN "
      "-100000 - CAST(floor(ln(-{0}) * 100e0) AS BIGINT) ELSE 0 END",
      value);
}

std::vector<std::string> TypesOf(const std::vector<Metric>& metrics) {
  std::set<std::string> types;
  for (const Metric& metric : metrics) {
    if (metric.source.on.empty()) return {};
    types.insert(metric.source.on.begin(), metric.source.on.end());
    types.insert(metric.denominator.on.begin(), metric.denominator.on.end());
  }
  return {types.begin(), types.end()};
}

}  // namespace bowerbird::experiment::metrics
