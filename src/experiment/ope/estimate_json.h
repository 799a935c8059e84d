#pragma once

#include <optional>
#include <string_view>

#include "base/json_writer.h"
#include "experiment/ope/support.h"

namespace bowerbird::experiment::ope {

/// A member of an object; null without a value.
void WriteNumber(base::JsonWriter* json, std::string_view key, std::optional<double> value);

/// What support.h says of an estimate's weights, as members of an object.
void WriteDiagnostics(base::JsonWriter* json, const Diagnostics& diagnostics);

}  // namespace bowerbird::experiment::ope
