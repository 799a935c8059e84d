#include "rows/bounds.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fmt/format.h"

namespace bowerbird::rows {
namespace {

constexpr size_t kPsiBins = 10;

double NullRate(const FeatureStats& stats) {
  const uint64_t values = std::accumulate(stats.counts.begin(), stats.counts.end(), uint64_t{0});
  return values + stats.nulls == 0 ? 0 : static_cast<double>(stats.nulls) / static_cast<double>(values + stats.nulls);
}

const FeatureStats* FindFeature(const SetInfo& set, std::string_view name) {
  for (const auto& [feature, stats] : set.feature_stats) {
    if (feature == name) return &stats;
  }
  return nullptr;
}

const ObjectiveInfo* FindObjective(const SetInfo& set, std::string_view name) {
  const auto at = std::ranges::find(set.objectives, name, &ObjectiveInfo::name);
  return at == set.objectives.end() ? nullptr : &*at;
}

/// Mean, give or take what the values themselves vary, and at least `slack`.
Bound Around(std::string name, const std::vector<double>& values, double found, double share, double slack) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double deviation = values.size() < 2 ? 0 : std::sqrt(squares / (n - 1));
  const double room = std::max({BoundsRules::kDeviations * deviation, share * mean, slack});
  return {std::move(name), std::max(0.0, mean - room), mean + room, found};
}

void Add(const FeatureStats& stats, FeatureStats* sum) {
  for (size_t b = 0; b < FeatureStats::kBins; ++b) sum->counts[b] += stats.counts[b];
}

void AddFeatureBounds(std::span<const SetInfo> before, const SetInfo& set, std::vector<Bound>* bounds) {
  for (const auto& [name, stats] : set.feature_stats) {
    std::vector<double> null_rates;
    FeatureStats all;
    for (const SetInfo& former : before) {
      const FeatureStats* own = FindFeature(former, name);
      if (own == nullptr) continue;
      null_rates.push_back(NullRate(*own));
      Add(*own, &all);
    }
    if (null_rates.size() < BoundsRules::kSetsMin) continue;
    bounds->push_back(
        Around(fmt::format("null_rate of {}", name), null_rates, NullRate(stats), 0, BoundsRules::kNullSlack));
    double greatest = 0;
    for (const SetInfo& former : before) {
      const FeatureStats* own = FindFeature(former, name);
      if (own == nullptr) continue;
      FeatureStats others = all;
      for (size_t b = 0; b < FeatureStats::kBins; ++b) others.counts[b] -= own->counts[b];
      greatest = std::max(greatest, Psi(others, *own));
    }
    bounds->push_back({fmt::format("psi of {}", name), 0,
                       std::max(BoundsRules::kPsiMin, BoundsRules::kPsiTimes * greatest), Psi(all, stats)});
  }
}

}  // namespace

std::string Bound::ToString() const {
  return fmt::format("{}: found {:.4g}; expected {:.4g} to {:.4g}", name, found, low, high);
}

double Psi(const FeatureStats& reference, const FeatureStats& found) {
  const auto total = [](const FeatureStats& stats) {
    return static_cast<double>(std::accumulate(stats.counts.begin(), stats.counts.end(), uint64_t{0}));
  };
  const double expected_total = total(reference), found_total = total(found);
  if (expected_total == 0 || found_total == 0) return 0;
  double psi = 0, expected = 0, seen = 0, below = 0;
  const auto close = [&] {
    // Half a value in an empty bin, so that it counts and does not decide alone.
    const double p = std::max(expected, 0.5) / expected_total, q = std::max(seen, 0.5) / found_total;
    psi += (q - p) * std::log(q / p);
    expected = seen = 0;
  };
  size_t bin = 1;
  for (size_t b = 0; b < FeatureStats::kBins; ++b) {
    expected += static_cast<double>(reference.counts[b]);
    below += static_cast<double>(reference.counts[b]);
    seen += static_cast<double>(found.counts[b]);
    if (below >= expected_total * static_cast<double>(bin) / kPsiBins && expected > 0 && below < expected_total) {
      close();
      while (below >= expected_total * static_cast<double>(bin) / kPsiBins) ++bin;
    }
  }
  close();
  return psi;
}

std::vector<Bound> LearnBounds(std::span<const SetInfo> before, const SetInfo& set) {
  std::vector<Bound> bounds;
  if (before.size() > BoundsRules::kSetsMax) before = before.last(BoundsRules::kSetsMax);
  if (before.size() < BoundsRules::kSetsMin) return bounds;
  std::vector<double> volumes;
  for (const SetInfo& former : before) volumes.push_back(static_cast<double>(former.rows));
  bounds.push_back(Around("volume", volumes, static_cast<double>(set.rows), BoundsRules::kVolumeShare, 0));
  for (const ObjectiveInfo& objective : set.objectives) {
    std::vector<double> rates, null_rates;
    const auto null_rate = [](const LabelStats& stats) {
      const uint64_t all = stats.nulls + stats.labels;
      return all == 0 ? 0 : static_cast<double>(stats.nulls) / static_cast<double>(all);
    };
    for (const SetInfo& former : before) {
      const ObjectiveInfo* own = FindObjective(former, objective.name);
      if (own == nullptr || own->stats.labels == 0) continue;
      rates.push_back(own->stats.Rate());
      null_rates.push_back(null_rate(own->stats));
    }
    if (rates.size() < BoundsRules::kSetsMin) continue;
    bounds.push_back(Around(fmt::format("label_rate of {}", objective.name), rates, objective.stats.Rate(),
                            BoundsRules::kRateShare, 0));
    bounds.push_back(Around(fmt::format("null_rate of label {}", objective.name), null_rates,
                            null_rate(objective.stats), 0, 5 * BoundsRules::kNullSlack));
  }
  AddFeatureBounds(before, set, &bounds);
  return bounds;
}

}  // namespace bowerbird::rows
