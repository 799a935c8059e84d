#include "features/values.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "features/table_for_test.h"

namespace bowerbird::features {
namespace {

using testing::ElementsAre;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
using Vector = std::vector<float>;

class ValuesTest : public testing::Test {
 protected:
  ValuesTest() {
    set_ = SetOf({Named("taste", MakeTable(hasher_, Entity::kUser, {{"churn", 0}, {"v", 3}},
                                           {{"ann", {0.25, Vector{1, 2, 3}}}, {"bob", {{}, {}}}})),
                  Named("quality",
                        MakeTable(hasher_, Entity::kItem, {{"score", 0}, {"v", 3}, {"w", 2}},
                                  {{"i1", {7.0, Vector{4, 5, 6}, Vector{1, 1}}}, {"i2", {1e300, {}, Vector{1, 1}}}}))});
  }
  double Of(std::string_view user, std::string_view name, std::string_view other, std::string_view item) {
    Values values(set_, hasher_);
    values.SetUser(user);
    return values.Of(values.Name(name, other), item.empty() ? catalog::ItemKey() : hasher_.Item(item), item);
  }

  const catalog::KeyHasher hasher_{base::HashSeed{5}};
  std::shared_ptr<const TableSet> set_;
};

TEST_F(ValuesTest, ReadNumbersOfUsersAndItemsAndProductsOfVectors) {
  EXPECT_EQ(Of("ann", "user.features.taste.churn", "", "i1"), 0.25);
  EXPECT_EQ(Of("ann", "item.features.quality.score", "", "i1"), 7);
  EXPECT_EQ(Of("ann", "user.features.taste.v", "item.features.quality.v", "i1"), 32);
  EXPECT_EQ(Of("ann", "item.features.quality.v", "user.features.taste.v", "i1"), 32);
  EXPECT_EQ(Of("ann", "user.features.taste.v", "user.features.taste.v", ""), 14);
}

struct Absent {
  const char *what, *user, *name, *other, *item;
};
class ValuesAbsentTest : public ValuesTest, public testing::WithParamInterface<Absent> {};

TEST_P(ValuesAbsentTest, IsNoNumber) {
  const Absent& absent = GetParam();
  EXPECT_TRUE(std::isnan(Of(absent.user, absent.name, absent.other, absent.item))) << absent.what;
}
INSTANTIATE_TEST_SUITE_P(
    All, ValuesAbsentTest,
    testing::Values(Absent{"nobody", "", "user.features.taste.churn", "", "i1"},
                    Absent{"a user without a row", "eve", "user.features.taste.churn", "", "i1"},
                    Absent{"a null", "bob", "user.features.taste.churn", "", "i1"},
                    Absent{"an item without a row", "ann", "item.features.quality.score", "", "i9"},
                    Absent{"no item", "ann", "item.features.quality.score", "", ""},
                    Absent{"no such table", "ann", "user.features.nothing.churn", "", "i1"},
                    Absent{"no such column", "ann", "user.features.taste.nothing", "", "i1"},
                    Absent{"of the other entity", "ann", "item.features.taste.churn", "", "ann"},
                    Absent{"a column of vectors", "ann", "user.features.taste.v", "", "i1"},
                    Absent{"a null vector", "ann", "user.features.taste.v", "item.features.quality.v", "i2"},
                    Absent{"vectors of two lengths", "ann", "user.features.taste.v", "item.features.quality.w", "i1"},
                    Absent{"a product of numbers", "ann", "user.features.taste.churn", "item.features.quality.score",
                           "i1"},
                    Absent{"one half unknown", "ann", "user.features.taste.v", "item.features.nothing.v", "i1"}),
    [](const auto& info) { return fmt::format("case_{}", info.index); });

TEST_F(ValuesTest, WhatIsNoFloatIsAbsentForTheRankerAlone) {
  EXPECT_EQ(Of("ann", "item.features.quality.score", "", "i2"), 1e300);
  Values values(set_, hasher_);
  const uint32_t score = values.Name("item.features.quality.score", "");
  EXPECT_TRUE(std::isnan(values.FloatOf(score, hasher_.Item("i2"), "i2")));
  EXPECT_EQ(values.FloatOf(score, hasher_.Item("i1"), "i1"), 7.0F);
}

TEST_F(ValuesTest, AnotherUserAndAnotherNumberAreReadAnewAndItemsAreNotMixed) {
  Values values(set_, hasher_);
  values.SetUser("ann");
  const uint32_t churn = values.Name("user.features.taste.churn", "");
  EXPECT_EQ(values.Name("user.features.taste.churn", ""), churn);
  EXPECT_EQ(values.Of(churn, catalog::ItemKey(), ""), 0.25);
  const uint32_t score = values.Name("item.features.quality.score", "");
  EXPECT_EQ(values.Of(score, hasher_.Item("i1"), "i1"), 7);
  values.SetUser("bob");
  EXPECT_TRUE(std::isnan(values.Of(churn, catalog::ItemKey(), "")));
  EXPECT_EQ(values.Of(score, hasher_.Item("i1"), "i1"), 7);
  std::vector<std::string> tables;
  values.ForEachTable([&](const NamedTable& table) { tables.push_back(table.name); });
  EXPECT_THAT(tables, ElementsAre("quality", "taste"));
}

TEST_F(ValuesTest, AgreeWithTheTableForManyItemsBeyondWhatIsRemembered) {
  TestRows rows;
  base::Rng rng(3);
  std::vector<double> expected(500, kNaN);
  for (size_t i = 0; i < expected.size(); ++i) {
    if (rng.Bernoulli(0.3)) continue;
    expected[i] = rng.Uniform();
    rows.push_back({fmt::format("x{}", i), {expected[i]}});
  }
  Values values(SetOf({Named("t", MakeTable(hasher_, Entity::kItem, {{"n", 0}}, rows))}), hasher_);
  const uint32_t number = values.Name("item.features.t.n", "");
  for (size_t ask = 0; ask < Values::kItemsMax + 2'000; ++ask) {
    const size_t i = ask % (2 * expected.size());
    const std::string id = fmt::format("x{}", i);
    // Keys of items that are asked for once: what is remembered has to make room.
    const catalog::ItemKey key = ask % 7 == 0 ? catalog::ItemKey(ask) : hasher_.Item(id);
    const double found = values.Of(number, key, id);
    if (i < expected.size() && !std::isnan(expected[i])) {
      ASSERT_EQ(found, expected[i]) << id;
    } else {
      ASSERT_TRUE(std::isnan(found)) << id;
    }
  }
}

TEST(NumberNameTest, ReadsWhatConfigsWriteAndNothingElse) {
  EXPECT_EQ(NumberName::Parse("item.features.a.b")->name, "item.features.a.b");
  const auto product = NumberName::Parse("dot(user.features.a.v,item.features.b.v)");
  ASSERT_TRUE(product.has_value());
  EXPECT_EQ(product->name, "user.features.a.v");
  EXPECT_EQ(product->other, "item.features.b.v");
  for (const char* text : {"", "ials", "item.features.a", "item.features..b", "item.features.a.", "dot()",
                           "dot(user.features.a.v)", "dot(user.features.a.v,)", "dot(,item.features.b.v)",
                           "dot(ials,item.features.b.v)", "dot(user.features.a.v,item.features.b.v"}) {
    EXPECT_FALSE(NumberName::Parse(text).has_value()) << text;
  }
}

TEST(NamedTableTest, SaysWhatWasReadAtATime) {
  const catalog::KeyHasher hasher{base::HashSeed{5}};
  const auto table = [&](int64_t as_of_us) { return MakeTable(hasher, Entity::kUser, {{"n", 0}}, {}, as_of_us); };
  const NamedTable kept{"t", {{"000002", 200, table(150)}, {"000003", 300, table(350)}, {"000004", 400, table(390)}}};
  EXPECT_EQ(kept.AsOf(199), nullptr);
  EXPECT_TRUE(kept.GoneAt(199)) << "the first version was read then";
  EXPECT_EQ(kept.AsOf(299)->version, "000002");
  EXPECT_EQ(kept.AsOf(320)->version, "000002") << "the one that had come says what is true later";
  EXPECT_EQ(kept.AsOf(360)->version, "000003");
  EXPECT_EQ(kept.AsOf(500)->version, "000004");
  EXPECT_FALSE(kept.GoneAt(320));
  const NamedTable first{"t", {{"000001", 200, table(0)}}};
  EXPECT_FALSE(first.GoneAt(100)) << "nothing was loaded yet";
}

}  // namespace
}  // namespace bowerbird::features
