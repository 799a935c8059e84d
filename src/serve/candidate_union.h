#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
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
/// Of these a first stage may keep the best only; the others stay known.
class UnionBuilder {
 public:
  UnionBuilder(const config::Config& config, const config::Surface& surface, const retrieve::Query& query);

  void RunGenerators();
  /// Everything that was found, kept or not.
  const std::vector<rank::Candidate>& found() const { return found_; }
  /// Index in found(); kNotFound for an item that is not in it.
  static constexpr uint32_t kNotFound = UINT32_MAX;
  uint32_t Find(catalog::ItemKey item) const;
  /// Keeps those of found() at `indexes`, in this order, and cuts the others.
  void Keep(std::vector<uint32_t> indexes) { kept_ = std::move(indexes); }
  /// Takes back what was cut; false when there was nothing.
  bool KeepAll();

  /// Makes sure that `item` is in and kept, with what the generators say of it.
  void Add(const index::ItemHandle& item);
  /// Adds up to `count` items of the pool that were not found and for which `wanted` holds; how many it added.
  uint32_t Fill(uint32_t count, absl::FunctionRef<bool(const index::ItemHandle&)> wanted);

  uint32_t size() const { return static_cast<uint32_t>(kept_.size()); }
  /// What is kept.
  Union Kept() const { return UnionOf(kept_); }
  /// What was cut.
  Union Cut() const { return UnionOf(CutIndexes()); }

 private:
  uint32_t Place(const index::ItemHandle& item);
  std::vector<uint32_t> CutIndexes() const;
  Union UnionOf(const std::vector<uint32_t>& indexes) const;

  const config::Config& config_;
  const config::Surface& surface_;
  const retrieve::Query query_;
  std::vector<rank::Candidate> found_;
  absl::flat_hash_map<uint64_t, uint32_t> places_;  ///< index in found_ by key
  std::vector<uint32_t> kept_;                      ///< indexes in found_
  /// By generator of the surface: its list, and the place of each of the list in found_.
  std::vector<std::vector<retrieve::Candidate>> lists_;
  std::vector<std::vector<uint32_t>> list_places_;
};

}  // namespace bowerbird::serve
