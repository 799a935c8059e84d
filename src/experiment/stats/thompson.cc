#include "experiment/stats/thompson.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/functional/function_ref.h"
#include "base/status_macros.h"
#include "experiment/stats/distributions.h"
#include "experiment/stats/input.h"
#include "fmt/format.h"

namespace bowerbird::experiment::stats {
namespace {

constexpr double kBetaMax = 1e9;
constexpr double kSumSlack = 1e-6;

/// Between these quantiles of each arm the integrand is smooth enough for one rule each; beyond them is nothing.
constexpr std::array kQuantiles = {1e-10, 1e-7, 1e-5, 1e-3,  0.02,     0.1,      0.3,      0.5,
                                   0.7,   0.9,  0.98, 0.999, 1 - 1e-5, 1 - 1e-7, 1 - 1e-10};

/// Gauss and Legendre's rule of ten points on [-1, 1]: half of it, which is symmetric.
struct Node {
  double at, weight;
};
constexpr std::array<Node, 5> kNodes = {{{0.14887433898163122, 0.29552422471475287},
                                         {0.43339539412924719, 0.26926671930999635},
                                         {0.67940956829902441, 0.21908636251598204},
                                         {0.86506336668898451, 0.14945134915058059},
                                         {0.97390652851717172, 0.06667134430868814}}};

/// What is asked of the arms' posteriors.
struct Posteriors {
  size_t count;
  absl::FunctionRef<double(size_t arm, double x)> cdf, density;
  absl::FunctionRef<double(size_t arm, double probability)> quantile;
};

/// Adds weight * density(arm) * product of the other arms' cdf at x, of every arm.
void AddAt(const Posteriors& posteriors, double x, double weight, std::vector<double>* sums) {
  const size_t count = posteriors.count;
  std::vector<double> cdf(count);
  for (size_t i = 0; i < count; ++i) cdf[i] = posteriors.cdf(i, x);
  // Products of those before and of those behind, so that none has to be divided by what may be 0.
  std::vector<double> behind(count + 1, 1.0);
  for (size_t i = count; i > 0; --i) behind[i - 1] = behind[i] * cdf[i - 1];
  double before = 1;
  for (size_t i = 0; i < count; ++i) {
    const double others = before * behind[i + 1];
    if (others > 0) (*sums)[i] += weight * others * posteriors.density(i, x);
    before *= cdf[i];
  }
}

absl::StatusOr<std::vector<double>> Integrate(const Posteriors& posteriors) {
  std::vector<double> edges;
  double least = 0;  // below the largest of the lowest quantiles some arm is surely better
  for (size_t i = 0; i < posteriors.count; ++i) {
    for (const double probability : kQuantiles) edges.push_back(posteriors.quantile(i, probability));
    const double lowest = posteriors.quantile(i, kQuantiles.front());
    least = i == 0 ? lowest : std::max(least, lowest);
  }
  std::sort(edges.begin(), edges.end());
  std::vector<double> sums(posteriors.count);
  for (size_t e = 1; e < edges.size(); ++e) {
    const double half = (edges[e] - edges[e - 1]) / 2, middle = edges[e - 1] + half;
    if (!(half > 0) || edges[e - 1] < least) continue;
    for (const Node& node : kNodes) {
      AddAt(posteriors, middle - half * node.at, half * node.weight, &sums);
      AddAt(posteriors, middle + half * node.at, half * node.weight, &sums);
    }
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  RETURN_IF_ERROR(CheckPositive("arms: the integral over all of them", total));
  for (double& sum : sums) sum /= total;
  return sums;
}

absl::Status CheckCount(size_t count) {
  if (count >= 1 && count <= kThompsonArmsMax) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("arms: found {}; expected 1 to {}", count, kThompsonArmsMax));
}

absl::Status CheckBeta(size_t arm, std::string_view field, double value) {
  if (value >= 1 && value <= kBetaMax) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("arms[{}].{} is {}; expected 1 to {}", arm, field, value, kBetaMax));
}

}  // namespace

absl::StatusOr<std::vector<double>> ProbabilityBest(std::span<const BetaArm> arms) {
  RETURN_IF_ERROR(CheckCount(arms.size()));
  for (size_t i = 0; i < arms.size(); ++i) {
    RETURN_IF_ERROR(CheckBeta(i, "a", arms[i].a));
    RETURN_IF_ERROR(CheckBeta(i, "b", arms[i].b));
  }
  return Integrate({arms.size(), [&](size_t i, double x) { return BetaCdf(x, arms[i].a, arms[i].b); },
                    [&](size_t i, double x) { return BetaDensity(x, arms[i].a, arms[i].b); },
                    [&](size_t i, double p) { return BetaQuantile(p, arms[i].a, arms[i].b); }});
}

absl::StatusOr<std::vector<double>> ProbabilityBest(std::span<const NormalArm> arms) {
  RETURN_IF_ERROR(CheckCount(arms.size()));
  for (size_t i = 0; i < arms.size(); ++i) {
    RETURN_IF_ERROR(CheckFinite(fmt::format("arms[{}].mean", i), arms[i].mean));
    RETURN_IF_ERROR(CheckPositive(fmt::format("arms[{}].standard_deviation", i), arms[i].standard_deviation));
  }
  // Seen from the best mean, so that a mean that is large beside its error keeps its digits.
  double best = arms[0].mean;
  for (const NormalArm& arm : arms) best = std::max(best, arm.mean);
  const auto z = [&](size_t i, double x) { return (x - (arms[i].mean - best)) / arms[i].standard_deviation; };
  return Integrate(
      {arms.size(), [&](size_t i, double x) { return NormalCdf(z(i, x)); },
       [&](size_t i, double x) { return NormalDensity(z(i, x)) / arms[i].standard_deviation; },
       [&](size_t i, double p) { return (arms[i].mean - best) + arms[i].standard_deviation * NormalQuantile(p); }});
}

absl::StatusOr<std::vector<double>> AllocateWithFloor(std::span<const double> probabilities, double floor) {
  if (probabilities.empty()) return absl::InvalidArgumentError("probabilities: found none; expected one an arm");
  double sum = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (!(probabilities[i] >= 0 && probabilities[i] <= 1)) {
      return absl::InvalidArgumentError(fmt::format("probabilities[{}] is {}; expected 0 to 1", i, probabilities[i]));
    }
    sum += probabilities[i];
  }
  if (std::abs(sum - 1) > kSumSlack) {
    return absl::InvalidArgumentError(fmt::format("probabilities: they sum to {}; expected 1", sum));
  }
  const double count = static_cast<double>(probabilities.size());
  if (!(floor >= 0 && floor <= 1 / count)) {
    return absl::InvalidArgumentError(
        fmt::format("floor is {}; expected 0 to {}, which is 1 / arms", floor, 1 / count));
  }
  std::vector<double> shares;
  for (const double probability : probabilities) shares.push_back(floor + (1 - count * floor) * (probability / sum));
  return shares;
}

}  // namespace bowerbird::experiment::stats
