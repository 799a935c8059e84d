#include "index/live_index.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

namespace bowerbird::index {
namespace {

/// By schema index: the snapshot's column of the same name and type.
std::vector<expression::ColumnView> BindColumns(const expression::Schema& schema, const Snapshot* snapshot) {
  std::vector<expression::ColumnView> bound(schema.size());
  for (uint32_t attribute = 0; attribute < schema.size(); ++attribute) {
    bound[attribute].type = schema.type(attribute);
    if (snapshot == nullptr) continue;
    for (const StoredColumn& column : snapshot->columns()) {
      if (column.name == schema.name(attribute) && column.view.type == schema.type(attribute)) {
        bound[attribute] = column.view;
      }
    }
  }
  return bound;
}

}  // namespace

/// The next view in the making: a copy of one with changes laid over.
class LiveIndex::Editor {
 public:
  explicit Editor(const LiveView& base) : view_(new LiveView()) {
    view_->config_ = base.config_;
    view_->reader_ = base.reader_;
    view_->snapshot_ = base.snapshot_;
    view_->columns_ = base.columns_;
    view_->catalog_offset_ = base.catalog_offset_;
    view_->levels_ = base.levels_;
    view_->changed_ = base.changed_;
    view_->delta_items_ = base.delta_items_;
    view_->new_items_ = base.new_items_;
    view_->deleted_ = base.deleted_;
  }
  Editor(std::shared_ptr<const config::Config> config, std::shared_ptr<const ItemReader> reader,
         std::shared_ptr<const Snapshot> snapshot)
      : view_(new LiveView()) {
    view_->config_ = std::move(config);
    view_->reader_ = std::move(reader);
    view_->columns_ = std::make_shared<const std::vector<expression::ColumnView>>(
        BindColumns(view_->reader_->schema(), snapshot.get()));
    view_->catalog_offset_ = snapshot == nullptr ? 0 : snapshot->catalog_offset();
    view_->snapshot_ = std::move(snapshot);
  }

  const LiveView& view() const { return *view_; }
  void RaiseOffset(uint64_t offset) { view_->catalog_offset_ = std::max(view_->catalog_offset_, offset); }

  /// Each key once.
  void Put(std::vector<DeltaLevels::Pointer> changes) {
    std::ranges::sort(changes, {}, [](const DeltaLevels::Pointer& change) { return change->key; });
    std::vector<Ordinal> ordinals;
    for (const DeltaLevels::Pointer& change : changes) {
      if (const DeltaItem* before = view_->levels_.Find(change->key)) Count(*before, -1);
      Count(*change, 1);
      if (change->ordinal != kNoOrdinal) ordinals.push_back(change->ordinal);
    }
    view_->changed_.Add(ordinals);
    view_->levels_ = view_->levels_.With(std::move(changes));
  }

  std::shared_ptr<const LiveView> Take() { return std::move(view_); }

 private:
  void Count(const DeltaItem& item, int64_t by) {
    const bool in_snapshot = item.ordinal != kNoOrdinal;
    const auto step = static_cast<uint64_t>(by);
    if (item.deleted) {
      if (in_snapshot) view_->deleted_ += step;
      return;
    }
    view_->delta_items_ += step;
    if (!in_snapshot) view_->new_items_ += step;
  }

  std::shared_ptr<LiveView> view_;
};

LiveIndex::LiveIndex(std::shared_ptr<const config::Config> config)
    : config_(std::move(config)), reader_(std::make_shared<const ItemReader>(*config_)) {
  view_.Set(Editor(config_, reader_, nullptr).Take());
}

absl::Status LiveIndex::Apply(std::span<const Change> changes) {
  absl::MutexLock lock(&mutex_);
  const std::shared_ptr<const LiveView> current = View();
  // The last change of each key, and who holds the key meanwhile.
  absl::flat_hash_map<catalog::ItemKey, const Change*> newest;
  const auto holder = [&](catalog::ItemKey key) -> std::string {
    if (const auto found = newest.find(key); found != newest.end()) {
      return found->second->item == nullptr ? std::string() : found->second->item->id();
    }
    ItemHandle handle;
    return current->Find(key, &handle) ? std::string(current->Id(handle)) : std::string();
  };
  absl::Status status;
  uint64_t end = current->catalog_offset();
  for (const Change& change : changes) {
    if (change.offset < current->catalog_offset()) continue;
    end = std::max(end, change.offset + 1);
    if (change.item != nullptr) {
      const std::string held = holder(change.key);
      if (!held.empty() && held != change.item->id()) {
        status.Update(absl::FailedPreconditionError(
            fmt::format("item '{}': its key belongs to '{}': refused", change.item->id(), held)));
        continue;
      }
    }
    newest[change.key] = &change;
  }
  if (end == current->catalog_offset()) return status;
  std::vector<DeltaLevels::Pointer> made;
  made.reserve(newest.size());
  for (const auto& [key, change] : newest) {
    made.push_back(MakeDeltaItem(key, change->offset, change->item, *reader_, *config_, current->snapshot()));
  }
  Editor next(*current);
  next.Put(std::move(made));
  next.RaiseOffset(end);
  view_.Set(next.Take());
  return status;
}

absl::Status LiveIndex::SwapSnapshot(std::shared_ptr<const Snapshot> snapshot) {
  absl::MutexLock lock(&mutex_);
  if (snapshot->catalog_offset() < known_from_) {
    return absl::FailedPreconditionError(
        fmt::format("snapshot {}: it is of catalog offset {}; expected at least {}, from where changes are known",
                    snapshot->version(), snapshot->catalog_offset(), known_from_));
  }
  const std::shared_ptr<const LiveView> current = View();
  std::vector<DeltaLevels::Pointer> kept;
  current->levels_.ForEach([&](const DeltaLevels::Pointer& change) {
    if (change->offset < snapshot->catalog_offset()) return;
    // Made anew: ordinal and factor belong to the snapshot.
    kept.push_back(MakeDeltaItem(change->key, change->offset, change->deleted ? nullptr : &change->item, *reader_,
                                 *config_, snapshot.get()));
  });
  known_from_ = snapshot->catalog_offset();
  Editor next(config_, reader_, std::move(snapshot));
  next.Put(std::move(kept));
  next.RaiseOffset(current->catalog_offset());
  view_.Set(next.Take());
  return absl::OkStatus();
}

}  // namespace bowerbird::index
