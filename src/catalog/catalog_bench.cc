#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/check.h"
#include "base/rng.h"
#include "catalog/catalog.h"

namespace bowerbird::catalog {
namespace {

/// A catalog of 100,000 items with three categories and one stamped attribute each.
class Filled {
 public:
  Filled() {
    auto config = std::make_shared<config::Config>();
    config->state.category_attribute = "categories";
    config->item_attributes = {{.name = "brand", .type = expression::Type::kString, .stamp = true}};
    std::string dir = (std::filesystem::temp_directory_path() / "bowerbird_catalog_bench_XXXXXX").string();
    BOWERBIRD_CHECK(mkdtemp(dir.data()) != nullptr);
    dir_ = dir;
    catalog_ = *Catalog::Open(dir_, config, hasher_, Catalog::Options());
    for (uint64_t i = 0; i < kItems; ++i) BOWERBIRD_CHECK(catalog_->Apply(i, Record(i)).ok());
    BOWERBIRD_CHECK(catalog_->Flush().ok());
  }
  ~Filled() {
    catalog_.reset();
    std::filesystem::remove_all(dir_);
  }

  v1::CatalogRecord Record(uint64_t i) const {
    v1::CatalogRecord record;
    const std::string id = "item-" + std::to_string(i);
    record.set_item_key(hasher_.Item(id).value);
    v1::Item* item = record.mutable_item();
    item->set_id(id);
    item->set_title("A title of some forty characters or more");
    for (const char* category : {"home", "lamps", "desk lamps"}) item->add_categories(category);
    (*item->mutable_attributes())["brand"].set_string_value("acme");
    return record;
  }

  static constexpr uint64_t kItems = 100'000;
  const KeyHasher hasher_{base::HashSeed{1}};
  std::string dir_;
  std::unique_ptr<Catalog> catalog_;
};

Filled& Shared() {
  static Filled filled;
  return filled;
}

void BM_StampOfHotItems(benchmark::State& state) {
  Filled& filled = Shared();
  base::Rng rng(1);
  std::vector<ItemKey> keys;
  for (int i = 0; i < 1'000; ++i) keys.push_back(filled.hasher_.Item("item-" + std::to_string(rng.Below(1'000))));
  size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(filled.catalog_->Stamp(keys[next++ % keys.size()]));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_StampOfHotItems)->ThreadRange(1, 2);

void BM_StampOfAllItems(benchmark::State& state) {
  Filled& filled = Shared();
  base::Rng rng(2);
  std::vector<ItemKey> keys;
  for (int i = 0; i < 200'000; ++i) {
    keys.push_back(filled.hasher_.Item("item-" + std::to_string(rng.Below(Filled::kItems))));
  }
  size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(filled.catalog_->Stamp(keys[next++ % keys.size()]));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_StampOfAllItems);

void BM_Apply(benchmark::State& state) {
  Filled& filled = Shared();
  base::Rng rng(3);
  uint64_t offset = filled.catalog_->applied_offset();
  for (auto _ : state) {
    BOWERBIRD_CHECK(filled.catalog_->Apply(offset++, filled.Record(rng.Below(Filled::kItems))).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Apply);

void BM_Scan(benchmark::State& state) {
  Filled& filled = Shared();
  uint64_t items = 0;
  for (auto _ : state) {
    uint64_t offset = 0;
    BOWERBIRD_CHECK(filled.catalog_->Scan([&](ItemKey, const v1::Item&) { return ++items, true; }, &offset).ok());
  }
  state.SetItemsProcessed(static_cast<int64_t>(items));
}
BENCHMARK(BM_Scan)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bowerbird::catalog
