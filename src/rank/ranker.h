#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "index/live_index.h"
#include "rank/interests.h"
#include "rank/trained.h"
#include "retrieve/taste.h"
#include "state/item_table.h"
#include "state/user_state.h"

namespace bowerbird::rank {

/// What the ranker knows of a candidate, in the order of the served log's features. docs/methods/ranking.md has the
/// formula of each and how the default weights were found.
enum class Feature : uint8_t {
  kIals,             ///< user factor times item factor, in units of what an ordinary item scores
  kNear,             ///< best cosine with an item that the user acted on, older ones counting less
  kSession,          ///< the same as a sum over the last few actions
  kSessionCategory,  ///< part of the item's categories in the last few actions
  kCoOccurrence,     ///< the generator's score, 0..1
  kSimilar,          ///< the generator's score
  kAffinity,         ///< share of the item's categories in the user's decayed actions
  kInterest,         ///< log of the rate at which the user acts on items of the first category, over the user's rate
  kInterestFine,     ///< what the further categories add to that
  kTired,            ///< items of its first category seen lately
  kQuality,          ///< log of the item's rate of actions per impression over the candidates' rate
  kPopularity,       ///< log of its weight of actions, over the candidates' greatest
  kPopular,          ///< the generator's score
  kTrending,         ///< the generator's score
  kFresh,            ///< 1 for created now, 0 at the fresh generator's window
  kSeen,             ///< log of impressions by this user
  kUntrained,        ///< 1 for a factor predicted from attributes
  kNext,             ///< log of the generator's chance that it is the user's next
  kCount,
};
inline constexpr size_t kFeatures = static_cast<size_t>(Feature::kCount);
inline constexpr size_t kKinds = 7;  ///< of generators

std::string_view FeatureName(Feature feature);

/// A candidate as retrieval found it.
struct Candidate {
  index::ItemHandle item;
  /// Best score of the generators of each kind (config::GeneratorKind), each times its GeneratorShare; 0 where none
  /// found it.
  std::array<float, kKinds> generated{};
};

/// The surface's weight of a generator over the greatest among its generators of that kind; the latter scales the
/// kind's feature.
double GeneratorShare(const config::Config& config, const config::Surface& surface, std::string_view generator);

/// Features of a request beside those of Feature, such as what other teams' tables say.
class AddedFeatures {
 public:
  virtual ~AddedFeatures() = default;
  virtual size_t size() const = 0;
  virtual std::string_view name(size_t added) const = 0;
  /// In the hand-made sum; an absent value adds nothing.
  virtual double weight(size_t added) const = 0;
  /// {size()}; NaN: absent.
  virtual void Read(const index::ItemHandle& item, std::span<float> values) const = 0;
};

/// What all candidates of a request share. Pointers are not null but for `item`, `trained` and `added`.
struct Request {
  const config::Config* config = nullptr;
  const config::Surface* surface = nullptr;
  const index::LiveView* view = nullptr;
  const state::UserState* user = nullptr;
  const state::ItemTable* items = nullptr;
  const retrieve::Taste* taste = nullptr;
  const index::ItemHandle* item = nullptr;  ///< of a related surface
  const Trained* trained = nullptr;         ///< promoted for the surface; null: the weights of recipe.cc rank
  const AddedFeatures* added = nullptr;     ///< must have those that `trained` asks for
  int64_t now_us = 0;
};

/// What everybody did with a set of candidates: what their own counts are measured against.
struct Crowd {
  double rate = 0;      ///< weight of actions an impression
  double greatest = 0;  ///< weight of actions of the most acted-on one
};

struct Ranked {
  size_t width = kFeatures;        ///< of a candidate's features: those of Feature, then the added ones
  std::vector<float> features;     ///< {candidates, width}; of the added ones NaN: absent
  std::vector<std::string> added;  ///< names
  std::vector<float> scores;       ///< {candidates}, in (0, 1): sigmoid of the weighted sum
  /// {candidates}: index in taste.recent of the item that gave kNear; kNoNear where none did.
  std::vector<uint32_t> nearest;
  static constexpr uint32_t kNoNear = UINT32_MAX;
  std::array<double, kFeatures> weights{};  ///< what each feature was multiplied by
  Crowd crowd;                              ///< what the candidates' counts were measured against
  bool by_trained = false;                  ///< the scores are the trained ranker's
  bool trained_invalid = false;             ///< it gave something that is no number, so the weights ranked

