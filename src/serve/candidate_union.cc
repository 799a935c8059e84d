#include "serve/candidate_union.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace bowerbird::serve {

UnionBuilder::UnionBuilder(const config::Config& config, const config::Surface& surface, const retrieve::Query& query)
    : config_(config), surface_(surface), query_(query) {}

void UnionBuilder::RunGenerators() {
  const size_t generators = surface_.generators.size();
  lists_.resize(generators);
  list_places_.resize(generators);
  std::vector<size_t> kinds(generators);
  std::vector<float> shares(generators);
  size_t longest = 0, total = 0;
  for (size_t g = 0; g < generators; ++g) {
    const config::Generator* generator = config_.FindGenerator(surface_.generators[g]);
    BOWERBIRD_CHECK(generator != nullptr);
    lists_[g] = retrieve::Retrieve(*generator, query_);
    list_places_[g].reserve(lists_[g].size());
    kinds[g] = static_cast<size_t>(generator->kind);
    shares[g] = static_cast<float>(rank::GeneratorShare(config_, surface_, generator->name));
    longest = std::max(longest, lists_[g].size());
    total += lists_[g].size();
  }
  total = std::min<size_t>(total, surface_.candidates_max);
  places_.reserve(total);
  found_.reserve(total);
  // Rank by rank, so that a bound on candidates cuts every generator's tail, not the last generator.
  for (size_t r = 0; r < longest; ++r) {
    for (size_t g = 0; g < generators; ++g) {
      if (r >= lists_[g].size()) continue;
      const retrieve::Candidate& proposed = lists_[g][r];
      const uint32_t place = found_.size() < surface_.candidates_max ? Place(proposed.item) : Find(proposed.item.key);
      list_places_[g].push_back(place);
      if (place == kNotFound) continue;
      float& generated = found_[place].generated[kinds[g]];
      generated = std::max(generated, shares[g] * proposed.score);
    }
  }
  kept_.resize(found_.size());
  std::iota(kept_.begin(), kept_.end(), 0u);
}

uint32_t UnionBuilder::Place(const index::ItemHandle& item) {
  const auto [place, added] = places_.try_emplace(item.key.value, static_cast<uint32_t>(found_.size()));
  if (added) found_.push_back({item, {}});
  return place->second;
}

uint32_t UnionBuilder::Find(catalog::ItemKey item) const {
  const auto place = places_.find(item.value);
  return place == places_.end() ? kNotFound : place->second;
}

std::vector<uint32_t> UnionBuilder::CutIndexes() const {
  std::vector<bool> kept(found_.size(), false);
  for (const uint32_t index : kept_) kept[index] = true;
  std::vector<uint32_t> cut;
  for (uint32_t index = 0; index < found_.size(); ++index) {
    if (!kept[index]) cut.push_back(index);
  }
  return cut;
}

bool UnionBuilder::KeepAll() {
  const std::vector<uint32_t> cut = CutIndexes();
  kept_.insert(kept_.end(), cut.begin(), cut.end());
  return !cut.empty();
}

void UnionBuilder::Add(const index::ItemHandle& item) {
  const uint32_t place = Place(item);
  if (std::find(kept_.begin(), kept_.end(), place) == kept_.end()) kept_.push_back(place);
}

uint32_t UnionBuilder::Fill(uint32_t count, absl::FunctionRef<bool(const index::ItemHandle&)> wanted) {
  const std::vector<retrieve::Candidate> more = retrieve::Fill(*query_.pool, count, [&](const index::ItemHandle& item) {
    return !places_.contains(item.key.value) && wanted(item);
  });
  for (const retrieve::Candidate& candidate : more) kept_.push_back(Place(candidate.item));
  return static_cast<uint32_t>(more.size());
}

Union UnionBuilder::UnionOf(const std::vector<uint32_t>& indexes) const {
  Union result;
  result.candidates.reserve(indexes.size());
  result.sources.resize(indexes.size());
  std::vector<uint32_t> slots(found_.size(), kNotFound);
  for (const uint32_t index : indexes) {
    slots[index] = result.size();
    result.candidates.push_back(found_[index]);
  }
  for (uint32_t g = 0; g < lists_.size(); ++g) {
    for (uint32_t r = 0; r < list_places_[g].size(); ++r) {
      const uint32_t place = list_places_[g][r];
      if (place == kNotFound || slots[place] == kNotFound) continue;
      result.sources[slots[place]].push_back({g, r + 1, lists_[g][r].score, lists_[g][r].because});
    }
  }
  return result;
}

}  // namespace bowerbird::serve
