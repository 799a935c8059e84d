#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "ingest/importer.h"

namespace bowerbird::ingest {

struct MovieLensReport {
  ImportReport items, ratings;
};

/// Imports a MovieLens folder: movies.csv, ratings.csv and, where it is there, tags.csv (latest, 20M, 25M, 32M), or
/// movies.dat and ratings.dat (1M, 10M); each may end in .gz or .zst. Every rating is one `rating` event whose value is
/// the stars; genres become categories; the year in the title and the users' tags become attributes of the film, not
/// events.
///
/// `checkpoint_folder` and `rejects_folder` hold one file an input.
absl::StatusOr<MovieLensReport> ImportMovieLens(
    const std::string& folder, Sink& sink, const std::string& checkpoint_folder, const std::string& rejects_folder,
    uint32_t batch_rows, const std::function<void(const std::string&, double, uint64_t)>& progress);

}  // namespace bowerbird::ingest
