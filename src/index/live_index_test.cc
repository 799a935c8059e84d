#include "index/live_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <thread>

#include "catalog/item_rules.h"
#include "fmt/ranges.h"
#include "index/sample_for_test.h"

namespace bowerbird::index {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint32_t kDim = 6;

/// The catalog as a plain map, with its history.
class Twin {
 public:
  struct Record {
    catalog::ItemKey key;
    std::optional<v1::Item> item;
  };

  explicit Twin(uint64_t seed) : rng_(seed) {}

  /// Appends one random record.
  void Step() {
    const auto number = static_cast<uint32_t>(rng_.Below(120));
    v1::Item item = SampleItem(number, &rng_);
    Record record = {SampleKey(item.id()), std::nullopt};
    if (!rng_.Bernoulli(0.2)) record.item = std::move(item);
    records_.push_back(std::move(record));
  }
  uint64_t end() const { return records_.size(); }
  Change At(uint64_t offset) const {
    const Record& record = records_[offset];
    return {offset, record.key, record.item ? &*record.item : nullptr};
  }
  std::vector<Change> Range(uint64_t begin, uint64_t end) const {
    std::vector<Change> changes;
    for (uint64_t offset = begin; offset < end; ++offset) changes.push_back(At(offset));
    return changes;
  }
  std::map<catalog::ItemKey, v1::Item> AsOf(uint64_t offset) const {
    std::map<catalog::ItemKey, v1::Item> items;
    for (uint64_t o = 0; o < offset; ++o) {
      if (records_[o].item) {
        items[records_[o].key] = *records_[o].item;
      } else {
        items.erase(records_[o].key);
      }
    }
    return items;
  }
  std::shared_ptr<const Snapshot> Build(uint64_t offset, const std::string& version) {
    const auto as_of = AsOf(offset);
    const KeyedItems items(as_of.begin(), as_of.end());
    base::Rng rng(offset);
    const CfModel model = SampleModel(items, kDim, &rng);
    return SampleSnapshot(items, &model, offset, version);
  }
  base::Rng& rng() { return rng_; }

