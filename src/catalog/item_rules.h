#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "catalog/problem.h"
#include "config/config.h"

namespace bowerbird::catalog {

/// Bounds that no config raises.
inline constexpr uint32_t kCategoriesMax = 64;
inline constexpr uint32_t kCategoryBytesMax = 256;
inline constexpr uint32_t kUrlBytesMax = 8192;

/// True if the item may be served at all: not withdrawn, and not marked unavailable.
bool Eligible(const v1::Item& item);

/// The item's categories: the values of what `state.category_attribute` names, which is Item.categories, the domain, or
/// a declared attribute. None when it names nothing.
std::vector<std::string> CategoriesOf(const v1::Item& item, const config::Config& config);

/// Checks a client's item against the config: id and sizes, domain, declared attributes and their types, finite
/// numbers, embedding dimensions, UTF-8. The first problem found, in the order of the fields.
std::optional<Problem> CheckItem(const v1::Item& item, const config::Config& config);
/// CheckItem as a status. InvalidArgument whose message starts with the field: "attributes.color: found number 3;
/// expected string".
absl::Status ValidateItem(const v1::Item& item, const config::Config& config);
/// Checks a client's user: id and declared attributes.
std::optional<Problem> CheckUser(const v1::User& user, const config::Config& config);

/// `patch`'s present fields laid over `base` (attributes and embeddings by name). An attribute without a value, or an
/// embedding without values, takes that name away. Id, `withdrawn` and `updated_time_us` stay those of `base`.
v1::Item MergePatch(const v1::Item& base, const v1::Item& patch);

/// An external id: 1 to `bytes_max` bytes of UTF-8.
std::optional<Problem> CheckId(std::string_view id, std::string_view field, uint32_t bytes_max);
/// A text of at most `bytes_max` bytes of UTF-8, possibly empty.
std::optional<Problem> CheckText(std::string_view text, std::string_view field, uint32_t bytes_max);
/// Turns a value as JSON or a table has it into the declared type where it stands for one: a time written as RFC 3339
/// or as a whole number of microseconds. Anything else stays as it is, for CheckValue to judge.
void FitValue(const config::Attribute& attribute, v1::Value* value);
/// FitValue for every declared one of `attributes`.
void FitAttributes(const std::vector<config::Attribute>& declared,
                   google::protobuf::Map<std::string, v1::Value>* attributes);
/// One attribute's value against its declaration. `field` is its path, such as "attributes.color".
std::optional<Problem> CheckValue(const v1::Value& value, const config::Attribute& attribute, std::string_view field,
                                  uint32_t bytes_max);
/// An attribute that no declaration names, with the closest one that does.
Problem UndeclaredAttribute(std::string_view name, std::string_view field,
                            const std::vector<config::Attribute>& declared);

/// "found number 3": for messages.
std::string DescribeValue(const v1::Value& value);

}  // namespace bowerbird::catalog
