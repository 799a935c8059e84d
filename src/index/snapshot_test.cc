#include "index/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "catalog/item_rules.h"
#include "index/sample_for_test.h"
#include "index/snapshot_builder.h"
#include "store/file.h"

namespace bowerbird::index {
namespace {

using testing::HasSubstr;

constexpr uint32_t kDim = 12;

struct Built {
  explicit Built(uint32_t count, uint64_t seed = 1) : rng(seed), items(SampleItems(count, &rng)) {
    model = SampleModel(items, kDim, &rng);
    snapshot = SampleSnapshot(items, &model, 4711, "000009");
  }
  base::Rng rng;
  KeyedItems items;
  CfModel model;
  std::shared_ptr<const Snapshot> snapshot;
};

TEST(SnapshotTest, HoldsTheItemsAsTheyWere) {
  const Built built(700);
  const Snapshot& snapshot = *built.snapshot;
  const auto config = SampleConfig();
  ASSERT_EQ(snapshot.size(), built.items.size());
  EXPECT_EQ(snapshot.version(), "000009");
  EXPECT_EQ(snapshot.cf_version(), "000003");
  EXPECT_EQ(snapshot.catalog_offset(), 4711u);
  for (uint32_t i = 0; i < snapshot.size(); ++i) {
    const auto& [key, item] = built.items[i];
    const Ordinal ordinal(i);
    EXPECT_EQ(snapshot.Find(key), ordinal);
    EXPECT_EQ(snapshot.Key(ordinal), key);
    EXPECT_EQ(snapshot.Id(ordinal), item.id());
    EXPECT_EQ(snapshot.Eligible(ordinal), catalog::Eligible(item));
    EXPECT_EQ(snapshot.CreatedUs(ordinal), item.created_time_us());
    const std::vector<std::string> categories = catalog::CategoriesOf(item, *config);
    ASSERT_EQ(snapshot.Categories(ordinal).size(), categories.size());
    for (size_t c = 0; c < categories.size(); ++c) {
      EXPECT_EQ(snapshot.Categories(ordinal)[c], catalog::CategoryHash(categories[c]));
      EXPECT_EQ(snapshot.CategoryName(snapshot.Categories(ordinal)[c]), categories[c]);
    }
    v1::Item document;
    ASSERT_TRUE(document.ParseFromString(std::string(snapshot.Document(ordinal))));
    EXPECT_EQ(document.DebugString(), item.DebugString());
  }
  EXPECT_EQ(snapshot.Find(catalog::ItemKey(12345)), kNoOrdinal);
  EXPECT_EQ(snapshot.CategoryName(99), "");
}

TEST(SnapshotTest, HoldsTheModelOfItsItemsAndPredictsTheOthers) {
  const Built built(300);
  const Snapshot& snapshot = *built.snapshot;
  ASSERT_EQ(snapshot.dim(), kDim);
  EXPECT_EQ(snapshot.gramian().size(), kDim * kDim);
  ASSERT_NE(snapshot.fold_in(), nullptr);
  ASSERT_NE(snapshot.predictor(), nullptr);
  std::map<uint64_t, uint32_t> row_of;
  for (uint32_t row = 0; row < built.model.items.size(); ++row) row_of[built.model.items[row].value] = row;
  uint32_t trained = 0;
  for (uint32_t i = 0; i < snapshot.size(); ++i) {
    const auto row = snapshot.factors().Row(Ordinal(i));
    double squares = 0;
    for (const uint16_t value : row) squares += std::pow(base::FromBf16(value), 2);
    EXPECT_NEAR(snapshot.inverse_norms()[i], 1 / std::sqrt(squares), 1e-5);
    const auto found = row_of.find(snapshot.Key(Ordinal(i)).value);
    ASSERT_EQ(snapshot.FactorTrained(Ordinal(i)), found != row_of.end());
    std::vector<float> expected(kDim);
    if (found != row_of.end()) {
      ++trained;
      std::copy_n(built.model.factors.begin() + found->second * kDim, kDim, expected.begin());
    } else {
      const v1::Item& item = built.items[i].second;
      snapshot.predictor()->Predict(item, catalog::CategoriesOf(item, *SampleConfig()), expected);
    }
    for (uint32_t c = 0; c < kDim; ++c) EXPECT_EQ(row[c], base::ToBf16(expected[c]));
  }
  EXPECT_EQ(snapshot.trained_count(), trained);
}

TEST(SnapshotTest, KeepsNeighborsThatTheCatalogHasBestFirst) {
  const Built built(300);
  const Snapshot& snapshot = *built.snapshot;
  uint32_t checked = 0;
  for (uint32_t row = 0; row < built.model.items.size(); ++row) {
    const Ordinal ordinal = snapshot.Find(built.model.items[row]);
    if (ordinal == kNoOrdinal) continue;
    const Neighbors neighbors = snapshot.CoOccurring(ordinal);
    size_t at = 0;
    for (uint64_t k = built.model.neighbor_offsets[row]; k < built.model.neighbor_offsets[row + 1]; ++k) {
      const Ordinal expected = snapshot.Find(built.model.items[built.model.neighbors[k]]);
      if (expected == kNoOrdinal) continue;
      ASSERT_LT(at, neighbors.size());
      EXPECT_EQ(neighbors.items[at], expected);
      EXPECT_FLOAT_EQ(neighbors.score(at), built.model.neighbor_scores[k]);
      ++at;
      ++checked;
    }
    EXPECT_EQ(at, neighbors.size());
  }
  EXPECT_GT(checked, 100u);
}

TEST(SnapshotTest, OrdersByPopularityAndByCreation) {
  const Built built(300);
  const Snapshot& snapshot = *built.snapshot;
  std::map<uint64_t, uint64_t> counts;
  for (uint32_t row = 0; row < built.model.items.size(); ++row) {
    counts[built.model.items[row].value] = built.model.item_counts[row];
  }
  const auto count = [&](Ordinal ordinal) { return counts[snapshot.Key(ordinal).value]; };
  ASSERT_EQ(snapshot.by_popularity().size(), 300u);
  for (size_t i = 1; i < 300; ++i) {
    const Ordinal a = snapshot.by_popularity()[i - 1], b = snapshot.by_popularity()[i];
    EXPECT_TRUE(count(a) > count(b) || (count(a) == count(b) && a < b));
    const Ordinal c = snapshot.by_created()[i - 1], d = snapshot.by_created()[i];
    EXPECT_TRUE(snapshot.CreatedUs(c) > snapshot.CreatedUs(d) ||
                (snapshot.CreatedUs(c) == snapshot.CreatedUs(d) && c < d));
  }
}

TEST(SnapshotTest, CanBeEmptyAndWithoutAModel) {
  const auto empty = SampleSnapshot({}, nullptr, 0, "000001");
  EXPECT_EQ(empty->size(), 0u);
  EXPECT_EQ(empty->Find(catalog::ItemKey(1)), kNoOrdinal);
  base::Rng rng(3);
  const KeyedItems items = SampleItems(65, &rng);
  const auto plain = SampleSnapshot(items, nullptr, 7, "000002");
  EXPECT_EQ(plain->dim(), 0u);
  EXPECT_EQ(plain->cf_version(), "");
  EXPECT_EQ(plain->fold_in(), nullptr);
  EXPECT_EQ(plain->predictor(), nullptr);
  EXPECT_FALSE(plain->FactorTrained(Ordinal(3)));
  EXPECT_EQ(plain->CoOccurring(Ordinal(3)).size(), 0u);
}

TEST(SnapshotTest, TheSameInputsGiveTheSameBytes) {
  std::string bytes[2];
  for (std::string& out : bytes) {
    base::Rng rng(5);
    const KeyedItems items = SampleItems(200, &rng);
    const CfModel model = SampleModel(items, kDim, &rng);
    const std::string path = SamplePath("same_bytes");
    auto builder = SnapshotBuilder::Create(path, SampleConfig()).value();
    for (const auto& [key, item] : items) ASSERT_TRUE(builder->Add(key, item).ok());
    BuildOptions options;
    options.threads = out.data() == bytes[0].data() ? 1 : 2;
    ASSERT_TRUE(builder->Finish(3, &model, options).ok());
    out = store::ReadFile(path).value();
    std::filesystem::remove(path);
  }
  EXPECT_EQ(bytes[0], bytes[1]);
}

TEST(SnapshotTest, ReadsTheFilesOfEveryFormatEverWritten) {
  const std::string folder = BOWERBIRD_SOURCE_DIR "/fuzz/corpus/snapshot_fuzz/";
  const auto snapshot = Snapshot::Open(folder + "format1_seventy_items.bb", "000001");
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ((*snapshot)->size(), 70u);
  EXPECT_EQ((*snapshot)->catalog_offset(), 7u);
  EXPECT_EQ((*snapshot)->dim(), 3u);
  EXPECT_EQ((*snapshot)->cf_version(), "000003");
  const Ordinal ordinal = (*snapshot)->Find(SampleKey("item-69"));
  ASSERT_NE(ordinal, kNoOrdinal);
  EXPECT_EQ((*snapshot)->Id(ordinal), "item-69");
}

/// A small snapshot's bytes, at an address that Read accepts.
class DamagedSnapshotTest : public testing::Test {
 protected:
  DamagedSnapshotTest() {
    base::Rng rng(6);
    const KeyedItems items = SampleItems(9, &rng);
    const CfModel model = SampleModel(items, 2, &rng);
    const std::string path = SamplePath("damaged");
    auto builder = SnapshotBuilder::Create(path, SampleConfig()).value();
    for (const auto& [key, item] : items) BOWERBIRD_CHECK(builder->Add(key, item).ok());
    BOWERBIRD_CHECK(builder->Finish(3, &model, BuildOptions()).ok());
    const std::string bytes = store::ReadFile(path).value();
    std::filesystem::remove(path);
    lines_.resize(bytes.size() / sizeof(Line) + 1);
    size_ = bytes.size();
    std::memcpy(lines_.data(), bytes.data(), size_);
  }
  char* data() { return lines_[0].bytes; }
  absl::Status Read(size_t size) { return Snapshot::Read({data(), size}, "000001").status(); }

