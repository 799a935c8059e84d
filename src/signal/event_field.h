#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "config/config.h"
#include "expression/row.h"

namespace bowerbird::signal {

/// An event as it is counted.
struct Input {
  const v1::Event* event = nullptr;
  int64_t time_us = 0;               ///< event time within bounds, not negative
  double strength = 0;               ///< event.weight: what the event counts for learning
  std::string_view user_print = {};  ///< event.user of signals per item: tells users of an item apart, and no more
};

/// A field of an event by the name that the config gives it: "event.surface", "item.category". What it reads of the
/// item was stamped into the event at intake.
class EventField {
 public:
  /// `name` has passed the config's checks; `types` are those that the signal counts.
  EventField(const config::Config& config, std::span<const std::string> types, std::string_view name);

  /// Absent: not there, or an empty text. The view points into the event and `strings`, and holds until `strings` is
  /// used again.
  expression::ValueView Get(const Input& input, std::vector<std::string_view>* strings) const;
  /// Puts what Get reads of `event` into `kept`.
  void Keep(const v1::Event& event, v1::Event* kept) const;
  bool reads_user() const { return source_ == Source::kUser; }

 private:
  enum class Source : uint8_t {
    kOne,
    kWeight,
    kValue,
    kDwell,
    kPosition,
    kSurface,
    kQuery,
    kCollection,
    kType,
    kUser,
    kAttribute,
    kItemId,
    kItemCategory,
    kItemAttribute,
  };
  Source source_ = Source::kOne;
  std::string attribute_;
};

}  // namespace bowerbird::signal
