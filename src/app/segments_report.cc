#include "app/segments_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "catalog/problem.h"
#include "features/values.h"
#include "lake/table_store.h"
#include "serve/segments.h"

namespace bowerbird::app {
namespace {

constexpr const char* kTable = "segment_users";
constexpr size_t kBatchBytes = 4u << 20;
constexpr int64_t kDayUs = 86'400'000'000;

const std::vector<lake::Field>& TableFields() {
  static const auto& fields = *new std::vector<lake::Field>{{"segment", lake::Kind::kText, false, {}},
                                                            {"user_id", lake::Kind::kText, false, {}},
                                                            {"as_of", lake::Kind::kTime, false, {}}};
  return fields;
}

absl::StatusOr<const config::UserSegment*> Find(const config::Config& config, std::string_view name) {
  std::vector<std::string_view> names;
  for (const config::UserSegment& segment : config.user_segments) {
    if (segment.name == name) return &segment;
    names.emplace_back(segment.name);
  }
  return absl::NotFoundError(
      fmt::format("segment: found \"{}\"; expected a declared one: {}", name, fmt::join(names, ", ")));
}

absl::StatusOr<uint64_t> ParseAfter(const std::string& after) {
  uint64_t key = 0;
  if (after.empty()) return key;
  const char* end = after.data() + after.size();
  const auto [stopped, error] = std::from_chars(after.data(), end, key, 16);
  if (after.size() == 16 && error == std::errc() && stopped == end) return key;
  return catalog::ToStatus({"invalid_argument", "after", "expected `next` of the page before"});
}

/// Writes rows until nothing is left, then the part.
class SegmentUsersWriter {
 public:
  SegmentUsersWriter(lake::PartFile* file, int64_t now_us) : file_(file), now_us_(now_us) {}
  absl::Status Add(std::string_view segment, std::string_view user) {
    batch_.column(0).Text(segment);
    batch_.column(1).Text(user);
    batch_.column(2).Int64(now_us_);
    return batch_.bytes() < kBatchBytes ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    if (batch_.rows() == 0) return absl::OkStatus();
    ArrowArray rows;
    batch_.Export(&rows);
    return file_->Write(&rows);
  }

 private:
  lake::PartFile* const file_;
  const int64_t now_us_;
  lake::Batch batch_{TableFields()};
};

}  // namespace

absl::StatusOr<v1::ListUserSegmentsResponse> ReportSegments(App& app, uint64_t users_max) {
  const std::shared_ptr<const config::Config> config = app.config();
  const int64_t now_us = app.clock().NowUs();
  std::vector<uint64_t> counts(config->user_segments.size());
  uint64_t seen = 0;
  catalog::UserKey last;
  bool all = true;
  features::Values tables(app.features().Get(), app.hasher());
  RETURN_IF_ERROR(app.state().VisitUsers(catalog::UserKey(0), [&](const state::UserState& user) {
    all = seen < users_max;
    if (!all) return false;
    ++seen;
    last = user.key;
    tables.SetUser(user.id);
    for (size_t i = 0; i < counts.size(); ++i) {
      counts[i] += serve::InSegment(config->user_segments[i], user, now_us, &tables) ? 1 : 0;
    }
    return true;
  }));
  // Keys are hashes: those up to `last` are a sample like any other.
  const double share = all ? 1.0 : std::max(static_cast<double>(last.value), 1.0) * 0x1.0p-64;
  const auto of_all = [&](uint64_t count) {
    return static_cast<uint64_t>(std::llround(static_cast<double>(count) / share));
  };
  v1::ListUserSegmentsResponse report;
  report.set_users(of_all(seen));
  report.set_sampled_share(share);
  report.set_time_us(now_us);
  for (size_t i = 0; i < counts.size(); ++i) {
    const config::UserSegment& segment = config->user_segments[i];
    v1::UserSegmentInfo* info = report.add_segments();
    info->set_name(segment.name);
    info->set_where(segment.where->text());
    info->set_owner(segment.owner);
    info->set_description(segment.description);
    info->set_users(of_all(counts[i]));
    info->set_share(seen == 0 ? 0 : static_cast<double>(counts[i]) / static_cast<double>(seen));
  }
  return report;
}

absl::StatusOr<v1::ListSegmentUsersResponse> ListSegmentUsers(App& app, const v1::ListSegmentUsersRequest& request,
                                                              uint64_t scan_max) {
  const std::shared_ptr<const config::Config> config = app.config();
  ASSIGN_OR_RETURN(const config::UserSegment* segment, Find(*config, request.name()));
  ASSIGN_OR_RETURN(const uint64_t from, ParseAfter(request.after()));
  if (request.limit() > kSegmentPageMax) {
    return catalog::ToStatus({"invalid_argument", "limit", fmt::format("expected 1 to {}", kSegmentPageMax)});
  }
  const int limit = static_cast<int>(request.limit() == 0 ? kSegmentPageDefault : request.limit());
  v1::ListSegmentUsersResponse page;
  page.set_time_us(app.clock().NowUs());
  uint64_t seen = 0;
  features::Values tables(app.features().Get(), app.hasher());
  RETURN_IF_ERROR(app.state().VisitUsers(catalog::UserKey(from), [&](const state::UserState& user) {
    if (page.users_size() == limit || seen == scan_max) {
      page.set_next(fmt::format("{:016x}", user.key.value));
      return false;
    }
    ++seen;
    tables.SetUser(user.id);
    if (serve::InSegment(*segment, user, page.time_us(), &tables)) page.add_users(user.id);
    return true;
  }));
  return page;
}

absl::StatusOr<v1::WriteSegmentUsersResponse> WriteSegmentUsers(App& app) {
  const int64_t start_us = base::MonotonicUs();
  const std::shared_ptr<const config::Config> config = app.config();
  const int64_t now_us = app.clock().NowUs(), day_us = now_us - now_us % kDayUs;
  ASSIGN_OR_RETURN(lake::TableStore * store, app.lake().JobTable(kTable));
  const absl::MutexLock lock(&store->writing());
  const std::string directory = fmt::format("date={}", base::FormatTimeUs(day_us).substr(0, 10));
  lake::Manifest next = *store->manifest();
  ASSIGN_OR_RETURN(const auto file, lake::PartFile::Create(store, directory, ++next.sequence, TableFields()));
  SegmentUsersWriter writer(file.get(), now_us);
  absl::Status written;
  features::Values tables(app.features().Get(), app.hasher());
  RETURN_IF_ERROR(app.state().VisitUsers(catalog::UserKey(0), [&](const state::UserState& user) {
    tables.SetUser(user.id);
    for (const std::string_view segment : serve::SegmentsOf(*config, user, now_us, &tables)) {
      written.Update(writer.Add(segment, user.id));
    }
    return written.ok();
  }));
  RETURN_IF_ERROR(written);
  RETURN_IF_ERROR(writer.Flush());
  ASSIGN_OR_RETURN(lake::Part part, file->Finish({}, day_us, day_us + kDayUs - 1));
  std::erase_if(next.parts, [&](const lake::Part& former) { return former.path.starts_with(directory + "/"); });
  next.parts.push_back(part);
  RETURN_IF_ERROR(store->Commit(std::move(next)));
  v1::WriteSegmentUsersResponse response;
  response.set_table(kTable);
  response.set_file(store->PathOf(part));
  response.set_rows(part.rows);
  response.set_seconds(static_cast<double>(base::MonotonicUs() - start_us) * 1e-6);
  return response;
}

}  // namespace bowerbird::app
