#include "state/state_store.h"

#include <utility>

#include "base/byte_codec.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::state {
namespace {

// Views of the offsets column: this module's own is the only one yet; each signal will have its own name there.
constexpr std::string_view kOffsetPrefix = "offset/state/";
constexpr std::string_view kFormatPrefix = "format/";
/// First byte of the keys of users' and of items' signals.
constexpr char kUserSignals = 'u', kItemSignals = 'i';

std::string KeyBytes(uint64_t key) {
  std::string bytes;
  base::PutBigEndian64(key, &bytes);
  return bytes;
}

}  // namespace

std::string UserKeyBytes(catalog::UserKey user) { return KeyBytes(user.value); }

std::string LifelongBlockKey(catalog::UserKey user, uint32_t ordinal) {
  std::string bytes = KeyBytes(user.value);
  base::PutBigEndian32(ordinal, &bytes);
  return bytes;
}

std::string ItemKeyBytes(catalog::ItemKey item) { return KeyBytes(item.value); }

std::string SignalPrefix(catalog::UserKey user) {
  std::string bytes(1, kUserSignals);
  base::PutBigEndian64(user.value, &bytes);
  return bytes;
}

std::string SignalKey(catalog::UserKey user, uint64_t signal) {
  std::string bytes = SignalPrefix(user);
  base::PutBigEndian64(signal, &bytes);
  return bytes;
}

bool ParseSignalKey(std::string_view key, catalog::UserKey* user, uint64_t* signal) {
  if (key.size() != 1 + 2 * sizeof(uint64_t) || key[0] != kUserSignals) return false;
  user->value = base::GetBigEndian64(key.data() + 1);
  *signal = base::GetBigEndian64(key.data() + 1 + sizeof(uint64_t));
  return true;
}

std::string ItemSignalPrefix() { return std::string(1, kItemSignals); }

std::string ItemSignalPrefix(catalog::ItemKey item) {
  std::string bytes = ItemSignalPrefix();
  base::PutBigEndian64(item.value, &bytes);
  return bytes;
}

std::string ItemSignalKey(catalog::ItemKey item, uint64_t signal, uint32_t partition) {
  std::string bytes = ItemSignalPrefix(item);
  base::PutBigEndian64(signal, &bytes);
  base::PutBigEndian32(partition, &bytes);
  return bytes;
}

bool ParseItemSignalKey(std::string_view key, catalog::ItemKey* item, uint64_t* signal, uint32_t* partition) {
  if (key.size() != 1 + 2 * sizeof(uint64_t) + sizeof(uint32_t) || key[0] != kItemSignals) return false;
  item->value = base::GetBigEndian64(key.data() + 1);
  *signal = base::GetBigEndian64(key.data() + 1 + sizeof(uint64_t));
  *partition = base::GetBigEndian32(key.data() + 1 + 2 * sizeof(uint64_t));
  return true;
}

std::string OffsetKey(uint32_t partition) {
  std::string bytes(kOffsetPrefix);
  base::PutBigEndian32(partition, &bytes);
  return bytes;
}

std::string OffsetValue(log::Offset folded) { return KeyBytes(folded); }

std::string FormatKey(std::string_view key) { return fmt::format("{}{}", kFormatPrefix, key); }

std::string_view StateStore::ColumnName(size_t column) {
  constexpr std::string_view kNames[kColumns] = {"users", "items", "signals", "offsets", "next"};
  return kNames[column];
}

absl::Status StateStore::Checkpoint(const std::string&) const {
  return absl::UnimplementedError("state: this store has no files to copy");
}

absl::Status StateStore::ScanItems(const std::function<void(catalog::ItemKey, const ItemRecord&)>& visit) const {
  const std::unique_ptr<Cursor> at = NewCursor(kItems);
  for (; at->valid(); at->Next()) {
    if (at->key().size() != 8) return absl::DataLossError("state: scan items: damaged key");
    ASSIGN_OR_RETURN(const ItemRecord record, DecodeItemRecord(at->value()));
    visit(catalog::ItemKey(base::GetBigEndian64(at->key().data())), record);
  }
  return at->status();
}

absl::StatusOr<std::vector<StoredItemSignal>> StateStore::LoadItemSignals(catalog::ItemKey item) const {
  const std::string prefix = ItemSignalPrefix(item);
  std::vector<StoredItemSignal> signals;
  const std::unique_ptr<Cursor> at = NewCursor(kSignals, prefix);
  for (; at->valid() && at->key().starts_with(prefix); at->Next()) {
    catalog::ItemKey of;
    StoredItemSignal signal;
    if (!ParseItemSignalKey(at->key(), &of, &signal.id, &signal.partition)) {
      return absl::DataLossError("state: signals: damaged key");
    }
    signal.value = at->value();
    signals.push_back(std::move(signal));
  }
  RETURN_IF_ERROR(at->status());
  return signals;
}

absl::Status StateStore::ScanItemSignals(
    const std::function<absl::Status(catalog::ItemKey, std::vector<StoredItemSignal>)>& visit) const {
  const std::string prefix = ItemSignalPrefix();
  catalog::ItemKey last;
  std::vector<StoredItemSignal> signals;
  const std::unique_ptr<Cursor> at = NewCursor(kSignals, prefix);
  for (; at->valid() && at->key().starts_with(prefix); at->Next()) {
    catalog::ItemKey item;
    StoredItemSignal signal;
    if (!ParseItemSignalKey(at->key(), &item, &signal.id, &signal.partition)) {
      return absl::DataLossError("state: signals: damaged key");
    }
    if (item != last && !signals.empty()) RETURN_IF_ERROR(visit(last, std::exchange(signals, {})));
    last = item;
    signal.value = at->value();
    signals.push_back(std::move(signal));
  }
  RETURN_IF_ERROR(at->status());
  return signals.empty() ? absl::OkStatus() : visit(last, std::move(signals));
}

absl::Status StateStore::ScanNext(const std::function<void(catalog::ItemKey, NextRecord)>& visit) const {
  const std::unique_ptr<Cursor> at = NewCursor(kNext);
  for (; at->valid(); at->Next()) {
    if (at->key().size() != 8) return absl::DataLossError("state: scan next: damaged key");
    ASSIGN_OR_RETURN(NextRecord record, DecodeNextRecord(at->value()));
    visit(catalog::ItemKey(base::GetBigEndian64(at->key().data())), std::move(record));
  }
  return at->status();
}

absl::Status StateStore::Compare(
    const StateStore& a, const StateStore& b, Column column,
    const std::function<void(std::string_view, const std::string_view*, const std::string_view*)>& visit) {
  const std::unique_ptr<Cursor> at_a = a.NewCursor(column), at_b = b.NewCursor(column);
  while (at_a->valid() || at_b->valid()) {
    const int order = !at_a->valid() ? 1 : !at_b->valid() ? -1 : at_a->key().compare(at_b->key());
    std::string_view value_a, value_b;
    if (order <= 0) value_a = at_a->value();
    if (order >= 0) value_b = at_b->value();
    visit(order <= 0 ? at_a->key() : at_b->key(), order <= 0 ? &value_a : nullptr, order >= 0 ? &value_b : nullptr);
    if (order <= 0) at_a->Next();
    if (order >= 0) at_b->Next();
  }
  RETURN_IF_ERROR(at_a->status());
  return at_b->status();
}

}  // namespace bowerbird::state
