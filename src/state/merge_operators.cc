#include "state/merge_operators.h"

#include <rocksdb/merge_operator.h>

#include <deque>
#include <string>
#include <string_view>

#include "base/byte_codec.h"
#include "state/next_record.h"

namespace bowerbird::state {
namespace {

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class UserMergeOperator final : public rocksdb::MergeOperator {
 public:
  explicit UserMergeOperator(const UserLayout& layout) : layout_(layout) {}
  const char* Name() const override { return "bowerbird.user.1"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    UserRecord record;
    if (in.existing_value != nullptr) {
      absl::StatusOr<UserRecord> stored = DecodeUserRecord(View(*in.existing_value));
      if (!stored.ok()) return false;
      record = *std::move(stored);
    }
    for (const rocksdb::Slice& ops : in.operand_list) {
      if (!ApplyUserOps(layout_, View(ops), &record).ok()) return false;
    }
    out->new_value = EncodeUserRecord(record);
    return true;
  }

  bool PartialMergeMulti(const rocksdb::Slice&, const std::deque<rocksdb::Slice>& operands, std::string* out,
                         rocksdb::Logger*) const override {
    out->clear();
    for (const rocksdb::Slice& ops : operands) out->append(ops.data(), ops.size());
    return true;
  }

 private:
  const UserLayout layout_;
};

class ItemMergeOperator final : public rocksdb::MergeOperator {
 public:
  explicit ItemMergeOperator(const ItemLayout& layout) : layout_(layout) {}
  const char* Name() const override { return "bowerbird.item.1"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    ItemRecord sum;
    if (in.existing_value != nullptr && !Add(*in.existing_value, &sum)) return false;
    for (const rocksdb::Slice& operand : in.operand_list) {
      if (!Add(operand, &sum)) return false;
    }
    out->new_value = EncodeItemRecord(sum);
    return true;
  }

  bool PartialMergeMulti(const rocksdb::Slice&, const std::deque<rocksdb::Slice>& operands, std::string* out,
                         rocksdb::Logger*) const override {
    ItemRecord sum;
    for (const rocksdb::Slice& operand : operands) {
      if (!Add(operand, &sum)) return false;
    }
    *out = EncodeItemRecord(sum);
    return true;
  }

 private:
  bool Add(const rocksdb::Slice& bytes, ItemRecord* sum) const {
    const absl::StatusOr<ItemRecord> record = DecodeItemRecord(View(bytes));
    if (record.ok()) sum->Add(*record, layout_);
    return record.ok();
  }
  const ItemLayout layout_;
};

class NextMergeOperator final : public rocksdb::MergeOperator {
 public:
  const char* Name() const override { return "bowerbird.next.1"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    NextRecord sum;
    if (in.existing_value != nullptr && !Add(in.key, *in.existing_value, &sum)) return false;
    for (const rocksdb::Slice& operand : in.operand_list) {
      if (!Add(in.key, operand, &sum)) return false;
    }
    out->new_value = EncodeNextRecord(sum);
    return true;
  }

  bool PartialMergeMulti(const rocksdb::Slice& key, const std::deque<rocksdb::Slice>& operands, std::string* out,
                         rocksdb::Logger*) const override {
    NextRecord sum;
    for (const rocksdb::Slice& operand : operands) {
      if (!Add(key, operand, &sum)) return false;
    }
    *out = EncodeNextRecord(sum);
    return true;
  }

 private:
  static bool Add(const rocksdb::Slice& key, const rocksdb::Slice& bytes, NextRecord* sum) {
    if (key.size() != sizeof(uint64_t)) return false;
    const absl::StatusOr<NextRecord> record = DecodeNextRecord(View(bytes));
    if (record.ok()) sum->Add(*record, MovesMax(catalog::ItemKey(base::GetBigEndian64(key.data()))));
    return record.ok();
  }
};

}  // namespace

std::shared_ptr<rocksdb::MergeOperator> MakeNextMergeOperator() { return std::make_shared<NextMergeOperator>(); }
std::shared_ptr<rocksdb::MergeOperator> MakeUserMergeOperator(const UserLayout& layout) {
  return std::make_shared<UserMergeOperator>(layout);
}
std::shared_ptr<rocksdb::MergeOperator> MakeItemMergeOperator(const ItemLayout& layout) {
  return std::make_shared<ItemMergeOperator>(layout);
}

}  // namespace bowerbird::state
