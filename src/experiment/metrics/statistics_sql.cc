#include "experiment/metrics/statistics_sql.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "experiment/metrics/job_texts.h"
#include "experiment/metrics/metric_columns.h"
#include "experiment/metrics/query_texts.h"
#include "expression/sql.h"
#include "lake/job_texts.h"

namespace bowerbird::experiment::metrics {
namespace {

using config::Metric;
using expression::SqlText;

constexpr std::string_view kFixed = ", 0, 0, 0, 0";  // exposures, repeated, events, skewed

bool IsPrimary(const v1::Experiment& experiment, const std::string& metric) {
  return std::ranges::any_of(experiment.metrics(), [&](const v1::ExperimentMetric& one) {
    return one.name() == metric && one.role() == v1::ExperimentMetric::PRIMARY;
  });
}

/// The columns of all metrics, one after another.
struct Columns {
  MetricColumns all;
  std::vector<MetricColumns> each;
  std::vector<Metric> followed;  ///< by day
};

absl::StatusOr<Columns> AllColumns(const StatisticsQuestion& question, uint32_t days, const std::string& end,
                                   std::string_view member_events) {
  Columns columns;
  for (size_t i = 0; i < question.metrics.size(); ++i) {
    auto one = ColumnsOf(question.metrics[i], i, days, end, member_events);
    if (!one.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("metrics.{}: {}", question.metrics[i].name, std::string(one.status().message())));
    }
    for (const auto part : {&MetricColumns::counted, &MetricColumns::member, &MetricColumns::event, &MetricColumns::sum,
                            &MetricColumns::value, &MetricColumns::cap, &MetricColumns::cut, &MetricColumns::moments,
                            &MetricColumns::none, &MetricColumns::tables}) {
      columns.all.*part += (*one).*part;
    }
    // Effects are followed by day where the verdict hangs on them.
    const bool followed = !one->day.empty() && IsPrimary(*question.experiment, question.metrics[i].name);
    columns.all.day += followed ? one->day : "";
    columns.all.of_day += followed ? one->of_day : one->none;
    if (followed) columns.followed.push_back(question.metrics[i]);
    columns.each.push_back(*std::move(one));
  }
  return columns;
}

/// The columns of moments of one metric, between as many nulls as the others have.
std::string Between(const Columns& columns, size_t index, const std::string& moments) {
  std::string text;
  for (size_t i = 0; i < columns.each.size(); ++i) text += i == index ? moments : columns.each[i].none;
  return text;
}

std::string QuantileSections(const StatisticsQuestion& question, const Columns& columns) {
  std::string sections;
  for (size_t i = 0; i < question.metrics.size(); ++i) {
    const Metric& metric = question.metrics[i];
    if (metric.kind != Metric::Kind::kQuantile) continue;
    const std::string from = metric.per_event ? fmt::format("q{}_values v", i) : "person_values v";
    const std::string bucket = BucketOf(metric.per_event ? "v.value" : fmt::format("v.y{}", i));
    sections += fmt::format(
        "\nUNION ALL\nSELECT 'buckets', v.arm, {}, CAST({} AS STRING), count(*){}{}\nFROM {}\nGROUP BY v.arm, {}", i,
        bucket, kFixed, columns.all.none, from, bucket);
    if (!metric.per_event) continue;
    sections += fmt::format(
        "\nUNION ALL\nSELECT 'quantiles', v.arm, {0}, NULL, count(*){1}{2}\nFROM q{0}_persons v\nGROUP BY v.arm", i,
        kFixed, Between(columns, i, MomentColumns("count(*)", ", 0e0, 0e0, 0e0", {"v.below", "v.total"})));
  }
  return sections;
}

/// What the question asks beyond the arms: columns of `shown`, `ids` and `persons`, tables, and sections.
struct Views {
  std::string shown, id, person, tables, sections;
};

absl::Status AddSegment(const StatisticsQuestion& question, const Columns& columns, lake::Engine engine, Views* views) {
  if (question.segment.empty()) return absl::OkStatus();
  if (question.segment == "surface") {
    views->shown = ", x.surface AS surface";
    views->id = ", min_by(s.surface, s.at) AS surface";
    views->person = ", min_by(i.surface, i.at) AS surface";
    views->tables +=
        ",\nsegments AS (\n  SELECT p.person AS person, COALESCE(p.surface, '') AS segment\n  FROM persons p\n)";
  } else {
    const auto& attributes = question.config->user_attributes;
    const auto found = std::ranges::find(attributes, question.segment, &config::Attribute::name);
    if (found == attributes.end() || found->type != expression::Type::kString) {
      return absl::InvalidArgumentError(fmt::format(
          "segment: found '{}'; expected \"surface\" or a declared user attribute of type string", question.segment));
    }
    // As it was when the user was first shown the arm: what the arm makes of a user is no segment.
    views->shown = ", x.user AS user_name";
    views->id = ", min_by(s.user_name, s.at) AS user_name";
    views->tables += fmt::format(
        ",\nsegments AS (\n  SELECT COALESCE(p.person, i.id) AS person, COALESCE(max_by(u.attributes[{}].string_value, "
        "u.offset), '') AS segment\n  FROM ids i\n  LEFT JOIN people p ON i.id = p.id\n  JOIN {} u ON u.id = "
        "i.user_name AND "
        "u.append_time <= i.at\n  GROUP BY COALESCE(p.person, i.id)\n)",
        SqlText(question.segment), engine == lake::Engine::kSpark ? "users" : "user_changes");
  }
  views->sections += fmt::format(
      "\nUNION ALL\nSELECT 'segments', v.arm, 0, COALESCE(g.segment, ''), count(*){}{}\nFROM person_values v\nLEFT "
      "JOIN "
      "segments g ON v.person = g.person\nGROUP BY v.arm, COALESCE(g.segment, '')",
      kFixed, columns.all.moments);
  return absl::OkStatus();
}

void AddOthers(const StatisticsQuestion& question, const Columns& columns, Views* views) {
  if (question.others.empty()) return;
  std::string names;
  for (const std::string& other : question.others) names += (names.empty() ? "" : ", ") + SqlText(other);
  views->tables += fmt::format(
      ",\nothers AS (\n  SELECT COALESCE(p.person, x.user_key) AS person, x.experiment AS experiment, min(x.arm) AS "
      "arm, "
      "max(x.arm) AS arm_last\n  FROM exposures x\n  LEFT JOIN people p ON x.user_key = p.id\n  WHERE x.experiment IN "
      "({})\n   "
      " AND x.user_key IS NOT NULL\n    AND NOT x.forced\n    AND x.date >= DATE '{}'\n    AND x.time < TIMESTAMP "
      "'{}'\n  "
      "GROUP BY COALESCE(p.person, x.user_key), x.experiment\n)",
      names, DayText(question.experiment->started_us() - kDayUs), TimeText(question.end_us));
  views->sections += fmt::format(
      "\nUNION ALL\nSELECT 'others', v.arm, 0, concat(o.experiment, '/', o.arm), count(*){}{}\nFROM person_values "
      "v\nJOIN "
      "others o ON v.person = o.person\nWHERE o.arm = o.arm_last\nGROUP BY v.arm, concat(o.experiment, '/', o.arm)",
      kFixed, columns.all.moments);
}

/// The day of a time, from 1970-01-01. DuckDB has no quicker way to a date, as it asks for the time zone of each.
std::string DayOf(std::string_view time, lake::Engine engine) {
  return engine == lake::Engine::kSpark ? fmt::format("datediff(CAST({} AS DATE), DATE '1970-01-01')", time)
                                        : fmt::format("CAST(epoch_us({}) // 86400000000 AS INTEGER)", time);
}

/// Who was exposed, when, to what.
std::string Exposures(const StatisticsQuestion& question) {
  if (!question.of_history) return "exposures";
  const v1::Experiment& experiment = *question.experiment;
  return fmt::format(
      "(SELECT {} AS experiment, {} AS arm, e.user_key AS user_key, CAST(NULL AS STRING) AS unit_id, 0 AS phase, "
      "min(e.event_time) AS time, FALSE AS forced, DATE '{}' AS date FROM events e WHERE e.date >= DATE '{}' AND "
      "e.event_time >= TIMESTAMP '{}' AND e.event_time < TIMESTAMP '{}' AND e.user_key IS NOT NULL AND e.type IS NOT "
      "NULL AND e.merge IS NULL AND e.becomes_key IS NULL AND e.agent IS NULL GROUP BY e.user_key)",
      SqlText(experiment.id()), SqlText(experiment.arms(0).name()), DayText(experiment.started_us()),
      DayText(experiment.started_us() - kDayUs), TimeText(experiment.started_us()), TimeText(question.end_us));
}

/// The placeholders of EventsText. `metrics` say which event types are read.
std::vector<std::pair<std::string, std::string>> EventParts(const StatisticsQuestion& question, int64_t begin_us,
                                                            const std::vector<Metric>& metrics) {
  return {{"{{event_date}}", DayText(begin_us - kDayUs)},
          {"{{event_begin}}", TimeText(begin_us)},
          {"{{end}}", TimeText(question.end_us)},
          {"{{of_types}}", OfTypes(metrics)}};
}

/// Days are read on their own: of few metrics, and so of few events; a row of each day of each person for all of them
/// would not fit in memory.
void AddDays(const StatisticsQuestion& question, const Columns& columns, lake::Engine engine, int64_t begin_us,
             Views* views) {
  if (columns.followed.empty()) return;
  const std::string day = DayOf("e.event_time", engine);
  views->tables += fmt::format(
      ",\nperson_days AS (\n  SELECT m.person AS person, {0} AS day, min(m.arm) AS arm{1}\n  {2}    AND e.event_time "
      ">= "
      "m.at\n  GROUP BY m.person, {0}\n)",
      day, columns.all.day,
      absl::StrReplaceAll(std::string(EventsText()), EventParts(question, begin_us, columns.followed)));
  views->sections += fmt::format(
      "\nUNION ALL\nSELECT 'days', d.arm, 0, CAST(d.day AS STRING), count(*){}{}\nFROM person_days d\nCROSS JOIN caps "
      "k\nGROUP BY d.arm, d.day",
      kFixed, columns.all.of_day);
}

}  // namespace

