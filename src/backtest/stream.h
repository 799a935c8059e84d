#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/row_source.h"

namespace bowerbird::backtest {

/// How the rows of a file become a stream of actions.
struct StreamMapping {
  /// "user=COLUMN,item=COLUMN,time=COLUMN,type=COLUMN,session=COLUMN"; what is left out is guessed from common
  /// spellings, but for the session, which is only read where it is named.
  std::string columns;
  std::string event_type;                                  ///< of every row, where no column gives it
  int64_t from_us = std::numeric_limits<int64_t>::min();   ///< rows before it are left out
  int64_t until_us = std::numeric_limits<int64_t>::max();  ///< and from here on
};

/// Actions in order of time, those of one time in the order of the file. Ids are numbered in order of appearance.
struct Stream {
  static constexpr uint32_t kNoSession = UINT32_MAX;
  struct Action {
    int64_t time_us = 0;
    uint32_t user = 0, item = 0, type = 0;
    uint32_t session = kNoSession;
  };
  std::vector<Action> actions;
  std::vector<std::string> users, items, types;
  std::vector<std::string> columns;  ///< that were read; nothing of the others is
  uint64_t rows = 0;                 ///< of the file
  uint64_t refused = 0;              ///< rows that are no action: a field is missing or cannot be read
  std::string first_refusal;         ///< line and reason of the first of them
  uint64_t outside = 0;              ///< rows before from_us, or from until_us on
};

/// Reads the whole source into memory (24 bytes an action, and each id once). InvalidArgument: a column that is not
/// there, or no row that is an action.
absl::StatusOr<Stream> ReadStream(ingest::RowSource& source, const StreamMapping& mapping,
                                  const std::function<void(double share, uint64_t rows)>& progress);

}  // namespace bowerbird::backtest
