#include "serve/chain_table.h"

#include <iterator>
#include <utility>

namespace bowerbird::serve {

uint64_t ChainTable::Page::bytes() const {
  // The id is stored twice (list and map); 128 covers the nodes of both.
  return sizeof(Page) + 128 + 2 * request_id.size() + shown.size() * sizeof(catalog::ItemKey);
}

void ChainTable::Erase(std::list<Page>::iterator page) {
  bytes_ -= page->bytes();
  by_id_.erase(page->request_id);
  pages_.erase(page);
}

void ChainTable::Forget(catalog::UserKey user) {
  const std::lock_guard lock(mutex_);
  for (auto page = pages_.begin(); page != pages_.end();) {
    const auto next = std::next(page);
    if (page->user == user) Erase(page);
    page = next;
  }
}

void ChainTable::Put(std::string_view request_id, std::vector<catalog::ItemKey> shown, int64_t now_us,
                     catalog::UserKey user) {
  shown.shrink_to_fit();
  Page page{std::string(request_id), std::move(shown), now_us, user};
  const uint64_t bytes = page.bytes();
  const std::lock_guard lock(mutex_);
  const auto existing = by_id_.find(request_id);
  if (existing != by_id_.end()) Erase(existing->second);
  if (bytes > bounds_.bytes_max || bounds_.pages_max == 0) return;
  while (!pages_.empty() && (bytes_ + bytes > bounds_.bytes_max || pages_.size() >= bounds_.pages_max)) {
    Erase(std::prev(pages_.end()));
  }
  pages_.push_front(std::move(page));
  by_id_.emplace(pages_.front().request_id, pages_.begin());
  bytes_ += bytes;
}

std::optional<std::vector<catalog::ItemKey>> ChainTable::Find(std::string_view request_id, int64_t now_us) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(request_id);
  if (found == by_id_.end()) return std::nullopt;
  const auto page = found->second;
  if (now_us - page->time_us >= bounds_.lifetime_us) {
    Erase(page);
    return std::nullopt;
  }
  pages_.splice(pages_.begin(), pages_, page);
  return page->shown;
}

uint64_t ChainTable::pages() const {
  const std::lock_guard lock(mutex_);
  return pages_.size();
}

uint64_t ChainTable::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace bowerbird::serve
