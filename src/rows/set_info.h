#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace bowerbird::rows {

/// How candidates without any label of 1 that were left out are made up for: by their weight, or by an offset of the
/// log-odds. Never by both.
enum class Correction : uint8_t { kNone, kWeights, kOffset };
std::string_view CorrectionName(Correction correction);

/// What a feature's values were like, over the items that were shown.
struct FeatureStats {
  static constexpr size_t kBins = 128;
  /// Bins of fixed edges, fine near 0 and wide far off, so that the counts of two sets can be compared.
  static size_t BinOf(float value) {
    const double bin = kBins / 2.0 + 7 * std::asinh(4 * static_cast<double>(value));
    return static_cast<size_t>(std::fmin(std::fmax(bin, 0), kBins - 1.0));
  }
  void Add(float value) { ++counts[BinOf(value)]; }

  uint64_t nulls = 0;  ///< not there, or no number
  std::array<uint64_t, kBins> counts{};
};

struct LabelStats {
  uint64_t nulls = 0;  ///< shown, and not seen or not closed yet
  uint64_t labels = 0;
  uint64_t positives = 0;
  double Rate() const { return labels == 0 ? 0 : static_cast<double>(positives) / static_cast<double>(labels); }
};

struct ObjectiveInfo {
  std::string name;
  std::string on;  ///< types, and `where` if it has one
  int64_t window_us = 0;
  double weight = 0;
  LabelStats stats;
};

/// A set of rows: those of the requests that were appended on one day of UTC. What it is and what is in it, as set.json
/// of artifact rows/DAY.
struct SetInfo {
  static constexpr uint32_t kFormat = 1;

  std::string day;       ///< "2026-11-27"
  int64_t as_of_us = 0;  ///< log time that it was built to: what closed by then has labels
  std::string config_version;
  double negatives = 1;  ///< share that was kept of the candidates of which every label is 0
  Correction correction = Correction::kNone;
  /// To be added to the log-odds that a model of these rows gives; 0 unless by kOffset.
  double log_odds_offset = 0;
  std::vector<std::string> features;
  std::vector<ObjectiveInfo> objectives;
  std::vector<std::pair<std::string, FeatureStats>> feature_stats;  ///< of each feature
  uint64_t rows = 0, candidates = 0, shown = 0;
  uint64_t negatives_left_out = 0;
  /// Rows by what tells what was seen: impressions, the last position acted on, nothing.
  uint64_t by_impressions = 0, by_last_position = 0, by_nothing = 0;
  uint64_t signals_of_other_meaning = 0;  ///< kept as bytes alone: the config reads another definition
  uint64_t features_gone = 0;  ///< values of tables that are null because the version of then is no longer kept
  std::map<std::string, uint64_t> refused;                 ///< rows that were left out, by reason
  std::vector<std::pair<std::string, std::string>> parts;  ///< path below the table's folder, checksum

  /// Closed for every objective: no later event changes a row of it.
  bool closed = false;

  std::string ToJson() const;
  /// Any bytes may be given. DataLoss: not such a text; FailedPrecondition: of a newer program; InvalidArgument: it
  /// states both weights and an offset.
  static absl::StatusOr<SetInfo> FromJson(std::string_view json);
};

}  // namespace bowerbird::rows