  struct alignas(64) Line {
    char bytes[64];
  };
  std::vector<Line> lines_;
  size_t size_ = 0;
};

TEST_F(DamagedSnapshotTest, EveryFlippedBitIsRefusedBySectionName) {
  ASSERT_TRUE(Read(size_).ok()) << Read(size_);
  SnapshotHeader header;
  std::memcpy(&header, data(), sizeof(header));
  std::vector<SectionEntry> table(header.section_count);
  std::memcpy(table.data(), data() + header.table_offset, header.section_count * sizeof(SectionEntry));
  base::Rng rng(1);
  for (size_t at = 0; at < size_; ++at) {
    // Checking is quadratic: of the large text of a regression, a sample.
    if (at > sizeof(header) && at < header.table_offset && !rng.Bernoulli(0.25)) continue;
    const char before = data()[at];
    data()[at] = static_cast<char>(before ^ (1 << rng.Below(8)));
    const absl::Status status = Read(size_);
    ASSERT_FALSE(status.ok()) << "byte " << at;
    for (const SectionEntry& entry : table) {
      if (at < entry.offset || at >= entry.offset + entry.size) continue;
      const std::string name = SectionName(static_cast<SectionKind>(entry.kind), entry.index);
      ASSERT_THAT(std::string(status.message()), HasSubstr(fmt::format("section '{}': its checksum", name)));
    }
    data()[at] = before;
  }
}

TEST_F(DamagedSnapshotTest, EveryTruncationIsRefused) {
  base::Rng rng(2);
  for (size_t size = 0; size < size_; ++size) {
    if (size > 256 && !rng.Bernoulli(0.1)) continue;
    ASSERT_EQ(Read(size).code(), absl::StatusCode::kDataLoss) << size;
  }
}

}  // namespace
}  // namespace bowerbird::index
