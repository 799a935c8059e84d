#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bowerbird/v1/serving.pb.h"
#include "serve/answer.h"

namespace bowerbird::server {

/// The serving API's JSON, read and written by hand: proto3 JSON with the protos' field names.
///
/// Errors   InvalidArgument with code and field (catalog::Problem): not JSON, an unknown or repeated field, a wrong
/// type. Bounds   what the messages' own limits are is checked by serve; nesting at most 16.
absl::StatusOr<v1::RecommendRequest> ParseRecommend(std::string_view json);
absl::StatusOr<v1::RankRequest> ParseRank(std::string_view json);

void WriteAnswer(const serve::Answer& answer, std::string* out);
void WriteRankAnswer(const serve::RankAnswer& answer, std::string* out);
void WriteCollection(const v1::CollectionResponse& collection, std::string* out);
void WriteProfile(const v1::ProfileResponse& profile, std::string* out);

}  // namespace bowerbird::server
