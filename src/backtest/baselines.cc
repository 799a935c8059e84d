#include "backtest/baselines.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace bowerbird::backtest {
namespace {

constexpr int64_t kHourUs = int64_t{3600} * 1'000'000;
constexpr int64_t kSessionGapUs = kHourUs / 2;
constexpr uint32_t kNone = UINT32_MAX;

using Scores = absl::flat_hash_map<uint32_t, double>;

/// Of `scores`, the best `n` items, best first, ties by number.
std::vector<uint32_t> Best(const Scores& scores, uint32_t n) {
  std::vector<std::pair<double, uint32_t>> ranked;
  ranked.reserve(scores.size());
  for (const auto& [item, score] : scores) ranked.emplace_back(-score, item);
  const auto kept = static_cast<ptrdiff_t>(std::min<size_t>(n, ranked.size()));
  std::partial_sort(ranked.begin(), ranked.begin() + kept, ranked.end());
  std::vector<uint32_t> best;
  for (auto at = ranked.begin(); at != ranked.begin() + kept; ++at) best.push_back(at->second);
  return best;
}

class LastHour {
 public:
  void Learn(const Stream::Action& action) {
    Forget(action.time_us);
    window_.push_back({action.time_us, action.item});
    ++counts_[action.item];
  }
  std::vector<uint32_t> Top(int64_t now_us, uint32_t n) {
    Forget(now_us);
    return Best(counts_, n);
  }
  /// Appends the hour's best until there are `n`.
  void Fill(int64_t now_us, uint32_t n, std::vector<uint32_t>* items) {
    if (items->size() >= n) return;
    for (const uint32_t item : Top(now_us, 2 * n)) {
      if (items->size() == n) break;
      if (std::find(items->begin(), items->end(), item) == items->end()) items->push_back(item);
    }
  }

 private:
  struct Click {
    int64_t time_us;
    uint32_t item;
  };
  void Forget(int64_t now_us) {
    for (; !window_.empty() && window_.front().time_us <= now_us - kHourUs; window_.pop_front()) {
      const auto count = counts_.find(window_.front().item);
      if (--count->second == 0) counts_.erase(count);
    }
  }
  std::deque<Click> window_;
  Scores counts_;
};

class PopularLastHour final : public Baseline {
 public:
  std::string_view name() const override { return "popular_1h"; }
  std::vector<uint32_t> Predict(const Stream::Action& next, uint32_t n) override { return hour_.Top(next.time_us, n); }
  void Learn(const Stream::Action& action) override { hour_.Learn(action); }

 private:
  LastHour hour_;
};

class LastItemCoOccurrence final : public Baseline {
 public:
  explicit LastItemCoOccurrence(const Stream& stream)
      : sessions_(stream), last_(stream.users.size(), kNone), together_(stream.items.size()) {}
  std::string_view name() const override { return "co_occurrence"; }

  std::vector<uint32_t> Predict(const Stream::Action& next, uint32_t n) override {
    std::vector<uint32_t> items;
    if (last_[next.user] != kNone) items = Best(together_[last_[next.user]], n);
    hour_.Fill(next.time_us, n, &items);
    return items;
  }

  void Learn(const Stream::Action& action) override {
    hour_.Learn(action);
    last_[action.user] = action.item;
    std::vector<uint32_t>& session = items_[sessions_.Of(action)];
    if (std::find(session.begin(), session.end(), action.item) != session.end()) return;
    for (const uint32_t other : session) {
      ++together_[other][action.item];
      ++together_[action.item][other];
    }
    session.push_back(action.item);
  }

 private:
  Sessions sessions_;
  LastHour hour_;
  std::vector<uint32_t> last_;
  std::vector<Scores> together_;
  absl::flat_hash_map<uint32_t, std::vector<uint32_t>> items_;  ///< by session
};

class SessionNeighbors final : public Baseline {
 public:
  explicit SessionNeighbors(const Stream& stream) : sessions_(stream), of_item_(stream.items.size()) {}
  std::string_view name() const override { return "session_knn"; }

  std::vector<uint32_t> Predict(const Stream::Action& next, uint32_t n) override {
    std::vector<uint32_t> items;
    const uint32_t own = sessions_.Of(next);
    if (own < known_.size() && !known_[own].items.empty()) items = Best(Votes(own), n);
    hour_.Fill(next.time_us, n, &items);
    return items;
  }

