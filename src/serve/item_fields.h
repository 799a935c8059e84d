#pragma once

#include <string>
#include <string_view>

#include "bowerbird/v1/item.pb.h"
#include "config/config.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace bowerbird::serve {

/// A name that RecommendRequest.fields may hold: a field of v1::Item that describes it, or a declared attribute.
bool IsItemField(const config::Config& config, std::string_view name);
/// All of them, for messages: "title, price, ...".
std::string ItemFieldNames(const config::Config& config);
/// The id and the named fields of `item`.
v1::Item SelectFields(v1::Item item, const google::protobuf::RepeatedPtrField<std::string>& fields);

}  // namespace bowerbird::serve
