#include "experiment/metrics/interleaved.h"

#include <fmt/format.h>

#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "experiment/metrics/job_texts.h"
#include "experiment/metrics/metric_columns.h"
#include "experiment/metrics/query_texts.h"
#include "experiment/metrics/row_reader.h"
#include "expression/sql.h"
#include "lake/job_texts.h"

namespace bowerbird::experiment::metrics {
namespace {

using config::Metric;
using expression::SqlText;
namespace dom = simdjson::dom;

/// Of a page's items of one arm, by what `value` names in person_values: c (the control's) and a.
std::string Section(std::string_view section, size_t metric, size_t arm, std::string_view value) {
  return fmt::format(
      "\nUNION ALL\nSELECT '{0}', {1}, {2}, count(*), CAST(sum(v.pages) AS BIGINT), avg(v.{3}_0), avg(v.{3}_{2}), "
      "var_pop(v.{3}_0), var_pop(v.{3}_{2}), covar_pop(v.{3}_0, v.{3}_{2}), CAST(sum(CASE WHEN v.{3}_{2} - v.{3}_0 > "
      "1e-9 * (abs(v.{3}_0) + abs(v.{3}_{2})) THEN 1 ELSE 0 END) AS BIGINT), CAST(sum(CASE WHEN v.{3}_0 - v.{3}_{2} > "
      "1e-9 * (abs(v.{3}_0) + abs(v.{3}_{2})) THEN 1 ELSE 0 END) AS BIGINT)\nFROM person_values v",
      section, metric, arm, value);
}

/// The columns of one metric, in the order in which the query gathers them.
struct CreditColumns {
  std::string event, earned, cap, cut, by_arm, person;
};

absl::Status Add(const Metric& metric, size_t index, size_t arms, CreditColumns* columns) {
  ASSIGN_OR_RETURN(const std::string amount, CountedAmount(metric));
  columns->event += fmt::format(",\n    {} AS v{}", amount, index);
  const bool cut = metric.kind == Metric::Kind::kMean && metric.winsorize < 1;
  columns->earned += fmt::format(", {0}(t.v{1}) AS v{1}", metric.kind == Metric::Kind::kMean ? "sum" : "max", index);
  if (cut) {
    columns->cap += fmt::format(
        ",\n    percentile_cont({0}) WITHIN GROUP (ORDER BY CASE WHEN v.v{1} <> 0e0 THEN abs(v.v{1}) END) AS k{1}",
        metric.winsorize, index);
  }
  columns->cut += cut ? fmt::format(", LEAST(GREATEST(v.v{0}, -k.k{0}), k.k{0}) AS v{0}", index)
                      : fmt::format(", v.v{0} AS v{0}", index);
  for (size_t arm = 0; arm < arms; ++arm) {
    columns->by_arm +=
        fmt::format(",\n    sum(CASE WHEN v.arm = {1} THEN v.v{0} ELSE 0e0 END) AS m{0}_{1}", index, arm);
    columns->person += fmt::format(",\n    avg(COALESCE(v.m{0}_{1}, 0e0)) AS m{0}_{1}", index, arm);
  }
  return absl::OkStatus();
}

PairedMoments ReadPair(RowReader* row) {
  PairedMoments pair;
  pair.persons = row->Count();
  pair.pages = row->Count();
  pair.control = row->Number();
  pair.treatment = row->Number();
  const auto n = static_cast<double>(pair.persons);
  pair.control_variance = row->Number() * n;
  pair.treatment_variance = row->Number() * n;
  pair.covariance = row->Number() * n;
  pair.persons_for = row->Count();
  pair.persons_against = row->Count();
  return pair;
}

}  // namespace

bool IsCredit(const Metric& metric) {
  return metric.kind == Metric::Kind::kMean || metric.kind == Metric::Kind::kProportion;
}

absl::StatusOr<std::string> InterleavedSql(const StatisticsQuestion& question, lake::Engine engine) {
  RETURN_IF_ERROR(CheckQuestion(question));
  if (!question.segment.empty())
    return absl::InvalidArgumentError(
        fmt::format("segment: found '{}'; expected none for an interleaved experiment, which is read page by page",
                    question.segment));
  if (!question.others.empty())
    return absl::InvalidArgumentError("others: found some; expected none for an interleaved experiment");
  const v1::Experiment& experiment = *question.experiment;
  const auto arms = static_cast<size_t>(experiment.arms_size());
  CreditColumns columns;
  std::vector<Metric> credited;
  std::string sections, items, persons;
  for (size_t arm = 0; arm < arms; ++arm) {
    items += fmt::format(",\n    sum(CASE WHEN w.arm = {0} THEN 1e0 ELSE 0e0 END) AS n_{0}", arm);
    persons += fmt::format(",\n    avg(g.n_{0}) AS n_{0}", arm);
    if (arm > 0) sections += Section("placed", 0, arm, "n");
  }
  for (size_t i = 0; i < question.metrics.size(); ++i) {
    const Metric& metric = question.metrics[i];
    if (!IsCredit(metric)) continue;
    if (const absl::Status added = Add(metric, i, arms, &columns); !added.ok()) {
      return absl::InvalidArgumentError(fmt::format("metrics.{}: {}", metric.name, std::string(added.message())));
    }
    credited.push_back(metric);
    for (size_t arm = 1; arm < arms; ++arm) sections += Section("earned", i, arm, fmt::format("m{}", i));
  }
  const int64_t served_us = experiment.started_us() - kDayUs;
  const std::string marked =
      absl::StrReplaceAll(std::string(lake::MarkedUsersText()),
                          {{"{{day}}", DayText(served_us)}, {"{{day_after}}", DayText(question.end_us + kDayUs)}});
  const std::vector<std::pair<std::string, std::string>> parts = {
      {"{{marked_users}}", marked},
      {"{{people}}", std::string(PeopleText())},
      {"{{experiment}}", SqlText(experiment.id())},
      {"{{explode}}", engine == lake::Engine::kSpark ? "explode" : "unnest"},
      {"{{served_date}}", DayText(served_us)},
      {"{{begin}}", TimeText(experiment.started_us())},
      {"{{end}}", TimeText(question.end_us)},
      {"{{arm_index}}", ArmIndex(experiment, "d.one.arm")},
      // Without a metric that an item can earn no event is looked at.
      {"{{of_types}}", credited.empty() ? "\n    AND FALSE" : OfTypes(credited)},
      {"{{event_columns}}", columns.event},
      {"{{earned_columns}}", columns.earned},
      {"{{cap_columns}}", columns.cap},
      {"{{cut_columns}}", columns.cut},
      {"{{earned_by_arm_columns}}", columns.by_arm},
      {"{{item_columns}}", items},
      {"{{person_columns}}", persons + columns.person},
      {"{{more_sections}}", sections}};
  return absl::StrReplaceAll(std::string(InterleavedText()), parts);
}

absl::StatusOr<InterleavedStatistics> ReadInterleaved(const StatisticsQuestion& question, std::string_view json) {
  dom::parser parser;
  dom::array rows;
  if (parser.parse(simdjson::padded_string(json))["rows"].get(rows) != simdjson::SUCCESS)
    return NotUnderstood("no rows");
  InterleavedStatistics statistics;
  statistics.begin_us = question.experiment->started_us();
  statistics.end_us = question.end_us;
  statistics.arms = static_cast<size_t>(question.experiment->arms_size());
  for (const dom::element element : rows) {
    dom::array cells;
    if (element.get(cells) != simdjson::SUCCESS) return NotUnderstood("a row that is none");
    RowReader row(cells);
    const std::string section(row.Text());
    const uint64_t metric = row.Count(), arm = row.Count();
    const PairedMoments pair = ReadPair(&row);
    if (row.broken()) return NotUnderstood("a row that is cut short, or not of numbers");
    if (section == "marked") {
      statistics.marked = pair.persons;
    } else if (arm >= statistics.arms || metric >= question.metrics.size() + 1) {
      return NotUnderstood(fmt::format("the metric {} of arm {}", metric, arm));
    } else if (section == "placed") {
      statistics.placed[arm] = pair;
    } else if (section == "earned") {
      statistics.earned[{metric, arm}] = pair;
    } else {
      return NotUnderstood(fmt::format("the section '{}'", section));
    }
  }
  return statistics;
}

absl::StatusOr<InterleavedStatistics> MeasureInterleaved(lake::Lake* lake, const StatisticsQuestion& question,
                                                         const MeasureOptions& options) {
  ASSIGN_OR_RETURN(const std::string sql, InterleavedSql(question, options.engine));
  ASSIGN_OR_RETURN(std::vector<lake::TableFiles> tables,
                   ReadTables(lake, {"events", "served"}, "served", "no answers: nobody was shown a page yet"));
  ASSIGN_OR_RETURN(const std::string answer, RunQuery(lake, std::move(tables), sql, options));
  return ReadInterleaved(question, answer);
}

}  // namespace bowerbird::experiment::metrics