  void Learn(const Stream::Action& action) override {
    hour_.Learn(action);
    const uint32_t number = sessions_.Of(action);
    if (number >= known_.size()) known_.resize(number + 1);
    Session& session = known_[number];
    session.last_us = action.time_us;
    if (std::find(session.items.begin(), session.items.end(), action.item) != session.items.end()) return;
    session.items.push_back(action.item);
    of_item_[action.item].push_back(number);
  }

 private:
  static constexpr size_t kNewest = 1000;
  static constexpr size_t kNeighbors = 500;
  struct Session {
    std::vector<uint32_t> items;
    int64_t last_us = 0;
  };

  std::vector<uint32_t> SharingSessions(uint32_t own) const {
    absl::flat_hash_set<uint32_t> found;
    for (const uint32_t item : known_[own].items) {
      const std::vector<uint32_t>& all = of_item_[item];
      for (size_t back = 1; back <= all.size() && back <= kNewest; ++back) found.insert(all[all.size() - back]);
    }
    found.erase(own);
    std::vector<uint32_t> sharing(found.begin(), found.end());
    const auto newer = [this](uint32_t a, uint32_t b) {
      return known_[a].last_us != known_[b].last_us ? known_[a].last_us > known_[b].last_us : a > b;
    };
    if (sharing.size() > kNewest) {
      std::nth_element(sharing.begin(), sharing.begin() + kNewest, sharing.end(), newer);
      sharing.resize(kNewest);
    }
    return sharing;
  }

  Scores Votes(uint32_t own) const {
    const std::vector<uint32_t>& items = known_[own].items;
    Scores weights;
    for (size_t i = 0; i < items.size(); ++i) {
      weights[items[i]] = static_cast<double>(i + 1) / static_cast<double>(items.size());
    }
    std::vector<std::pair<double, uint32_t>> neighbors;
    for (const uint32_t session : SharingSessions(own)) {
      double product = 0;
      for (const uint32_t item : known_[session].items) {
        const auto weight = weights.find(item);
        if (weight != weights.end()) product += weight->second;
      }
      const auto sizes = static_cast<double>(known_[session].items.size() * items.size());
      neighbors.emplace_back(-product / std::sqrt(sizes), session);
    }
    if (neighbors.size() > kNeighbors) {
      std::nth_element(neighbors.begin(), neighbors.begin() + kNeighbors, neighbors.end());
      neighbors.resize(kNeighbors);
    }
    std::sort(neighbors.begin(), neighbors.end());
    Scores votes;
    for (const auto& [distance, session] : neighbors) {
      for (const uint32_t item : known_[session].items) {
        if (!weights.contains(item)) votes[item] -= distance;
      }
    }
    return votes;
  }

  Sessions sessions_;
  LastHour hour_;
  std::vector<Session> known_;
  std::vector<std::vector<uint32_t>> of_item_;  ///< sessions, oldest first
};

}  // namespace

Sessions::Sessions(const Stream& stream) : of_user_(stream.users.size()) {}

uint32_t Sessions::Of(const Stream::Action& action) {
  if (action.session != Stream::kNoSession) {
    if (action.session >= of_name_.size()) of_name_.resize(action.session + 1, Stream::kNoSession);
    uint32_t& number = of_name_[action.session];
    if (number == Stream::kNoSession) number = count_++;
    return number;
  }
  Last& last = of_user_[action.user];
  if (last.session == Stream::kNoSession || action.time_us - last.time_us > kSessionGapUs) last.session = count_++;
  last.time_us = action.time_us;
  return last.session;
}

std::unique_ptr<Baseline> MakePopularLastHour(const Stream&) { return std::make_unique<PopularLastHour>(); }
std::unique_ptr<Baseline> MakeLastItemCoOccurrence(const Stream& stream) {
  return std::make_unique<LastItemCoOccurrence>(stream);
}
std::unique_ptr<Baseline> MakeSessionNeighbors(const Stream& stream) {
  return std::make_unique<SessionNeighbors>(stream);
}

}  // namespace bowerbird::backtest
