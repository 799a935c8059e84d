#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/toml_value.h"

namespace bowerbird::config {

/// A document that ParseToml reads as this table again, lines apart. InvalidArgument: it holds a date.
absl::StatusOr<std::string> TomlText(const TomlValue& document);
/// One value, as it stands after the '='. InvalidArgument: it holds a date.
absl::StatusOr<std::string> TomlValueText(const TomlValue& value);

}  // namespace bowerbird::config
