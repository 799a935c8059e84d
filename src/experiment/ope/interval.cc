#include "experiment/ope/interval.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "base/rng.h"

namespace bowerbird::experiment::ope {

namespace {

constexpr double kNormalQuantile = 1.959963984540054;  // of (1 + kConfidence) / 2

struct Group {
  double rows = 0, numerator = 0, denominator = 0;

  double ratio() const { return denominator > 0 ? numerator / denominator : 0; }
};

void Add(const Contributions& contributions, size_t request, std::vector<Group>* groups) {
  for (size_t t = contributions.offsets[request]; t < contributions.offsets[request + 1]; ++t) {
    const Contributions::Term& term = contributions.terms[t];
    Group& group = (*groups)[term.group];
    ++group.rows;
    group.numerator += term.numerator;
    group.denominator += term.denominator;
  }
}

std::vector<Group> NoGroups(const Contributions& contributions) {
  uint32_t count = 0;
  for (const Contributions::Term& term : contributions.terms) count = std::max(count, term.group + 1);
  return std::vector<Group>(count);
}

double ValueOf(const std::vector<Group>& groups, size_t requests) {
  double value = 0;
  for (const Group& group : groups) value += group.rows / static_cast<double>(requests) * group.ratio();
  return value;
}

/// Requests by cluster, in the order of their first ones.
std::vector<std::vector<uint32_t>> MembersOf(size_t requests, std::span<const uint64_t> clusters) {
  BOWERBIRD_CHECK(clusters.empty() || clusters.size() == requests);
  std::vector<std::vector<uint32_t>> members;
  absl::flat_hash_map<uint64_t, size_t> at;
  for (uint32_t request = 0; request < requests; ++request) {
    const uint64_t cluster = clusters.empty() ? 0 : clusters[request];
    const bool is_new = cluster == 0 || at.try_emplace(cluster, members.size()).second;
    if (is_new) members.emplace_back();
    members[cluster == 0 ? members.size() - 1 : at[cluster]].push_back(request);
  }
  return members;
}

std::vector<Group> GroupsOf(const Contributions& contributions) {
  std::vector<Group> groups = NoGroups(contributions);
  for (size_t request = 0; request < contributions.requests(); ++request) Add(contributions, request, &groups);
  return groups;
}

}  // namespace

double ValueOf(const Contributions& contributions) {
  return ValueOf(GroupsOf(contributions), contributions.requests());
}

std::vector<double> InfluenceValues(const Contributions& contributions) {
  const std::vector<Group> groups = GroupsOf(contributions);
  std::vector<double> values(contributions.requests());
  for (size_t request = 0; request < values.size(); ++request) {
    for (size_t t = contributions.offsets[request]; t < contributions.offsets[request + 1]; ++t) {
      const Contributions::Term& term = contributions.terms[t];
      const Group& group = groups[term.group];
      if (!(group.denominator > 0)) continue;
      const double mean_denominator = group.denominator / group.rows;
      values[request] += group.ratio() + (term.numerator - group.ratio() * term.denominator) / mean_denominator;
    }
  }
  return values;
}

double StandardError(std::span<const double> values, std::span<const uint64_t> clusters) {
  const std::vector<std::vector<uint32_t>> members = MembersOf(values.size(), clusters);
  if (members.size() < 2) return 0;
  const double count = static_cast<double>(values.size()), units = static_cast<double>(members.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / count;
  for (const std::vector<uint32_t>& of_cluster : members) {
    double sum = 0;
    for (const uint32_t member : of_cluster) sum += values[member] - mean;
    squares += sum * sum;
  }
  return std::sqrt(squares * units / (units - 1)) / count;
}

Interval NormalInterval(double value, double standard_error) {
  return {value - kNormalQuantile * standard_error, value + kNormalQuantile * standard_error};
}

std::vector<double> Resample(const Contributions& contributions, uint32_t resamples, uint64_t seed) {
  base::Rng rng(seed);
  std::vector<double> values(resamples);
  const std::vector<std::vector<uint32_t>> members = MembersOf(contributions.requests(), contributions.clusters);
  const std::vector<Group> none = NoGroups(contributions);
  std::vector<Group> groups;
  for (double& value : values) {
    groups = none;
    size_t requests = 0;
    for (size_t draw = 0; draw < members.size(); ++draw) {
      const std::vector<uint32_t>& drawn = members[rng.Below(members.size())];
      for (const uint32_t request : drawn) Add(contributions, request, &groups);
      requests += drawn.size();
    }
    value = ValueOf(groups, requests);
  }
  return values;
}

Interval PercentileInterval(std::vector<double> values) {
  BOWERBIRD_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const size_t below = static_cast<size_t>(place);
    const size_t next = std::min(below + 1, values.size() - 1);
    return values[below] + (place - static_cast<double>(below)) * (values[next] - values[below]);
  };
  return {quantile((1 - kConfidence) / 2), quantile((1 + kConfidence) / 2)};
}

}  // namespace bowerbird::experiment::ope
