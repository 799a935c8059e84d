#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/serving.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "features/tables.h"
#include "index/live_index.h"
#include "serve/answer.h"
#include "serve/arms.h"
#include "serve/chain_table.h"
#include "serve/cursor.h"
#include "serve/pipeline.h"
#include "state/item_table.h"
#include "state/user_state.h"

namespace bowerbird::serve {

/// Answers requests for an App: gathers the inputs of an answer, makes request ids and seeds, follows cursors, runs the
/// pipeline, runs it again when an item of the page was withdrawn meanwhile, and hands the record to the served log.
/// Waiting for the user's own last event is the caller's, before the call.
///
/// Threads  every member from any thread; the sources are called from the caller's thread.
/// Bounds   what was shown in chains: ChainTable.
/// Errors   InvalidArgument: see Recommend in pipeline.h, and code `invalid_cursor` or `cursor_expired`. Unavailable:
///          the catalog withdrew shown items faster than kRunsMax answers could be made. What a source returns is
///          passed on.
class Engine {
 public:
  /// Where the inputs come from. All but `unfolded_hides`, `actions` (of History alone), `features`, `ranker`,
  /// `arms` and `served` must be set; none may return null.
  struct Sources {
    std::function<std::shared_ptr<const config::Config>()> config;
    std::function<std::shared_ptr<const index::LiveView>()> view;
    /// The state that answers for the id: of another user where the id has become one, and then the answer is that
    /// user's, in its record, too.
    std::function<absl::StatusOr<std::shared_ptr<const state::UserState>>(catalog::UserKey, std::string_view id)> user;
    /// State::VisitActions.
    std::function<absl::StatusOr<uint64_t>(catalog::UserKey, std::string_view id, uint64_t before,
                                           const std::function<bool(uint64_t, const state::Action&)>& visit)>
        actions;
    std::function<std::shared_ptr<const state::ItemTable>()> item_table;
    std::function<std::shared_ptr<const features::TableSet>()> features;
    /// The user's acknowledged hides at or beyond `folded_offset`.
    std::function<std::vector<OverlayHide>(catalog::UserKey, uint64_t folded_offset)> unfolded_hides;
    /// The trained ranker of a surface; may be empty: none is.
    std::function<RankerChoice(std::string_view surface)> ranker;
    /// The experiments' say on a request of a user; may be empty: there are none.
    std::function<Arms(const ArmsQuestion&)> arms;
    /// Takes each record; must not block.
    std::function<void(v1::ServedRecord)> served;
  };
  struct Options {
    catalog::KeyHasher hasher;
    CursorKey cursor_key{};  ///< secret of the app; lasting, so that cursors outlive a restart's clock
    uint64_t seed = 0;       ///< of request ids and draws; random in a product, fixed in a simulation
    /// Which node of how many this is: request ids tell which one made them.
    uint32_t node = 0, nodes = 1;
    int64_t cursor_lifetime_us = 3'600'000'000;
    ChainTable::Bounds chains;
  };
  static constexpr uint32_t kRunsMax = 8;

  /// `clock` outlives the engine.
  Engine(Sources sources, const base::Clock* clock, const Options& options);

  absl::StatusOr<Answer> Recommend(const v1::RecommendRequest& asked, Effort effort = Effort::kFull);
  absl::StatusOr<RankAnswer> Rank(const v1::RankRequest& asked, Effort effort = Effort::kFull);
  /// The node that remembers what the pages before a cursor's showed; nothing for a cursor that Recommend refuses.
  std::optional<uint32_t> NodeOfCursor(const v1::RecommendRequest& request) const;
  /// `profile` is empty before, and no use after an error.
  absl::Status Profile(const v1::ProfileRequest& request, v1::ProfileResponse* profile);
  /// What the signals per item say in the item table now, of an item that need not be in the catalog.
  absl::StatusOr<v1::ItemSignalsResponse> ItemSignals(const v1::ItemSignalsRequest& request) const;
  absl::StatusOr<v1::HistoryResponse> History(const v1::HistoryRequest& request);
  /// NotFound: the user has no collection of that name.
  absl::StatusOr<v1::CollectionResponse> Collection(const v1::CollectionRequest& request);

  /// What earlier pages showed the user is forgotten: a cursor of theirs has expired.
  void Forget(catalog::UserKey user) { chains_.Forget(user); }

  struct Counters {
    uint64_t answers = 0, runs_again = 0;
    uint64_t explored = 0, degraded = 0;  ///< answers
    uint64_t ranker_fallbacks = 0;        ///< answers that a promoted ranker was to order, and did not
    uint64_t chains = 0, chain_bytes = 0;
  };
  Counters counters() const;

 private:
  absl::StatusOr<Inputs> Gather(std::string_view user_id, std::string_view surface, Effort effort);
  /// Asks for the arms, and has the answer computed by their recipe.
  Arms ChooseArms(const std::string& user, const std::string& surface, const v1::Context& context, Inputs* inputs);
  void CountFallback(const v1::ServedRecord& record);
  /// Sets inputs->chain from the request's cursor.
  absl::Status FollowCursor(const v1::RecommendRequest& request, Inputs* inputs);
  std::string ContinueChain(const v1::RecommendRequest& request, const Inputs& inputs, const Answer& answer);

  const Sources sources_;
  const base::Clock* const clock_;
  const Options options_;
  ChainTable chains_;
  FeatureColumns columns_;
  std::atomic<uint64_t> sequence_ = 0;
  std::atomic<uint64_t> answers_ = 0, runs_again_ = 0, explored_ = 0, degraded_ = 0, ranker_fallbacks_ = 0;
};

}  // namespace bowerbird::serve
