#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <limits>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "log/rocks_log.h"

namespace bowerbird::log {
namespace {

constexpr size_t kRewriteBatchBytes = 1 << 20;

std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

/// The run with those of its records replaced that are among `replacements`, which ascend and end within it. Takes off
/// their end what it has used.
absl::StatusOr<std::string_view> Replace(std::string_view key, std::string_view value,
                                         std::span<const ManagedLog::Replacement>* replacements, RunBuilder* builder) {
  ASSIGN_OR_RETURN(RunReader run, RunReader::Open(key, value));
  const auto first =
      std::ranges::lower_bound(*replacements, run.header().first_offset, {}, &ManagedLog::Replacement::offset);
  if (first == replacements->end()) {
    return absl::NotFoundError(fmt::format("there is no record at offset {} to replace", replacements->back().offset));
  }
  auto next = first;
  RunReader::Item item;
  bool started = false;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, run.Next(&item));
    if (!more) break;
    if (!started) builder->Start(item.offset, run.header().append_time_us);
    started = true;
    if (next != replacements->end() && next->offset == item.offset) {
      builder->Add(item.offset, next->key, next->value);
      ++next;
    } else {
      builder->Add(item.offset, item.key, item.value);
    }
  }
  if (next != replacements->end()) {
    return absl::NotFoundError(fmt::format("there is no record at offset {} to replace", next->offset));
  }
  *replacements = replacements->first(static_cast<size_t>(first - replacements->begin()));
  return builder->Finish(key);
}

}  // namespace

absl::Status RocksLog::Rewrite(Topic topic, uint32_t partition, std::span<const Replacement> replacements) {
  ASSIGN_OR_RETURN(TopicState* const state, Find(topic, partition));
  std::lock_guard one_at_a_time(retention_mutex_);
  std::shared_lock lock(store_mutex_);
  RETURN_IF_ERROR(CheckStore());
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(store_->db().NewIterator(options, store_->column(topic)));
  rocksdb::WriteBatch batch;
  RunBuilder builder;
  const Offset begin = state->segments.bounds(partition).begin;
  while (!replacements.empty()) {
    const Offset offset = replacements.back().offset;
    const auto location = state->segments.Locate(partition, offset);
    if (!location.has_value()) {
      return absl::InvalidArgumentError(
          fmt::format("topic {}, partition {}: offset {} is beyond the end", TopicName(topic), partition, offset));
    }
    const std::string start = EncodeRunKey({location->segment, partition, offset});
    it->Seek(start);
    RETURN_IF_ERROR(store::FromRocks(it->status(), "read what is to be replaced"));
    const std::string_view prefix = std::string_view(start).substr(0, kRunKeyPrefixBytes);
    absl::StatusOr<std::string_view> rewritten = absl::NotFoundError("there is no record to replace");
    if (it->Valid() && ToView(it->key()).starts_with(prefix)) {
      rewritten = Replace(ToView(it->key()), ToView(it->value()), &replacements, &builder);
    }
    // What was dropped lies in a file still where its segment has records that were not; below one that is gone nothing
    // is left.
    if (offset < begin && absl::IsNotFound(rewritten.status())) break;
    if (!rewritten.ok()) {
      return absl::Status(rewritten.status().code(),
                          fmt::format("topic {}, partition {}, offset {}: {}", TopicName(topic), partition, offset,
                                      std::string(rewritten.status().message())));
    }
    batch.Put(store_->column(topic), it->key(), rocksdb::Slice(rewritten->data(), rewritten->size()));
    const auto [span, _] = rewritten_.try_emplace(topic, location->segment, location->segment);
    span->second.first = std::min(span->second.first, location->segment);
    span->second.second = std::max(span->second.second, location->segment);
    if (batch.GetDataSize() < kRewriteBatchBytes) continue;
    RETURN_IF_ERROR(store_->WriteDurably(&batch));
    batch.Clear();
  }
  return batch.Count() == 0 ? absl::OkStatus() : store_->WriteDurably(&batch);
}

absl::Status RocksLog::EraseReplaced(bool everything) {
  std::lock_guard one_at_a_time(retention_mutex_);
  std::shared_lock lock(store_mutex_);
  RETURN_IF_ERROR(CheckStore());
  if (everything) {
    for (const Topic topic : kAllTopics) rewritten_[topic] = {0, std::numeric_limits<uint32_t>::max()};
  }
  if (rewritten_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_->EraseOverwritten(rewritten_));
  rewritten_.clear();
  return absl::OkStatus();
}

absl::Status RocksLog::VisitStored(const std::function<void(Topic, std::string_view, std::string_view)>& visit) const {
  std::shared_lock lock(store_mutex_);
  RETURN_IF_ERROR(CheckStore());
  for (const Topic topic : kAllTopics) {
    RETURN_IF_ERROR(
        store::VisitVersions(store_->db(), store_->column(topic),
                             [&](std::string_view key, std::string_view value) { visit(topic, key, value); }));
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::log
