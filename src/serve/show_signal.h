#pragma once

#include <cstdint>
#include <string_view>

#include "bowerbird/v1/serving.pb.h"
#include "signal/definition.h"

namespace bowerbird::serve {

/// What a signal's value says as of a time, of a user or of an item.
void ShowSignal(const signal::Definition& definition, std::string_view value, int64_t as_of_us, v1::ProfileSignal* out);

}  // namespace bowerbird::serve