  /// What a feature added to the weighted sum of a candidate.
  double Contribution(size_t candidate, Feature feature) const {
    const auto f = static_cast<size_t>(feature);
    return weights[f] * features[candidate * width + f];
  }
};

/// What a surface's generators and weights make of the features.
struct Recipe {
  static Recipe Of(const config::Config& config, const config::Surface& surface);

  bool personal = false;                     ///< has a generator of kind ials, co_occurrence or similar
  const config::Generator* fresh = nullptr;  ///< the surface's first of that kind
  std::array<double, kKinds> kinds{};  ///< greatest weight among the surface's generators of each kind; 0 without one
  std::array<double, kFeatures> weights{};

  /// A candidate's score: its features times `weights`, and the added ones behind them times `added`, in that order,
  /// squeezed into (0, 1). An added feature that is absent (NaN) adds nothing.
  float Score(std::span<const float> features, std::span<const double> added) const;
};

/// Two stages over a request's candidates, with what they share of the user made once: FirstScores over thousands, Rank
/// over the hundreds that came out best.
///
/// Weights  those of recipe.cc, found as docs/methods/ranking.md says. Surface::weights are relative: each generator's
///          is divided by the greatest of the surface (1 where not given) and scales the feature of its kind; a
///          feature's own name scales that feature. The feature of a generator that the surface does not name counts 0.
///          A surface without a personal generator (ials, co_occurrence, similar) ranks by its generators' scores
///          alone, and by the added features.
/// Added    counts from Rank on: FirstScores know nothing of it.
/// Trained  where the request has one and the surface is personal, Rank's scores are its own, over the same features;
///          FirstScores stay as they are.
/// Same     sums in a fixed order: the same inputs give the same bits on machines with the same instruction set.
/// Threads  one; `request` and what it points to must outlive it.
class Ranker {
 public:
  explicit Ranker(const Request& request);

  /// {candidates}: a guess at Rank's scores, in (0, 1), by what retrieval said and two inner products. It stands for
  /// the nearness to the nearest item by that to their weighted mean, for the categories by the first, and leaves the
  /// counts of everybody out.
  std::vector<float> FirstScores(std::span<const Candidate> candidates) const;

  /// Features and score of each candidate: how much this user would take from seeing it now, by a weighted sum of the
  /// features squeezed into (0, 1). Multiplying a score (boost, bury) multiplies that.
  /// `crowd`: what their counts are measured against; null: these candidates themselves.
  Ranked Rank(std::span<const Candidate> candidates, const Crowd* crowd = nullptr) const;

 private:
  /// Items that the user acted on, as directions.
  struct Anchors {
    std::vector<float> directions;  ///< {size, dim}, unit length
    std::vector<float> near_weights, session_weights;
    std::vector<uint32_t> recent;  ///< index in taste.recent

    size_t size() const { return recent.size(); }
  };
  static Anchors MakeAnchors(const Request& request);
  std::vector<float> MeanDirection() const;
  void FactorFeatures(std::span<const Candidate> candidates, Ranked* ranked) const;
  void CategoryFeatures(const index::ItemHandle& item, float* features) const;
  void CrowdFeatures(std::span<const Candidate> candidates, const Crowd* crowd, Ranked* ranked) const;
  /// Puts the trained ranker's scores in the place of the weighted sum's, unless one of them is no number.
  void ScoreByTrained(Ranked* ranked) const;
  /// 1 for created now, 0 from the fresh generator's window on.
  double Freshness(const index::ItemHandle& item) const {
    const int64_t age_us = std::max<int64_t>(0, request_.now_us - request_.view->CreatedUs(item));
    if (age_us >= recipe_.fresh->window_us) return 0;
    return 1 - static_cast<double>(age_us) / static_cast<double>(recipe_.fresh->window_us);
  }
  float InverseNorm(const index::ItemHandle& item) const;

  const Request request_;
  const Recipe recipe_;
  size_t dim_ = 0;  ///< 0 without a model or without anything to compare with
  Anchors anchors_;
  Interests interests_;
};

}  // namespace bowerbird::rank
