#include "serve/replay_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>
#include <utility>

#include "base/status_macros.h"

namespace bowerbird::serve {
namespace {

constexpr size_t kDifferencesMax = 20;

class Comparison {
 public:
  explicit Comparison(ReplayReport* report) : report_(report) {}

  template <typename T>
  void Field(std::string_view name, const T& was, const T& is) {
    if (was == is) return;
    Differ(fmt::format("{}: was {}, is {}", name, was, is));
  }
  void Differ(std::string what) {
    ++report_->difference_count;
    if (report_->differences.size() < kDifferencesMax) report_->differences.push_back(std::move(what));
  }

 private:
  ReplayReport* const report_;
};

void CompareCandidate(const v1::ServedCandidate& was, const v1::ServedCandidate& is, int index, Comparison* compare) {
  const std::string at = fmt::format("candidates[{}] ('{}')", index, was.item());
  compare->Field(at + ".item", was.item(), is.item());
  if (was.item() != is.item()) return;
  compare->Field(at + ".rank_score", was.rank_score(), is.rank_score());
  compare->Field(at + ".final_score", was.final_score(), is.final_score());
  compare->Field(at + ".position", was.position(), is.position());
  compare->Field(at + ".propensity", was.propensity(), is.propensity());
  compare->Field(at + ".team", was.team(), is.team());
  const auto same_bits = [](float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); };
  if (!std::equal(was.features().begin(), was.features().end(), is.features().begin(), is.features().end(),
                  same_bits)) {
    compare->Differ(at + ".features differ");
  }
  const auto same_value = [](const v1::ServedItemValue& a, const v1::ServedItemValue& b) {
    return a.value() == b.value() && a.hash() == b.hash() && a.number() == b.number();
  };
  if (!std::equal(was.item_values().begin(), was.item_values().end(), is.item_values().begin(), is.item_values().end(),
                  same_value)) {
    compare->Differ(at + ".item_values differ");
  }
  const auto same = [](const v1::Source& a, const v1::Source& b) {
    return a.generator() == b.generator() && a.score() == b.score() && a.rank() == b.rank() &&
           a.because() == b.because();
  };
  if (!std::equal(was.sources().begin(), was.sources().end(), is.sources().begin(), is.sources().end(), same)) {
    compare->Differ(at + ".sources differ");
  }
  if (!std::equal(was.rules().begin(), was.rules().end(), is.rules().begin(), is.rules().end())) {
    compare->Differ(at + ".rules differ");
  }
}

void CompareRecords(const v1::ServedRecord& was, const v1::ServedRecord& is, Comparison* compare) {
  compare->Field("config_version", was.config_version(), is.config_version());
  compare->Field("snapshot", was.snapshot(), is.snapshot());
  compare->Field("catalog_offset", was.catalog_offset(), is.catalog_offset());
  compare->Field("user_offset", was.user_offset(), is.user_offset());
  compare->Field("item_table", was.item_table(), is.item_table());
  const auto same_signal = [](const v1::ServedSignal& a, const v1::ServedSignal& b) {
    return a.name() == b.name() && a.id() == b.id() && a.value() == b.value();
  };
  if (!std::equal(was.signals().begin(), was.signals().end(), is.signals().begin(), is.signals().end(), same_signal)) {
    compare->Differ("signals differ");
  }
  const auto same_table = [](const v1::ServedTable& a, const v1::ServedTable& b) {
    return a.name() == b.name() && a.version() == b.version() && a.as_of_us() == b.as_of_us();
  };
  if (!std::equal(was.tables().begin(), was.tables().end(), is.tables().begin(), is.tables().end(), same_table)) {
    compare->Differ("tables differ");
  }
  const auto same_item_signal = [](const v1::ServedItemSignal& a, const v1::ServedItemSignal& b) {
    return a.name() == b.name() && a.id() == b.id();
  };
  if (!std::equal(was.item_signals().begin(), was.item_signals().end(), is.item_signals().begin(),
                  is.item_signals().end(), same_item_signal)) {
    compare->Differ("item_signals differ");
  }
  compare->Field("ranker", was.ranker(), is.ranker());
  compare->Field("explored", was.explored(), is.explored());
  if (!std::equal(was.degraded().begin(), was.degraded().end(), is.degraded().begin(), is.degraded().end())) {
    compare->Differ("degraded differs");
  }
  compare->Field("candidates_hash", was.candidates_hash(), is.candidates_hash());
  compare->Field("number of candidates", was.candidates_size(), is.candidates_size());
  for (int i = 0; i < std::min(was.candidates_size(), is.candidates_size()); ++i) {
    CompareCandidate(was.candidates(i), is.candidates(i), i, compare);
  }
  const auto same_ranking = [](const v1::DraftedRanking& a, const v1::DraftedRanking& b) {
    return a.arm() == b.arm() && a.config_version() == b.config_version() && a.ranker() == b.ranker() &&
           std::equal(a.degraded().begin(), a.degraded().end(), b.degraded().begin(), b.degraded().end());
  };
  if (!std::equal(was.draft().rankings().begin(), was.draft().rankings().end(), is.draft().rankings().begin(),
                  is.draft().rankings().end(), same_ranking)) {
    compare->Differ("draft differs");
  }
  compare->Field("number of eligible sets", was.eligible_size(), is.eligible_size());
  for (int i = 0; i < std::min(was.eligible_size(), is.eligible_size()); ++i) {
    const v1::EligibleSet &a = was.eligible(i), &b = is.eligible(i);
    if (!std::equal(a.candidates().begin(), a.candidates().end(), b.candidates().begin(), b.candidates().end()) ||
        !std::equal(a.logits().begin(), a.logits().end(), b.logits().begin(), b.logits().end())) {
      compare->Differ(fmt::format("eligible[{}] differs", i));
    }
  }
}

}  // namespace

