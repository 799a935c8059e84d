#include "catalog/catalog.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "catalog/store_format.h"

namespace bowerbird::catalog {
namespace {

using google::protobuf::util::MessageDifferencer;

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() {
    auto config = std::make_shared<config::Config>();
    config->state.category_attribute = "categories";
    config->item_attributes = {{.name = "color", .type = expression::Type::kString, .stamp = true}};
    config_ = config;
    std::string dir = (std::filesystem::temp_directory_path() / "bowerbird_catalog_XXXXXX").string();
    EXPECT_NE(mkdtemp(dir.data()), nullptr);
    dir_ = dir;
    Open();
  }
  ~CatalogTest() override {
    catalog_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Open() {
    catalog_.reset();
    auto opened = Catalog::Open(dir_, config_, hasher_, Catalog::Options());
    ASSERT_TRUE(opened.ok()) << opened.status();
    catalog_ = *std::move(opened);
  }

  v1::CatalogRecord Upsert(std::string_view id, std::string_view title = "", std::string_view feed = "") const {
    v1::CatalogRecord record;
    record.set_item_key(hasher_.Item(id).value);
    record.mutable_item()->set_id(std::string(id));
    record.mutable_item()->set_title(std::string(title));
    record.mutable_item()->add_categories(std::string(title));
    record.set_feed(std::string(feed));
    return record;
  }

  v1::CatalogRecord Delete(std::string_view id) const {
    v1::CatalogRecord record;
    record.set_item_key(hasher_.Item(id).value);
    record.set_deleted(std::string(id));
    return record;
  }

  void Apply(uint64_t offset, const v1::CatalogRecord& record) {
    const absl::Status status = catalog_->Apply(offset, record);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::vector<std::string> Missing(std::string_view feed) const {
    std::vector<std::string> ids;
    EXPECT_TRUE(catalog_
                    ->ScanMissingFromFeed(*catalog_->FindFeed(feed),
                                          [&](ItemKey, const v1::Item& item) {
                                            ids.push_back(item.id());
                                            return true;
                                          })
                    .ok());
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  const KeyHasher hasher_{base::HashSeed{7}};
  std::shared_ptr<const config::Config> config_;
  std::string dir_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, AnEmptyOneHasNothing) {
  EXPECT_EQ(catalog_->applied_offset(), 0u);
  EXPECT_EQ(catalog_->size(), 0u);
  EXPECT_EQ(catalog_->Get("a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(catalog_->Stamp(hasher_.Item("a")), nullptr);
  uint64_t offset = 5;
  EXPECT_TRUE(catalog_->Scan([](ItemKey, const v1::Item&) { return ADD_FAILURE(), true; }, &offset).ok());
  EXPECT_EQ(offset, 0u);
}

TEST_F(CatalogTest, AppliesUpsertsAndDeletions) {
  Apply(0, Upsert("a", "A"));
  Apply(3, Upsert("b", "B"));  // offsets need not be dense
  Apply(4, Upsert("a", "A2"));
  EXPECT_EQ(catalog_->applied_offset(), 5u);
  EXPECT_EQ(catalog_->size(), 2u);
  EXPECT_EQ(catalog_->Get("a")->title(), "A2");
  Apply(5, Delete("a"));
  Apply(6, Delete("a"));
  EXPECT_EQ(catalog_->size(), 1u);
  EXPECT_EQ(catalog_->Get("a").status().code(), absl::StatusCode::kNotFound);
  // A kind of change that a later schema knows.
  Apply(7, v1::CatalogRecord());
  EXPECT_EQ(catalog_->applied_offset(), 8u);
  EXPECT_EQ(catalog_->size(), 1u);
}

TEST_F(CatalogTest, AReplayChangesNothing) {
  Apply(0, Upsert("a", "A"));
  Apply(1, Upsert("a", "A2"));
  Apply(0, Upsert("a", "A"));
  Apply(1, Delete("a"));
  EXPECT_EQ(catalog_->Get("a")->title(), "A2");
  EXPECT_EQ(catalog_->applied_offset(), 2u);
}

TEST_F(CatalogTest, StampsFollowTheItem) {
  EXPECT_EQ(catalog_->Stamp(hasher_.Item("a")), nullptr);
  Apply(0, Upsert("a", "A"));
  ASSERT_NE(catalog_->Stamp(hasher_.Item("a")), nullptr);
  EXPECT_EQ(catalog_->Stamp(hasher_.Item("a"))->id, "a");
  EXPECT_EQ(catalog_->Stamp(hasher_.Item("a"))->categories[0], "A");
  Apply(1, Upsert("a", "A2"));
  EXPECT_EQ(catalog_->Stamp(hasher_.Item("a"))->categories[0], "A2");
  Apply(2, Delete("a"));
  EXPECT_EQ(catalog_->Stamp(hasher_.Item("a")), nullptr);
}

TEST_F(CatalogTest, RefusesAnotherIdWithTheSameKey) {
  v1::CatalogRecord forged = Upsert("victim");
  forged.set_item_key(hasher_.Item("attacker").value);
  Apply(0, forged);
  EXPECT_EQ(catalog_->Get("attacker").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(FromStatus(catalog_->Get("attacker").status()).code, "id_collision");
  v1::UserRecord user;
  user.set_user_key(hasher_.User("mallory").value);
  user.mutable_user()->set_id("alice");
  ASSERT_TRUE(catalog_->ApplyUser(0, 0, user).ok());
  EXPECT_EQ(catalog_->GetUser("mallory").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(CatalogTest, KeepsWhatWasFlushedAndKnowsWhereToGoOn) {
  Apply(0, Upsert("a", "A"));
  Apply(1, Upsert("b", "B", "monday"));
  v1::UserRecord user;
  user.set_user_key(hasher_.User("u").value);
  user.mutable_user()->set_id("u");
  ASSERT_TRUE(catalog_->ApplyUser(3, 9, user).ok());
  ASSERT_TRUE(catalog_->Flush().ok());
  // What a crash leaves: a copy of the folder as it is on disk.
  const std::string copy = dir_ + "_crashed";
  Apply(2, Upsert("c", "C"));
  std::filesystem::copy(dir_, copy, std::filesystem::copy_options::recursive);
  auto reopened = Catalog::Open(copy, config_, hasher_, Catalog::Options());
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ((*reopened)->applied_offset(), 2u);
  EXPECT_EQ((*reopened)->size(), 2u);
  EXPECT_EQ((*reopened)->users_applied_offset(3), 10u);
  EXPECT_EQ((*reopened)->users_applied_offset(0), 0u);
  EXPECT_TRUE((*reopened)->GetUser("u").ok());
  EXPECT_EQ((*reopened)->FindFeed("monday")->begin_offset, 1u);
  reopened->reset();
  std::filesystem::remove_all(copy);
  // An orderly close keeps all.
  Open();
  EXPECT_EQ(catalog_->applied_offset(), 3u);
  EXPECT_EQ(catalog_->size(), 3u);
}

TEST_F(CatalogTest, ScansInKeyOrderWithAConsistentView) {
  for (uint64_t i = 0; i < 100; ++i) Apply(i, Upsert(std::to_string(i)));
  ItemKey last;
  int seen = 0;
  uint64_t offset = 0;
  ASSERT_TRUE(catalog_
                  ->Scan(
                      [&](ItemKey key, const v1::Item& item) {
                        EXPECT_TRUE(seen == 0 || last < key);
                        EXPECT_EQ(key, hasher_.Item(item.id()));
                        last = key;
                        // What is applied meanwhile is not seen.
                        if (++seen == 1) Apply(100, Upsert("late"));
                        return true;
                      },
                      &offset)
                  .ok());
  EXPECT_EQ(seen, 100);
  EXPECT_EQ(offset, 100u);
  seen = 0;
  ASSERT_TRUE(catalog_->Scan([&](ItemKey, const v1::Item&) { return ++seen < 10; }, &offset).ok());
  EXPECT_EQ(seen, 10);
  EXPECT_EQ(offset, 101u);
}

TEST_F(CatalogTest, KnowsWhatAFeedDidNotName) {
  Apply(0, Upsert("a"));
  Apply(1, Upsert("b"));
  Apply(2, Upsert("c"));
  v1::CatalogRecord withdrawn = Upsert("gone");
  withdrawn.mutable_item()->set_withdrawn(true);
  Apply(3, withdrawn);
  Apply(4, Upsert("b", "B", "monday"));
  Apply(5, Upsert("x", "X", "monday"));
  Apply(6, Upsert("c", "C", "other"));
  EXPECT_EQ(Missing("monday"), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(Missing("other"), (std::vector<std::string>{"a", "b", "x"}));
  Open();
  EXPECT_EQ(Missing("monday"), (std::vector<std::string>{"a", "c"}));
  v1::CatalogRecord end;
  end.mutable_feed_end()->set_token("monday");
  end.mutable_feed_end()->set_batch(5);
  end.mutable_feed_end()->set_withdrawn(2);
  Apply(7, end);
  Open();
  EXPECT_EQ(catalog_->FindFeed("monday")->state, Feed::State::kEnded);
  EXPECT_EQ(catalog_->FindFeed("monday")->last_batch, 5u);
  EXPECT_EQ(Missing("other"), (std::vector<std::string>{"a", "b", "x"}));
  EXPECT_EQ(Missing("monday"), (std::vector<std::string>{"a", "b", "c", "x"})) << "its items are forgotten";
}

TEST_F(CatalogTest, RefusesAFolderThatIsInUse) {
  EXPECT_EQ(Catalog::Open(dir_, config_, hasher_, Catalog::Options()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CatalogTest, WhatIsDamagedIsMadeAnewByTheNextOpen) {
  for (const bool remove : {false, true}) {
    Apply(catalog_->applied_offset(), Upsert("a", std::string(1000, 'a')));
    ASSERT_TRUE(catalog_->Flush().ok());
    catalog_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      if (entry.path().extension() != ".sst") continue;
      if (remove) {
        std::filesystem::remove(entry.path());
        continue;
      }
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(20);
      file.write("\x55\x55\x55", 3);
    }
    Open();
    if (catalog_->applied_offset() > 0) {  // the damage lies where only a read of the item meets it
      EXPECT_EQ(catalog_->Get("a").status().code(), absl::StatusCode::kDataLoss);
      EXPECT_EQ(catalog_->Stamp(hasher_.Item("a")), nullptr);
      EXPECT_EQ(catalog_->stamp_failures(), 1u);
      EXPECT_TRUE(catalog_->damaged());
      Open();
    }
    EXPECT_FALSE(catalog_->damaged());
    EXPECT_EQ(catalog_->applied_offset(), 0u) << "to be applied from the log again";
    Apply(0, Upsert("a", "again"));
    EXPECT_EQ(catalog_->Get("a")->title(), "again");
  }
}

TEST_F(CatalogTest, AgreesWithAMapUnderRandomRecords) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  base::Rng rng(seed);
  std::map<std::string, std::string> twin;
  for (uint64_t offset = 0; offset < 3'000; ++offset) {
    const std::string id = std::to_string(rng.Below(200));
    if (rng.Bernoulli(0.3)) {
      Apply(offset, Delete(id));
      twin.erase(id);
    } else {
      twin[id] = std::to_string(rng());
      Apply(offset, Upsert(id, twin[id]));
    }
    const std::string probe = std::to_string(rng.Below(200));
    const auto stamp = catalog_->Stamp(hasher_.Item(probe));
    ASSERT_EQ(stamp != nullptr, twin.contains(probe));
    if (stamp != nullptr) {
      ASSERT_EQ(stamp->categories[0], twin[probe]);
    }
    if (rng.Bernoulli(0.01)) {
      ASSERT_TRUE(catalog_->Flush().ok());
    }
    if (rng.Bernoulli(0.003)) Open();
    ASSERT_EQ(catalog_->size(), twin.size());
  }
  std::map<std::string, std::string> scanned;
  uint64_t offset = 0;
  ASSERT_TRUE(catalog_
                  ->Scan(
                      [&](ItemKey, const v1::Item& item) {
                        scanned[item.id()] = item.title();
                        return true;
                      },
                      &offset)
                  .ok());
  EXPECT_EQ(scanned, twin);
  EXPECT_EQ(offset, 3'000u);
}

TEST_F(CatalogTest, ReadersRunBesideTheWriter) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto item = catalog_->Get("a");
        if (item.ok()) {
          EXPECT_EQ(item->title(), item->categories(0));
        }
        const auto stamp = catalog_->Stamp(hasher_.Item("a"));
        if (stamp != nullptr) {
          EXPECT_EQ(stamp->id, "a");
        }
      }
    });
  }
  for (uint64_t i = 0; i < 2'000; ++i) {
    Apply(i, Upsert("a", std::to_string(i)));
    ASSERT_EQ(catalog_->Stamp(hasher_.Item("a"))->categories[0], std::to_string(i));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace bowerbird::catalog
