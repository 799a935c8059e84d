#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "collect/catalog_intake.h"
#include "collect/intake_for_test.h"

namespace bowerbird::collect {
namespace {

class CatalogFeedTest : public IntakeTest {
 protected:
  CatalogFeedTest() : IntakeTest("") { OpenIntake(); }
  ~CatalogFeedTest() override { intake_.reset(); }

  void OpenIntake() {
    intake_ = std::make_unique<CatalogIntake>(config_, hasher_, failing_log_.get(), catalog_.get(), &clock_, nullptr);
    ASSERT_TRUE(intake_->CatchUp().ok());
  }

  /// As a crash leaves it: the store has lost what it did not flush, and the log brings it back.
  void RestartWithoutStore() {
    intake_.reset();
    catalog_.reset();
    std::filesystem::remove_all(dir_ + "/catalog");
    OpenCatalog();
    OpenIntake();
  }

  static ItemsBatch Batch(std::string_view feed, bool end, const std::vector<std::string>& ids) {
    ItemsBatch batch;
    batch.request.set_feed(std::string(feed));
    batch.request.set_feed_end(end);
    batch.hash = 1;
    for (const std::string& id : ids) {
      batch.request.add_upsert()->set_id(id);
      batch.hash = batch.hash * 31 + std::hash<std::string>()(id);
    }
    return batch;
  }

  void Put(const std::vector<std::string>& ids) { ASSERT_TRUE(intake_->Batch(Batch("", false, ids)).ok()); }

  std::set<std::string> Eligible() const {
    std::set<std::string> ids;
    uint64_t offset = 0;
    EXPECT_TRUE(catalog_
                    ->Scan(
                        [&](catalog::ItemKey, const v1::Item& item) {
                          if (catalog::Eligible(item)) ids.insert(item.id());
                          return true;
                        },
                        &offset)
                    .ok());
    return ids;
  }

  std::string CodeOf(const ItemsBatch& batch) { return catalog::FromStatus(intake_->Batch(batch).status()).code; }

  std::unique_ptr<CatalogIntake> intake_;
};

using Ids = std::set<std::string>;

TEST_F(CatalogFeedTest, TheEndWithdrawsWhatTheFeedDidNotName) {
  Put({"a", "b", "c", "d"});
  ASSERT_TRUE(intake_->Batch(Batch("monday", false, {"a", "x"})).ok());
  EXPECT_EQ(Eligible(), (Ids{"a", "b", "c", "d", "x"}));
  const auto response = intake_->Batch(Batch("monday", true, {"c"}));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->applied(), 1u);
  EXPECT_EQ(response->withdrawn(), 2u);
  EXPECT_EQ(Eligible(), (Ids{"a", "c", "x"}));
  // The next feed brings one back and counts only what it newly withdraws.
  EXPECT_EQ(intake_->Batch(Batch("tuesday", true, {"a", "b"}))->withdrawn(), 2u);
  EXPECT_EQ(Eligible(), (Ids{"a", "b"}));
}

TEST_F(CatalogFeedTest, GoesOnAfterARestart) {
  Put({"a", "b", "c"});
  ASSERT_TRUE(intake_->Batch(Batch("monday", false, {"a"})).ok());
  RestartWithoutStore();
  ASSERT_TRUE(intake_->Batch(Batch("monday", false, {"b"})).ok());
  RestartWithoutStore();
  EXPECT_EQ(intake_->Batch(Batch("monday", true, {"x"}))->withdrawn(), 1u);
  EXPECT_EQ(Eligible(), (Ids{"a", "b", "x"}));
}

TEST_F(CatalogFeedTest, SendingTheLastBatchAgainIsHarmless) {
  Put({"a", "b", "c"});
  ASSERT_TRUE(intake_->Batch(Batch("monday", false, {"a"})).ok());
  ASSERT_TRUE(intake_->Batch(Batch("monday", true, {"b"})).ok());
  RestartWithoutStore();
  const auto again = intake_->Batch(Batch("monday", true, {"b"}));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->applied(), 1u);
  EXPECT_EQ(again->withdrawn(), 1u);
  EXPECT_EQ(Eligible(), (Ids{"a", "b"}));
}

