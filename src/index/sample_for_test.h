#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "base/rng.h"
#include "bowerbird/v1/item.pb.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "fmt/format.h"
#include "index/snapshot.h"
#include "index/snapshot_builder.h"
#include "model/fold_in.h"

/// Random catalogs and models for tests, benchmarks and fuzz targets of this module.
namespace bowerbird::index {

inline constexpr int64_t kSampleTimeUs = 1'793'000'000'000'000;

inline std::shared_ptr<const config::Config> SampleConfig() {
  constexpr char kText[] = R"(
[items]
domains = ["shop", "blog"]
category = "topics"
[items.attributes]
topics = "strings"
color = "string"
weight = "number"
fragile = "bool"
season = "time"
tags = "strings"
image = { embedding = 6 }
)";
  const config::ParseResult result = config::Parse(kText, "sample.toml");
  for (const config::Problem& problem : result.problems) std::fprintf(stderr, "%s\n", problem.ToString().c_str());
  BOWERBIRD_CHECK(result.config != nullptr);
  return result.config;
}

inline catalog::ItemKey SampleKey(const std::string& id) { return catalog::ItemKey(base::Hash64(id)); }

/// An item with each field there or not. Its topic is the part of the number that tests may use to tell groups.
inline v1::Item SampleItem(uint32_t number, base::Rng* rng) {
  v1::Item item;
  item.set_id(fmt::format("item-{}", number));
  item.set_updated_time_us(kSampleTimeUs);
  const auto some = [&] { return rng->Bernoulli(0.7); };
  if (some()) item.set_domain(rng->Bernoulli(0.5) ? "shop" : "blog");
  if (some()) item.set_title(fmt::format("The {} thing of {}", number % 97, rng->Below(50)));
  if (some()) item.set_price(rng->Exponential() * 30);
  if (rng->Bernoulli(0.3)) item.set_available(rng->Bernoulli(0.6));
  if (some()) item.set_created_time_us(kSampleTimeUs - static_cast<int64_t>(rng->Exponential() * 30 * 86'400e6));
  if (some()) item.add_categories(fmt::format("shelf-{}", rng->Below(9)));
  item.set_withdrawn(rng->Bernoulli(0.1));
  auto& attributes = *item.mutable_attributes();
  if (some()) {
    attributes["topics"].mutable_strings()->add_values(fmt::format("topic-{}", number % 7));
    if (some()) attributes["topics"].mutable_strings()->add_values(fmt::format("sub-{}", number % 21));
  }
  if (some()) attributes["color"].set_string_value(fmt::format("color-{}", rng->Below(6)));
  if (some()) attributes["weight"].set_number_value(static_cast<double>(rng->Below(20)));
  if (some()) attributes["fragile"].set_bool_value(rng->Bernoulli(0.5));
  if (some()) attributes["season"].set_time_us(kSampleTimeUs - static_cast<int64_t>(rng->Below(100)) * 86'400'000'000);
  for (uint64_t i = rng->Below(4); i > 0; --i) {
    attributes["tags"].mutable_strings()->add_values(fmt::format("tag-{}", rng->Below(30)));
  }
  // A value that the config would not take today: it counts as absent.
  if (rng->Bernoulli(0.05)) attributes["color"].set_number_value(3);
  if (some()) {
    v1::Embedding* embedding = item.add_embeddings();
    embedding->set_name("image");
    for (int i = 0; i < 6; ++i) embedding->add_values(static_cast<float>(rng->Normal()));
  }
  return item;
}

using KeyedItems = std::vector<std::pair<catalog::ItemKey, v1::Item>>;

/// `count` items in key order.
inline KeyedItems SampleItems(uint32_t count, base::Rng* rng) {
  KeyedItems items;
  for (uint32_t i = 0; i < count; ++i) {
    v1::Item item = SampleItem(i, rng);
    const catalog::ItemKey key = SampleKey(item.id());
    items.emplace_back(key, std::move(item));
  }
  std::ranges::sort(items, {}, [](const auto& item) { return item.first; });
  return items;
}

/// A model of most of the items and of some that the catalog does not have; factors stand for the items' topics.
inline CfModel SampleModel(const KeyedItems& items, uint32_t dim, base::Rng* rng) {
  CfModel model;
  model.version = "000003";
  model.dim = dim;
  for (const auto& [key, item] : items) {
    if (rng->Bernoulli(0.7)) model.items.push_back(key);
  }
  for (uint32_t gone = 0; gone < 5; ++gone) model.items.push_back(SampleKey(fmt::format("gone-{}", gone)));
  const auto count = static_cast<uint32_t>(model.items.size());
  model.neighbor_offsets.push_back(0);
  for (uint32_t row = 0; row < count; ++row) {
    for (uint32_t c = 0; c < dim; ++c) model.factors.push_back(static_cast<float>(rng->Normal()));
    model.item_counts.push_back(1 + rng->Below(50));
    for (uint64_t k = rng->Below(8); k > 0; --k) {
      model.neighbors.push_back(static_cast<uint32_t>(rng->Below(count)));
      model.neighbor_scores.push_back(static_cast<float>(k) + 0.25f);
    }
    model.neighbor_offsets.push_back(model.neighbors.size());
  }
  model.gramian = model::Gramian(model.factors, dim);
  return model;
}

/// A path in the test's temporary folder, of this process.
inline std::string SamplePath(const std::string& name) {
  return (std::filesystem::temp_directory_path() / fmt::format("bowerbird_{}_{}.bb", name, getpid())).string();
}

/// Builds and opens; the file is gone afterwards, its mapping stays.
inline std::shared_ptr<const Snapshot> SampleSnapshot(const KeyedItems& items, const CfModel* model,
                                                      uint64_t catalog_offset, const std::string& version) {
  const std::string path = SamplePath("sample_" + version);
  auto builder = SnapshotBuilder::Create(path, SampleConfig()).value();
  for (const auto& [key, item] : items) BOWERBIRD_CHECK(builder->Add(key, item).ok());
  const auto report = builder->Finish(catalog_offset, model, BuildOptions());
  BOWERBIRD_CHECK(report.ok());
  auto snapshot = Snapshot::Open(path, version);
  std::filesystem::remove(path);
  return snapshot.value();
}

}  // namespace bowerbird::index
