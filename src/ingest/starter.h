#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "expression/value.h"
#include "ingest/mapping.h"
#include "ingest/row_source.h"

namespace bowerbird::ingest {

/// What a first import into an empty folder needs declared, found in the input itself.
struct Declarations {
  std::set<std::string> event_types;                  ///< lower-case names, [a-z0-9_]
  base::StringMap<expression::Type> item_attributes;  ///< columns of items that are no field of ours
};

/// Reads up to `rows_max` rows. Types are inferred: bool, number, time, strings (a list, or text split by `|`), else
/// string; a column that is empty in every row is left out. Columns that a mapping or a common spelling assigns to a
/// field are not attributes.
absl::StatusOr<Declarations> Infer(Kind kind, RowSource& source, std::string_view map_text, std::string_view event_type,
                                   size_t rows_max);

/// `starter` (config::StarterText) with the declarations added: event types that it lacks, attributes under
/// [items.attributes].
std::string AddDeclarations(std::string_view starter, const Declarations& declarations);

/// The declarations of MovieLens: the `rating` event, whose value says how much it was liked, and the attributes year
/// and tags.
Declarations MovieLensDeclarations();

}  // namespace bowerbird::ingest
