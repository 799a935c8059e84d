#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "bowerbird/v1/user_segment.pb.h"

namespace bowerbird::app {

/// Users who are looked at for a report; with more there are, its numbers are estimates.
inline constexpr uint64_t kSegmentSampleMax = 20'000;
/// Users who are looked at for one page, whoever is found among them.
inline constexpr uint64_t kSegmentPageScanMax = 100'000;
inline constexpr uint32_t kSegmentPageMax = 10'000, kSegmentPageDefault = 1'000;

/// The declared segments, and how many users are in each, now.
absl::StatusOr<v1::ListUserSegmentsResponse> ReportSegments(App& app, uint64_t users_max = kSegmentSampleMax);

/// A page of the users who are in a segment now. NotFound: no such segment. InvalidArgument: `after` is not what a page
/// before gave, or `limit` is above kSegmentPageMax.
absl::StatusOr<v1::ListSegmentUsersResponse> ListSegmentUsers(App& app, const v1::ListSegmentUsersRequest& request,
                                                              uint64_t scan_max = kSegmentPageScanMax);

/// Writes who is in which segment now as the rows of today (UTC) of the lake's table `segment_users`, in the place of
/// those that it has for today: segment, user_id, as_of. Cost: one scan of all users.
absl::StatusOr<v1::WriteSegmentUsersResponse> WriteSegmentUsers(App& app);

}  // namespace bowerbird::app
