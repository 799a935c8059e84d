#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blend/blend.h"
#include "bowerbird/v1/served.pb.h"
#include "config/config.h"
#include "experiment/served/recipe.h"

namespace bowerbird::experiment::served {

/// Why an answer takes no part in an evaluation.
inline constexpr std::string_view kNotDrawn = "not_drawn";      ///< its order was not left to chance
inline constexpr std::string_view kDegraded = "degraded";       ///< overload: other candidates than the surface's
inline constexpr std::string_view kUnreadable = "unreadable";   ///< the record contradicts itself
inline constexpr std::string_view kOtherNames = "other_names";  ///< its features are those of another version
/// What the record says of its candidates does not give its own probabilities: they are not to be built on.
inline constexpr std::string_view kNotReproduced = "not_reproduced";
inline constexpr std::string_view kNotAllLogged = "not_all_logged";          ///< served.l2_sample left candidates out
inline constexpr std::string_view kFeatureNotLogged = "feature_not_logged";  ///< of a table's number

/// Categories of an item, as catalog::CategoryHash; nothing for one that is not known any more.
using CategoriesOf = std::function<std::optional<std::span<const uint64_t>>(uint64_t item_key)>;

/// A drawn answer from the served log, over whose candidates other scorings can be laid.
///
/// What it rests on is checked: the scoring that it was logged under, laid over it by the same code, must give the
/// probabilities that it was drawn with.
class LoggedAnswer {
 public:
  /// One place of the page under a scoring.
  struct Place {
    double probability = 0;  ///< of what stands there, given what stands above
    double on_support = 0;   ///< share of the scoring's probability on what could have been drawn there
    struct Share {
      uint32_t candidate = 0;  ///< index
      double probability = 0;
    };
    std::vector<Share> shares;  ///< of everything that the scoring could have put there; sum to 1 unless empty
  };

  /// `surface` of `logged` is what it was answered under. Empty, or why it is left out. `record` must outlive this.
  std::string_view Read(const v1::ServedRecord& record, const config::Surface& surface, const Scoring& logged,
                        const CategoriesOf& categories);

  uint32_t positions() const { return static_cast<uint32_t>(propensities_.size()); }
  uint32_t candidates() const { return static_cast<uint32_t>(keys_.size()); }
  uint64_t item(uint32_t candidate) const { return keys_[candidate]; }
  double propensity(uint32_t place) const { return propensities_[place]; }

  /// The same page under another scoring. Empty, or why this answer says nothing of it.
  std::string_view Lay(const Scoring& scoring, std::vector<Place>* places);

 private:
  std::string_view Take(const v1::ServedRecord& record, const CategoriesOf& categories);
  void ReadFactors();
  bool Reproduced();
  void Order(const std::vector<double>& scores);
  void Retrace(const std::vector<double>& scores, const Scoring& scoring, std::vector<Place>* places);

  const v1::ServedRecord* record_ = nullptr;
  const Scoring* logged_ = nullptr;
  bool by_trained_ = false;  ///< weights have no say in the scores
  bool all_logged_ = false;  ///< every candidate that was ranked, with its features
  std::vector<uint64_t> keys_;
  std::vector<double> factors_;  ///< of rules and the seen policy, on the rank score
  std::vector<std::span<const uint64_t>> categories_;
  std::vector<std::span<const uint64_t>> above_;  ///< categories of what earlier pages showed last
  std::vector<double> propensities_;              ///< by place
  std::vector<bool> pinned_;                      ///< by place
  std::vector<bool> drawable_;                    ///< {places, candidates}

  // Of the scoring that is laid over it.
  std::vector<double> scores_, added_;
  std::vector<uint32_t> order_, rank_of_;
  std::vector<blend::Candidate> ordered_;
  std::vector<Place> own_;
};

}  // namespace bowerbird::experiment::served