void RestoreFromRecord(const v1::ServedRecord& record, Inputs* inputs) {
  inputs->now_us = record.time_us();
  inputs->seed = record.seed();
  inputs->request_id = record.request_id();
  inputs->chain.id = record.chain();
  inputs->chain.page = record.page();
  inputs->chain.shown.clear();
  for (const uint64_t key : record.chain_shown()) inputs->chain.shown.emplace_back(key);
  const auto degraded = [&](std::string_view name) {
    return std::find(record.degraded().begin(), record.degraded().end(), name) != record.degraded().end();
  };
  inputs->ranker.missing = degraded(kRankerMissing);
  inputs->chain.seen_relaxed = record.page() > 0 && degraded("seen_relaxed");
  inputs->effort = degraded(kDegradedOwner)     ? Effort::kOwnerAway
                   : degraded(kDegradedPopular) ? Effort::kPopular
                   : degraded(kDegradedFewer)   ? Effort::kFewer
                                                : Effort::kFull;
  inputs->overlay_hidden.clear();
  for (const std::string& item : record.overlay_hidden()) {
    inputs->overlay_hidden.push_back({item, inputs->hasher.Item(item)});
  }
}

absl::StatusOr<ReplayReport> ReplayRequest(const v1::ServedRecord& record, const Inputs& inputs,
                                           std::span<const InterleavedArm> interleaved) {
  ReplayReport report;
  if (record.kind() == "recommend") {
    ASSIGN_OR_RETURN(Answer answer, interleaved.empty() ? Recommend(inputs, record.request())
                                                        : RecommendInterleaved(record.draft().experiment(), interleaved,
                                                                               record.request()));
    report.again = std::move(answer.record);
  } else if (record.kind() == "rank") {
    v1::RankRequest request;
    request.set_surface(record.request().surface());
    request.set_user(record.request().user());
    *request.mutable_context() = record.request().context();
    request.set_explain(record.request().explain());
    *request.mutable_items() = record.rank_items();
    ASSIGN_OR_RETURN(RankAnswer answer, Rank(inputs, request));
    report.again = std::move(answer.record);
  } else {
    return absl::InvalidArgumentError(fmt::format("kind: found '{}'; expected 'recommend' or 'rank'", record.kind()));
  }
  Comparison compare(&report);
  CompareRecords(record, report.again, &compare);
  report.candidates = static_cast<uint32_t>(report.again.candidates_size());
  report.equal = report.difference_count == 0;
  return report;
}

}  // namespace bowerbird::serve
