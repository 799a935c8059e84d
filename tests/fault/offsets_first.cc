// A build that is broken on purpose, to see that the fault tests notice: offsets become durable before the state that
// they speak of. It is the product's own main with one function replaced by the linker (--wrap): where the state's
// stores come from.
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "state/state_store.h"

namespace bowerbird::state {
namespace {

class OffsetsFirstStore final : public StateStore {
 public:
  explicit OffsetsFirstStore(std::unique_ptr<StateStore> store) : store_(std::move(store)) {}

  class SplitBatch final : public Batch {
   public:
    SplitBatch(std::unique_ptr<Batch> offsets, std::unique_ptr<Batch> rest)
        : offsets_(std::move(offsets)), rest_(std::move(rest)) {}
    void MergeUser(catalog::UserKey user, std::string_view ops) override { rest_->MergeUser(user, ops); }
    void PutLifelongBlock(catalog::UserKey user, const SpilledBlock& block) override {
      rest_->PutLifelongBlock(user, block);
    }
    void DropLifelongBlock(catalog::UserKey user, uint32_t ordinal) override {
      rest_->DropLifelongBlock(user, ordinal);
    }
    void MergeItem(catalog::ItemKey item, const ItemRecord& added) override { rest_->MergeItem(item, added); }
    void MergeNext(catalog::ItemKey from, const NextRecord& added) override { rest_->MergeNext(from, added); }
    void PutSignal(catalog::UserKey user, uint64_t signal, std::string_view value) override {
      rest_->PutSignal(user, signal, value);
    }
    void PutItemSignal(catalog::ItemKey item, uint64_t signal, uint32_t partition, std::string_view value) override {
      rest_->PutItemSignal(item, signal, partition, value);
    }
    void PutOffset(uint32_t partition, log::Offset folded) override { offsets_->PutOffset(partition, folded); }
    void PutFormat(std::string_view key, std::string_view text) override { offsets_->PutFormat(key, text); }
    uint64_t bytes() const override { return offsets_->bytes() + rest_->bytes(); }
    Batch* offsets() { return offsets_.get(); }
    Batch* rest() { return rest_.get(); }

   private:
    const std::unique_ptr<Batch> offsets_, rest_;
  };

  std::unique_ptr<Batch> NewBatch() const override {
    return std::make_unique<SplitBatch>(store_->NewBatch(), store_->NewBatch());
  }
  absl::Status Write(Batch* batch) override {
    auto* split = static_cast<SplitBatch*>(batch);
    RETURN_IF_ERROR(store_->Write(split->offsets()));
    RETURN_IF_ERROR(store_->Flush());
    return store_->Write(split->rest());
  }
  absl::Status EnableCompaction() override { return store_->EnableCompaction(); }
  absl::Status Flush() override { return store_->Flush(); }
  absl::Status Resume() override { return store_->Resume(); }
  absl::StatusOr<std::optional<UserRecord>> LoadUser(catalog::UserKey user) const override {
    return store_->LoadUser(user);
  }
  absl::StatusOr<std::vector<std::optional<UserRecord>>> LoadUsers(
      std::span<const catalog::UserKey> users) const override {
    return store_->LoadUsers(users);
  }
  absl::StatusOr<std::vector<std::vector<StoredSignal>>> LoadSignals(
      std::span<const catalog::UserKey> users) const override {
    return store_->LoadSignals(users);
  }
  absl::StatusOr<std::vector<Action>> LoadLifelongBlock(catalog::UserKey user, uint32_t ordinal) const override {
    return store_->LoadLifelongBlock(user, ordinal);
  }
  absl::StatusOr<std::vector<log::Offset>> LoadOffsets(uint32_t partitions) const override {
    return store_->LoadOffsets(partitions);
  }
  absl::StatusOr<std::string> LoadFormat(std::string_view key) const override { return store_->LoadFormat(key); }
  std::unique_ptr<Cursor> NewCursor(Column column, std::string_view from) const override {
    return store_->NewCursor(column, from);
  }
  absl::Status Erase(std::span<const catalog::UserKey> users) override { return store_->Erase(users); }
  absl::Status VisitVersions(Column column,
                             const std::function<void(std::string_view, std::string_view)>& visit) const override {
    return store_->VisitVersions(column, visit);
  }
  uint64_t file_bytes_written() const override { return store_->file_bytes_written(); }
  uint64_t memory_bytes() const override { return store_->memory_bytes(); }

 private:
  const std::unique_ptr<StateStore> store_;
};

}  // namespace
}  // namespace bowerbird::state

// The mangled name of bowerbird::state::RocksStateStores(), as --wrap wants it.
extern "C" const bowerbird::state::StateStores& __real__ZN9bowerbird5state16RocksStateStoresEv();

namespace bowerbird::state {
namespace {

class OffsetsFirstStores final : public StateStores {
 public:
  absl::StatusOr<std::unique_ptr<StateStore>> Open(const std::string& dir,
                                                   const StateStore::Options& options) const override {
    ASSIGN_OR_RETURN(auto store, disk_.Open(dir, options));
    return std::make_unique<OffsetsFirstStore>(std::move(store));
  }
  bool Exists(const std::string& dir) const override { return disk_.Exists(dir); }
  void MarkDamaged(const std::string& dir) const override { disk_.MarkDamaged(dir); }
  bool MarkedDamaged(const std::string& dir) const override { return disk_.MarkedDamaged(dir); }
  absl::Status Destroy(const std::string& dir) const override { return disk_.Destroy(dir); }

 private:
  const StateStores& disk_ = __real__ZN9bowerbird5state16RocksStateStoresEv();
};

}  // namespace
}  // namespace bowerbird::state

extern "C" const bowerbird::state::StateStores& __wrap__ZN9bowerbird5state16RocksStateStoresEv() {
  static const bowerbird::state::OffsetsFirstStores stores;
  return stores;
}
