#include "serve/served_record.h"

#include <bit>

#include "base/hash.h"
#include "serve/item_signals.h"
#include "signal/definition.h"

namespace bowerbird::serve {
namespace {

/// Uniform in [0, 1) for one request and one purpose.
double Draw(std::string_view request_id, uint64_t purpose) {
  return static_cast<double>(base::CombineHash(base::Hash64(request_id), purpose) >> 11) * 0x1.0p-53;
}

/// Every candidate's key and scores in order: replay compares it where the candidates themselves are not logged.
uint64_t HashOf(std::span<const Judged> judged) {
  uint64_t hash = judged.size();
  for (const Judged& one : judged) {
    hash = base::CombineHash(hash, one.item.key.value);
    hash = base::CombineHash(hash, std::bit_cast<uint32_t>(one.rank_score));
    hash = base::CombineHash(hash, std::bit_cast<uint64_t>(one.score));
  }
  return hash;
}

v1::ServedCandidate* AddCandidate(const Judgement& judgement, const Judged& judged, bool in_full,
                                  v1::ServedRecord* record) {
  v1::ServedCandidate* candidate = record->add_candidates();
  candidate->set_item(std::string(judgement.inputs->view->Id(judged.item)));
  candidate->set_item_key(judged.item.key.value);
  candidate->set_rank_score(judged.rank_score);
  candidate->set_final_score(static_cast<float>(judged.score));
  if (!in_full) return candidate;
  RecordItemValues(*judgement.inputs->items, judged.item.key, judgement.inputs->now_us, candidate);
  for (const Source& source : judgement.candidates->sources[judged.candidate]) {
    AnswerSource answer = judgement.SourceOf(judged, source);
    v1::Source* out = candidate->add_sources();
    out->set_generator(std::move(answer.generator));
    out->set_score(answer.score);
    out->set_rank(answer.rank);
    out->set_because(std::move(answer.because));
  }
  const std::span<const float> features = judgement.Features(judged);
  candidate->mutable_features()->Add(features.begin(), features.end());
  for (std::string& name : judgement.RulesOf(judged)) candidate->add_rules(std::move(name));
  return candidate;
}

}  // namespace

v1::ServedRecord BeginRecord(const Inputs& inputs, std::string_view kind) {
  v1::ServedRecord record;
  record.set_schema(kServedSchema);
  record.set_request_id(inputs.request_id);
  record.set_kind(std::string(kind));
  record.set_user_key(inputs.user->key.value);
  record.set_time_us(inputs.now_us);
  record.set_seed(inputs.seed);
  record.set_config_version(inputs.config->version);
  record.set_snapshot(std::string(inputs.view->snapshot_version()));
  record.set_catalog_offset(inputs.view->catalog_offset());
  record.set_user_offset(inputs.user->offset);
  for (const OverlayHide& hide : inputs.overlay_hidden) record.add_overlay_hidden(hide.item);
  if (inputs.user->signal_set != nullptr) {
    const signal::Set& signals = *inputs.user->signal_set;
    for (size_t slot = 0; slot < signals.size(); ++slot) {
      v1::ServedSignal* out = record.add_signals();
      out->set_name(signals[slot].signal().name);
      out->set_id(signals[slot].id());
      if (inputs.user->signals != nullptr) out->set_value((*inputs.user->signals)[slot]);
    }
  }
  record.set_item_table(inputs.items->version());
  RecordItemSignals(*inputs.items, &record);
  record.set_chain(inputs.chain.id.empty() ? inputs.request_id : inputs.chain.id);
  record.set_page(inputs.chain.page);
  for (const catalog::ItemKey key : inputs.chain.shown) record.add_chain_shown(key.value);
  for (size_t f = 0; f < rank::kFeatures; ++f) {
    record.add_feature_names(std::string(rank::FeatureName(static_cast<rank::Feature>(f))));
  }
  return record;
}

void RecordOutcome(const Outcome& outcome, v1::ServedRecord* record) {
  const Judgement& judgement = *outcome.judgement;
  const config::Served& shares = judgement.inputs->config->served;
  judgement.request->tables->Record(record);
  for (const std::string& name : judgement.ranked->added) record->add_feature_names(name);
  const bool union_sampled = UnionSampled(*record, *judgement.inputs->config);
  const bool ranked_sampled = Draw(record->request_id(), 2) < shares.l2_sample;
  if (union_sampled) record->set_union_weight(1 / shares.union_sample);
  if (ranked_sampled) record->set_l2_weight(1 / shares.l2_sample);
  record->set_explored(outcome.explored);
  if (outcome.explored) record->set_temperature(outcome.temperature);
  for (const std::string& name : outcome.degraded) record->add_degraded(name);
  record->set_candidates_hash(HashOf(outcome.judged));

  constexpr uint32_t kNotLogged = UINT32_MAX;
  std::vector<uint32_t> logged_at(outcome.judged.size(), kNotLogged);
  const auto log = [&](uint32_t judged, bool in_full) {
    logged_at[judged] = static_cast<uint32_t>(record->candidates_size());
    return AddCandidate(judgement, outcome.judged[judged], in_full, record);
  };
  const auto first_position = static_cast<uint32_t>(judgement.inputs->chain.shown.size() + 1);
  for (uint32_t place = 0; place < outcome.page->items.size(); ++place) {
    const blend::Placed& placed = outcome.page->items[place];
    v1::ServedCandidate* candidate = log(placed.candidate, true);
    candidate->set_final_score(placed.score);
    candidate->set_position(first_position + place);
    candidate->set_propensity(placed.propensity);
    if (place < outcome.teams.size()) candidate->set_team(outcome.teams[place]);
  }
  for (uint32_t i = 0; i < outcome.judged.size(); ++i) {
    if (logged_at[i] == kNotLogged && (union_sampled || (ranked_sampled && i < kRankedLogged))) log(i, true);
  }
  for (const blend::DrawPool& pool : outcome.page->pools) {
    v1::EligibleSet* eligible = record->add_eligible();
    for (const uint32_t candidate : pool.candidates) {
      if (logged_at[candidate] == kNotLogged) log(candidate, false);
      eligible->add_candidates(logged_at[candidate]);
    }
    eligible->mutable_logits()->Add(pool.logits.begin(), pool.logits.end());
  }
}

bool UnionSampled(const v1::ServedRecord& record, const config::Config& config) {
  return Draw(record.request_id(), 1) < config.served.union_sample;
}

void RecordCut(const Judgement& judgement, std::span<const Judged> judged, v1::ServedRecord* record) {
  for (const Judged& one : judged) AddCandidate(judgement, one, true, record)->set_cut(true);
}

}  // namespace bowerbird::serve
