#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "rank/ranker.h"
#include "retrieve/generators.h"

namespace bowerbird::serve {

/// A generator that proposed a candidate.
struct Source {
  uint32_t generator = 0;  ///< index in the surface's list
  uint32_t rank = 0;       ///< from 1
  float score = 0;
  catalog::ItemKey because;
};

/// The candidates of all generators, each item once: index i of both vectors.
struct Union {
  std::vector<rank::Candidate> candidates;
  std::vector<absl::InlinedVector<Source, 2>> sources;  ///< in the order of the surface's generators; empty: filled in

  uint32_t size() const { return static_cast<uint32_t>(candidates.size()); }
};

/// Runs the surface's generators and joins what they propose, best ranks first, up to surface.candidates_max items.
class UnionBuilder {
 public:
  UnionBuilder(const config::Config& config, const config::Surface& surface, const retrieve::Query& query);

  void RunGenerators();
  /// Makes sure that `item` is in, with what the generators say of it; its index.
  uint32_t Add(const index::ItemHandle& item);
  /// Adds up to `count` items of the pool that are not in yet and for which `wanted` holds; how many it added.
  uint32_t Fill(uint32_t count, absl::FunctionRef<bool(const index::ItemHandle&)> wanted);

  const Union& result() const { return union_; }

 private:
  const config::Config& config_;
  const config::Surface& surface_;
  const retrieve::Query query_;
  Union union_;
  absl::flat_hash_map<uint64_t, uint32_t> places_;
};

}  // namespace bowerbird::serve
