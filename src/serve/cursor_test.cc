#include "serve/cursor.h"

#include "base/hash.h"
#include "catalog/problem.h"
#include "gtest/gtest.h"

namespace bowerbird::serve {
namespace {

constexpr CursorKey kKey = {1, 2, 3};
constexpr int64_t kNowUs = 1'760'000'000'000'000;

Cursor Example() {
  return {"0196f0c2a1b3deadbeefcafe0123",
          "0196f0c2a1b4deadbeefcafe0124",
          3,
          base::Hash64("home"),
          catalog::UserKey(42),
          kNowUs + 1000,
          true};
}

absl::StatusOr<Cursor> Decode(std::string_view text, const CursorKey& key = kKey, std::string_view surface = "home",
                              uint64_t user = 42, int64_t now_us = kNowUs) {
  return DecodeCursor(text, key, base::Hash64(surface), catalog::UserKey(user), now_us);
}

std::string CodeOf(const absl::StatusOr<Cursor>& result) {
  const catalog::Problem problem = catalog::FromStatus(result.status());
  EXPECT_EQ(problem.field, "cursor");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  return problem.code;
}

TEST(CursorTest, ComesBackAsItWas) {
  const Cursor cursor = Example();
  const auto read = Decode(EncodeCursor(cursor, kKey));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->chain, cursor.chain);
  EXPECT_EQ(read->after, cursor.after);
  EXPECT_EQ(read->page, cursor.page);
  EXPECT_EQ(read->surface, cursor.surface);
  EXPECT_EQ(read->user, cursor.user);
  EXPECT_EQ(read->expires_us, cursor.expires_us);
  EXPECT_TRUE(read->seen_relaxed);
}

TEST(CursorTest, LongestRequestIdsFit) {
  Cursor cursor = Example();
  cursor.chain = cursor.after = std::string(kCursorRequestIdMax, 'x');
  const std::string text = EncodeCursor(cursor, kKey);
  EXPECT_LE(text.size(), kCursorBytesMax);
  EXPECT_TRUE(Decode(text).ok());
}

TEST(CursorTest, RefusesEveryChangedCharacter) {
  const std::string text = EncodeCursor(Example(), kKey);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(CodeOf(Decode(changed)), "invalid_cursor") << i;
  }
}

TEST(CursorTest, RefusesWhatIsCutOrLengthened) {
  const std::string text = EncodeCursor(Example(), kKey);
  for (size_t size = 0; size < text.size(); ++size) EXPECT_EQ(CodeOf(Decode(text.substr(0, size))), "invalid_cursor");
  EXPECT_EQ(CodeOf(Decode(text + "A")), "invalid_cursor");
  EXPECT_EQ(CodeOf(Decode(text + "=")), "invalid_cursor");
  EXPECT_EQ(CodeOf(Decode(std::string(10'000, 'A'))), "invalid_cursor");
  EXPECT_EQ(CodeOf(Decode(std::string_view("\0\xff\n", 3))), "invalid_cursor");
}

TEST(CursorTest, RefusesAnotherKeyUserOrSurface) {
  const std::string text = EncodeCursor(Example(), kKey);
  EXPECT_EQ(CodeOf(Decode(text, CursorKey{9})), "invalid_cursor");
  EXPECT_EQ(CodeOf(Decode(text, kKey, "related")), "invalid_cursor");
  EXPECT_EQ(CodeOf(Decode(text, kKey, "home", 43)), "invalid_cursor");
}

TEST(CursorTest, Expires) {
  const std::string text = EncodeCursor(Example(), kKey);
  EXPECT_TRUE(Decode(text, kKey, "home", 42, kNowUs + 999).ok());
  EXPECT_EQ(CodeOf(Decode(text, kKey, "home", 42, kNowUs + 1000)), "cursor_expired");
}

}  // namespace
}  // namespace bowerbird::serve
