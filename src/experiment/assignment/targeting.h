#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "expression/expression.h"

namespace bowerbird::experiment::assignment {

/// What `targeting` may name: these first, in this order, then the users' declared attributes. An attribute of the same
/// name as one of these cannot be said.
enum class Field : uint32_t { kSegments, kLocale, kDevice, kPlace, kSurface, kFirstAttribute };
/// "segments", "request.locale", "request.device", "request.place", "request.surface".
std::string_view FieldName(Field field);

expression::Schema TargetingSchema(const config::Config& config);

/// InvalidArgument, with the field `targeting`.
absl::StatusOr<std::shared_ptr<const expression::Program>> CompileTargeting(std::string_view text,
                                                                            const expression::Schema& schema);

}  // namespace bowerbird::experiment::assignment
