#include "rows/row_columns.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/hash.h"
#include "rows/row_fields.h"

namespace bowerbird::rows {
namespace {

using lake::Column;

std::vector<std::string> NamesOf(const Objectives& objectives) {
  std::vector<std::string> names;
  for (size_t i = 0; i < objectives.size(); ++i) names.push_back(objectives[i].name);
  return names;
}

int64_t Signed(uint64_t key) { return std::bit_cast<int64_t>(key); }

float FromBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

/// Unshown candidates come in two samples of requests: the ranked ones of the smaller, everything of the union's. Each
/// weighs what the sample that is about its kind says; 0 where the record is of the other sample alone.
double SamplingWeight(const v1::ServedRecord& record, const v1::ServedCandidate& candidate) {
  if (candidate.position() > 0) return 1;
  return candidate.cut() || record.l2_weight() == 0 ? record.union_weight() : record.l2_weight();
}

/// Uniform in [0, 1) for a request's candidate.
double Draw(const Request& request, uint64_t item) {
  return static_cast<double>(base::CombineHash(base::Hash64(request.id), item) >> 11) * 0x1.0p-53;
}

}  // namespace

/// What the request says of each objective.
struct RowColumns::Labels {
  uint64_t closed = 0;  ///< bits
  std::vector<SeenUntil> seen;
  bool all_closed = false;
  SeenUntil seen_last;  ///< until the longest window closed

