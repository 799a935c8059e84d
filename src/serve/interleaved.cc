#include "serve/interleaved.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "blend/interleave.h"
#include "serve/checked_request.h"

namespace bowerbird::serve {
namespace {

/// Sets the draft's draw apart from those of the rankings, which have the same seed.
constexpr uint64_t kDraft = 0x6472616674;

v1::RecommendRequest RankingRequest(const v1::RecommendRequest& request) {
  v1::RecommendRequest wide = request;
  wide.set_n(std::min(kItemsMax, 2 * (request.n() == 0 ? kItemsDefault : request.n())));
  wide.clear_fields();
  wide.set_explain(false);
  wide.clear_explain_items();
  return wide;
}

/// 0, no cap, is the loosest.
uint32_t LoosestCap(std::span<const InterleavedArm> arms, const std::string& surface) {
  uint32_t loosest = 0;
  for (const InterleavedArm& arm : arms) {
    const config::Surface* of = arm.inputs.config->FindSurface(surface);
    if (of == nullptr || of->category_cap == 0) return 0;
    loosest = std::max(loosest, of->category_cap);
  }
  return loosest;
}

/// The pins of the control that stand at the same place in every ranking.
std::vector<blend::PinnedItem> CommonPins(const CheckedRequest& control, uint32_t shown,
                                          const std::vector<std::vector<uint64_t>>& rankings) {
  std::vector<blend::PinnedItem> pins;
  for (const PinRule& rule : control.pins) {
    if (rule.position <= shown || rule.position > shown + control.n) continue;
    const uint32_t place = rule.position - shown - 1;
    const bool common = std::ranges::all_of(rankings, [&](const std::vector<uint64_t>& ranking) {
      return place < ranking.size() && ranking[place] == rule.item.value;
    });
    const bool taken = std::ranges::any_of(pins, [&](const blend::PinnedItem& pin) { return pin.place == place; });
    if (common && !taken) pins.push_back({place, rule.item.value});
  }
  return pins;
}

}  // namespace

absl::StatusOr<Answer> RecommendInterleaved(const std::string& experiment, std::span<const InterleavedArm> arms,
                                            const v1::RecommendRequest& request) {
  if (arms.empty()) return absl::InvalidArgumentError("arms: found none; expected two or more");
  const int64_t start_us = base::MonotonicUs();
  StageTimes times;
  const Inputs& control = arms.front().inputs;
  ASSIGN_OR_RETURN(const CheckedRequest checked, Check(control, request));
  const v1::RecommendRequest wide = RankingRequest(request);
  v1::Draft draft;
  bool filled = false;
  std::map<std::string, v1::ServedTable> tables;  // what any arm read
  draft.set_experiment(experiment);
  std::vector<std::vector<uint64_t>> rankings;
  for (const InterleavedArm& arm : arms) {
    ASSIGN_OR_RETURN(const Answer answer, Recommend(arm.inputs, wide));
    times.check_us += answer.times.check_us;
    times.retrieve_us += answer.times.retrieve_us;
    times.rank_us += answer.times.rank_us;
    times.blend_us += answer.times.blend_us;
    filled = filled || std::ranges::find(answer.degraded, kDegradedFilled) != answer.degraded.end();
    for (const v1::ServedTable& table : answer.record.tables()) tables.emplace(table.name(), table);
    std::vector<uint64_t>& ranking = rankings.emplace_back();
    for (const AnswerItem& item : answer.items) ranking.push_back(control.hasher.Item(item.id).value);
    v1::DraftedRanking* drafted = draft.add_rankings();
    drafted->set_arm(arm.arm);
    drafted->set_config_version(answer.config_version);
    drafted->set_ranker(answer.record.ranker());
    *drafted->mutable_degraded() = {answer.degraded.begin(), answer.degraded.end()};
  }
  blend::DraftCaps caps;
  caps.category_cap = LoosestCap(arms, request.surface());
  caps.categories = [&](uint64_t item) -> std::span<const uint64_t> {
    index::ItemHandle handle;
    if (!control.view->Find(catalog::ItemKey(item), &handle)) return {};
    return control.view->Categories(handle);
  };
  const std::vector<blend::PinnedItem> pins =
      CommonPins(checked, static_cast<uint32_t>(control.chain.shown.size()), rankings);
  const std::vector<std::span<const uint64_t>> spans(rankings.begin(), rankings.end());
  base::Rng rng(base::CombineHash(control.seed, kDraft));
  ASSIGN_OR_RETURN(const std::vector<blend::DraftedItem> page, blend::TeamDraft(spans, pins, checked.n, rng, caps));
  std::vector<PlacedItem> placed;
  placed.reserve(page.size());
  for (const blend::DraftedItem& item : page) {
    const bool pinned = std::ranges::any_of(pins, [&](const blend::PinnedItem& pin) { return pin.item == item.item; });
    placed.push_back(
        {catalog::ItemKey(item.item), item.team == blend::kNoTeam ? std::string() : arms[item.team].arm, pinned});
  }
  ASSIGN_OR_RETURN(Answer answer, RecommendPlaced(control, request, placed));
  *answer.record.mutable_draft() = std::move(draft);
  answer.record.clear_tables();
  for (auto& [name, table] : tables) *answer.record.add_tables() = std::move(table);
  if (filled) {
    answer.degraded.emplace_back(kDegradedFilled);
    answer.record.add_degraded(std::string(kDegradedFilled));
  }
  times.total_us = base::MonotonicUs() - start_us;
  times.answer_us = times.total_us - times.check_us - times.retrieve_us - times.rank_us - times.blend_us;
  answer.times = times;
  return answer;
}

}  // namespace bowerbird::serve
