#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::ingest {

/// How a table of text is written, told from its first lines.
struct CsvForm {
  std::string separator;             ///< "," "\t" ";" "|" or "::"
  bool header = true;                ///< the first line names the columns
  std::vector<std::string> columns;  ///< the header's names, or "column_1", "column_2", ...
};

/// The separator is the one that cuts the first lines into the same number of fields, the larger number where several
/// do. The first line is a header unless it looks like a row: it holds a number or a time, or what stands in it stands
/// below it again. NotFound; InvalidArgument: nothing to read, or no separator cuts the lines alike.
absl::StatusOr<CsvForm> TellCsvForm(const std::string& path);

}  // namespace bowerbird::ingest
