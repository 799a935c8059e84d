#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::registry {

inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr uint32_t kManifestFormat = 1;

struct ArtifactFile {
  std::string name;
  uint64_t bytes = 0;
  std::string checksum;  ///< XXH3-64 as 16 hexadecimal digits
  friend bool operator==(const ArtifactFile&, const ArtifactFile&) = default;
};

/// manifest.json of one version: docs/formats/artifact.md.
struct Manifest {
  std::string kind, name, version;
  int64_t created_us = 0;
  std::string inputs_json = "{}";  ///< a JSON object: log ranges and artifact versions it was made from
  std::vector<std::pair<std::string, double>> metrics;
  std::vector<ArtifactFile> files;  ///< by name
};

/// InvalidArgument: inputs_json is not a JSON object.
absl::StatusOr<std::string> FormatManifest(const Manifest& manifest);

/// Any bytes may be given. FailedPrecondition: a format version that this program does not read; DataLoss: not a
/// manifest, with what is wrong.
absl::StatusOr<Manifest> ParseManifest(std::string_view json);

}  // namespace bowerbird::registry
