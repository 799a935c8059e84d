#pragma once

#include <cstdint>
#include <vector>

#include "catalog/keys.h"
#include "config/config.h"
#include "index/live_index.h"
#include "retrieve/pool.h"
#include "retrieve/taste.h"
#include "state/item_table.h"

namespace bowerbird::retrieve {

/// An item that a generator proposes.
struct Candidate {
  index::ItemHandle item;
  float score = 0;           ///< the generator's own, comparable within its answer only
  catalog::ItemKey because;  ///< the user's item that led here, or the default one
};

/// What generators work on. Pointers are not null but for `item`.
struct Query {
  const Pool* pool = nullptr;
  const Taste* taste = nullptr;
  const state::ItemTable* items = nullptr;
  const index::ItemHandle* item = nullptr;  ///< the request's, on a surface that is related to one
  int64_t now_us = 0;
};

/// The candidates of one generator: at most generator.count items of the pool, best first, ties by key, none twice. The
/// same query gives the same candidates.
std::vector<Candidate> Retrieve(const config::Generator& generator, const Query& query);

/// By kind; Retrieve chooses.
///
/// ials: the highest inner products of the user's factor with the items', all of the pool looked at (exact search).
std::vector<Candidate> RetrieveIals(const config::Generator& generator, const Query& query);
/// co_occurrence: what others did together with the user's newest `seeds` items (or with the request's item): the sum
/// over these of weight * score, each seed's list scaled to a best of 1, weights halving with `half_life` and falling
/// with recency, their sum scaled to 1. `because` is the seed that gave most.
std::vector<Candidate> RetrieveCoOccurrence(const config::Generator& generator, const Query& query);
/// trending and popular: the item table's list; popular goes on with the snapshot's order of counts in training. Score
/// relative to the list's best, in (0, 1]; lower for all where even the best has few actions.
std::vector<Candidate> RetrievePopular(const config::Generator& generator, const Query& query);
/// next: where users went on to lately from the user's newest `seeds` items (or from the request's item), and from
/// anywhere: an estimate of the chance that the user's next action is on the item. Each seed's moves are shrunk towards
/// those from anywhere; seeds weigh less by recency and halve with `half_life`. `because` is the seed that gave most,
/// or the default item. docs/methods/next-action.md has the formula.
std::vector<Candidate> RetrieveNext(const config::Generator& generator, const Query& query);
/// fresh: created within `window`, the newest first. Score 1 at the creation, falling to 0 at the window's end.
std::vector<Candidate> RetrieveFresh(const config::Generator& generator, const Query& query);
/// similar: mean of the factors' cosine with the request's item and of the co-occurrence with it (best 1). `because` is
/// that item.
std::vector<Candidate> RetrieveSimilar(const config::Generator& generator, const Query& query);

/// The fallback when the generators did not propose enough: at most `count` items of the pool for which `wanted` holds,
/// the most popular first, then what is new since the snapshot. Score 0. Bounds   asks `wanted` about kFillLooksMax
/// items at most, and about all of the pool while it has found none.
inline constexpr uint32_t kFillLooksMax = 100'000;
std::vector<Candidate> Fill(const Pool& pool, uint32_t count, absl::FunctionRef<bool(const index::ItemHandle&)> wanted);

}  // namespace bowerbird::retrieve
