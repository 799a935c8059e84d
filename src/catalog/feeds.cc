#include "catalog/feeds.h"

#include <utility>

namespace bowerbird::catalog {

void Feeds::Load(Feed feed) {
  const std::lock_guard lock(mutex_);
  auto shared = std::make_shared<const Feed>(std::move(feed));
  feeds_[shared->token] = shared;
}

std::shared_ptr<const Feed> Feeds::Find(std::string_view token) const {
  const std::lock_guard lock(mutex_);
  const auto it = feeds_.find(token);
  return it == feeds_.end() ? nullptr : it->second;
}

Feeds::Changes Feeds::Name(std::string_view token, uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  Changes changes;
  if (const auto it = feeds_.find(token); it != feeds_.end()) {
    if (it->second->state == Feed::State::kOpen) changes.open_since = it->second->begin_offset;
    return changes;
  }
  uint32_t open = 0;
  std::shared_ptr<const Feed> oldest;
  for (const auto& [name, feed] : feeds_) {
    if (feed->state != Feed::State::kOpen) continue;
    ++open;
    if (oldest == nullptr || feed->begin_offset < oldest->begin_offset) oldest = feed;
  }
  if (open >= kOpenFeedsMax) Close(*oldest, Feed::State::kExpired, offset, &changes);
  changes.open_since = offset;
  changes.written.push_back(std::make_shared<const Feed>(Feed{.token = std::string(token), .begin_offset = offset}));
  return changes;
}

Feeds::Changes Feeds::End(std::string_view token, uint64_t offset, uint64_t last_batch, uint32_t withdrawn) const {
  const std::lock_guard lock(mutex_);
  Changes changes;
  const auto it = feeds_.find(token);
  if (it == feeds_.end() || it->second->state != Feed::State::kOpen) return changes;
  Feed feed = *it->second;
  feed.last_batch = last_batch;
  feed.withdrawn = withdrawn;
  Close(std::move(feed), Feed::State::kEnded, offset, &changes);
  return changes;
}

void Feeds::Close(Feed feed, Feed::State state, uint64_t offset, Changes* changes) const {
  feed.state = state;
  feed.end_offset = offset;
  uint32_t past = 1;
  const Feed* oldest = nullptr;
  for (const auto& [name, other] : feeds_) {
    if (other->state == Feed::State::kOpen) continue;
    ++past;
    if (oldest == nullptr || other->end_offset < oldest->end_offset) oldest = other.get();
  }
  if (past > kPastFeedsMax) changes->forgotten.push_back(oldest->token);
  changes->written.push_back(std::make_shared<const Feed>(std::move(feed)));
}

void Feeds::Commit(const Changes& changes) {
  const std::lock_guard lock(mutex_);
  for (const auto& feed : changes.written) feeds_[feed->token] = feed;
  for (const std::string& token : changes.forgotten) feeds_.erase(token);
}

}  // namespace bowerbird::catalog
