#include "serve/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "catalog/item_rules.h"
#include "catalog/problem.h"
#include "serve/checked_request.h"
#include "serve/collection.h"
#include "serve/feature_rows.h"
#include "serve/history.h"
#include "serve/interleaved.h"
#include "serve/item_signals.h"
#include "serve/profile.h"

namespace bowerbird::serve {
namespace {

/// Whether anything of the answer may not be served any more, by a newer view of the catalog.
bool Withdrawn(const std::vector<AnswerItem>& items, const index::LiveView& view, const catalog::KeyHasher& hasher) {
  return std::any_of(items.begin(), items.end(), [&](const AnswerItem& item) {
    index::ItemHandle handle;
    return !view.Find(hasher.Item(item.id), &handle) || !view.Eligible(handle);
  });
}

/// The request as it is answered and recorded: that of the user whom an anonymous id has become.
template <typename Request>
const Request& AsAnswered(const Request& asked, const state::UserState& user, std::optional<Request>* as_user) {
  if (user.id.empty() || user.id == asked.user()) return asked;
  as_user->emplace(asked).set_user(user.id);
  return **as_user;
}

/// The same inputs by another recipe.
Inputs By(const Recipe& recipe, const std::shared_ptr<const config::Config>& in_force, const RankerChoice& promoted,
          Inputs inputs) {
  inputs.config = recipe.config == nullptr ? in_force : recipe.config;
  inputs.ranker = recipe.ranker.has_value() ? *recipe.ranker : promoted;
  return inputs;
}

/// Whether two answers show the same items at the same places.
template <typename AnyAnswer>
bool ShowSame(const AnyAnswer& a, const AnyAnswer& b) {
  return std::ranges::equal(a.items, b.items, {}, &AnswerItem::id, &AnswerItem::id);
}

/// The arms' inputs of an answer that is drafted out of their rankings; none of any other. Less than the full effort is
/// the control's: under load nobody computes an answer for each arm.
std::vector<InterleavedArm> InterleavedArms(const Arms& arms, const std::shared_ptr<const config::Config>& in_force,
                                            const RankerChoice& promoted, const Inputs& inputs) {
  std::vector<InterleavedArm> interleaved;
  if (!arms.interleaved.has_value() || inputs.effort != Effort::kFull) return interleaved;
  for (const Arms::Interleaved::Ranking& ranking : arms.interleaved->rankings)
    interleaved.push_back({ranking.arm, By(ranking.recipe, in_force, promoted, inputs)});
  return interleaved;
}

/// Decides who is exposed by the answer, and puts the arms into its record.
template <typename AnyAnswer, typename Answers>
void RecordArms(const Arms& arms, const AnyAnswer& answer, const Answers& answer_by, v1::ServedRecord* record) {
  for (const v1::ServedArm& arm : arms.served) *record->add_arms() = arm;
  if (arms.interleaved.has_value()) {
    const bool placed = std::ranges::any_of(record->candidates(), [](const v1::ServedCandidate& candidate) {
      return candidate.position() > 0 && !candidate.team().empty();
    });
    record->mutable_arms(static_cast<int>(arms.interleaved->arm))->set_exposed(placed);
  }
  for (const Arms::Other& other : arms.others) {
    v1::ServedArm* arm = record->mutable_arms(static_cast<int>(other.arm));
    if (arm->exposed()) continue;
    // What another arm would have made of a drafted page is as many answers as there are teams: it counts as exposed,
    // in every arm alike.
    if (record->has_draft()) {
      arm->set_exposed(true);
      continue;
    }
    const absl::StatusOr<AnyAnswer> otherwise = answer_by(other.recipe);
    // One arm that could not be answered makes a difference, too.
    if (!otherwise.ok() || !ShowSame(answer, *otherwise)) arm->set_exposed(true);
  }
}

const std::string& ExperimentOf(const Arms& arms) { return arms.served[arms.interleaved->arm].experiment(); }

/// What a request id ends in: 16 hexadecimal digits, whose number modulo the nodes is the node that made it.
constexpr size_t kIdDigits = 16;

absl::Status TooFast() {
  return absl::UnavailableError("the catalog withdraws items faster than they can be served; try again");
}

absl::Status CursorRefused(std::string_view code, std::string_view detail) {
  return catalog::ToStatus({std::string(code), "cursor", std::string(detail)});
}

}  // namespace

Engine::Engine(Sources sources, const base::Clock* clock, const Options& options)
    : sources_(std::move(sources)),
      clock_(clock),
      options_(options),
      chains_(options.chains),
      columns_(options.hasher) {}

void Engine::CountFallback(const v1::ServedRecord& record) {
  const auto fell_back = [](const auto& degraded) {
    return std::ranges::any_of(
        degraded, [](const std::string& name) { return name == kRankerMissing || name == kRankerInvalid; });
  };
  const bool in_draft = std::ranges::any_of(
      record.draft().rankings(), [&](const v1::DraftedRanking& ranking) { return fell_back(ranking.degraded()); });
  if (fell_back(record.degraded()) || in_draft) ++ranker_fallbacks_;
}

absl::StatusOr<Inputs> Engine::Gather(std::string_view user_id, std::string_view surface, Effort effort) {
  Inputs inputs;
  inputs.effort = effort;
  inputs.config = sources_.config();
  RETURN_IF_ERROR(CheckUserId(*inputs.config, user_id, "user"));
  inputs.hasher = options_.hasher;
  inputs.now_us = clock_->NowUs();
  if (user_id.empty()) {
    inputs.user = std::make_shared<const state::UserState>();
  } else {
    const catalog::UserKey key = options_.hasher.User(user_id);
    if (effort == Effort::kOwnerAway) {
      auto unknown = std::make_shared<state::UserState>();
      unknown->key = key;
      inputs.user = std::move(unknown);
    } else {
      ASSIGN_OR_RETURN(inputs.user, sources_.user(key, user_id));
    }
    // After the state: a hide that was folded in between is then in both, never in neither.
    if (sources_.unfolded_hides) {
      inputs.overlay_hidden = sources_.unfolded_hides(inputs.user->key, inputs.user->offset);
    }
  }
  inputs.items = sources_.item_table();
  // From here on the answer reads these versions, whatever is loaded meanwhile.
  if (sources_.features) inputs.features = sources_.features();
  inputs.columns = &columns_;
  if (sources_.ranker) inputs.ranker = sources_.ranker(surface);
  base::Rng rng(base::CombineHash(options_.seed, sequence_.fetch_add(1)));
  inputs.seed = rng();
  uint64_t number = rng();
  if (options_.nodes > 1) number = (number >> 1) / options_.nodes * options_.nodes + options_.node;
  // The time first, so that ids of one minute stand together in a sorted log.
  inputs.request_id =
      fmt::format("{:012x}{:016x}", static_cast<uint64_t>(inputs.now_us / 1000) & 0xffffffffffff, number);
  inputs.chain.id = inputs.request_id;
  return inputs;
}

Arms Engine::ChooseArms(const std::string& user, const std::string& surface, const v1::Context& context,
                        Inputs* inputs) {
  // Without the user's state nobody knows who is in a segment, nor what was kept.
  if (!sources_.arms || user.empty() || inputs->effort == Effort::kOwnerAway) return {};
  Arms arms = sources_.arms({user, inputs->user.get(), surface, &context, inputs->now_us});
  if (arms.recipe.config != nullptr) inputs->config = arms.recipe.config;
  if (arms.recipe.ranker.has_value()) inputs->ranker = *arms.recipe.ranker;
  return arms;
}

std::optional<uint32_t> Engine::NodeOfCursor(const v1::RecommendRequest& request) const {
  const auto cursor =
      DecodeCursor(request.cursor(), options_.cursor_key, base::Hash64(request.surface()),
                   request.user().empty() ? catalog::UserKey() : options_.hasher.User(request.user()), clock_->NowUs());
  if (!cursor.ok() || cursor->after.size() < kIdDigits) return std::nullopt;
  uint64_t number = 0;
  const char* const end = cursor->after.data() + cursor->after.size();
  if (std::from_chars(end - kIdDigits, end, number, 16).ptr != end) return std::nullopt;
  return static_cast<uint32_t>(number % options_.nodes);
}

absl::Status Engine::FollowCursor(const v1::RecommendRequest& request, Inputs* inputs) {
  if (request.cursor().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Cursor cursor,
                   DecodeCursor(request.cursor(), options_.cursor_key, base::Hash64(request.surface()),
                                inputs->user->key, inputs->now_us));
  std::optional<std::vector<catalog::ItemKey>> shown = chains_.Find(cursor.after, inputs->now_us);
  if (!shown.has_value()) {
    return CursorRefused(
        "cursor_expired",
        "what the pages before showed is forgotten; expected a fresh cursor: ask for the first page again");
  }
  inputs->chain = {cursor.chain, cursor.page, *std::move(shown), cursor.seen_relaxed};
  return absl::OkStatus();
}

std::string Engine::ContinueChain(const v1::RecommendRequest& request, const Inputs& inputs, const Answer& answer) {
  if (!answer.more) return "";
  std::vector<catalog::ItemKey> shown = inputs.chain.shown;
  for (const AnswerItem& item : answer.items) shown.push_back(options_.hasher.Item(item.id));
  chains_.Put(inputs.request_id, std::move(shown), inputs.now_us, inputs.user->key);
  Cursor cursor;
  cursor.chain = inputs.chain.id;
  cursor.after = inputs.request_id;
  cursor.page = inputs.chain.page + 1;
  cursor.surface = base::Hash64(request.surface());
  cursor.user = inputs.user->key;
  cursor.expires_us = inputs.now_us + options_.cursor_lifetime_us;
  cursor.seen_relaxed =
      std::find(answer.degraded.begin(), answer.degraded.end(), "seen_relaxed") != answer.degraded.end();
  return EncodeCursor(cursor, options_.cursor_key);
}

absl::StatusOr<Answer> Engine::Recommend(const v1::RecommendRequest& asked, Effort effort) {
  ASSIGN_OR_RETURN(Inputs inputs, Gather(asked.user(), asked.surface(), effort));
  std::optional<v1::RecommendRequest> as_user;
  const v1::RecommendRequest& request = AsAnswered(asked, *inputs.user, &as_user);
  const absl::Status followed = FollowCursor(request, &inputs);
  // The pages before were the owner's, who alone knows what they showed: what is popular begins anew.
  if (!followed.ok() && effort != Effort::kOwnerAway) return followed;
  const std::shared_ptr<const config::Config> in_force = inputs.config;
  const RankerChoice promoted = inputs.ranker;
  const Arms arms = ChooseArms(request.user(), request.surface(), request.context(), &inputs);
  inputs.view = sources_.view();
  for (uint32_t run = 0; run < kRunsMax; ++run) {
    const std::vector<InterleavedArm> interleaved = InterleavedArms(arms, in_force, promoted, inputs);
    ASSIGN_OR_RETURN(Answer answer, interleaved.empty()
                                        ? serve::Recommend(inputs, request)
                                        : RecommendInterleaved(ExperimentOf(arms), interleaved, request));
    std::shared_ptr<const index::LiveView> newest = sources_.view();
    if (newest != inputs.view && Withdrawn(answer.items, *newest, options_.hasher)) {
      inputs.view = std::move(newest);
      ++runs_again_;
      continue;
    }
    RecordArms(
        arms, answer,
        [&](const Recipe& recipe) { return serve::Recommend(By(recipe, in_force, promoted, inputs), request); },
        &answer.record);
    answer.next_cursor = ContinueChain(request, inputs, answer);
    ++answers_;
    if (answer.explored) ++explored_;
    if (!answer.degraded.empty()) ++degraded_;
    CountFallback(answer.record);
    if (sources_.served) sources_.served(std::move(answer.record));
    return answer;
  }
  return TooFast();
}

absl::StatusOr<RankAnswer> Engine::Rank(const v1::RankRequest& asked, Effort effort) {
  ASSIGN_OR_RETURN(Inputs inputs, Gather(asked.user(), asked.surface(), effort));
  std::optional<v1::RankRequest> as_user;
  const v1::RankRequest& request = AsAnswered(asked, *inputs.user, &as_user);
  const std::shared_ptr<const config::Config> in_force = inputs.config;
  const RankerChoice promoted = inputs.ranker;
  const Arms arms = ChooseArms(request.user(), request.surface(), request.context(), &inputs);
  inputs.view = sources_.view();
  for (uint32_t run = 0; run < kRunsMax; ++run) {
    ASSIGN_OR_RETURN(RankAnswer answer, serve::Rank(inputs, request));
    std::shared_ptr<const index::LiveView> newest = sources_.view();
    if (newest != inputs.view && Withdrawn(answer.items, *newest, options_.hasher)) {
      inputs.view = std::move(newest);
      ++runs_again_;
      continue;
    }
    RecordArms(
        arms, answer,
        [&](const Recipe& recipe) { return serve::Rank(By(recipe, in_force, promoted, inputs), request); },
        &answer.record);
    ++answers_;
    CountFallback(answer.record);
    if (!answer.degraded.empty()) ++degraded_;
    if (sources_.served) sources_.served(std::move(answer.record));
    return answer;
  }
  return TooFast();
}

absl::Status Engine::Profile(const v1::ProfileRequest& request, v1::ProfileResponse* profile) {
  if (request.id().empty()) {
    return catalog::ToStatus({"missing_field", "id", "found nothing; expected the user's id"});
  }
  const std::shared_ptr<const config::Config> config = sources_.config();
  RETURN_IF_ERROR(CheckUserId(*config, request.id(), "id"));
  ASSIGN_OR_RETURN(const ProfileParts parts, ParseProfileParts(request.parts()));
  ASSIGN_OR_RETURN(const auto user, sources_.user(options_.hasher.User(request.id()), request.id()));
  const std::string& id = user->id.empty() ? request.id() : user->id;
  const auto tables =
      sources_.features ? sources_.features() : std::make_shared<const features::TableSet>(features::TableSet());
  features::Values values(tables, options_.hasher);
  values.SetUser(id);
  BuildProfile(*config, *sources_.view(), *user, clock_->NowUs(), parts, &values, profile);
  profile->set_id(id);
  if (parts.features && !tables->tables.empty()) {
    AddUserFeatures(*tables, features::RowKey::Of(options_.hasher, id), profile);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ItemSignalsResponse> Engine::ItemSignals(const v1::ItemSignalsRequest& request) const {
  if (const auto problem = catalog::CheckId(request.id(), "id", sources_.config()->collect.id_bytes_max)) {
    return catalog::ToStatus(*problem);
  }
  const std::shared_ptr<const state::ItemTable> items = sources_.item_table();
  return ShowItemSignals(*items, options_.hasher.Item(request.id()), request.id(), clock_->NowUs());
}

absl::StatusOr<v1::HistoryResponse> Engine::History(const v1::HistoryRequest& request) {
  const std::shared_ptr<const config::Config> config = sources_.config();
  RETURN_IF_ERROR(CheckUserId(*config, request.id(), "id"));
  ASSIGN_OR_RETURN(const auto user, sources_.user(options_.hasher.User(request.id()), request.id()));
  return BuildHistory(*config, *sources_.view(), request, [&](uint64_t before, const auto& visit) {
    return sources_.actions(user->key, user->id, before, visit);
  });
}

absl::StatusOr<v1::CollectionResponse> Engine::Collection(const v1::CollectionRequest& request) {
  RETURN_IF_ERROR(CheckUserId(*sources_.config(), request.id(), "id"));
  ASSIGN_OR_RETURN(const auto user, sources_.user(options_.hasher.User(request.id()), request.id()));
  return BuildCollection(*sources_.view(), *user, request.name());
}

Engine::Counters Engine::counters() const {
  return {answers_, runs_again_, explored_, degraded_, ranker_fallbacks_, chains_.pages(), chains_.bytes()};
}

}  // namespace bowerbird::serve
