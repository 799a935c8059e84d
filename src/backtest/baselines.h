#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backtest/stream.h"

namespace bowerbird::backtest {

/// A way to predict a user's next item, in simple code: what the product is held against. Sees the stream action by
/// action; predicts from what it has seen. Where its own idea gives fewer items than asked for, the most popular of the
/// last hour follow.
///
/// Threads  one.
class Baseline {
 public:
  virtual ~Baseline() = default;
  virtual std::string_view name() const = 0;
  /// At most `n` items, best first, for the user and the session of `next`; its item is not looked at.
  virtual std::vector<uint32_t> Predict(const Stream::Action& next, uint32_t n) = 0;
  virtual void Learn(const Stream::Action& action) = 0;
};

/// Counts of the last hour.
std::unique_ptr<Baseline> MakePopularLastHour(const Stream& stream);
/// Items that were in most sessions together with the user's last one, ever.
std::unique_ptr<Baseline> MakeLastItemCoOccurrence(const Stream& stream);
/// Session k-nearest neighbours (Jannach and Ludewig 2017, with the weights by position of V-SKNN): the kNeighbors most
/// similar of the 1,000 newest sessions that share an item with the user's session vote for their items.
std::unique_ptr<Baseline> MakeSessionNeighbors(const Stream& stream);

/// Numbers the sessions of a stream. One without a session column begins when a user did nothing for 30 minutes.
class Sessions {
 public:
  explicit Sessions(const Stream& stream);
  /// The session that `action` would belong to: a number that grows by one with each new session.
  uint32_t Of(const Stream::Action& action);

 private:
  struct Last {
    uint32_t session = Stream::kNoSession;
    int64_t time_us = 0;
  };
  std::vector<Last> of_user_;
  std::vector<uint32_t> of_name_;
  uint32_t count_ = 0;
};

}  // namespace bowerbird::backtest