 private:
  base::Rng rng_;
  std::vector<Record> records_;
};

/// Everything that a request can see of a view, as text: equal views give equal texts.
std::string Seen(const LiveView& view) {
  std::string out = fmt::format("{} {} {}\n", view.snapshot_version(), view.catalog_offset(), view.size());
  const auto add = [&](const ItemHandle& item) {
    std::vector<float> scratch;
    out += fmt::format("{} {} {} {} {} {} {} [{}] [{}]\n{}\n", item.key.value, item.ordinal.value,
                       item.delta != nullptr, view.Id(item), view.Eligible(item), view.CreatedUs(item),
                       view.FactorTrained(item), fmt::join(view.Categories(item), " "),
                       fmt::join(view.Factor(item, &scratch), " "), view.Document(item).DebugString());
  };
  for (uint32_t i = 0; view.snapshot() != nullptr && i < view.snapshot()->size(); ++i) {
    ItemHandle item;
    if (view.FindOrdinal(Ordinal(i), &item)) add(item);
  }
  for (const ItemHandle& item : view.Delta()) add(item);
  out += fmt::format("{}\n", fmt::join(view.EligibleOrdinals(nullptr, 0), " "));
  return out;
}

/// The view holds exactly the twin's items.
void ExpectEqual(const LiveView& view, const std::map<catalog::ItemKey, v1::Item>& items) {
  ASSERT_EQ(view.size(), items.size());
  const auto config = SampleConfig();
  const std::vector<uint64_t> eligible = view.EligibleOrdinals(nullptr, 0);
  uint64_t in_snapshot = 0;
  for (const auto& [key, item] : items) {
    ItemHandle handle;
    ASSERT_TRUE(view.Find(key, &handle)) << item.id();
    EXPECT_EQ(handle.key, key);
    EXPECT_EQ(view.Id(handle), item.id());
    EXPECT_EQ(view.Eligible(handle), catalog::Eligible(item));
    EXPECT_EQ(view.CreatedUs(handle), item.created_time_us());
    EXPECT_EQ(view.Document(handle).DebugString(), item.DebugString());
    const std::vector<std::string> categories = catalog::CategoriesOf(item, *config);
    ASSERT_EQ(view.Categories(handle).size(), categories.size());
    for (size_t c = 0; c < categories.size(); ++c) {
      EXPECT_EQ(view.CategoryName(view.Categories(handle)[c]), categories[c]);
    }
    if (handle.delta == nullptr) {
      ++in_snapshot;
      const uint32_t o = handle.ordinal.value;
      EXPECT_EQ((eligible[o / 64] >> (o % 64)) & 1, catalog::Eligible(item) ? 1u : 0u);
    } else if (handle.ordinal != kNoOrdinal) {
      EXPECT_EQ((eligible[handle.ordinal.value / 64] >> (handle.ordinal.value % 64)) & 1, 0u);
    }
  }
  EXPECT_EQ(view.delta_size(), items.size() - in_snapshot);
  ASSERT_EQ(view.Delta().size(), view.delta_size());
  for (size_t i = 1; i < view.Delta().size(); ++i) EXPECT_LT(view.Delta()[i - 1].key, view.Delta()[i].key);
}

class LiveIndexTwinTest : public testing::TestWithParam<uint64_t> {};

TEST_P(LiveIndexTwinTest, HoldsWhatTheTwinHoldsAndDoesNotDependOnBatches) {
  SCOPED_TRACE(fmt::format("seed {}", GetParam()));
  Twin twin(GetParam());
  LiveIndex live(SampleConfig());
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::pair<std::shared_ptr<const LiveView>, uint64_t>> held;
  for (int round = 0; round < 30; ++round) {
    const uint64_t begin = twin.end();
    for (uint64_t steps = 1 + twin.rng().Below(40); steps > 0; --steps) twin.Step();
    // Sometimes with records that were applied before.
    const uint64_t from = twin.rng().Bernoulli(0.3) && begin > 3 ? begin - 3 : begin;
    ASSERT_TRUE(live.Apply(twin.Range(from, twin.end())).ok());
    if (round % 7 == 3) {
      // Of a past offset, as a build is: newer changes stay above it.
      const uint64_t known = snapshot == nullptr ? 0 : snapshot->catalog_offset();
      const uint64_t offset = known + twin.rng().Below(twin.end() - known + 1);
      snapshot = twin.Build(offset, fmt::format("{:06}", round));
      ASSERT_TRUE(live.SwapSnapshot(snapshot).ok());
    }
    ExpectEqual(*live.View(), twin.AsOf(twin.end()));
    held.emplace_back(live.View(), twin.end());
    if (HasFatalFailure()) return;
  }
  // The same snapshot and offset, replayed one by one: the same view.
  LiveIndex replayed(SampleConfig());
  ASSERT_TRUE(replayed.SwapSnapshot(snapshot).ok());
  for (uint64_t offset = snapshot->catalog_offset(); offset < twin.end(); ++offset) {
    const Change change = twin.At(offset);
    ASSERT_TRUE(replayed.Apply(std::span(&change, 1)).ok());
  }
  EXPECT_EQ(Seen(*live.View()), Seen(*replayed.View()));
  // Held views did not change with what came after.
  for (const auto& [view, offset] : held) ExpectEqual(*view, twin.AsOf(offset));
}
INSTANTIATE_TEST_SUITE_P(Seeds, LiveIndexTwinTest, testing::Range<uint64_t>(1, 9));

class LiveIndexTest : public testing::Test {
 protected:
  LiveIndexTest() : rng_(1), items_(SampleItems(200, &rng_)), model_(SampleModel(items_, kDim, &rng_)) {}

  absl::Status Apply(uint64_t offset, const v1::Item& item) {
    const Change change = {offset, SampleKey(item.id()), &item};
    return live_.Apply(std::span(&change, 1));
  }
  ItemHandle Find(const std::string& id) {
    view_ = live_.View();
    ItemHandle handle;
    EXPECT_TRUE(view_->Find(SampleKey(id), &handle)) << id;
    return handle;
  }

  base::Rng rng_;
  KeyedItems items_;
  CfModel model_;
  LiveIndex live_{SampleConfig()};
  std::shared_ptr<const LiveView> view_;
};

TEST_F(LiveIndexTest, IsEmptyAtFirst) {
  const auto view = live_.View();
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->snapshot(), nullptr);
  EXPECT_EQ(view->snapshot_version(), "");
  EXPECT_EQ(view->size(), 0u);
  EXPECT_EQ(view->catalog_offset(), 0u);
  EXPECT_THAT(view->EligibleOrdinals(nullptr, 0), IsEmpty());
  EXPECT_THAT(view->Delta(), IsEmpty());
}

TEST_F(LiveIndexTest, APatchKeepsTheFactorThatEventsTaught) {
  ASSERT_TRUE(live_.SwapSnapshot(SampleSnapshot(items_, &model_, 10, "000001")).ok());
  uint64_t offset = 10;
  uint32_t trained = 0;
  for (const auto& [key, item] : items_) {
    std::vector<float> before, after;
    const ItemHandle old = Find(item.id());
    const auto old_view = view_;
    const std::span<const float> old_factor = old_view->Factor(old, &before);
    v1::Item patched = item;
    patched.set_price(99.5);
    ASSERT_TRUE(Apply(offset++, patched).ok());
    const ItemHandle now = Find(item.id());
    ASSERT_NE(now.delta, nullptr);
    EXPECT_EQ(now.ordinal, old.ordinal);
    EXPECT_EQ(view_->FactorTrained(now), old_view->FactorTrained(old));
    if (view_->FactorTrained(now)) {
      ++trained;
      EXPECT_TRUE(std::ranges::equal(view_->Factor(now, &after), old_factor));
    } else {
      EXPECT_EQ(view_->Factor(now, &after).size(), kDim);
    }
  }
  EXPECT_GT(trained, 50u);
}

