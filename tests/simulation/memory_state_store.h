#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "state/state_store.h"

namespace bowerbird::simulation {

/// State stores in memory: what was flushed outlives the store, as on a disk; what was only written goes with it.
/// Passes the contract suite of StateStore.
///
/// Threads  a store: any; the stores as a whole: one at a time.
class MemoryStateStores final : public state::StateStores {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;
  struct Columns {
    Table tables[state::StateStore::kColumns];
  };

  absl::StatusOr<std::unique_ptr<state::StateStore>> Open(const std::string& dir,
                                                          const state::StateStore::Options& options) const override;
  bool Exists(const std::string& dir) const override { return flushed_.contains(dir); }
  void MarkDamaged(const std::string& dir) const override { damaged_.insert(dir); }
  bool MarkedDamaged(const std::string& dir) const override { return damaged_.contains(dir); }
  absl::Status Destroy(const std::string& dir) const override;

  /// Asked after each write whether the store flushes by itself now; empty: never.
  std::function<bool()> flushes_by_itself;
  /// Asked at each write whether the disk refuses it; empty: never.
  std::function<bool()> refuses;
  /// A disk that breaks its promise: offsets become durable when they are written, the rest when it is flushed. For the
  /// test that the simulation notices.
  bool offsets_first = false;

 private:
  friend class MemoryStateStore;
  mutable std::map<std::string, std::shared_ptr<const Columns>> flushed_;
  mutable std::set<std::string> damaged_;
};

}  // namespace bowerbird::simulation
