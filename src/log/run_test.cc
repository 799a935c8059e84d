#include "log/run.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace bowerbird::log {
namespace {

struct Expected {
  Offset offset;
  std::string key, value;
};

std::string Build(const RunKey& key, int64_t time_us, const std::vector<Expected>& records) {
  RunBuilder builder;
  builder.Start(records.front().offset, time_us);
  for (const Expected& record : records) builder.Add(record.offset, record.key, record.value);
  return std::string(builder.Finish(EncodeRunKey(key)));
}

TEST(RunTest, ReadsBackWhatWasBuilt) {
  const std::vector<Expected> records = {
      {7, "", ""}, {8, "k", std::string(100'000, 'v')}, {12, std::string(256, 'k'), "v"}};
  const RunKey key{3, 5, 12};
  const std::string value = Build(key, -42, records);
  const std::string key_bytes = EncodeRunKey(key);
  auto reader = RunReader::Open(key_bytes, value);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->header().first_offset, 7U);
  EXPECT_EQ(reader->header().append_time_us, -42);
  EXPECT_EQ(reader->header().records, 3U);
  RunReader::Item item;
  for (const Expected& record : records) {
    ASSERT_TRUE(*reader->Next(&item));
    EXPECT_EQ(item.offset, record.offset);
    EXPECT_EQ(item.key, record.key);
    EXPECT_EQ(item.value, record.value);
  }
  EXPECT_FALSE(*reader->Next(&item));
}

TEST(RunTest, KeysOrderBySegmentThenPartitionThenOffset) {
  EXPECT_LT(EncodeRunKey({1, 9, 900}), EncodeRunKey({2, 0, 1}));
  EXPECT_LT(EncodeRunKey({1, 1, 900}), EncodeRunKey({1, 2, 1}));
  EXPECT_LT(EncodeRunKey({1, 1, 255}), EncodeRunKey({1, 1, 256}));
  const auto key = DecodeRunKey(EncodeRunKey({0x01020304, 0x05060708, 0x090a0b0c0d0e0f10}));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->segment, 0x01020304U);
  EXPECT_EQ(key->partition, 0x05060708U);
  EXPECT_EQ(key->last_offset, 0x090a0b0c0d0e0f10U);
  EXPECT_EQ(DecodeRunKey("short").status().code(), absl::StatusCode::kDataLoss);
}

// The page docs/formats/log.md, byte by byte: a change here is a new version of the format.
TEST(RunTest, BytesAreThoseOfThePage) {
  const std::string value = Build({1, 2, 0x1234}, 0x0102030405060708, {{0x1233, "ab", "xyz"}, {0x1234, "", "w"}});
  const std::string expected_tail(
      "\x01\x00\x00\x00"                  // version, reserved
      "\x02\x00\x00\x00"                  // records
      "\x33\x12\x00\x00\x00\x00\x00\x00"  // first offset
      "\x08\x07\x06\x05\x04\x03\x02\x01"  // append time
      "\x00\x02\x03"                      // gap, key bytes, value bytes
      "abxyz"
      "\x00\x00\x01"
      "w",
      24 + 8 + 4);
  EXPECT_EQ(value.substr(8), expected_tail);
}

TEST(RunTest, EveryFlippedBitIsNoticed) {
  const RunKey key{0, 1, 1};
  const std::string key_bytes = EncodeRunKey(key);
  const std::string value = Build(key, 5, {{0, "key", "value"}, {1, "k", "another value"}});
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string damaged = value;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(RunReader::Open(key_bytes, damaged).status().code(), absl::StatusCode::kDataLoss) << "bit " << bit;
  }
  for (size_t size = 0; size < value.size(); ++size) {
    EXPECT_EQ(RunReader::Open(key_bytes, value.substr(0, size)).status().code(), absl::StatusCode::kDataLoss) << size;
  }
  EXPECT_EQ(RunReader::Open(EncodeRunKey({0, 2, 1}), value).status().code(), absl::StatusCode::kDataLoss)
      << "a run under another partition's key";
}

}  // namespace
}  // namespace bowerbird::log
