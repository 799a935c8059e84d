#include "serve/candidate_union.h"

#include <algorithm>

#include "base/check.h"

namespace bowerbird::serve {

UnionBuilder::UnionBuilder(const config::Config& config, const config::Surface& surface, const retrieve::Query& query)
    : config_(config), surface_(surface), query_(query) {}

void UnionBuilder::RunGenerators() {
  std::vector<std::vector<retrieve::Candidate>> lists(surface_.generators.size());
  size_t longest = 0, total = 0;
  for (size_t g = 0; g < lists.size(); ++g) {
    const config::Generator* generator = config_.FindGenerator(surface_.generators[g]);
    BOWERBIRD_CHECK(generator != nullptr);
    lists[g] = retrieve::Retrieve(*generator, query_);
    longest = std::max(longest, lists[g].size());
    total += lists[g].size();
  }
  total = std::min<size_t>(total, surface_.candidates_max);
  places_.reserve(total);
  union_.candidates.reserve(total);
  // Rank by rank, so that a bound on candidates cuts every generator's tail, not the last generator.
  for (size_t r = 0; r < longest && union_.size() < surface_.candidates_max; ++r) {
    for (size_t g = 0; g < lists.size() && union_.size() < surface_.candidates_max; ++g) {
      if (r < lists[g].size()) Add(lists[g][r].item);
    }
  }
  for (uint32_t g = 0; g < lists.size(); ++g) {
    const auto kind = static_cast<size_t>(config_.FindGenerator(surface_.generators[g])->kind);
    const double share = rank::GeneratorShare(config_, surface_, surface_.generators[g]);
    for (uint32_t r = 0; r < lists[g].size(); ++r) {
      const retrieve::Candidate& found = lists[g][r];
      const auto place = places_.find(found.item.key.value);
      if (place == places_.end()) continue;
      union_.sources[place->second].push_back({g, r + 1, found.score, found.because});
      float& generated = union_.candidates[place->second].generated[kind];
      generated = std::max(generated, static_cast<float>(share * found.score));
    }
  }
}

uint32_t UnionBuilder::Add(const index::ItemHandle& item) {
  const auto [place, added] = places_.try_emplace(item.key.value, union_.size());
  if (added) {
    union_.candidates.push_back({item, {}});
    union_.sources.emplace_back();
  }
  return place->second;
}

uint32_t UnionBuilder::Fill(uint32_t count, absl::FunctionRef<bool(const index::ItemHandle&)> wanted) {
  const std::vector<retrieve::Candidate> more = retrieve::Fill(*query_.pool, count, [&](const index::ItemHandle& item) {
    return !places_.contains(item.key.value) && wanted(item);
  });
  for (const retrieve::Candidate& candidate : more) Add(candidate.item);
  return static_cast<uint32_t>(more.size());
}

}  // namespace bowerbird::serve
