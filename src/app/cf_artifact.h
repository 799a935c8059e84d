#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "index/snapshot_builder.h"
#include "registry/registry.h"

namespace bowerbird::app {

/// The files of artifact cf/default, docs/formats/artifact.md: model.safetensors (`items` {n, dim}, `gramian` {dim,
/// dim}, the objective as metadata) and lists.bin (keys, counts and co-occurrence lists).
///
/// Errors   DataLoss: the files do not fit each other (the registry has checked their checksums before).
absl::Status WriteCfArtifact(const index::CfModel& model, const std::string& folder);
absl::StatusOr<index::CfModel> ReadCfArtifact(const registry::Artifact& artifact);

}  // namespace bowerbird::app