  Labels(const Request& request, const Objectives& objectives, LogTimeUs as_of_us)
      : seen_last(request, request.time_us + objectives.window_us_max()) {
    for (size_t i = 0; i < objectives.size(); ++i) {
      const LogTimeUs close_us = request.time_us + objectives[i].window_us;
      // What is appended from now on may have the log's newest time, but none before it.
      if (close_us < as_of_us) closed |= uint64_t{1} << i;
      seen.emplace_back(request, close_us);
    }
    all_closed = request.time_us + objectives.window_us_max() < as_of_us;
  }
  /// 0 or 1; -1 for null.
  int Of(const ShownItem& item, size_t objective) const {
    const uint64_t bit = uint64_t{1} << objective;
    if ((closed & bit) == 0 || !seen[objective].Saw(item)) return -1;
    return (item.hits & bit) != 0 ? 1 : 0;
  }
};

RowColumns::RowColumns(const config::Config* config, const signal::Set* signals, const Objectives* objectives,
                       std::vector<std::string> features, Negatives negatives, PastFeatures* past_features)
    : config_(config),
      signals_(signals),
      objectives_(objectives),
      features_(std::move(features)),
      negatives_(negatives),
      fields_(RowFields(features_, NamesOf(*objectives))),
      past_features_(past_features),
      past_(features_.size(), -1) {
  std::vector<std::string> of_tables;
  for (size_t f = 0; f < features_.size(); ++f) {
    if (!past_features_->IsOfTables(features_[f])) continue;
    past_[f] = static_cast<int>(of_tables.size());
    of_tables.push_back(features_[f]);
  }
  past_features_->Name(of_tables);
  for (size_t slot = 0; slot < signals_->size(); ++slot) definitions_[(*signals_)[slot].id()] = &(*signals_)[slot];
}

void RowColumns::Prepare(SetInfo* info) const {
  info->config_version = config_->version;
  info->features = features_;
  for (const std::string& name : features_) info->feature_stats.emplace_back(name, FeatureStats());
  for (size_t i = 0; i < objectives_->size(); ++i) {
    const config::EventObjective& objective = (*objectives_)[i];
    ObjectiveInfo& out = info->objectives.emplace_back();
    out.name = objective.name;
    for (const std::string& type : objective.on) out.on += (out.on.empty() ? "" : ",") + type;
    if (objective.where != nullptr) out.on += " where " + objective.where->text();
    out.window_us = objective.window_us;
    out.weight = objective.weight;
  }
  info->negatives = negatives_.share;
  info->correction = negatives_.correction;
  if (negatives_.correction == Correction::kOffset) info->log_odds_offset = std::log(negatives_.share);
}

void RowColumns::MapFeatures(const v1::ServedRecord& record) {
  const auto& names = record.feature_names();
  if (source_.size() == features_.size() &&
      std::equal(names.begin(), names.end(), mapped_names_.begin(), mapped_names_.end())) {
    return;
  }
  mapped_names_.assign(names.begin(), names.end());
  source_.assign(features_.size(), -1);
  for (size_t f = 0; f < features_.size(); ++f) {
    const auto at = std::find(names.begin(), names.end(), features_[f]);
    if (at != names.end()) source_[f] = static_cast<int>(at - names.begin());
  }
}

void RowColumns::AppendSequence(const Request& request, Column* column) const {
  if (request.sequence == nullptr) return column->EndList();
  Column& action = column->child(0);
  for (const state::Action& one : *request.sequence) {
    const config::EventType* type = config_->FindEventTypeByCode(one.type);
    action.child(0).Int64(Signed(one.item.value));
    type == nullptr ? action.child(1).Null() : action.child(1).Text(type->name);
    action.child(2).Int64(int64_t{one.time_s} * 1'000'000);
    action.child(3).Float(FromBf16(one.strength_bf16));
    action.EndStruct();
  }
  column->EndList();
}

void RowColumns::AppendSignals(const v1::ServedRecord& record, Column* column, SetInfo* info) const {
  for (const v1::ServedSignal& served : record.signals()) {
    Column& signal = column->child(0);
    signal.child(0).Text(served.name());
    signal.child(1).Int64(Signed(served.id()));
    signal.child(2).Text(served.value());
    const auto definition = definitions_.find(served.id());
    if (definition == definitions_.end() || !definition->second->Check(served.value()).ok()) {
      ++info->signals_of_other_meaning;
      signal.child(3).Null();
      signal.child(4).Null();
      signal.EndStruct();
      continue;
    }
    const signal::SignalReading read = definition->second->Read(served.value(), record.time_us());
    read.newest_us == 0 ? signal.child(3).Null() : signal.child(3).Int64(read.newest_us);
    for (const signal::KeyReading& key : read.keys) {
      Column& reading = signal.child(4).child(0);
      reading.child(0).Text(key.key);
      key.reading.number.has_value() ? reading.child(1).Double(*key.reading.number) : reading.child(1).Null();
      for (const signal::Reading::Item& item : key.reading.items) {
        Column& out = reading.child(2).child(0);
        out.child(0).Text(item.value);
        out.child(1).Double(item.number);
        item.time_us == 0 ? out.child(2).Null() : out.child(2).Int64(item.time_us);
        out.EndStruct();
      }
      reading.child(2).EndList();
      reading.EndStruct();
    }
    signal.child(4).EndList();
    signal.EndStruct();
  }
  column->EndList();
}

void RowColumns::AppendFeatures(const v1::ServedCandidate& candidate, Column* column, SetInfo* info) {
  const bool shown = candidate.position() > 0;
  for (size_t f = 0; f < features_.size(); ++f) {
    const int at = source_[f];
    float value = std::numeric_limits<float>::quiet_NaN();
    if (at >= 0) {
      // What was used is what counts, whatever the tables say now.
      if (at < candidate.features_size()) value = candidate.features(at);
    } else if (past_[f] >= 0) {
      const PastFeatures::Value past = past_features_->Of(static_cast<size_t>(past_[f]), candidate);
      value = past.value;
      if (past.gone) ++info->features_gone;
    }
    const bool has = std::isfinite(value);
    has ? column->child(f).Float(value) : column->child(f).Null();
    if (!shown) continue;
    FeatureStats& stats = info->feature_stats[f].second;
    has ? stats.Add(value) : static_cast<void>(++stats.nulls);
  }
  column->EndStruct();
}

void RowColumns::AppendCandidates(const Request& request, const v1::ServedRecord& record, LogTimeUs as_of_us,
                                  Column* column, SetInfo* info) {
  MapFeatures(record);
  past_features_->Begin(record);
  const Labels labels(request, *objectives_, as_of_us);
  std::vector<int> values(objectives_->size());
  size_t shown_at = 0;
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    const bool shown = candidate.position() > 0;
    const ShownItem* item = shown ? &request.shown[shown_at++] : nullptr;
    // What only a pool of a draw holds has no features.
    if (!shown && candidate.features_size() == 0) continue;
    bool negative = shown && labels.all_closed;
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = shown ? labels.Of(*item, i) : -1;
      negative = negative && values[i] == 0;
    }
    double weight = SamplingWeight(record, candidate);
    if (negative && negatives_.share < 1) {
      if (Draw(request, candidate.item_key()) >= negatives_.share) {
        ++info->negatives_left_out;
        continue;
      }
      if (negatives_.correction == Correction::kWeights) weight /= negatives_.share;
    }
    Column& out = column->child(0);
    out.child(0).Text(candidate.item());
    out.child(1).Int64(Signed(candidate.item_key()));
    shown ? out.child(2).Int32(static_cast<int32_t>(candidate.position())) : out.child(2).Null();
    out.child(3).Float(candidate.rank_score());
    out.child(4).Float(candidate.final_score());
    shown&& record.explored() ? out.child(5).Double(candidate.propensity()) : out.child(5).Null();
    out.child(6).Double(weight);
    out.child(7).Bool(candidate.cut());
    shown&& labels.all_closed ? out.child(8).Bool(labels.seen_last.Saw(*item)) : out.child(8).Null();
    AppendFeatures(candidate, &out.child(9), info);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] < 0 ? out.child(10).child(i).Null() : out.child(10).child(i).Int32(values[i]);
      if (!shown) continue;
      LabelStats& stats = info->objectives[i].stats;
      values[i] < 0 ? ++stats.nulls : ++stats.labels;
      if (values[i] > 0) ++stats.positives;
    }
    out.child(10).EndStruct();
    out.EndStruct();
    ++info->candidates;
    if (shown) ++info->shown;
  }
  column->EndList();
}

