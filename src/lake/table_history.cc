#include "lake/table_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <string_view>

#include "base/status_macros.h"

namespace bowerbird::lake {
namespace {

using log::Offset;

constexpr Offset kAnywhere = std::numeric_limits<Offset>::max();
constexpr int64_t kAnyTime = std::numeric_limits<int64_t>::min();
constexpr size_t kLayoutBytesMax = 64u << 20;
// Whoever reads the partitions beside each other holds what so many rows take, in so many files.
constexpr uint64_t kRowsTogether = 256u << 10;
constexpr size_t kPartsTogether = 128;

/// Failures of a file, not of the machine.
bool IsOfFile(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsFailedPrecondition(status);
}

}  // namespace

absl::Status TableHistory::Refresh() {
  std::shared_ptr<const Manifest> newest = store_.manifest();
  if (newest == manifest_) return absl::OkStatus();
  std::vector<Chain> chains(newest->next.size());
  for (uint32_t p = 0; p < chains.size() && p < log_.PartitionCount(table_.topic); ++p) {
    ASSIGN_OR_RETURN(const Offset end, log_.EndOffset(table_.topic, p));
    // What has more than the log was not made of it.
    if (newest->next[p] <= end) chains[p].begin = chains[p].end = newest->next[p];
  }
  std::set<std::string_view> named;
  newest_us_ = {kAnyTime};
  for (const Part& part : newest->parts) {
    named.insert(part.path);
    newest_us_.push_back(std::max(newest_us_.back(), part.last_us));
  }
  std::erase_if(damaged_, [&](const auto& one) { return !named.contains(one.first); });
  std::erase_if(indexes_, [&](const auto& one) {
    if (named.contains(one.first)) return false;
    cache_.Forget(one.second->id);
    return true;
  });
  chains_ = std::move(chains);
  parts_.assign(newest->parts.size(), nullptr);
  unexamined_ = newest->parts.size();
  manifest_ = std::move(newest);
  return absl::OkStatus();
}

absl::Status TableHistory::Examine() {
  const size_t number = --unexamined_;
  const Part& part = manifest_->parts[number];
  if (damaged_.contains(part.path)) return absl::OkStatus();
  auto known = indexes_.find(part.path);
  if (known == indexes_.end()) {
    const absl::StatusOr<Index> index = IndexPart(table_, store_, part);
    if (!index.ok() && store_.manifest() != manifest_) return Refresh();
    if (!index.ok() && IsOfFile(index.status())) {
      damaged_[part.path] = std::string(index.status().message());
      return absl::OkStatus();
    }
    if (!index.ok()) {
      ++unexamined_;
      return index.status();
    }
    known = indexes_.emplace(part.path, *index).first;
  }
  parts_[number] = known->second;
  for (const LogRange& span : known->second->spans) {
    if (span.partition >= chains_.size()) continue;
    Chain& chain = chains_[span.partition];
    chain.loose.emplace(span.end, Link{span.begin, span.end, number});
    for (auto next = chain.loose.find(chain.begin); next != chain.loose.end(); next = chain.loose.find(chain.begin)) {
      chain.links.push_back(next->second);
      chain.begin = next->second.begin;
      chain.loose.erase(next);
    }
  }
  return absl::OkStatus();
}

bool TableHistory::Meets(uint32_t partition, Offset until) const {
  return partition < chains_.size() && chains_[partition].end >= until;
}

const TableHistory::Link* TableHistory::LinkAt(uint32_t partition, Offset offset) const {
  const std::vector<Link>& links = chains_[partition].links;
  const auto link = std::ranges::partition_point(links, [&](const Link& one) { return one.begin > offset; });
  return link != links.end() && offset < link->end ? &*link : nullptr;
}

absl::Status TableHistory::NotReached(uint32_t partition, Offset offset, Offset until) const {
  const Chain none;
  const Chain& chain = partition < chains_.size() ? chains_[partition] : none;
  std::string why = chain.end < until
                        ? fmt::format("the lake ends at offset {}, and the log begins at {}", chain.end, until)
                        : fmt::format("the lake's history begins at offset {}", chain.begin);
  if (!damaged_.empty()) why += "; " + damaged_.rbegin()->second;  // the newest
  if (damaged_.size() > 1) why += fmt::format("; and {} more files", damaged_.size() - 1);
  return absl::OutOfRangeError(fmt::format("topic {}, partition {}: offset {} is gone: {}",
                                           log::TopicName(table_.topic), partition, offset, why));
}

absl::StatusOr<TableHistory::Place> TableHistory::Find(uint32_t partition, Offset offset, Offset until) {
  while (true) {
    const absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(Refresh());
    if (!Meets(partition, until)) return NotReached(partition, offset, until);
    if (const Link* link = LinkAt(partition, offset)) return Place{parts_[link->part], link->end, manifest_};
    if (unexamined_ == 0) return NotReached(partition, offset, until);
    RETURN_IF_ERROR(Examine());
  }
}

bool TableHistory::Replaced(const Place& place, const absl::Status& failure) {
  const absl::MutexLock lock(&mutex_);
  if (store_.manifest() != place.manifest) return true;
  if (!IsOfFile(failure)) return false;
  damaged_[place.index->part] = std::string(failure.message());
  indexes_.erase(place.index->part);
  manifest_ = nullptr;
  return false;
}

absl::StatusOr<Offset> TableHistory::Begin(uint32_t partition, Offset until) {
  while (true) {
    const absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(Refresh());
    if (!Meets(partition, until)) return until;
    if (unexamined_ == 0) return std::min(until, chains_[partition].begin);
    RETURN_IF_ERROR(Examine());
  }
}

absl::StatusOr<TableHistory::Layout> TableHistory::LayoutOf(const Index& index) {
  {
    const absl::MutexLock lock(&layouts_mutex_);
    const auto known = std::ranges::find(layouts_, index->id, &std::pair<uint64_t, Layout>::first);
    if (known != layouts_.end()) {
      layouts_.splice(layouts_.begin(), layouts_, known);
      return known->second;
    }
  }
  ASSIGN_OR_RETURN(Layout layout, PartLayout::Read(table_, *index));
  const absl::MutexLock lock(&layouts_mutex_);
  layouts_.emplace_front(index->id, layout);
  layout_bytes_ += layout->bytes();
  for (; layout_bytes_ > kLayoutBytesMax && layouts_.size() > 1; layouts_.pop_back())
    layout_bytes_ -= layouts_.back().second->bytes();
  return layout;
}

absl::StatusOr<GroupCache::Group> TableHistory::GroupOf(const Index& index, size_t group) {
  return cache_.Get(index->id, group, [&] { return RecordGroup::Read(table_, index->path, group); });
}

absl::Status TableHistory::ReadPart(const Place& place, uint32_t partition, Offset until, Reading* reading) {
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(place.index));
  Offset& next = reading->result->next_offset;
  for (const uint32_t range : layout->RangesOf(partition)) {
    const LogRange& of = layout->ranges()[range];
    if (of.end <= next) continue;
    const Offset end = std::min(of.end, until);
    auto [group, groups_end] = layout->GroupsOf(range, next);
    for (; group < groups_end && !reading->full() && next < end; ++group) {
      if (!layout->MayHave(group, partition, kAnyTime)) continue;
      ASSIGN_OR_RETURN(const GroupCache::Group records, GroupOf(place.index, group));
      records->Visit(partition, next, end, [&](const RecordGroup::Entry& entry) {
        if (layout->dense() && entry.offset != next) return false;
        reading->result->records.push_back(records->RecordOf(entry));
        reading->bytes += entry.key_bytes + entry.value_bytes;
        next = entry.offset + 1;
        return !reading->full();
      });
    }
    if (reading->full()) return absl::OkStatus();
    if (layout->dense() && next != end) {
      return absl::DataLossError(fmt::format("{}: damaged: the record of partition {} at offset {} is missing",
                                             place.index->path, partition, next));
    }
    next = end;
    if (next == until) return absl::OkStatus();
  }
  return next >= place.end ? absl::OkStatus()
                           : absl::DataLossError(fmt::format("{}: damaged: partition {} ends at offset {}; expected {}",
                                                             place.index->path, partition, next, place.end));
}

