#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_writer.h"
#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/service.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "catalog/problem.h"
#include "config/config.h"

/// Items and users as the API writes them: proto names; attributes plainly ("red", 12.5, true, ["a", "b"]) with the
/// types of the config, times in attributes as RFC 3339 or microseconds; `created_time` (RFC 3339) may stand for
/// `created_time_us`. docs/formats/item-json.md.
///
/// Errors  InvalidArgument with the problem's code and field (catalog::FromStatus): not JSON, an unknown or repeated
/// field, a wrong type, a number out
///         of range or not finite, an undeclared attribute. What is only known of a whole item is left to
///         catalog::CheckItem.
/// Bounds  bodies of config.collect.body_bytes_max bytes; kItemBatchMax changes; depth 16.
namespace bowerbird::collect {

inline constexpr uint32_t kItemBatchMax = 1000;

enum class ItemUse : uint8_t {
  kWhole,  ///< null is an absent field
  kPatch,  ///< null takes an attribute away, and is refused for any other field
};

/// `id` is the path's; the body may repeat it.
absl::StatusOr<v1::Item> ParseItem(std::string_view json, std::string_view id, ItemUse use,
                                   const config::Config& config);
absl::StatusOr<v1::User> ParseUser(std::string_view json, std::string_view id, const config::Config& config);

/// A v1::BatchItemsRequest. An item that does not parse is left out and named in `rejected`; the rest stands.
struct ItemsBatch {
  v1::BatchItemsRequest request;
  std::vector<v1::ItemVerdict> rejected;
  /// Hash of the body, by which the last batch of a feed is known when it is sent again.
  uint64_t hash = 0;
};
absl::StatusOr<ItemsBatch> ParseItemsBatch(std::string_view json, const config::Config& config);

/// One attribute's value, plainly; a time as RFC 3339.
void WriteValue(const v1::Value& value, base::JsonWriter* json);
/// Attributes in the order of their names.
void WriteItem(const v1::Item& item, base::JsonWriter* json);
void WriteUser(const v1::User& user, base::JsonWriter* json);

}  // namespace bowerbird::collect
