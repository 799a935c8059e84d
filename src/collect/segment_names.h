#pragma once

#include <string_view>

#include "base/string_map.h"
#include "config/config.h"

namespace bowerbird::collect {

/// What the names of Segment's track calls mean to an app: Segment's own ecommerce, mobile and email events, the event
/// types that the config declares, and, before both, its table `[segment]`. Case, spaces, '_' and '-' do not matter.
///
/// Threads  immutable.
class SegmentNames {
 public:
  struct Name {
    const config::EventType* type = nullptr;  ///< null: ignored on purpose
    std::string_view collection;              ///< where the name alone says it: "cart", "wishlist"
  };
  /// `config` outlives it.
  explicit SegmentNames(const config::Config& config);
  /// Null: the name means nothing here.
  const Name* Find(std::string_view event_name) const;

 private:
  base::StringMap<Name> names_;  ///< by their folded form
};

}  // namespace bowerbird::collect
