#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/string_map.h"
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
absl::StatusOr<v1::BatchGetProfilesRequest> ParseProfiles(std::string_view json);
void WriteProfiles(const v1::BatchGetProfilesResponse& profiles, std::string* out);
void WriteItemSignals(const v1::ItemSignalsResponse& signals, std::string* out);
void WriteFeatures(const v1::FeatureRow& row, std::string* out);
void WriteHistory(const v1::HistoryResponse& history, std::string* out);
/// The query of /v1/users/{id}/history. InvalidArgument names the parameter that is no number.
absl::StatusOr<v1::HistoryRequest> ParseHistory(const base::StringMap<std::string>& query);

}  // namespace bowerbird::server