absl::Status TableHistory::Read(uint32_t partition, Offset until, size_t records_max, size_t bytes_max,
                                log::ReadResult* result) {
  Reading reading{records_max, bytes_max, 0, result};
  while (result->next_offset < until && !reading.full()) {
    const absl::StatusOr<Place> place = Find(partition, result->next_offset, until);
    // What was read is an answer; whoever goes on is told.
    if (absl::IsOutOfRange(place.status()) && !result->records.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(place.status());
    const absl::Status read = ReadPart(*place, partition, until, &reading);
    if (!read.ok() && !Replaced(*place, read)) return IsOfFile(read) ? absl::DataLossError(read.message()) : read;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Offset>> TableHistory::FirstPlaceOf(uint32_t partition, Offset until, int64_t time_us) {
  while (true) {
    const absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(Refresh());
    if (!Meets(partition, until)) return std::optional<Offset>();
    if (unexamined_ > 0 && newest_us_[unexamined_] >= time_us) {
      RETURN_IF_ERROR(Examine());
      continue;
    }
    const std::vector<Link>& links = chains_[partition].links;
    auto older =
        std::ranges::partition_point(links, [&](const Link& link) { return newest_us_[link.part + 1] >= time_us; });
    while (older != links.end() && parts_[older->part]->last_us >= time_us) ++older;
    return older == links.begin() ? std::optional<Offset>() : std::prev(older)->begin;
  }
}

absl::StatusOr<std::optional<Offset>> TableHistory::OffsetAtTimeIn(const Place& place, uint32_t partition, Offset begin,
                                                                   int64_t time_us) {
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(place.index));
  std::optional<Offset> found;
  for (const uint32_t range : layout->RangesOf(partition)) {
    const LogRange& of = layout->ranges()[range];
    if (of.end <= begin) continue;
    auto [group, end] = layout->GroupsOf(range, begin);
    for (; group < end && !found.has_value(); ++group) {
      if (!layout->MayHave(group, partition, time_us)) continue;
      ASSIGN_OR_RETURN(const GroupCache::Group records, GroupOf(place.index, group));
      records->Visit(partition, std::max(begin, of.begin), of.end, [&](const RecordGroup::Entry& entry) {
        if (entry.append_time_us >= time_us) found = entry.offset;
        return !found.has_value();
      });
    }
    if (found.has_value()) break;
  }
  return found;
}

absl::StatusOr<Offset> TableHistory::OffsetAtTime(uint32_t partition, Offset until, int64_t time_us) {
  ASSIGN_OR_RETURN(const std::optional<Offset> first, FirstPlaceOf(partition, until, time_us));
  Offset at = first.value_or(until);
  while (at < until) {
    ASSIGN_OR_RETURN(const Place place, Find(partition, at, until));
    const absl::StatusOr<std::optional<Offset>> found = OffsetAtTimeIn(place, partition, at, time_us);
    if (!found.ok()) {
      if (Replaced(place, found.status())) continue;
      return IsOfFile(found.status()) ? absl::DataLossError(found.status().message()) : found.status();
    }
    if (found->has_value()) return std::min(**found, until);
    at = place.end;
  }
  return until;
}

std::vector<Offset> TableHistory::ReadTogether(std::span<const Offset> from, std::span<const Offset> until) {
  std::vector<Offset> ends(from.size(), kAnywhere), alone(from.size(), kAnywhere);
  std::vector<Index> parts;
  for (uint32_t p = 0; p < from.size(); ++p) {
    if (from[p] >= until[p]) continue;
    const absl::StatusOr<Place> place = Find(p, from[p], until[p]);
    if (!place.ok()) continue;  // whoever reads it is told
    ends[p] = from[p];
    alone[p] = std::min(place->end, until[p]);
  }
  {
    const absl::MutexLock lock(&mutex_);
    size_t oldest = parts_.size();
    for (uint32_t p = 0; p < from.size() && p < chains_.size(); ++p) {
      const Link* link = ends[p] == kAnywhere ? nullptr : LinkAt(p, from[p]);
      if (link != nullptr) oldest = std::min(oldest, link->part);
    }
    for (; oldest < parts_.size() && parts.size() < kPartsTogether; ++oldest) {
      if (parts_[oldest] != nullptr) parts.push_back(parts_[oldest]);
    }
  }
  uint64_t rows = 0;
  for (const Index& index : parts) {
    const absl::StatusOr<Layout> layout = LayoutOf(index);
    if (!layout.ok()) break;
    for (const LogRange& range : (*layout)->ranges()) {
      if (rows >= kRowsTogether) return ends;
      if (range.partition >= ends.size() || ends[range.partition] == kAnywhere) continue;
      Offset& end = ends[range.partition];
      const Offset next = std::min(range.end, until[range.partition]);
      if (range.begin > end || next <= end) continue;
      rows += next - end;
      end = next;
    }
  }
  return rows > 0 ? ends : alone;
}

}  // namespace bowerbird::lake
