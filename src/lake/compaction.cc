#include "lake/compaction.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "lake/log_follower.h"

namespace bowerbird::lake {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;

std::string DirectoryOf(const Part& part) { return part.path.substr(0, part.path.rfind('/')); }

struct Input {
  Part part;
  std::unique_ptr<ParquetReader> reader;
  PartDescription description;
};

absl::StatusOr<Input> OpenInput(const Table& table, const TableStore& store, const Part& part) {
  RETURN_IF_ERROR(store.Check(part, true));
  Input input;
  input.part = part;
  const std::string path = store.PathOf(part);
  ASSIGN_OR_RETURN(input.reader, OpenParquet(path, *table.fields));
  ASSIGN_OR_RETURN(input.description, DescribePart(input.reader->metadata(), path));
  return input;
}

/// Ranges that follow one another become one.
void AddRanges(const std::vector<LogRange>& more, std::vector<LogRange>* ranges) {
  for (const LogRange& range : more) {
    if (!ranges->empty() && ranges->back().partition == range.partition && ranges->back().end == range.begin) {
      ranges->back().end = range.end;
    } else {
      ranges->push_back(range);
    }
  }
}

absl::StatusOr<Part> Join(const Table& table, TableStore* store, std::vector<Input>* inputs, uint64_t number) {
  ASSIGN_OR_RETURN(auto file, PartFile::Create(store, DirectoryOf(inputs->front().part), number, *table.fields));
  std::vector<LogRange> ranges;
  int64_t first_us = inputs->front().part.first_us, last_us = inputs->front().part.last_us;
  for (Input& input : *inputs) {
    AddRanges(input.description.ranges, &ranges);
    first_us = std::min(first_us, input.part.first_us);
    last_us = std::max(last_us, input.part.last_us);
    while (true) {
      ArrowArray rows;
      ASSIGN_OR_RETURN(const bool more, input.reader->Next(&rows));
      if (!more) break;
      RETURN_IF_ERROR(file->Write(&rows));
    }
  }
  return file->Finish(PartMetadata(table, ranges), first_us, last_us);
}

/// Which parts of the table are to be joined, by their directory.
std::map<std::string, std::vector<Part>> Joinable(const Manifest& manifest, int64_t now_us,
                                                  const CompactionOptions& options) {
  std::map<std::string, std::vector<Part>> by_hour;
  for (const Part& part : manifest.parts) {
    if (part.rows < options.rows_max) by_hour[DirectoryOf(part)].push_back(part);
  }
  std::erase_if(by_hour, [&](const auto& hour) {
    const std::vector<Part>& parts = hour.second;
    const int64_t ends_us = (parts.front().first_us / kHourUs + 1) * kHourUs;
    const bool settled = now_us - ends_us >= options.settled_us;
    return parts.size() < (settled ? 2 : options.parts_max);
  });
  return by_hour;
}

}  // namespace

absl::StatusOr<uint64_t> CompactTable(const Table& table, TableStore* store, const CompactionOptions& options,
                                      std::vector<std::string>* problems) {
  const absl::MutexLock lock(&store->writing());
  uint64_t joined = 0;
  for (const auto& [directory, parts] : Joinable(*store->manifest(), store->NowUs(), options)) {
    std::vector<Input> inputs;
    for (const Part& part : parts) {
      absl::StatusOr<Input> input = OpenInput(table, *store, part);
      input.ok() ? inputs.push_back(*std::move(input)) : problems->push_back(std::string(input.status().message()));
    }
    if (inputs.size() < 2) continue;
    Manifest next = *store->manifest();
    absl::StatusOr<Part> whole = Join(table, store, &inputs, ++next.sequence);
    if (absl::IsDataLoss(whole.status())) {
      problems->push_back(std::string(whole.status().message()));
      continue;
    }
    RETURN_IF_ERROR(whole.status());
    const auto is_input = [&](const Part& part) {
      return std::any_of(inputs.begin(), inputs.end(), [&](const Input& in) { return in.part.path == part.path; });
    };
    // In the place of the first of them, so that the parts stay in the order of the log.
    *std::find_if(next.parts.begin(), next.parts.end(), is_input) = *whole;
    std::erase_if(next.parts, is_input);
    RETURN_IF_ERROR(store->Commit(std::move(next)));
    joined += inputs.size();
  }
  return joined;
}

absl::StatusOr<uint64_t> RetireBefore(TableStore* store, int64_t before_us) {
  const absl::MutexLock lock(&store->writing());
  Manifest next = *store->manifest();
  const uint64_t retired = std::erase_if(next.parts, [&](const Part& part) { return part.last_us < before_us; });
  if (retired == 0) return uint64_t{0};
  RETURN_IF_ERROR(store->Commit(std::move(next)));
  return retired;
}

}  // namespace bowerbird::lake
