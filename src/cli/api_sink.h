#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "cli/connection.h"
#include "ingest/importer.h"

namespace bowerbird::cli {

/// Sends an import's batches through the API and reads the verdicts. Remembers which items the events named.
///
/// Threads  one.
/// Errors   those of the connection; Internal: an answer that is not the API's.
class ApiSink final : public ingest::Sink {
 public:
  /// `connection` outlives it.
  explicit ApiSink(Connection* connection) : connection_(connection) {}
  absl::StatusOr<Result> Send(ingest::Kind kind, const std::vector<std::string>& objects) override;
  /// Events may name items that nobody described: makes items of them with an id only, so that they can be recommended;
  /// returns how many.
  absl::StatusOr<uint64_t> MakeBareItems();

 private:
  absl::StatusOr<Result> ReadVerdicts(simdjson::dom::element document, const std::vector<std::string>& objects);
  absl::StatusOr<Result> ReadRejected(simdjson::dom::element document, const std::vector<std::string>& objects);

  Connection* const connection_;
  simdjson::dom::parser parser_, object_parser_;
  base::StringSet items_named_;
};

/// An item of which nothing but its id is known, as our API's JSON: the id is its title.
std::string BareItemJson(std::string_view id);

}  // namespace bowerbird::cli
