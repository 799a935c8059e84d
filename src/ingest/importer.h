#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/mapping.h"
#include "ingest/row_source.h"

namespace bowerbird::ingest {

/// Where batches go: the API of a running server or of the folder opened in this process.
class Sink {
 public:
  virtual ~Sink() = default;
  struct Rejected {
    size_t index = 0;  ///< in the batch
    std::string reason;
  };
  struct Result {
    uint64_t accepted = 0;
    std::vector<Rejected> rejected;
  };
  /// `objects` are JSON objects of one kind. Returns when what was accepted is durable.
  virtual absl::StatusOr<Result> Send(Kind kind, const std::vector<std::string>& objects) = 0;
};

struct ImportOptions {
  std::string name;             ///< names the input: its checkpoint is found by it
  std::string checkpoint_path;  ///< rows done and their hash, so that a stopped import goes on there; empty: none
  std::string rejects_path;     ///< "LINE<tab>REASON<tab>ROW" for every refused row; made when the first one comes
  uint32_t batch_rows = 1000;
  /// Share done (0 to 1), rows so far; called a few times a second.
  std::function<void(double, uint64_t)> progress;
};

struct ImportReport {
  uint64_t rows = 0, accepted = 0, rejected = 0;
  uint64_t skipped = 0;  ///< done by an earlier run
  /// There was an earlier run, but what it took is not how the input begins now: it was read from its first row.
  bool changed = false;
  double seconds = 0;
};

/// Sends every row of `source`. A row that is refused, by the mapping or by the API, goes to the file of rejects and
/// stops nothing. Rows of a batch whose acknowledgement was lost are sent again by the next run with the same client
/// ids, and count once. Rows that an earlier run took are passed over if the input still begins with them: one that
/// grew goes on at its new rows, one that was replaced begins anew. Errors: the sink's own (nothing is lost: the
/// checkpoint stands at the last acknowledged batch), a file that breaks off.
absl::StatusOr<ImportReport> Import(RowSource& source, const Mapping& mapping, Sink& sink,
                                    const ImportOptions& options);

}  // namespace bowerbird::ingest
