#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "experiment/metrics/metric_columns.h"
#include "experiment/metrics/row_reader.h"
#include "experiment/metrics/statistics_sql.h"

namespace bowerbird::experiment::metrics {
namespace {

namespace dom = simdjson::dom;

constexpr int64_t kBucketShift = 100'000;
constexpr int64_t kDayUs = 86'400'000'000;

MetricCell ReadMetric(const config::Metric& metric, RowReader* row) {
  MetricCell cell;
  cell.moments.count = row->Count();
  cell.cut = row->Count();
  cell.total = row->Number();
  cell.largest = row->Number();
  const auto n = static_cast<double>(cell.moments.count);
  const size_t values = VariableCount(metric);
  for (size_t i = 0; i < values; ++i) cell.moments.mean[i] = row->Number();
  for (size_t i = 0; i < values; ++i) {
    for (size_t j = 0; j <= i; ++j) cell.moments.comoment(i, j) = row->Number() * n;
  }
  return cell;
}

/// The other way round of BucketOf.
ValueBucket BucketAt(int64_t index, uint64_t count) {
  const auto edge = [](int64_t hundredths) { return std::exp(static_cast<double>(hundredths) / 100); };
  if (index == 0) return {0, 0, count};
  if (index > 0) return {edge(index - kBucketShift), edge(index - kBucketShift + 1), count};
  return {-edge(-index - kBucketShift + 1), -edge(-index - kBucketShift), count};
}

class Reader {
 public:
  Reader(const StatisticsQuestion& question, Statistics* statistics) : question_(question), out_(*statistics) {}

  absl::Status Read(dom::array cells) {
    RowReader row(cells);
    section_ = row.Text();
    const double arm = row.Number(), phase = row.Number();
    slot_ = row.Text();
    if (!(arm >= 0 && arm < static_cast<double>(out_.arms)) || !(phase >= 0 && phase < 1e6))
      return NotUnderstood(fmt::format("the arm {} in phase {}", arm, phase));
    arm_ = static_cast<size_t>(arm);
    phase_ = static_cast<uint32_t>(phase);
    ArmCell cell;
    cell.units = row.Count();
    cell.exposures = row.Count();
    cell.repeated = row.Count();
    cell.events = row.Count();
    cell.skewed = row.Count();
    for (const config::Metric& metric : question_.metrics) cell.metrics.push_back(ReadMetric(metric, &row));
    if (row.broken()) return NotUnderstood("a row that is cut short, or not of numbers");
    return Put(std::move(cell));
  }

 private:
  absl::Status Put(ArmCell cell) {
    if (section_ == "arms") {
      out_.by_arm_and_phase[{arm_, phase_}] = std::move(cell);
    } else if (section_ == "entered") {
      std::vector<uint64_t>& day = out_.entered[DayText()];
      day.resize(out_.arms);
      day[arm_] += cell.units;
    } else if (section_ == "left_out") {
      PutLeftOut(cell.units);
    } else if (section_ == "buckets") {
      int64_t index = 0;
      if (!absl::SimpleAtoi(std::string(slot_), &index) || phase_ >= question_.metrics.size())
        return NotUnderstood("a bucket of none");
      out_.buckets[{phase_, arm_}].push_back(BucketAt(index, cell.units));
    } else if (section_ == "quantiles") {
      if (phase_ >= question_.metrics.size()) return NotUnderstood("a quantile of none");
      out_.quantiles[{phase_, arm_}] = cell.metrics[phase_].moments;
    } else {
      auto* cells = section_ == "days"       ? &out_.by_day
                    : section_ == "segments" ? &out_.by_segment
                    : section_ == "others"   ? &out_.by_other
                                             : nullptr;
      if (cells == nullptr) return NotUnderstood(fmt::format("the section '{}'", section_));
      std::vector<Cell>& arms = (*cells)[section_ == "days" ? DayText() : std::string(slot_)];
      arms.resize(out_.arms);
      arms[arm_] = static_cast<Cell&&>(cell);
    }
    return absl::OkStatus();
  }

  /// Of a slot that counts days from 1970-01-01.
  std::string DayText() const {
    int64_t day = 0;
    (void)absl::SimpleAtoi(std::string(slot_), &day);
    return base::FormatTimeUs(day * kDayUs).substr(0, 10);
  }

  void PutLeftOut(uint64_t units) {
    LeftOut& out = out_.left_out;
    for (const auto& [name, count] : {std::pair("two_arms", &out.two_arms), std::pair("forced", &out.forced),
                                      std::pair("marked", &out.marked), std::pair("no_arm", &out.no_arm),
                                      std::pair("no_user", &out.no_user), std::pair("merged_arms", &out.merged_arms)}) {
      if (slot_ == name) *count += units;
    }
  }

  const StatisticsQuestion& question_;
  Statistics& out_;
  std::string_view section_, slot_;
  size_t arm_ = 0;
  uint32_t phase_ = 0;
};

}  // namespace

absl::StatusOr<Statistics> ReadStatistics(const StatisticsQuestion& question, std::string_view json) {
  dom::parser parser;
  dom::array rows;
  if (parser.parse(simdjson::padded_string(json))["rows"].get(rows) != simdjson::SUCCESS)
    return NotUnderstood("no rows");
  Statistics statistics;
  statistics.begin_us = question.experiment->started_us();
  statistics.end_us = question.end_us;
  statistics.arms = static_cast<size_t>(question.experiment->arms_size());
  Reader reader(question, &statistics);
  for (const dom::element element : rows) {
    dom::array row;
    if (element.get(row) != simdjson::SUCCESS) return NotUnderstood("a row that is none");
    RETURN_IF_ERROR(reader.Read(row));
  }
  for (auto& [key, buckets] : statistics.buckets) std::ranges::sort(buckets, {}, &ValueBucket::low);
  return statistics;
}

}  // namespace bowerbird::experiment::metrics
