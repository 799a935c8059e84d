#include "index/snapshot_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "index/sample_for_test.h"

namespace bowerbird::index {
namespace {

using testing::HasSubstr;

class SnapshotBuilderTest : public testing::Test {
 protected:
  SnapshotBuilderTest() : rng_(1), items_(SampleItems(50, &rng_)), model_(SampleModel(items_, 4, &rng_)) {
    builder_ = SnapshotBuilder::Create(path_, SampleConfig()).value();
  }
  ~SnapshotBuilderTest() override { std::filesystem::remove(path_); }
  void AddAll() {
    for (const auto& [key, item] : items_) ASSERT_TRUE(builder_->Add(key, item).ok());
  }

  const std::string path_ = SamplePath("builder_test");
  base::Rng rng_;
  KeyedItems items_;
  CfModel model_;
  std::unique_ptr<SnapshotBuilder> builder_;
};

TEST_F(SnapshotBuilderTest, RefusesKeysThatCollideOrDoNotAscend) {
  ASSERT_TRUE(builder_->Add(catalog::ItemKey(5), items_[0].second).ok());
  const absl::Status same = builder_->Add(catalog::ItemKey(5), items_[1].second);
  EXPECT_EQ(same.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(same.message()), HasSubstr(items_[1].second.id()));
  EXPECT_FALSE(builder_->Add(catalog::ItemKey(4), items_[1].second).ok());
  EXPECT_FALSE(builder_->Add(catalog::ItemKey(6), v1::Item()).ok()) << "an item without an id";
  EXPECT_TRUE(builder_->Add(catalog::ItemKey(6), items_[1].second).ok());
}

TEST_F(SnapshotBuilderTest, ReportsWhatItBuilt) {
  AddAll();
  const auto report = builder_->Finish(3, &model_, BuildOptions());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->items, 50u);
  EXPECT_EQ(report->trained + report->predicted, 50u);
  EXPECT_EQ(report->trained, model_.items.size() - 5);
  EXPECT_EQ(report->bytes, std::filesystem::file_size(path_));
  EXPECT_LT(report->retrieval_bytes, report->bytes);
}

TEST_F(SnapshotBuilderTest, KeepsNoMoreNeighborsThanAsked) {
  AddAll();
  BuildOptions options;
  options.neighbors_max = 2;
  ASSERT_TRUE(builder_->Finish(3, &model_, options).ok());
  const auto snapshot = Snapshot::Open(path_, "000001").value();
  for (uint32_t i = 0; i < snapshot->size(); ++i) EXPECT_LE(snapshot->CoOccurring(Ordinal(i)).size(), 2u);
}

TEST_F(SnapshotBuilderTest, TakesAModelWithoutFactors) {
  AddAll();
  model_.dim = 0;
  model_.factors.clear();
  model_.gramian.clear();
  ASSERT_TRUE(builder_->Finish(3, &model_, BuildOptions()).ok());
  const auto snapshot = Snapshot::Open(path_, "000001").value();
  EXPECT_EQ(snapshot->dim(), 0u);
  EXPECT_EQ(snapshot->cf_version(), "000003");
}

TEST_F(SnapshotBuilderTest, SaysWhereTheFileCannotBe) {
  const auto builder = SnapshotBuilder::Create("/nowhere/at/all.bb", SampleConfig());
  EXPECT_EQ(builder.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(builder.status().message()), HasSubstr("/nowhere/at/all.bb"));
}

struct BadModel {
  const char* name;
  std::function<void(CfModel*)> spoil;
  const char* message;
};
class RefusedModelTest : public SnapshotBuilderTest, public testing::WithParamInterface<BadModel> {};

TEST_P(RefusedModelTest, NamesTheField) {
  AddAll();
  GetParam().spoil(&model_);
  const auto report = builder_->Finish(3, &model_, BuildOptions());
  EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(
    All, RefusedModelTest,
    testing::Values(BadModel{"factors", [](CfModel* m) { m->factors.pop_back(); }, "model.factors"},
                    BadModel{"gramian", [](CfModel* m) { m->gramian.pop_back(); }, "model.gramian"},
                    BadModel{"nan", [](CfModel* m) { m->factors[3] = NAN; }, "not finite"},
                    BadModel{"counts", [](CfModel* m) { m->item_counts.pop_back(); }, "model.item_counts"},
                    BadModel{"ridge", [](CfModel* m) { m->objective.regularization = 0; }, "regularization"},
                    BadModel{"offsets", [](CfModel* m) { m->neighbor_offsets.pop_back(); }, "model.neighbor_offsets"},
                    BadModel{"order", [](CfModel* m) { m->neighbor_offsets[1] = 1u << 30; }, "model.neighbor_offsets"},
                    BadModel{"scores", [](CfModel* m) { m->neighbor_scores.pop_back(); }, "model.neighbor_scores"},
                    BadModel{"rows", [](CfModel* m) { m->neighbors[0] = 1u << 30; }, "model.neighbors"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bowerbird::index