TEST_F(CatalogFeedTest, ATokenIsUsedOnce) {
  Put({"a", "b"});
  ASSERT_TRUE(intake_->Batch(Batch("monday", true, {"a"})).ok());
  EXPECT_EQ(CodeOf(Batch("monday", true, {"b"})), "feed_ended");
  EXPECT_EQ(CodeOf(Batch("monday", false, {"a"})), "feed_ended");
  EXPECT_EQ(Eligible(), Ids{"a"});
}

TEST_F(CatalogFeedTest, AFeedThatNamesNothingWithdrawsNothing) {
  Put({"a", "b"});
  EXPECT_EQ(CodeOf(Batch("monday", true, {})), "feed_empty");
  EXPECT_EQ(CodeOf(Batch("", true, {"a"})), "missing_field");
  EXPECT_EQ(CodeOf(Batch(std::string(10'000, 'x'), true, {"a"})), "too_long");
  EXPECT_EQ(Eligible(), (Ids{"a", "b"}));
}

TEST_F(CatalogFeedTest, AnItemWhoseNewVersionIsRefusedIsStillInTheFeed) {
  Put({"a", "b", "c", "d"});
  ItemsBatch batch = Batch("monday", true, {"a", "b"});
  batch.request.mutable_upsert(1)->set_domain("nowhere");
  batch.rejected.emplace_back().set_id("c");  // could not be read
  const auto response = intake_->Batch(batch);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->rejected_size(), 2);
  EXPECT_EQ(response->withdrawn(), 1u);
  EXPECT_EQ(Eligible(), (Ids{"a", "b", "c"}));
}

TEST_F(CatalogFeedTest, FeedsSideBySideDoNotMix) {
  Put({"a", "b", "c"});
  ASSERT_TRUE(intake_->Batch(Batch("one", false, {"a"})).ok());
  ASSERT_TRUE(intake_->Batch(Batch("two", false, {"b"})).ok());
  ASSERT_TRUE(intake_->Batch(Batch("one", true, {"b"})).ok());
  EXPECT_EQ(Eligible(), (Ids{"a", "b"}));
  ASSERT_TRUE(intake_->Batch(Batch("two", true, {"c"})).ok());
  EXPECT_EQ(Eligible(), (Ids{"b", "c"}));
}

TEST_F(CatalogFeedTest, TheOldestOfTooManyOpenFeedsExpires) {
  Put({"a"});
  for (uint32_t i = 0; i <= catalog::kOpenFeedsMax; ++i) {
    ASSERT_TRUE(intake_->Batch(Batch("feed" + std::to_string(i), false, {"a"})).ok());
  }
  EXPECT_EQ(CodeOf(Batch("feed0", true, {"a"})), "feed_expired");
  RestartWithoutStore();
  EXPECT_EQ(CodeOf(Batch("feed0", true, {"a"})), "feed_expired");
  EXPECT_TRUE(intake_->Batch(Batch("feed1", true, {"a"})).ok());
}

TEST_F(CatalogFeedTest, WithdrawsMoreThanOneAppendHolds) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2'500; ++i) {
    ids.push_back("item" + std::to_string(i));
    if (ids.size() == 1'000 || i == 2'499) {
      Put(ids);
      ids.clear();
    }
  }
  EXPECT_EQ(intake_->Batch(Batch("monday", true, {"item7"}))->withdrawn(), 2'499u);
  EXPECT_EQ(Eligible(), Ids{"item7"});
}

TEST_F(CatalogFeedTest, AnEndThatFailedHalfWayIsFinishedByTheNextTry) {
  Put({"a", "b", "c"});
  ASSERT_TRUE(intake_->Batch(Batch("monday", false, {"a"})).ok());
  failing_log_->fail_after_write = true;
  EXPECT_EQ(intake_->Batch(Batch("monday", true, {"b"})).status().code(), absl::StatusCode::kUnavailable);
  failing_log_->fail_after_write = false;
  const auto response = intake_->Batch(Batch("monday", true, {"b"}));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(Eligible(), (Ids{"a", "b"}));
}

}  // namespace
}  // namespace bowerbird::collect
