#include "lake/group_cache.h"

#include <limits>

#include "base/clock.h"

namespace bowerbird::lake {

absl::StatusOr<GroupCache::Group> GroupCache::Get(uint64_t part, size_t group,
                                                  const std::function<absl::StatusOr<Group>()>& load) {
  const Key key(part, group);
  {
    const absl::MutexLock lock(&mutex_);
    asked_us_ = base::MonotonicUs();
    const auto settled = [&] {
      const auto entry = entries_.find(key);
      return entry == entries_.end() || entry->second.group != nullptr;
    };
    mutex_.Await(absl::Condition(&settled));
    if (const auto entry = entries_.find(key); entry != entries_.end()) {
      used_.splice(used_.begin(), used_, entry->second.used);
      return entry->second.group;
    }
    entries_.emplace(key, Entry{nullptr, used_.end()});
  }
  absl::StatusOr<Group> loaded = load();
  const absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(key);
  if (!loaded.ok()) {
    entries_.erase(entry);
    return loaded;
  }
  entry->second.group = *loaded;
  used_.push_front(key);
  entry->second.used = used_.begin();
  bytes_ += (*loaded)->bytes();
  while (bytes_ > bytes_max_) Drop(entries_.find(used_.back()));
  return loaded;
}

void GroupCache::Drop(std::map<Key, Entry>::iterator entry) {
  if (entry->second.group == nullptr) return;
  bytes_ -= entry->second.group->bytes();
  used_.erase(entry->second.used);
  entries_.erase(entry);
}

void GroupCache::Forget(uint64_t part) {
  const absl::MutexLock lock(&mutex_);
  auto entry = entries_.lower_bound({part, 0});
  while (entry != entries_.end() && entry->first.first == part) Drop(entry++);
}

void GroupCache::DropUnused(int64_t unused_us) {
  const absl::MutexLock lock(&mutex_);
  if (bytes_ == 0 || base::MonotonicUs() - asked_us_ < unused_us) return;
  while (!used_.empty()) Drop(entries_.find(used_.back()));
}

size_t GroupCache::bytes() const {
  const absl::MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace bowerbird::lake
