#pragma once

#include <cstdint>
#include <string_view>

#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/serving.pb.h"
#include "catalog/keys.h"
#include "state/item_table.h"

namespace bowerbird::serve {

/// A longer value is in a served record by its hash.
inline constexpr size_t kServedValueBytesMax = 256;

/// Names the table's signals per item.
void RecordItemSignals(const state::ItemTable& items, v1::ServedRecord* record);
/// Adds what they hold of an item, as of `now_us`.
void RecordItemValues(const state::ItemTable& items, catalog::ItemKey item, int64_t now_us,
                      v1::ServedCandidate* candidate);
/// Whether `value` is what `served` holds.
bool IsServedValue(const v1::ServedItemValue& served, std::string_view value);

/// What the signals per item say of an item now, and from which table.
v1::ItemSignalsResponse ShowItemSignals(const state::ItemTable& items, catalog::ItemKey item, std::string_view id,
                                        int64_t now_us);

}  // namespace bowerbird::serve
