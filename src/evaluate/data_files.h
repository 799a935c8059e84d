#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluate/interaction.h"

namespace bowerbird::evaluate {

/// Readers of the public data sets' own formats; each file may be plain text, zstd or gzip, told by its first bytes.
///
/// Errors  NotFound: no such file. DataLoss: the compression is broken. InvalidArgument: a line cannot be read; names
/// file and line.

/// The whole text of a file.
absl::StatusOr<std::string> ReadText(const std::string& path);

/// LightGCN: `user item item ...` a line; numbers are dense already and shared by train and test. Times are 0.
absl::StatusOr<std::vector<Interaction>> ReadLightGcn(const std::string& path);

/// The same form with the items in time order (S3-Rec): the time is the place in the line. Users and items are numbered
/// anew, by first appearance.
absl::StatusOr<std::vector<Interaction>> ReadSequences(const std::string& path);

/// News clicks of globo (a CSV with a header; user_id, click_article_id and click_timestamp in milliseconds are read).
/// Numbered anew, by first appearance.
absl::StatusOr<std::vector<Interaction>> ReadGloboClicks(const std::string& path);

}  // namespace bowerbird::evaluate
