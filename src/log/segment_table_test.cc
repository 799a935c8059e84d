#include "log/segment_table.h"

#include <gtest/gtest.h>

namespace bowerbird::log {
namespace {

SegmentTable::Growth Grow(uint32_t partition, uint64_t records) { return {partition, records, records * 10}; }

TEST(SegmentTableTest, FindsTheSegmentOfAnOffset) {
  SegmentTable table(2);
  EXPECT_FALSE(table.Locate(0, 0).has_value());
  table.Advance(std::vector{Grow(0, 5)}, 1);  // segment 0: partition 0 has [0, 5)
  table.Seal();
  table.Advance(std::vector{Grow(0, 2), Grow(1, 3)}, 2);  // segment 1: [5, 7) and [0, 3)
  table.Seal();
  EXPECT_EQ(table.Locate(0, 4)->segment, 0U);
  EXPECT_EQ(table.Locate(0, 4)->part_end, 5U);
  EXPECT_EQ(table.Locate(0, 5)->segment, 1U);
  EXPECT_EQ(table.Locate(1, 0)->segment, 1U);
  EXPECT_FALSE(table.Locate(0, 7).has_value());
  EXPECT_EQ(table.active_id(), 2U);
  EXPECT_EQ(table.active_bytes(), 0U);
  EXPECT_EQ(table.bounds(1).end, 3U);
}

TEST(SegmentTableTest, OldestIsDeadOnceEveryPartitionBeginsBehindIt) {
  SegmentTable table(2);
  table.Advance(std::vector{Grow(0, 5), Grow(1, 5)}, 1);
  EXPECT_FALSE(table.OldestDead().has_value()) << "the active segment stays";
  table.Seal();
  table.SetBegins({5, 5});
  EXPECT_FALSE(table.OldestDead().has_value()) << "the newest sealed segment stays";
  table.Seal();
  table.SetBegins({5, 4});
  EXPECT_FALSE(table.OldestDead().has_value());
  table.SetBegins({5, 5});
  ASSERT_EQ(table.OldestDead(), 0U);
  table.RemoveOldest();
  EXPECT_FALSE(table.OldestDead().has_value());
  EXPECT_EQ(table.bounds(0).end, 5U);
}

TEST(SegmentTableTest, StatsCountWhatIsRetained) {
  SegmentTable table(1);
  table.Advance(std::vector{Grow(0, 10)}, 1);
  table.Seal();
  table.Advance(std::vector{Grow(0, 4)}, 2);
  table.SetBegins({5});
  const PartitionStats stats = table.Stats(Topic::kEvents).front();
  EXPECT_EQ(stats.begin, 5U);
  EXPECT_EQ(stats.end, 14U);
  EXPECT_EQ(stats.records, 9U);
  EXPECT_EQ(stats.bytes, 90U);
}

TEST(SegmentTableTest, StoredFormReadsBackAndNoticesDamage) {
  Segment segment{7, 99, {{1, 2, 3, 4}, {5, 6, 7, 8}}};
  const std::string bytes = EncodeSegment(segment);
  const auto read = DecodeSegment(7, 2, bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->last_append_time_us, 99);
  EXPECT_EQ(read->parts[1].bytes, 8U);
  EXPECT_EQ(read->bytes(), 12U);
  EXPECT_EQ(DecodeSegment(7, 3, bytes).status().code(), absl::StatusCode::kDataLoss);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x10;
    EXPECT_EQ(DecodeSegment(7, 2, damaged).status().code(), absl::StatusCode::kDataLoss) << i;
  }
}

}  // namespace
}  // namespace bowerbird::log
