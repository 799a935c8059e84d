#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/world/catalog_maker.h"
#include "sim/world/taste.h"
#include "sim/world/world.h"

namespace bowerbird::sim::world {

/// When, where and in what mood a user looks.
struct Moment {
  int64_t now_us = 0;
  /// The user's own hour of the day, [0, 24).
  double hour = 12;
  bool on_phone = false;
  /// The slot whose interest the session is about; kSlots: none in particular. Hidden from the product.
  uint32_t mood_slot = kSlots;
};

/// What a user would get out of an item: the one interface of all families.
///
/// Data     value in [0, 1] = sigmoid(taste + quality + private opinion + what the family adds), where taste is the
/// best match
///          among the user's interests (a maximum, not a sum: no product of two vectors gives it).
/// Threads  const methods any; Observe one at a time.
class Truth {
 public:
  static std::unique_ptr<Truth> Make(const WorldOptions& options, size_t items);
  virtual ~Truth() = default;
  virtual std::unique_ptr<Truth> Clone() const = 0;

  /// Enjoyment of `item` if it were seen for the first time and with fresh appetite.
  double Value(const TrueUser& user, uint32_t item, const TrueItem& truth, const Moment& moment) const;
  /// The same, with the picture's bait added: what decides about a click.
  double Attraction(const TrueUser& user, uint32_t item, const TrueItem& truth, const Moment& moment) const;
  /// How much one more seen item of a topic takes from the next one of that topic.
  virtual double TiringRate() const { return .03; }
  /// `user` clicked or saved `item`.
  virtual void Observe(const TrueUser& user, uint32_t item, int64_t now_us);

 protected:
  explicit Truth(const WorldOptions& options) : trends_(options) {}
  /// How awake an interest is, around 1.
  virtual double Awake(const Interest& interest, uint32_t slot, const Moment& moment) const;
  virtual double Social(const TrueUser& user, uint32_t item, const Moment& moment) const;

 private:
  double Logit(const TrueUser& user, uint32_t item, const TrueItem& truth, const Moment& moment) const;
  Trends trends_;
};

}  // namespace bowerbird::sim::world
