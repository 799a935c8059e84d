#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "blend/blend.h"
#include "bowerbird/v1/served.pb.h"
#include "serve/explain.h"

namespace bowerbird::serve {

inline constexpr uint32_t kServedSchema = 1;
/// Of the ranked but unshown candidates, those that the smaller sample holds: the best by score.
inline constexpr size_t kRankedLogged = 300;

/// What blend made of the judged candidates, all best first.
struct Outcome {
  const Judgement* judgement = nullptr;
  std::span<const Judged> judged;  ///< by score, then key; blend's candidates are indexes in it
  const blend::Page* page = nullptr;
  bool explored = false;
  double temperature = 0;
  std::vector<std::string> degraded;
  std::span<const std::string> teams;  ///< of a drafted page, by place; else none
};

/// Versions, offsets, chain, time and seed of `inputs`.
v1::ServedRecord BeginRecord(const Inputs& inputs, std::string_view kind);

/// The shown items in full; the pools of a draw with what was in them; and, by the sampling shares of the config and
/// the hash of the request id, more of what was not shown.
void RecordOutcome(const Outcome& outcome, v1::ServedRecord* record);

/// Whether this request is of the sample whose whole union is logged.
bool UnionSampled(const v1::ServedRecord& record, const config::Config& config);
/// Adds what the ranker's first stage had cut, marked as such.
void RecordCut(const Judgement& judgement, std::span<const Judged> judged, v1::ServedRecord* record);

}  // namespace bowerbird::serve
