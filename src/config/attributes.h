#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/sections.h"
#include "config/table_reader.h"

namespace bowerbird::config {

/// Which forms an attribute's declaration may take besides "type" and {type = "type"}.
enum class AttributeUse : uint8_t { kItem, kUser, kEvent };

/// Reads a table NAME = declaration. A declaration that does not fit is reported; its name goes to `broken` when not
/// null.
void ReadAttributes(TableReader table, AttributeUse use, uint32_t count_max, Problems* problems,
                    std::vector<Attribute>* attributes, base::StringSet* broken);

}  // namespace bowerbird::config
