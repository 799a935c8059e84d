#pragma once

#include <cstdint>
#include <vector>

#include "config/config.h"
#include "index/live_index.h"
#include "state/user_state.h"

namespace bowerbird::retrieve {

/// An item that the user acted on, each once.
struct RecentItem {
  index::ItemHandle item;
  double strength = 0;  ///< summed over the user's positive actions on it, as in training
  int64_t time_us = 0;  ///< of the newest of them
  uint8_t type = 0;     ///< config::EventType::code of the strongest of them, the newest of equals
};

/// Items that a taste looks back at, at most.
inline constexpr uint32_t kRecentItemsMax = 256;

/// What a request knows of its user before it looks at any candidate; made once.
struct Taste {
  std::vector<RecentItem> recent;  ///< newest first; items that the catalog still knows
  std::vector<float> factor;       ///< {dim} in the snapshot's space; empty without a model or without actions
  /// Root of the mean squared inner product of `factor` with the items of the training: what an ordinary item scores.
  float factor_rms = 0;
};

/// The weight of the `recency`-th newest item (from 0) beside an old one: a feed follows what the user does now.
double RecencyWeight(size_t recency);

/// Walks the actions, newest first, and solves the user's factor from them (model/fold_in.h): each item counts with its
/// strength times RecencyWeight.
Taste MakeTaste(const config::Config& config, const index::LiveView& view, const state::UserState& user);

}  // namespace bowerbird::retrieve
