#include "collect/catalog_intake.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "collect/intake_for_test.h"

namespace bowerbird::collect {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr char kConfig[] = R"(
[items.attributes]
color = "string"
[users.attributes]
country = "string"
)";

class CatalogIntakeTest : public IntakeTest {
 protected:
  CatalogIntakeTest() : IntakeTest(kConfig) { OpenIntake(); }
  ~CatalogIntakeTest() override { intake_.reset(); }

  void OpenIntake() {
    intake_ = std::make_unique<CatalogIntake>(config_, hasher_, failing_log_.get(), catalog_.get(), &clock_,
                                              [this](std::span<const CatalogChange> changes) {
                                                for (const CatalogChange& change : changes) Told(change);
                                              });
    ASSERT_TRUE(intake_->CatchUp().ok());
  }

  void Told(const CatalogChange& change) {
    // By the time of the call the catalog says the same.
    EXPECT_GT(catalog_->applied_offset(), change.offset);
    if (!told_offsets_.empty()) {
      EXPECT_GT(change.offset, told_offsets_.back());
    }
    told_offsets_.push_back(change.offset);
    if (change.item == nullptr) {
      index_.erase(change.key);
    } else {
      index_[change.key] = *change.item;
    }
  }

  static v1::Item Item(std::string_view id, std::string_view title = "") {
    v1::Item item;
    item.set_id(std::string(id));
    item.set_title(std::string(title));
    return item;
  }

  static catalog::Problem ProblemOf(const absl::Status& status) { return catalog::FromStatus(status); }

  std::unique_ptr<CatalogIntake> intake_;
  std::vector<log::Offset> told_offsets_;
  std::map<catalog::ItemKey, v1::Item> index_;  ///< what a listener knows
};

TEST_F(CatalogIntakeTest, PutMakesAndReplaces) {
  const int64_t made_us = clock_.now_us;
  auto item = intake_->Put(Item("a", "first"));
  ASSERT_TRUE(item.ok()) << item.status();
  EXPECT_EQ(item->created_time_us(), made_us);
  EXPECT_EQ(item->updated_time_us(), made_us);
  clock_.now_us += 1'000'000;
  v1::Item second = Item("a");
  second.set_price(4);
  item = intake_->Put(second);
  ASSERT_TRUE(item.ok());
  EXPECT_EQ(item->title(), "");
  EXPECT_EQ(item->price(), 4);
  EXPECT_EQ(item->created_time_us(), made_us);
  EXPECT_EQ(item->updated_time_us(), made_us + 1'000'000);
  EXPECT_TRUE(MessageDifferencer::Equals(*catalog_->Get("a"), *item));
  EXPECT_TRUE(MessageDifferencer::Equals(index_.at(hasher_.Item("a")), *item));
  EXPECT_EQ(catalog_->size(), 1u);
  const auto records = ReadAll(log::Topic::kCatalog, 0);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].key, "a");
}

TEST_F(CatalogIntakeTest, PatchChangesWhatIsPresent) {
  ASSERT_TRUE(intake_->Put(Item("a", "title")).ok());
  v1::Item patch = Item("a");
  patch.set_price(3);
  const auto item = intake_->Patch(patch);
  ASSERT_TRUE(item.ok());
  EXPECT_EQ(item->title(), "title");
  EXPECT_EQ(item->price(), 3);
  EXPECT_EQ(intake_->Patch(Item("nobody")).status().code(), absl::StatusCode::kNotFound);
  patch.set_domain("nowhere");
  EXPECT_EQ(ProblemOf(intake_->Patch(patch).status()).code, "unknown_domain");
  EXPECT_EQ(catalog_->Get("a")->domain(), "");
}

