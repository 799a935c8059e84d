#include "ingest/importer.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/status_macros.h"

namespace bowerbird::ingest {
namespace {

constexpr int64_t kProgressIntervalUs = 200'000;

/// Rows of an input from its first one on.
struct Prefix {
  uint64_t rows = 0;
  uint64_t hash = 0;

  void Add(const Row& row) {
    ++rows;
    hash = base::CombineHash(hash, base::Hash64(row.raw));
  }
};

/// What an earlier run over an input of this name took.
Prefix ReadCheckpoint(const ImportOptions& options) {
  std::ifstream in(options.checkpoint_path);
  std::string name, rows, hash;
  Prefix done;
  if (std::getline(in, name) && name == options.name && std::getline(in, rows) && std::getline(in, hash) &&
      absl::SimpleAtoi(rows, &done.rows) && absl::SimpleHexAtoi(hash, &done.hash))
    return done;
  return {};
}

/// Whether `source` begins with the rows of `done`; it then stands behind them.
absl::StatusOr<bool> PassOver(const Prefix& done, RowSource& source) {
  Prefix passed;
  Row row;
  while (passed.rows < done.rows) {
    ASSIGN_OR_RETURN(const bool any, source.Next(&row));
    if (!any) return false;
    passed.Add(row);
  }
  return passed.hash == done.hash;
}

absl::Status WriteCheckpoint(const ImportOptions& options, const Prefix& done) {
  if (options.checkpoint_path.empty()) return absl::OkStatus();
  // Losing the last checkpoint only repeats a batch, which counts once: no fsync.
  const std::string temporary = options.checkpoint_path + ".new";
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(options.checkpoint_path).parent_path(), error);
  std::ofstream(temporary) << options.name << "\n" << done.rows << "\n" << fmt::format("{:016x}\n", done.hash);
  std::filesystem::rename(temporary, options.checkpoint_path, error);
  if (error) return absl::UnavailableError(fmt::format("{}: {}", options.checkpoint_path, error.message()));
  return absl::OkStatus();
}

class Batch {
 public:
  Batch(Kind kind, Sink& sink, const ImportOptions& options, ImportReport* report)
      : kind_(kind), sink_(sink), options_(options), report_(report) {}

  size_t size() const { return objects_.size(); }

  void Add(std::string object, const Row& row) {
    objects_.push_back(std::move(object));
    lines_.push_back(row.line);
    raws_.push_back(row.raw);
  }

  void Reject(uint64_t line, std::string_view reason, std::string_view raw) {
    ++report_->rejected;
    if (options_.rejects_path.empty()) return;
    if (!rejects_.is_open()) rejects_.open(options_.rejects_path, std::ios::app);
    rejects_ << line << '\t' << reason << '\t' << raw << '\n';
  }

  absl::Status Send(const Prefix& done) {
    if (!objects_.empty()) {
      ASSIGN_OR_RETURN(const Sink::Result result, sink_.Send(kind_, objects_));
      report_->accepted += result.accepted;
      for (const Sink::Rejected& rejected : result.rejected)
        Reject(lines_[rejected.index], rejected.reason, raws_[rejected.index]);
    }
    objects_.clear();
    lines_.clear();
    raws_.clear();
    rejects_.flush();
    return WriteCheckpoint(options_, done);
  }

 private:
  const Kind kind_;
  Sink& sink_;
  const ImportOptions& options_;
  ImportReport* report_;
  std::vector<std::string> objects_;
  std::vector<uint64_t> lines_;
  std::vector<std::string> raws_;
  std::ofstream rejects_;
};

}  // namespace

absl::StatusOr<ImportReport> Import(RowSource& source, const Mapping& mapping, Sink& sink,
                                    const ImportOptions& options) {
  ImportReport report;
  const int64_t start_us = base::MonotonicUs();
  int64_t shown_us = start_us;
  Prefix done = options.checkpoint_path.empty() ? Prefix() : ReadCheckpoint(options);
  ASSIGN_OR_RETURN(const bool unchanged, PassOver(done, source));
  if (!unchanged) {
    done = {};
    RETURN_IF_ERROR(source.Rewind());
  }
  report.changed = !unchanged;
  report.rows = report.skipped = done.rows;
  std::error_code ignored;
  if (done.rows == 0) std::filesystem::remove(options.rejects_path, ignored);  // of another file, or an earlier try
  Batch batch(mapping.kind, sink, options, &report);
  Row row;
  while (true) {
    ASSIGN_OR_RETURN(const bool any, source.Next(&row));
    if (!any) break;
    ++report.rows;
    done.Add(row);
    std::string object;
    if (absl::Status status = RowToJson(row, source.columns(), mapping, &object); status.ok()) {
      batch.Add(std::move(object), row);
    } else {
      batch.Reject(row.line, std::string(status.message()), row.raw);
    }
    if (batch.size() >= options.batch_rows) RETURN_IF_ERROR(batch.Send(done));
    if (options.progress && base::MonotonicUs() - shown_us > kProgressIntervalUs) {
      shown_us = base::MonotonicUs();
      options.progress(source.progress(), report.rows);
    }
  }
  RETURN_IF_ERROR(batch.Send(done));
  report.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  if (options.progress) options.progress(1, report.rows);
  return report;
}

}  // namespace bowerbird::ingest
