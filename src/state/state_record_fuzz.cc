// Stored bytes of the state, damaged: DataLoss, or a record that can be used and stored; never a crash or all memory.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "state/item_record.h"
#include "state/next_record.h"
#include "state/user_op.h"
#include "state/user_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::state;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const UserLayout layout{.sequence_max = 64,
                          .dedupe_prints = 32,
                          .dedupe_window_us = 1'000'000,
                          .affinity_top = 4,
                          .affinity_half_life_us = 1'000'000};
  if (auto record = DecodeUserRecord(bytes); record.ok()) {
    BOWERBIRD_CHECK(MakeUserState(bowerbird::catalog::UserKey(1), *record, layout.sequence_max) != nullptr);
    UserOp op;
    op.kind = UserOp::Kind::kAction;
    op.event_time_us = 1'700'000'000'000'000;
    op.print = 5;
    op.receive_time_us = op.event_time_us;
    op.item = bowerbird::catalog::ItemKey(9);
    op.categories = {"c"};
    ApplyUserOp(layout, op, &*record, nullptr);
    (void)EncodeUserRecord(*record);
  } else {
    BOWERBIRD_CHECK(absl::IsDataLoss(record.status()));
  }
  UserRecord folded;
  if (ApplyUserOps(layout, bytes, &folded).ok()) {
    const std::string stored = EncodeUserRecord(folded);
    const auto read = DecodeUserRecord(stored);
    BOWERBIRD_CHECK(read.ok() && EncodeUserRecord(*read) == stored);
  }
  if (auto item = DecodeItemRecord(bytes); item.ok()) {
    ItemRecord sum = *item;
    sum.Add(*item, {.buckets_max = 4});
    (void)EncodeItemRecord(sum);
  }
  if (auto next = DecodeNextRecord(bytes); next.ok()) {
    NextRecord sum = *next;
    sum.Add(*next, 4);
    BOWERBIRD_CHECK(DecodeNextRecord(EncodeNextRecord(sum)).ok());
  }
  (void)DecodeLifelongBlock(bytes);
  return 0;
}
