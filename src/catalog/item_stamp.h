#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bowerbird/v1/item.pb.h"
#include "config/config.h"

namespace bowerbird::catalog {

/// What intake copies from the item into each event about it. Immutable.
struct ItemStamp {
  std::string id;
  std::vector<std::string> categories;
  std::vector<std::pair<std::string, v1::Value>> attributes;  ///< those marked `stamp` in the config, in its order
  /// The same as bytes of a v1::Event: fields item_categories and item_attributes, ready to be put behind a serialized
  /// event.
  std::string event_fields;
  /// Memory held, about.
  size_t Bytes() const;
};

ItemStamp MakeStamp(const v1::Item& item, const config::Config& config);

}  // namespace bowerbird::catalog