void RowColumns::Append(const Request& request, const v1::ServedRecord& record, LogTimeUs as_of_us, lake::Batch* batch,
                        SetInfo* info) {
  batch->column(kPartition).Int32(static_cast<int32_t>(request.partition));
  batch->column(kOffset).Int64(static_cast<int64_t>(request.offset));
  batch->column(kAppendTime).Int64(request.append_time_us);
  batch->column(kRequestId).TextOrNull(record.request_id());
  batch->column(kRequestKind).TextOrNull(record.kind());
  batch->column(kUser).TextOrNull(record.request().user());
  batch->column(kUserKey).Int64(Signed(record.user_key()));
  batch->column(kSurface).TextOrNull(record.request().surface());
  batch->column(kTime).Int64(record.time_us());
  batch->column(kConfigVersion).TextOrNull(record.config_version());
  batch->column(kSnapshot).TextOrNull(record.snapshot());
  batch->column(kRanker).TextOrNull(record.ranker());
  batch->column(kItemTable).Int64(static_cast<int64_t>(record.item_table()));
  batch->column(kUserOffset).Int64(static_cast<int64_t>(record.user_offset()));
  batch->column(kExplored).Bool(record.explored());
  batch->column(kTemperature).Double(record.temperature());
  batch->column(kChain).TextOrNull(record.chain());
  batch->column(kPage).Int32(static_cast<int32_t>(record.page()));
  for (const std::string& name : record.degraded()) batch->column(kDegraded).child(0).Text(name);
  batch->column(kDegraded).EndList();
  batch->column(kL2Weight).Double(record.l2_weight());
  batch->column(kUnionWeight).Double(record.union_weight());
  const LogTimeUs close_us = request.time_us + objectives_->window_us_max();
  if (close_us < as_of_us) {
    const SeenBy by = SeenUntil(request, close_us).by();
    by == SeenBy::kImpressions    ? batch->column(kSeenBy).Text("impressions")
    : by == SeenBy::kLastPosition ? batch->column(kSeenBy).Text("last_position")
                                  : batch->column(kSeenBy).Null();
    ++(by == SeenBy::kImpressions    ? info->by_impressions
       : by == SeenBy::kLastPosition ? info->by_last_position
                                     : info->by_nothing);
  } else {
    batch->column(kSeenBy).Null();
  }
  AppendSequence(request, &batch->column(kSequence));
  AppendSignals(record, &batch->column(kSignals), info);
  AppendCandidates(request, record, as_of_us, &batch->column(kCandidates), info);
  ++info->rows;
}

}  // namespace bowerbird::rows
