#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "lake/columns.h"
#include "lake/manifest.h"
#include "lake/parquet_file.h"

namespace bowerbird::lake {

/// Called before each thing that changes the disk, with what it is; an error stops the work there and is returned. So a
/// lake is stopped at once when its app ends, and tests stop it wherever a process can be killed.
using OnStep = std::function<absl::Status(std::string_view step)>;

/// One table on disk: its folder, its manifest, and the way from one manifest to the next.
///
/// Threads  manifest() from any thread; the rest by whoever holds writing().
/// Bounds   a retired file is kept for kRetiredUs, so that whoever read the former manifest can finish.
class TableStore {
 public:
  static constexpr int64_t kRetiredUs = 900'000'000;

  /// Deletes what a process that ended left unfinished. DataLoss: the manifest is damaged; FailedPrecondition: it is of
  /// a newer program.
  static absl::StatusOr<std::unique_ptr<TableStore>> Open(const std::string& folder, const std::string& name,
                                                          const base::Clock* clock, OnStep on_step = nullptr);

  const std::string& name() const { return name_; }
  std::string PathOf(const Part& part) const { return folder_ + "/" + part.path; }
  std::shared_ptr<const Manifest> manifest() const;
  /// Held by whoever is about to make parts and commit them.
  absl::Mutex& writing() { return writing_; }

  /// Puts `next` in the place of the manifest; what it no longer names is retired. On an error the former one holds.
  absl::Status Commit(Manifest next);
  /// Deletes retired files whose time has come: those that were retired `kept_us` ago.
  absl::Status DeleteRetired(int64_t kept_us = kRetiredUs);
  /// The part's file is as the manifest says. DataLoss, naming the file, when it is not. With `whole` the checksum is
  /// read too, once for as long as the file does not change.
  absl::Status Check(const Part& part, bool whole) const;
  /// How many parts of the table Check found damaged when it last looked at them.
  uint64_t DamagedParts() const;

  absl::Status Step(std::string_view step) const { return on_step_ ? on_step_(step) : absl::OkStatus(); }
  int64_t NowUs() const { return clock_->NowUs(); }

 private:
  TableStore(std::string folder, std::string name, const base::Clock* clock, OnStep on_step)
      : folder_(std::move(folder)), name_(std::move(name)), clock_(clock), on_step_(std::move(on_step)) {}
  absl::Status DeleteOrphans() const;
  absl::Status CheckFile(const Part& part, bool whole) const;

  const std::string folder_, name_;
  const base::Clock* const clock_;
  const OnStep on_step_;
  absl::Mutex writing_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Manifest> manifest_ ABSL_GUARDED_BY(mutex_);
  /// Paths whose checksum was found right, each with the file's time of change.
  mutable std::vector<std::pair<std::string, int64_t>> checked_ ABSL_GUARDED_BY(mutex_);
  mutable std::set<std::string> damaged_ ABSL_GUARDED_BY(mutex_);  ///< paths
};

/// A file of a table that is being written: under a name that nobody reads until it is finished.
class PartFile {
 public:
  /// `directory` is below the table's folder: "date=2026-11-27/hour=07".
  static absl::StatusOr<std::unique_ptr<PartFile>> Create(TableStore* store, const std::string& directory,
                                                          uint64_t number, std::span<const Field> fields);
  /// Takes `rows` over.
  absl::Status Write(ArrowArray* rows);
  uint64_t rows() const { return part_.rows; }
  /// Durable under its name when it returns; no part of the table until a manifest names it.
  absl::StatusOr<Part> Finish(const KeyValues& metadata, int64_t first_us, int64_t last_us);

 private:
  PartFile() = default;
  TableStore* store_ = nullptr;
  std::string directory_, temporary_;
  std::unique_ptr<ParquetWriter> writer_;
  Part part_;
};

/// Makes a finished Parquet file, which lies at `file`, a part of the table: checks nothing of its content.
absl::StatusOr<Part> AdoptPart(TableStore* store, const std::string& file, const std::string& directory,
                               uint64_t number, uint64_t rows, int64_t first_us, int64_t last_us);

/// "date=2026-11-27/hour=07" of an append time.
std::string HourDirectory(int64_t time_us);

}  // namespace bowerbird::lake
