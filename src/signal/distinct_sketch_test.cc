#include "signal/distinct_sketch.h"

#include <cmath>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace bowerbird::signal {
namespace {

std::string Of(int from, int to) {
  std::string bytes;
  for (int i = from; i < to; ++i) AddDistinct(fmt::format("value-{}", i), &bytes);
  return bytes;
}

TEST(DistinctSketchTest, IsExactWhileSparse) {
  EXPECT_EQ(CountDistinct(""), 0);
  EXPECT_EQ(CountDistinct(Of(0, 1)), 1);
  std::string bytes = Of(0, kSparseMax);
  EXPECT_EQ(CountDistinct(bytes), kSparseMax);
  AddDistinct("value-7", &bytes);
  EXPECT_EQ(CountDistinct(bytes), kSparseMax) << "one it has";
  EXPECT_LE(Of(0, 20).size(), 101u);
}

TEST(DistinctSketchTest, IsWithinItsErrorBeyond) {
  double squares = 0;
  int trials = 0;
  for (const int count : {300, 1'000, 3'000, 10'000, 100'000}) {
    for (int trial = 0; trial < 8; ++trial, ++trials) {
      const std::string bytes = Of(trial * 1'000'000, trial * 1'000'000 + count);
      EXPECT_EQ(bytes.size(), 1281u);
      const double error = CountDistinct(bytes) / count - 1;
      EXPECT_LT(std::abs(error), 4 * 0.023) << count;
      squares += error * error;
    }
  }
  EXPECT_LT(std::sqrt(squares / trials), 0.03);
}

TEST(DistinctSketchTest, TheBytesDependOnTheSetAlone) {
  for (const int count : {5, 250, 256, 257, 400, 2'000}) {
    const std::string bytes = Of(0, count);
    EXPECT_TRUE(CheckDistinct(bytes).ok());
    std::string backwards;
    for (int i = count - 1; i >= 0; --i) AddDistinct(fmt::format("value-{}", i), &backwards);
    EXPECT_EQ(backwards, bytes) << count;
    for (const int cut : {0, 1, count / 2, count}) {
      std::string left = Of(0, cut), right = Of(cut / 2, count);
      std::string merged = left;
      MergeDistinct(right, &merged);
      EXPECT_EQ(merged, bytes) << count << " cut at " << cut;
      MergeDistinct(left, &right);
      EXPECT_EQ(right, bytes) << count << " cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace bowerbird::signal
