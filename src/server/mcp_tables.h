#pragma once

#include <string_view>

namespace bowerbird::server {

/// What a row of a table of the lake is, in a sentence; empty for a table that is not known here.
std::string_view TableNote(std::string_view table);
/// What a column holds, where its name does not tell.
std::string_view ColumnNote(std::string_view table, std::string_view column);

}  // namespace bowerbird::server
