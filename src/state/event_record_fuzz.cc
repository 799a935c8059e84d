// A record of the events topic, whatever its bytes: refused with a reason, or folded; and what it is folded to can be
// stored, read and folded again. The first byte says how many of the bytes are the first record.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "state/events_for_test.h"
#include "state/fold.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird;
  using namespace bowerbird::state;
  static const FoldPolicy policy(TestConfig());
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  UserRecord record;
  Change change;
  std::string ops;
  for (int part = 0; part < 2; ++part) {
    const std::string_view bytes = part == 0 ? rest.substr(0, std::min<size_t>(data[0], rest.size())) : rest;
    rest.remove_prefix(part == 0 ? bytes.size() : 0);
    v1::Event event;
    if (!event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) continue;
    if (!policy.Check(event, 0, 1).ok()) continue;
    if (policy.Judge(event, record, &change) != Verdict::kCounted) continue;
    EncodeUserOp(change.user, &ops);
    ApplyUserOp(policy.user_layout(), change.user, &record, nullptr);
    if (change.has_item) {
      ItemRecord item;
      std::vector<ItemEvent> events = {change.item};
      for (const auto& [key, sum] : SumByItem(&events, policy.item_layout())) item.Add(sum, policy.item_layout());
      BOWERBIRD_CHECK(DecodeItemRecord(EncodeItemRecord(item)).ok());
    }
  }
  const std::string stored = EncodeUserRecord(record);
  const auto read = DecodeUserRecord(stored);
  BOWERBIRD_CHECK(read.ok() && EncodeUserRecord(*read) == stored);
  UserRecord again;
  BOWERBIRD_CHECK(ApplyUserOps(policy.user_layout(), ops, &again).ok());
  BOWERBIRD_CHECK(EncodeUserRecord(again) == stored);
  return 0;
}
