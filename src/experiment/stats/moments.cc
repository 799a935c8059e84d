#include "experiment/stats/moments.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

/// How much more than the sums of squares allow a comoment may be by rounding.
constexpr double kComomentSlack = 1e-6;

absl::Status CheckCount(std::string_view name, std::string_view field, uint64_t count, uint64_t least) {
  if (count >= least) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("{}.{} is {}; expected {} or more", name, field, count, least));
}

absl::Status CheckMoments(std::string_view name, double mean, double m2, std::string_view suffix) {
  RETURN_IF_ERROR(CheckFinite(fmt::format("{}.mean{}", name, suffix), mean));
  return CheckNotNegative(fmt::format("{}.m2{}", name, suffix), m2);
}

}  // namespace

Moments Moments::Of(std::span<const double> values) {
  Moments moments;
  for (const double value : values) moments.Add(value);
  return moments;
}

void Moments::Add(double value) {
  ++count;
  const double before = value - mean;
  mean += before / static_cast<double>(count);
  m2 += before * (value - mean);
}

void Moments::Merge(const Moments& other) {
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const double total = static_cast<double>(count) + static_cast<double>(other.count);
  const double share = static_cast<double>(other.count) / total;
  const double apart = other.mean - mean;
  m2 += other.m2 + apart * apart * share * static_cast<double>(count);
  mean += apart * share;
  count += other.count;
}

double Moments::variance() const { return count < 2 ? 0 : m2 / static_cast<double>(count - 1); }

BivariateMoments BivariateMoments::Of(std::span<const double> y, std::span<const double> x) {
  BivariateMoments moments;
  for (size_t i = 0; i < std::min(y.size(), x.size()); ++i) moments.Add(y[i], x[i]);
  return moments;
}

void BivariateMoments::Add(double y, double x) {
  ++count;
  const double n = static_cast<double>(count);
  const double before_y = y - mean_y, before_x = x - mean_x;
  mean_y += before_y / n;
  mean_x += before_x / n;
  m2_y += before_y * (y - mean_y);
  m2_x += before_x * (x - mean_x);
  comoment += before_y * (x - mean_x);
}

void BivariateMoments::Merge(const BivariateMoments& other) {
  if (other.count == 0) return;
  if (count == 0) {
    *this = other;
    return;
  }
  const double total = static_cast<double>(count) + static_cast<double>(other.count);
  const double share = static_cast<double>(other.count) / total;
  const double apart_y = other.mean_y - mean_y, apart_x = other.mean_x - mean_x;
  const double between = share * static_cast<double>(count);
  m2_y += other.m2_y + apart_y * apart_y * between;
  m2_x += other.m2_x + apart_x * apart_x * between;
  comoment += other.comoment + apart_y * apart_x * between;
  mean_y += apart_y * share;
  mean_x += apart_x * share;
  count += other.count;
}

double BivariateMoments::covariance() const { return count < 2 ? 0 : comoment / static_cast<double>(count - 1); }

void Proportion::Merge(const Proportion& other) {
  successes += other.successes;
  trials += other.trials;
}

double Proportion::rate() const {
  return trials == 0 ? 0 : static_cast<double>(successes) / static_cast<double>(trials);
}

absl::Status Check(std::string_view name, const Moments& moments) {
  RETURN_IF_ERROR(CheckMoments(name, moments.mean, moments.m2, ""));
  return CheckCount(name, "count", moments.count, 2);
}

absl::Status Check(std::string_view name, const BivariateMoments& moments) {
  RETURN_IF_ERROR(CheckMoments(name, moments.mean_y, moments.m2_y, "_y"));
  RETURN_IF_ERROR(CheckMoments(name, moments.mean_x, moments.m2_x, "_x"));
  RETURN_IF_ERROR(CheckFinite(fmt::format("{}.comoment", name), moments.comoment));
  const double most = std::sqrt(moments.m2_y) * std::sqrt(moments.m2_x);
  if (std::abs(moments.comoment) > most * (1 + kComomentSlack)) {
    return absl::InvalidArgumentError(fmt::format(
        "{}.comoment is {}; expected at most {:.6g} in size, which is sqrt(m2_y m2_x)", name, moments.comoment, most));
  }
  return CheckCount(name, "count", moments.count, 2);
}

absl::Status Check(std::string_view name, const Proportion& proportion) {
  if (proportion.successes > proportion.trials) {
    return absl::InvalidArgumentError(fmt::format("{}.successes is {}; expected at most {}, which is {}.trials", name,
                                                  proportion.successes, proportion.trials, name));
  }
  return CheckCount(name, "trials", proportion.trials, 1);
}

}  // namespace bowerbird::experiment::stats