absl::StatusOr<std::vector<Metric>> MetricsOf(const v1::Experiment& experiment, const std::vector<Metric>& declared) {
  std::vector<Metric> metrics;
  std::set<std::string> taken;
  for (const v1::ExperimentMetric& wanted : experiment.metrics()) {
    const auto found = std::ranges::find(declared, wanted.name(), &Metric::name);
    if (found == declared.end()) {
      std::vector<std::string> names;
      names.reserve(declared.size());
      for (const Metric& metric : declared) names.push_back(metric.name);
      return absl::InvalidArgumentError(
          fmt::format("experiment {}: found the metric '{}'; expected one of the config: {}", experiment.id(),
                      wanted.name(), names.empty() ? "it has none" : fmt::format("{}", fmt::join(names, ", "))));
    }
    if (!taken.insert(wanted.name()).second) {
      return absl::InvalidArgumentError(fmt::format("experiment {}: found the metric '{}' twice; expected each once",
                                                    experiment.id(), wanted.name()));
    }
    metrics.push_back(*found);
  }
  return metrics;
}

absl::StatusOr<std::string> StatisticsSql(const StatisticsQuestion& question, lake::Engine engine) {
  RETURN_IF_ERROR(CheckQuestion(question));
  const v1::Experiment& experiment = *question.experiment;
  uint32_t days = 1;  // looked at for events whose clock is wrong, whatever the metrics are
  for (const Metric& metric : question.metrics) days = std::max(days, metric.covariate_days);
  const int64_t event_begin_us = experiment.started_us() - static_cast<int64_t>(days) * kDayUs;
  const std::string end = TimeText(question.end_us);
  std::vector<std::pair<std::string, std::string>> parts = EventParts(question, event_begin_us, question.metrics);
  const std::string member_events = absl::StrReplaceAll(std::string(EventsText()), parts);
  ASSIGN_OR_RETURN(const Columns columns,
                   AllColumns(question, days, fmt::format("TIMESTAMP '{}'", end), member_events));
  Views views;
  RETURN_IF_ERROR(AddSegment(question, columns, engine, &views));
  AddOthers(question, columns, &views);
  AddDays(question, columns, engine, event_begin_us, &views);
  const auto add = [&](const char* name, std::string text) { parts.emplace_back(name, std::move(text)); };
  // Whoever is marked on any of the days is no person on all of them.
  add("{{marked_users}}", absl::StrReplaceAll(std::string(lake::MarkedUsersText()),
                                              {{"{{day}}", DayText(event_begin_us)},
                                               {"{{day_after}}", DayText(question.end_us + kDayUs)}}));
  add("{{people}}", std::string(PeopleText()));
  add("{{experiment}}", SqlText(experiment.id()));
  add("{{exposures}}", Exposures(question));
  add("{{arm_index}}", ArmIndex(experiment, "x.arm"));
  add("{{exposure_date}}", DayText(experiment.started_us() - kDayUs));
  add("{{begin}}", TimeText(experiment.started_us()));
  add("{{days_shown}}", fmt::format("({} - {})", DayOf("i.at_last", engine), DayOf("i.at", engine)));
  add("{{entered_day}}", DayOf("v.at", engine));
  add("{{covariate_days}}", fmt::format("{}", days));
  add("{{member_events}}", member_events);
  // No arm may have caused what was done without an experiment.
  add("{{neither}}", question.of_history ? "" : " WHEN e.receive_time > m.at THEN 2");
  add("{{shown_columns}}", views.shown);
  add("{{id_columns}}", views.id);
  add("{{person_columns}}", views.person);
  add("{{counted_columns}}", columns.all.counted);
  add("{{member_columns}}", columns.all.member);
  add("{{event_columns}}", columns.all.event);
  add("{{sum_columns}}", columns.all.sum);
  add("{{value_columns}}", columns.all.value);
  add("{{cap_columns}}", columns.all.cap);
  add("{{cut_columns}}", columns.all.cut);
  add("{{arm_moments}}", columns.all.moments);
  add("{{no_moments}}", columns.all.none);
  add("{{more_tables}}", columns.all.tables + views.tables);
  add("{{more_sections}}", QuantileSections(question, columns) + views.sections);
  return absl::StrReplaceAll(std::string(StatisticsText()), parts);
}

}  // namespace bowerbird::experiment::metrics
