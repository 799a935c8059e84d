#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/published.h"
#include "base/string_map.h"
#include "config/config.h"
#include "rank/trained.h"
#include "registry/registry.h"
#include "serve/pipeline.h"

namespace bowerbird::app {

/// Artifact ranker/SURFACE, checked. NotFound, DataLoss; InvalidArgument: it asks for features that this program lacks.
absl::StatusOr<std::shared_ptr<const rank::Trained>> OpenRanker(const registry::Registry& registry,
                                                                std::string_view surface, std::string_view version);

/// Which trained ranker orders each surface. A promotion is an artifact of its own (promotion/SURFACE, the file
/// `ranker` holds a version, or nothing: none), so that it outlives the process and the newest one counts.
///
/// Threads  any.
class Rankers {
 public:
  /// `registry` outlives it.
  explicit Rankers(registry::Registry* registry);

  /// Opens what is promoted for the surfaces of the config. What could not be opened, each with the reason: answers say
  /// `ranker_missing` until another is promoted.
  std::vector<std::string> Load(const config::Config& config);
  /// `version` orders the surface from the next request on; empty: none does. NotFound, DataLoss, InvalidArgument: it
  /// cannot be opened, and nothing changes.
  absl::Status Promote(const std::string& surface, const std::string& version);
  serve::RankerChoice Of(std::string_view surface) const;

 private:
  using Choices = base::StringMap<serve::RankerChoice>;
  void Set(const std::string& surface, serve::RankerChoice choice);

  registry::Registry* const registry_;
  absl::Mutex promoting_;
  base::Published<Choices> choices_;
};

}  // namespace bowerbird::app
