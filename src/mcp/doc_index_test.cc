#include "mcp/doc_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bowerbird::mcp {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr DocText kDocs[] = {
    {"docs/a.md",
     "# Apples\n\nRed and round.\n\n## Keeping apples\n\nCool cellars keep them.\n\n```sh\n# not a heading\n```\n"},
    {"docs/b.md", "# Pears\n\nA pear is no apple. Pears, pears.\n\n# Nothing\n"},
};

TEST(DocIndexTest, SectionsGoFromHeadingToHeading) {
  const DocIndex index(kDocs);
  EXPECT_EQ(index.sections(), 3u) << "a heading without a text is no section, a comment in code no heading";
  const std::vector<DocHit> hits = index.Search("cellar", 5);
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].path, "docs/a.md");
  EXPECT_EQ(hits[0].heading, "Apples > Keeping apples");
  EXPECT_THAT(hits[0].excerpt, HasSubstr("Cool cellars keep them."));
  EXPECT_THAT(hits[0].excerpt, Not(HasSubstr("Red")));
}

TEST(DocIndexTest, HeadingsCountForMoreThanMentions) {
  const DocIndex index(kDocs);
  const std::vector<DocHit> hits = index.Search("apple", 5);
  ASSERT_EQ(hits.size(), 3u);
  EXPECT_EQ(hits[2].path, "docs/b.md");
}

TEST(DocIndexTest, UnknownWordsFindNothing) {
  const DocIndex index(kDocs);
  EXPECT_TRUE(index.Search("zeppelin", 5).empty());
  EXPECT_TRUE(index.Search("", 5).empty());
  EXPECT_TRUE(index.Search("apples", 0).empty());
}

TEST(DocIndexTest, OurOwnDocumentsAreThere) {
  const DocIndex index(DocTexts());
  EXPECT_GT(index.sections(), 200u);
  const auto found_in = [&](const char* query, const std::string& path) {
    for (const DocHit& hit : index.Search(query, 3)) {
      if (hit.path == path) return true;
    }
    return false;
  };
  EXPECT_TRUE(found_in("forget a user", "docs/guides/forgetting.md"));
  EXPECT_TRUE(found_in("why was an item not shown", "docs/guides/why.md"));
  EXPECT_TRUE(found_in("read events from Kafka by another producer", "docs/guides/kafka.md"));
  EXPECT_TRUE(found_in("columns of events in the lake format", "docs/formats/lake.md"));
  EXPECT_TRUE(found_in("decayed sum signal half life", "docs/guides/signals.md"));
}

}  // namespace
}  // namespace bowerbird::mcp
