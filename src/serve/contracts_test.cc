// What every answer keeps, over random catalogs, users, filters, excludes, policies and page sizes. A failure prints
// the seed of its case.
#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

constexpr uint32_t kNowS = static_cast<uint32_t>(CatalogForTest::kNowUs / 1'000'000);

/// One random shop with one random user, and the same contracts written a second time, plainly.
struct Case {
  base::Rng rng;
  std::string surface, filter;
  RequestForTest shop;
  std::set<std::string> hidden, seen, excluded;

  explicit Case(uint64_t case_seed)
      : rng(case_seed),
        surface(Surface()),
        filter(Filter()),
        shop({static_cast<uint32_t>(1 + rng.Below(300)), 7, 16, surface}) {
    const auto count = static_cast<uint32_t>(shop.catalog.items.size());
    const auto any = [&] { return static_cast<uint32_t>(rng.Below(count)); };
    std::vector<std::pair<std::string, uint32_t>> actions;
    for (uint64_t i = rng.Below(12); i > 0; --i) actions.emplace_back(rng.Bernoulli(.5) ? "save" : "click", any());
    shop.user = shop.catalog.User(actions);
    for (const auto& [type, item] : actions) seen.insert(shop.catalog.IdOf(item));
    for (uint64_t i = rng.Below(2 * count); i > 0; --i) {
      const uint32_t item = any();
      CatalogForTest::See(shop.catalog.Key(item), kNowS - static_cast<uint32_t>(rng.Below(100'000)), &shop.user);
      seen.insert(shop.catalog.IdOf(item));
    }
    for (uint64_t i = rng.Below(count / 4 + 1); i > 0; --i) {
      const uint32_t item = any();
      if (!hidden.insert(shop.catalog.IdOf(item)).second) continue;
      if (rng.Bernoulli(.5)) {
        CatalogForTest::Hide(shop.catalog.Key(item), &shop.user);
      } else {
        shop.overlay.push_back({shop.catalog.IdOf(item), shop.catalog.Key(item)});
      }
    }
    for (uint64_t i = rng.Below(count / 4 + 1); i > 0; --i) excluded.insert(shop.catalog.IdOf(any()));
    Change(count / 4);
    if (rng.Bernoulli(.2)) shop.catalog.BuildSnapshot(rng.Bernoulli(.8));
    Change(count / 8);
    for (uint32_t i = 0; i < std::min(count, 40u); ++i) {
      shop.catalog.table->counts[shop.catalog.Key(i)] = {rng.Below(500), rng.Below(50), rng.Below(5),
                                                         rng.Uniform() * 80};
      shop.catalog.table->tops["trending"].push_back({shop.catalog.Key(i), static_cast<float>(count - i)});
    }
    shop.seed = rng();
  }

  std::string Surface() {
    std::string text = "[surfaces.home]\ngenerators = ['for_you', 'because', 'trending', 'fresh']\n";
    text += fmt::format("seen = '{}'\n", rng.Bernoulli(.5) ? "exclude" : rng.Bernoulli(.5) ? "allow" : "demote");
    text += fmt::format("explore = {}\ndiversity = {}\n", rng.Bernoulli(.3) ? 1 : 0, rng.Uniform());
    if (rng.Bernoulli(.2)) text += "filter = \"price < 60\"\n";
    if (rng.Bernoulli(.2)) text += "candidates_max = 5\n";
    return text;
  }
  std::string Filter() {
    switch (rng.Below(4)) {
      case 0:
        return fmt::format("price >= {}", rng.Below(100));
      case 1:
        return fmt::format("categories contains 'topic-{}'", rng.Below(8));
      default:
        return "";
    }
  }
  /// Withdraws, deletes, makes unavailable, changes or adds some items.
  void Change(uint32_t times) {
    for (uint64_t i = rng.Below(times + 1); i > 0; --i) {
      const auto item = static_cast<uint32_t>(rng.Below(shop.catalog.items.size()));
      v1::Item& document = shop.catalog.items[item];
      switch (rng.Below(4)) {
        case 0:
          shop.catalog.Withdraw(item);
          break;
        case 1:
          document.set_available(rng.Bernoulli(.5));
          shop.catalog.Apply(document);
          break;
        default:
          document.set_price(static_cast<double>(rng.Below(100)));
          shop.catalog.Apply(document);
      }
    }
  }

  bool Allowed(const v1::Item& item) const {
    if (item.withdrawn() || (item.has_available() && !item.available())) return false;
    if (hidden.contains(item.id()) || excluded.contains(item.id())) return false;
    if (surface.find("filter") != surface.npos && !(item.price() < 60)) return false;
    if (filter.starts_with("price")) return item.price() >= std::stod(filter.substr(9));
    if (!filter.empty()) return filter.find("'" + item.categories(0) + "'") != filter.npos;
    return true;
  }
  bool ExcludesSeen() const { return surface.find("'exclude'") != surface.npos; }

  v1::RecommendRequest Request(uint32_t n) const {
    v1::RecommendRequest request;
    request.set_surface("home");
    request.set_n(n);
    request.set_filter(filter);
    for (const std::string& id : excluded) request.add_exclude(id);
    return request;
  }
};

TEST(ContractsTest, ChainsShowEveryAllowedItemOnceAndNothingElse) {
  for (uint64_t case_seed = 0; case_seed < 150; ++case_seed) {
    SCOPED_TRACE(fmt::format("case {}", case_seed));
    Case c(case_seed);
    std::set<std::string> allowed, unseen;
    for (const v1::Item& item : c.shop.catalog.items) {
      if (!c.Allowed(item)) continue;
      allowed.insert(item.id());
      if (!c.seen.contains(item.id())) unseen.insert(item.id());
    }
    // Seen items come only when there is nothing else to begin with.
    const bool relaxed = c.ExcludesSeen() && unseen.empty() && !allowed.empty();
    const std::set<std::string>& expected = c.ExcludesSeen() && !relaxed ? unseen : allowed;

    std::set<std::string> shown;
    bool more = true;
    for (uint32_t page = 0; more; ++page) {
      ASSERT_LT(page, 400u);
      const auto n = static_cast<uint32_t>(1 + c.rng.Below(40));
      c.shop.seed = c.rng();
      const absl::StatusOr<Answer> answer = Recommend(c.shop.Inputs(), c.Request(n));
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_LE(answer->items.size(), n);
      EXPECT_EQ(answer->items.size(), std::min<size_t>(n, expected.size() - shown.size())) << "a page is filled";
      for (const AnswerItem& item : answer->items) {
        EXPECT_TRUE(shown.insert(item.id).second) << item.id << " twice";
        EXPECT_TRUE(expected.contains(item.id)) << item.id << " not allowed";
        EXPECT_EQ(item.position, shown.size());
        c.shop.chain.shown.push_back(c.shop.catalog.Key(item.id));
      }
      const bool says_relaxed =
          std::count(answer->degraded.begin(), answer->degraded.end(), std::string("seen_relaxed")) > 0;
      EXPECT_EQ(says_relaxed, relaxed);
      more = answer->more;
      EXPECT_EQ(more, shown.size() < expected.size());
      c.shop.chain.page = page + 1;
      c.shop.chain.seen_relaxed = says_relaxed;
    }
    EXPECT_EQ(shown, expected);
  }
}

TEST(ContractsTest, TheSameInputsGiveTheSameAnswerByteForByte) {
  for (uint64_t case_seed = 1000; case_seed < 1060; ++case_seed) {
    SCOPED_TRACE(fmt::format("case {}", case_seed));
    const Case c(case_seed), twin(case_seed);
    const auto one = Recommend(c.shop.Inputs(), c.Request(20));
    const auto two = Recommend(twin.shop.Inputs(), twin.Request(20));
    ASSERT_TRUE(one.ok() && two.ok());
    EXPECT_EQ(one->record.SerializeAsString(), two->record.SerializeAsString());
  }
}

TEST(ContractsTest, EveryItemHasOneOutcomeAndAskingChangesNothing) {
  for (uint64_t case_seed = 2000; case_seed < 2040; ++case_seed) {
    SCOPED_TRACE(fmt::format("case {}", case_seed));
    const Case c(case_seed);
    const auto plain = Recommend(c.shop.Inputs(), c.Request(20));
    ASSERT_TRUE(plain.ok()) << plain.status();
    std::set<std::string> shown;
    for (const AnswerItem& item : plain->items) shown.insert(item.id);
    for (size_t first = 0; first < c.shop.catalog.items.size(); first += kExplainItemsMax) {
      v1::RecommendRequest request = c.Request(20);
      for (size_t i = first; i < std::min(first + kExplainItemsMax, c.shop.catalog.items.size()); ++i) {
        request.add_explain_items(c.shop.catalog.items[i].id());
      }
      const auto answer = Recommend(c.shop.Inputs(), request);
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_EQ(answer->record.candidates_hash(), plain->record.candidates_hash());
      ASSERT_EQ(answer->outcomes.size(), static_cast<size_t>(request.explain_items_size()));
      for (size_t i = 0; i < answer->outcomes.size(); ++i) {
        const AnswerOutcome& outcome = answer->outcomes[i];
        SCOPED_TRACE(fmt::format("{}: {}", outcome.id, outcome.code));
        const v1::Item& item = c.shop.catalog.items[first + i];
        EXPECT_EQ(outcome.code == "shown", shown.contains(item.id()));
        EXPECT_EQ(c.Allowed(item), outcome.stage != "catalog" && outcome.stage != "filter" &&
                                       outcome.code != "hidden" && outcome.code != "excluded");
        if (outcome.code == "seen") {
          EXPECT_TRUE(c.seen.contains(item.id()) && c.ExcludesSeen());
        }
        EXPECT_FALSE(outcome.detail.empty());
      }
    }
  }
}

}  // namespace
}  // namespace bowerbird::serve