TEST_F(LiveIndexTest, AWithdrawalIsSeenAtOnceAndOldViewsStay) {
  ASSERT_TRUE(live_.SwapSnapshot(SampleSnapshot(items_, &model_, 10, "000001")).ok());
  const auto found = std::ranges::find_if(items_, [](const auto& item) { return catalog::Eligible(item.second); });
  v1::Item item = found->second;
  const ItemHandle before = Find(item.id());
  const auto old_view = view_;
  item.set_withdrawn(true);
  ASSERT_TRUE(Apply(10, item).ok());
  EXPECT_FALSE(view_->Eligible(Find(item.id())));
  EXPECT_TRUE(old_view->Eligible(before));
  const uint32_t o = before.ordinal.value;
  EXPECT_EQ((live_.View()->EligibleOrdinals(nullptr, 0)[o / 64] >> (o % 64)) & 1, 0u);
  EXPECT_EQ((old_view->EligibleOrdinals(nullptr, 0)[o / 64] >> (o % 64)) & 1, 1u);

  const Change deletion = {11, before.key, nullptr};
  ASSERT_TRUE(live_.Apply(std::span(&deletion, 1)).ok());
  ItemHandle handle;
  EXPECT_FALSE(live_.View()->Find(before.key, &handle));
  EXPECT_FALSE(live_.View()->FindOrdinal(before.ordinal, &handle));
  EXPECT_EQ(live_.View()->size(), items_.size() - 1);
}

TEST_F(LiveIndexTest, RefusesAnotherIdUnderAKeyAndTakesTheRest) {
  ASSERT_TRUE(live_.SwapSnapshot(SampleSnapshot(items_, &model_, 10, "000001")).ok());
  v1::Item intruder, honest;
  intruder.set_id("intruder");
  honest.set_id("honest");
  const catalog::ItemKey taken = items_[3].first;
  const Change changes[] = {
      {10, taken, &intruder}, {11, SampleKey("honest"), &honest}, {12, SampleKey("honest"), &intruder}};
  const absl::Status status = live_.Apply(changes);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'intruder'"));
  EXPECT_EQ(live_.View()->Id(Find(items_[3].second.id())), items_[3].second.id());
  EXPECT_EQ(live_.View()->Id(Find("honest")), "honest");
  EXPECT_EQ(live_.View()->catalog_offset(), 13u);
  // Also in a later call; a key whose item is deleted is free.
  EXPECT_FALSE(live_.Apply({{{13, SampleKey("honest"), &intruder}}}).ok());
  EXPECT_TRUE(live_.Apply({{{14, SampleKey("honest"), nullptr}, {15, SampleKey("honest"), &intruder}}}).ok());
  ItemHandle handle;
  ASSERT_TRUE(live_.View()->Find(SampleKey("honest"), &handle));
  EXPECT_EQ(live_.View()->Id(handle), "intruder");
}

