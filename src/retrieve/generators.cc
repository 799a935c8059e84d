#include "retrieve/generators.h"

#include <algorithm>

#include "base/check.h"

namespace bowerbird::retrieve {

std::vector<Candidate> Retrieve(const config::Generator& generator, const Query& query) {
  switch (generator.kind) {
    case config::GeneratorKind::kIals:
      return RetrieveIals(generator, query);
    case config::GeneratorKind::kCoOccurrence:
      return RetrieveCoOccurrence(generator, query);
    case config::GeneratorKind::kTrending:
    case config::GeneratorKind::kPopular:
      return RetrievePopular(generator, query);
    case config::GeneratorKind::kFresh:
      return RetrieveFresh(generator, query);
    case config::GeneratorKind::kSimilar:
      return RetrieveSimilar(generator, query);
    case config::GeneratorKind::kNext:
      return RetrieveNext(generator, query);
  }
  BOWERBIRD_CHECK(false);
}

std::vector<Candidate> Fill(const Pool& pool, uint32_t count,
                            absl::FunctionRef<bool(const index::ItemHandle&)> wanted) {
  std::vector<Candidate> candidates;
  uint32_t looks = 0;
  const auto done = [&] { return candidates.size() == count || (looks >= kFillLooksMax && !candidates.empty()); };
  const auto look = [&](const index::ItemHandle& item) {
    ++looks;
    if (wanted(item)) candidates.push_back({item, 0, {}});
  };
  const index::Snapshot* snapshot = pool.view().snapshot();
  if (snapshot != nullptr) {
    for (const index::Ordinal ordinal : snapshot->by_popularity()) {
      if (done()) return candidates;
      if (pool.Contains(ordinal)) look({snapshot->Key(ordinal), ordinal, nullptr});
    }
  }
  for (const index::ItemHandle& item : pool.delta()) {
    if (done()) return candidates;
    look(item);
  }
  return candidates;
}

}  // namespace bowerbird::retrieve