TEST_F(CatalogIntakeTest, WithdrawnAndDeletedItemsAreGoneWhenTheCallReturns) {
  ASSERT_TRUE(intake_->Put(Item("a")).ok());
  ASSERT_TRUE(intake_->Put(Item("b")).ok());
  ASSERT_TRUE(intake_->Withdraw("a").ok());
  EXPECT_FALSE(catalog::Eligible(*catalog_->Get("a")));
  EXPECT_FALSE(catalog::Eligible(index_.at(hasher_.Item("a"))));
  ASSERT_TRUE(intake_->Delete("b").ok());
  EXPECT_EQ(catalog_->Get("b").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(index_.contains(hasher_.Item("b")));
  // A patch leaves it withdrawn; an upsert brings it back.
  v1::Item patch = Item("a", "x");
  ASSERT_TRUE(intake_->Patch(patch).ok());
  EXPECT_TRUE(catalog_->Get("a")->withdrawn());
  ASSERT_TRUE(intake_->Put(Item("a")).ok());
  EXPECT_TRUE(catalog::Eligible(*catalog_->Get("a")));
  EXPECT_EQ(intake_->Withdraw("b").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(intake_->Delete("b").code(), absl::StatusCode::kNotFound);
}

TEST_F(CatalogIntakeTest, RefusesBadIds) {
  for (const std::string& id : {std::string(), std::string(10'000, 'x'), std::string("a\xff")}) {
    EXPECT_EQ(intake_->Put(Item(id)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(intake_->Patch(Item(id)).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(intake_->Withdraw(id).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(intake_->Delete(id).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(intake_->DeleteUser(id).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(ReadAll(log::Topic::kCatalog, 0).empty());
}

TEST_F(CatalogIntakeTest, RefusesAnIdWhoseKeyIsAnothers) {
  v1::CatalogRecord forged;
  forged.set_item_key(hasher_.Item("attacker").value);
  forged.mutable_item()->set_id("victim");
  log::AppendRecord record{log::Topic::kCatalog, 0, "victim", forged.SerializeAsString()};
  ASSERT_TRUE(log_->Append({record}).ok());
  OpenIntake();
  EXPECT_EQ(ProblemOf(intake_->Put(Item("attacker")).status()).code, "id_collision");
  EXPECT_EQ(intake_->Put(Item("attacker")).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(intake_->Patch(Item("attacker")).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(intake_->Withdraw("attacker").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(intake_->Delete("attacker").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(index_.at(hasher_.Item("attacker")).id(), "victim");
}

TEST_F(CatalogIntakeTest, ABatchGoesInOrderAndJudgesEachChange) {
  ASSERT_TRUE(intake_->Put(Item("old", "old")).ok());
  ItemsBatch batch;
  *batch.request.add_upsert() = Item("a", "A");
  *batch.request.add_upsert() = Item("bad");
  batch.request.mutable_upsert(1)->set_domain("nowhere");
  *batch.request.add_upsert() = Item("b", "B");
  *batch.request.add_patch() = Item("a", "A2");  // of the same batch
  *batch.request.add_patch() = Item("nobody", "x");
  batch.request.add_delete_("b");
  batch.request.add_delete_("b");  // gone by now
  batch.request.add_withdraw("old");
  batch.rejected.emplace_back().set_id("unread");
  const auto response = intake_->Batch(batch);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->applied(), 5u);
  ASSERT_EQ(response->rejected_size(), 4);
  EXPECT_EQ(response->rejected(0).id(), "unread");
  EXPECT_EQ(response->rejected(1).id(), "bad");
  EXPECT_EQ(response->rejected(1).code(), "unknown_domain");
  EXPECT_EQ(response->rejected(2).code(), "unknown_item");
  EXPECT_EQ(response->rejected(3).id(), "b");
  EXPECT_EQ(catalog_->Get("a")->title(), "A2");
  EXPECT_FALSE(catalog_->Get("b").ok());
  EXPECT_TRUE(catalog_->Get("old")->withdrawn());
  EXPECT_EQ(index_.size(), 2u);

  ItemsBatch too_many;
  for (uint32_t i = 0; i <= kItemBatchMax; ++i) too_many.request.add_delete_("x");
  EXPECT_EQ(ProblemOf(intake_->Batch(too_many).status()).code, "too_many_items");
}

TEST_F(CatalogIntakeTest, ALogThatCannotWriteChangesNothing) {
  ASSERT_TRUE(intake_->Put(Item("a", "before")).ok());
  failing_log_->fail_before_write = true;
  EXPECT_EQ(intake_->Put(Item("a", "after")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(intake_->PutUser({}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(catalog_->Get("a")->title(), "before");
  failing_log_->fail_before_write = false;
  ASSERT_TRUE(intake_->Put(Item("b")).ok());
  EXPECT_EQ(index_.size(), 2u);
}

TEST_F(CatalogIntakeTest, ARecordThatTheLogHasAfterAllIsAppliedBeforeTheNextWrite) {
  ASSERT_TRUE(intake_->Put(Item("a", "before")).ok());
  failing_log_->fail_after_write = true;
  EXPECT_EQ(intake_->Put(Item("a", "after")).status().code(), absl::StatusCode::kUnavailable);
  failing_log_->fail_after_write = false;
  v1::Item patch = Item("a");
  patch.set_price(1);
  const auto item = intake_->Patch(patch);
  ASSERT_TRUE(item.ok()) << item.status();
  EXPECT_EQ(item->title(), "after");
  EXPECT_TRUE(MessageDifferencer::Equals(index_.at(hasher_.Item("a")), *item));
}

TEST_F(CatalogIntakeTest, CatchesUpWithTheLogAfterTheStoreIsLost) {
  ASSERT_TRUE(intake_->Put(Item("a", "A")).ok());
  ASSERT_TRUE(intake_->Put(Item("b", "B")).ok());
  ASSERT_TRUE(intake_->Delete("b").ok());
  v1::User user;
  user.set_id("u");
  (*user.mutable_attributes())["country"].set_string_value("CH");
  ASSERT_TRUE(intake_->PutUser(user).ok());
  // One that cannot be decoded stops nobody.
  ASSERT_TRUE(log_->Append({{log::Topic::kCatalog, 0, "x", "\xff\xff"}}).ok());
  intake_.reset();
  catalog_.reset();
  std::filesystem::remove_all(dir_ + "/catalog");
  OpenCatalog();
  index_.clear();
  told_offsets_.clear();
  OpenIntake();
  EXPECT_EQ(catalog_->applied_offset(), 4u);
  EXPECT_EQ(catalog_->size(), 1u);
  EXPECT_EQ(index_.size(), 1u);
  EXPECT_EQ(catalog_->GetUser("u")->attributes().at("country").string_value(), "CH");
}

TEST_F(CatalogIntakeTest, KeepsUsersAttributes) {
  v1::User user;
  user.set_id("u");
  (*user.mutable_attributes())["country"].set_string_value("CH");
  const auto written = intake_->PutUser(user);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->updated_time_us(), clock_.now_us);
  EXPECT_TRUE(MessageDifferencer::Equals(*catalog_->GetUser("u"), *written));
  (*user.mutable_attributes())["shoe"].set_number_value(42);
  EXPECT_EQ(ProblemOf(intake_->PutUser(user).status()).code, "undeclared_attribute");
  ASSERT_TRUE(intake_->DeleteUser("u").ok());
  EXPECT_EQ(catalog_->GetUser("u").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(intake_->DeleteUser("u").code(), absl::StatusCode::kNotFound);
}

TEST_F(CatalogIntakeTest, ForgottenUsersHaveNoAttributesInAReplayEither) {
  v1::User user;
  for (const char* id : {"u", "v"}) {
    user.set_id(id);
    ASSERT_TRUE(intake_->PutUser(user).ok());
  }
  const auto offsets =
      intake_->ForgetUsers(std::vector<std::string>{"u", "unknown"}, {{log::Topic::kEvents, 0, "u", "a record"}});
  ASSERT_TRUE(offsets.ok()) << offsets.status();
  EXPECT_EQ(offsets->size(), 1u);
  EXPECT_EQ(ReadAll(log::Topic::kEvents, 0).size(), 1u);
  EXPECT_EQ(catalog_->GetUser("u").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(catalog_->GetUser("v").ok());
}

TEST_F(CatalogIntakeTest, PatchesLayAttributesOverWhatUsersHave) {
  const auto patch = [](const std::string& id, const char* country) {
    v1::User user;
    user.set_id(id);
    v1::Value& value = (*user.mutable_attributes())["country"];
    if (country != nullptr) value.set_string_value(country);
    return user;
  };
  const auto records = [&] {
    size_t count = 0;
    for (uint32_t p = 0; p < 4; ++p) count += ReadAll(log::Topic::kUsers, p).size();
    return count;
  };
  v1::User wrong = patch("w", "CH");
  (*wrong.mutable_attributes())["shoe"].set_number_value(42);
  const auto first =
      intake_->PatchUsers(std::vector<v1::User>{patch("u", "CH"), wrong, patch("v", "FR"), patch("u", "IT")});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->size(), 4u);
  EXPECT_EQ(ProblemOf((*first)[1]).code, "undeclared_attribute");
  EXPECT_TRUE((*first)[0].ok() && (*first)[2].ok() && (*first)[3].ok());
  EXPECT_EQ(catalog_->GetUser("u")->attributes().at("country").string_value(), "IT");
  EXPECT_EQ(catalog_->GetUser("v")->attributes().at("country").string_value(), "FR");
  EXPECT_EQ(records(), 2u);  // one a user, however many patches
  // What is so already costs no write; null takes it away.
  ASSERT_TRUE(intake_->PatchUsers(std::vector<v1::User>{patch("u", "IT"), patch("x", nullptr)}).ok());
  EXPECT_EQ(records(), 2u);
  ASSERT_TRUE(intake_->PatchUsers(std::vector<v1::User>{patch("u", nullptr)}).ok());
  EXPECT_TRUE(catalog_->GetUser("u")->attributes().empty());
}

TEST_F(CatalogIntakeTest, AgreesWithAMapUnderRandomChanges) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  base::Rng rng(seed);
  std::map<std::string, std::pair<std::string, bool>> twin;  // title, withdrawn
  for (int round = 0; round < 60; ++round) {
    ItemsBatch batch;
    std::map<std::string, std::pair<std::string, bool>> next = twin;
    for (uint64_t n = rng.Below(6); n > 0; --n) {
      const std::string id = std::to_string(rng.Below(20));
      next[id] = {std::to_string(rng()), false};
      *batch.request.add_upsert() = Item(id, next[id].first);
    }
    for (uint64_t n = rng.Below(4); n > 0; --n) {
      const std::string id = std::to_string(rng.Below(20)), title = std::to_string(rng());
      *batch.request.add_patch() = Item(id, title);
      if (next.contains(id)) next[id].first = title;
    }
    for (uint64_t n = rng.Below(3); n > 0; --n) {
      const std::string id = std::to_string(rng.Below(20));
      batch.request.add_delete_(id);
      next.erase(id);
    }
    for (uint64_t n = rng.Below(3); n > 0; --n) {
      const std::string id = std::to_string(rng.Below(20));
      batch.request.add_withdraw(id);
      if (next.contains(id)) next[id].second = true;
    }
    failing_log_->fail_before_write = rng.Bernoulli(0.1);
    failing_log_->fail_after_write = rng.Bernoulli(0.1);
    const auto response = intake_->Batch(batch);
    const bool written = response.ok() || (failing_log_->fail_after_write && !failing_log_->fail_before_write);
    failing_log_->fail_before_write = failing_log_->fail_after_write = false;
    if (written) twin = next;
    if (rng.Bernoulli(0.2)) {
      intake_.reset();
      OpenCatalog();
      OpenIntake();
    }
    if (!response.ok()) {
      ASSERT_TRUE(intake_->CatchUp().ok());
    }
    ASSERT_EQ(catalog_->size(), twin.size());
    ASSERT_EQ(index_.size(), twin.size());
    for (const auto& [id, expected] : twin) {
      const auto item = catalog_->Get(id);
      ASSERT_TRUE(item.ok()) << id;
      ASSERT_EQ(item->title(), expected.first);
      ASSERT_EQ(item->withdrawn(), expected.second);
      ASSERT_EQ(index_.at(hasher_.Item(id)).title(), expected.first);
    }
  }
}

TEST_F(CatalogIntakeTest, WritersOnManyThreadsTakeTurns) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(intake_->Put(Item(std::to_string(i), std::to_string(t))).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told_offsets_.size(), 40u);
  for (const auto& [key, item] : index_) EXPECT_TRUE(MessageDifferencer::Equals(*catalog_->Get(item.id()), item));
}

}  // namespace
}  // namespace bowerbird::collect