TEST_F(LiveIndexTest, RefusesASnapshotOlderThanTheKnownChanges) {
  ASSERT_TRUE(live_.SwapSnapshot(SampleSnapshot(items_, &model_, 10, "000002")).ok());
  const absl::Status status = live_.SwapSnapshot(SampleSnapshot(items_, &model_, 9, "000001"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(live_.View()->snapshot_version(), "000002");
}

TEST_F(LiveIndexTest, SwappingASnapshotInFreesTheChangesItHolds) {
  uint64_t offset = 0;
  for (const auto& [key, item] : items_) ASSERT_TRUE(Apply(offset++, item).ok());
  EXPECT_EQ(live_.View()->delta_size(), items_.size());
  ASSERT_TRUE(live_.SwapSnapshot(SampleSnapshot(items_, &model_, offset, "000001")).ok());
  EXPECT_EQ(live_.View()->delta_size(), 0u);
  EXPECT_EQ(live_.View()->size(), items_.size());
  EXPECT_EQ(live_.View()->catalog_offset(), offset);
}

constexpr const char* kFilters[] = {
    "true",
    "available",
    "not available",
    "price < 30",
    "price != 5 and not fragile",
    "color in [\"color-1\", \"color-2\"]",
    "color != \"color-1\"",
    "not (color == \"color-1\")",
    "topics contains \"topic-3\"",
    "topics contains \"topic-3\" or tags contains \"tag-7\"",
    "categories contains \"shelf-2\" and domain == \"shop\"",
    "domain != \"shop\"",
    "weight in 3..9",
    "created > now - 20d",
    "season < now - 30d or updated > now",
    "title contains \"thing of 1\"",
    "id == \"item-5\"",
    "id > \"item-5\" and fragile",
};

TEST_F(LiveIndexTest, AFilterMeansTheSameOverColumnsRowsAndTheDelta) {
  const auto config = SampleConfig();
  LiveIndex delta_only(config);
  std::vector<Change> changes;
  for (const auto& [key, item] : items_) changes.push_back({changes.size(), key, &item});
  ASSERT_TRUE(delta_only.Apply(changes).ok());
  ASSERT_TRUE(live_.SwapSnapshot(SampleSnapshot(items_, &model_, changes.size(), "000001")).ok());
  const auto mapped = live_.View(), delta = delta_only.View();
  for (const char* text : kFilters) {
    SCOPED_TRACE(text);
    const auto program = expression::Program::Compile(text, config->ItemSchema()).value();
    const std::vector<uint64_t> words = mapped->EligibleOrdinals(program.get(), kSampleTimeUs);
    uint32_t matches = 0;
    for (const auto& [key, item] : items_) {
      ItemHandle in_snapshot, in_delta;
      ASSERT_TRUE(mapped->Find(key, &in_snapshot));
      ASSERT_TRUE(delta->Find(key, &in_delta));
      ASSERT_NE(in_delta.delta, nullptr);
      const bool expected = delta->Matches(in_delta, *program, kSampleTimeUs);
      EXPECT_EQ(mapped->Matches(in_snapshot, *program, kSampleTimeUs), expected) << item.DebugString();
      const uint32_t o = in_snapshot.ordinal.value;
      EXPECT_EQ((words[o / 64] >> (o % 64)) & 1, expected && catalog::Eligible(item) ? 1u : 0u) << item.DebugString();
      matches += expected;
    }
    EXPECT_GT(matches, 0u) << "the filter is of no use here";
  }
}

TEST_F(LiveIndexTest, AnAttributeThatTheSnapshotLacksIsAbsentInIt) {
  const auto newer =
      config::Parse("[items.attributes]\nheight = \"number\"\ncolor = \"strings\"\n", "newer.toml").config;
  ASSERT_NE(newer, nullptr);
  LiveIndex live(newer);
  ASSERT_TRUE(live.SwapSnapshot(SampleSnapshot(items_, &model_, 0, "000001")).ok());
  const auto view = live.View();
  for (const char* text : {"height > 0", "color contains \"color-1\""}) {
    const auto program = expression::Program::Compile(text, newer->ItemSchema()).value();
    for (const uint64_t word : view->EligibleOrdinals(program.get(), 0)) EXPECT_EQ(word, 0u);
    ItemHandle handle;
    ASSERT_TRUE(view->Find(items_[0].first, &handle));
    EXPECT_FALSE(view->Matches(handle, *program, 0));
  }
}

TEST_F(LiveIndexTest, ReadersKeepWholeViewsWhileChangesAndSnapshotsComeIn) {
  // Every view that a reader gets is one that the writer published: sizes and bits agree within it.
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto view = live_.View();
        uint64_t listed = 0;
        for (const ItemHandle& item : view->Delta()) listed += view->Id(item).empty() ? 0 : 1;
        EXPECT_EQ(listed, view->delta_size());
        std::vector<float> scratch;
        uint64_t found = 0;
        for (const auto& [key, item] : items_) {
          ItemHandle handle;
          if (!view->Find(key, &handle)) continue;
          ++found;
          EXPECT_EQ(view->Id(handle), item.id());
          (void)view->Factor(handle, &scratch);
        }
        EXPECT_EQ(found, view->size());
      }
    });
  }
  std::map<catalog::ItemKey, v1::Item> present;
  base::Rng rng(4);
  for (uint64_t offset = 0; offset < 400; ++offset) {
    const auto& [key, item] = items_[rng.Below(items_.size())];
    const bool remove = rng.Bernoulli(0.3);
    const Change change = {offset, key, remove ? nullptr : &item};
    ASSERT_TRUE(live_.Apply(std::span(&change, 1)).ok());
    if (remove) {
      present.erase(key);
    } else {
      present[key] = item;
    }
    if (offset % 80 == 79) {
      const auto snapshot =
          SampleSnapshot({present.begin(), present.end()}, &model_, offset + 1, fmt::format("{:06}", offset));
      ASSERT_TRUE(live_.SwapSnapshot(snapshot).ok());
    }
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(live_.View()->size(), present.size());
}

}  // namespace
}  // namespace bowerbird::index
