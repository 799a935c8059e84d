#pragma once

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "base/vector_math.h"
#include "catalog/keys.h"
#include "config/config.h"
#include "fmt/format.h"
#include "index/live_index.h"
#include "index/snapshot_builder.h"
#include "state/item_table.h"
#include "state/user_state.h"

/// A small shop for the tests and benchmarks of retrieval, ranking and serving: a real LiveIndex over made-up items of
/// several topics whose factors, co-occurrence and categories agree, and users and item tables written by hand.
namespace bowerbird::retrieve {

class TableForTest final : public state::ItemTable {
 public:
  uint64_t version() const override { return 7; }
  int64_t time_us() const override { return 0; }
  std::span<const uint64_t> offsets() const override { return {}; }
  const state::ItemCounts* Find(catalog::ItemKey item) const override {
    const auto found = counts.find(item);
    return found == counts.end() ? nullptr : &found->second;
  }
  std::span<const state::RankedItem> Top(std::string_view generator) const override {
    const auto found = tops.find(generator);
    return found == tops.end() ? std::span<const state::RankedItem>() : found->second;
  }

  const state::NextItems* Next(catalog::ItemKey item) const override {
    const auto found = next.find(item);
    return found == next.end() ? nullptr : &found->second;
  }

  absl::flat_hash_map<catalog::ItemKey, state::NextItems> next;
  absl::flat_hash_map<catalog::ItemKey, state::ItemCounts> counts;
  base::StringMap<std::vector<state::RankedItem>> tops;
};

class CatalogForTest {
 public:
  static constexpr int64_t kNowUs = 1'760'000'000'000'000;
  static constexpr int64_t kDayUs = int64_t{86'400} * 1'000'000;

  struct Options {
    uint32_t items = 200;
    uint32_t topics = 10;
    uint32_t dim = 16;
    std::string config;  ///< bowerbird.toml; empty: defaults
  };

  explicit CatalogForTest(const Options& options) : options_(options) {
    config::ParseResult parsed = config::Parse(options.config, "bowerbird.toml");
    for (const config::Problem& problem : parsed.problems) std::fprintf(stderr, "%s\n", problem.ToString().c_str());
    BOWERBIRD_CHECK(parsed.config != nullptr);
    config = std::move(parsed.config);
    table = std::make_shared<TableForTest>();
    for (uint32_t i = 0; i < options.items; ++i) {
      v1::Item item;
      item.set_id(IdOf(i));
      item.set_title(fmt::format("Title {}", i));
      item.add_categories(fmt::format("topic-{}", TopicOf(i)));
      item.add_categories(fmt::format("topic-{}/part-{}", TopicOf(i), i / options.topics % 3));
      item.set_price(static_cast<double>(i % 100));
      item.set_created_time_us(kNowUs - int64_t{i} * 3'600'000'000);
      items.push_back(std::move(item));
    }
    live = std::make_unique<index::LiveIndex>(config);
  }

  std::string IdOf(uint32_t i) const { return fmt::format("item-{:05}", i); }
  uint32_t TopicOf(uint32_t i) const { return i % options_.topics; }
  catalog::ItemKey Key(std::string_view id) const { return hasher.Item(id); }
  catalog::ItemKey Key(uint32_t i) const { return Key(IdOf(i)); }
  std::shared_ptr<const index::LiveView> View() const { return live->View(); }

  /// Every item as it is now goes into the delta, as after the catalog's writes.
  void ApplyAll() {
    for (const v1::Item& item : items) Apply(item);
  }
  void Apply(const v1::Item& item) {
    const index::Change change{offset++, Key(item.id()), &item};
    BOWERBIRD_CHECK(live->Apply({&change, 1}).ok());
  }
  void Withdraw(uint32_t i) {
    items[i].set_withdrawn(true);
    Apply(items[i]);
  }
  void Delete(uint32_t i) {
    const index::Change change{offset++, Key(i), nullptr};
    BOWERBIRD_CHECK(live->Apply({&change, 1}).ok());
  }

  /// Puts all items as they are now into a snapshot. The first `trained` of them have learned factors; the rest get
  /// predicted ones. `model` false: no factors and no co-occurrence.
  void BuildSnapshot(bool model = true, uint32_t trained = UINT32_MAX) {
    const std::string path =
        fmt::format("{}/bowerbird_test_{}_{}.snapshot", std::filesystem::temp_directory_path().string(), getpid(),
                    static_cast<const void*>(this));
    auto builder = index::SnapshotBuilder::Create(path, config);
    BOWERBIRD_CHECK(builder.ok());
    std::vector<std::pair<catalog::ItemKey, const v1::Item*>> sorted;
    for (const v1::Item& item : items) sorted.emplace_back(Key(item.id()), &item);
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [key, item] : sorted) BOWERBIRD_CHECK((*builder)->Add(key, *item).ok());
    const index::CfModel cf = MakeModel(std::min<uint32_t>(trained, options_.items));
    index::BuildOptions build;
    build.threads = 1;
    BOWERBIRD_CHECK((*builder)->Finish(offset, model ? &cf : nullptr, build).ok());
    auto snapshot = index::Snapshot::Open(path, "000001");
    if (!snapshot.ok()) std::fprintf(stderr, "%s\n", std::string(snapshot.status().message()).c_str());
    BOWERBIRD_CHECK(snapshot.ok());
    std::filesystem::remove(path);
    BOWERBIRD_CHECK(live->SwapSnapshot(*snapshot).ok());
  }

  /// A user who acted on items by event types of the config ("save"), oldest first, a minute apart up to now; each was
  /// seen once.
  state::UserState User(const std::vector<std::pair<std::string, uint32_t>>& actions) const {
    state::UserState user;
    user.key = hasher.User("somebody");
    user.id = "somebody";
    user.offset = 100;
    user.events = actions.size();
    for (size_t a = 0; a < actions.size(); ++a) {
      const config::EventType* type = config->FindEventType(actions[a].first);
      BOWERBIRD_CHECK(type != nullptr);
      state::Action action;
      action.item = Key(actions[a].second);
      action.time_s = static_cast<uint32_t>(kNowUs / 1'000'000 - 60 * static_cast<int64_t>(actions.size() - a));
      action.type = type->code;
      action.strength_bf16 = base::ToBf16(static_cast<float>(type->weight));
      user.actions.push_back(action);
      See(action.item, action.time_s, &user);
    }
    return user;
  }
  static void See(catalog::ItemKey item, uint32_t time_s, state::UserState* user) {
    const auto at = std::lower_bound(user->seen.begin(), user->seen.end(), item,
                                     [](const state::SeenItem& seen, catalog::ItemKey key) { return seen.item < key; });
    if (at != user->seen.end() && at->item == item) {
      ++at->count;
      at->time_s = std::max(at->time_s, time_s);
    } else {
      user->seen.insert(at, {item, time_s, 1});
    }
  }
  static void Hide(catalog::ItemKey item, state::UserState* user) {
    user->hidden.insert(std::lower_bound(user->hidden.begin(), user->hidden.end(), item), item);
  }

  std::shared_ptr<const config::Config> config;
  std::shared_ptr<TableForTest> table;
  catalog::KeyHasher hasher{base::HashSeed{1, 2, 3}};
  std::vector<v1::Item> items;
  std::unique_ptr<index::LiveIndex> live;
  uint64_t offset = 0;

 private:
  /// An item's factor is its topic's direction, a little of its neighbor's, and noise.
  index::CfModel MakeModel(uint32_t trained) const {
    index::CfModel cf;
    cf.version = "000001";
    cf.dim = options_.dim;
    base::Rng rng(99);
    std::vector<std::vector<float>> directions(options_.topics, std::vector<float>(options_.dim));
    for (auto& direction : directions) {
      for (float& value : direction) value = static_cast<float>(rng.Normal() / std::sqrt(options_.dim));
    }
    cf.neighbor_offsets.push_back(0);
    for (uint32_t i = 0; i < trained; ++i) {
      cf.items.push_back(Key(i));
      for (uint32_t d = 0; d < options_.dim; ++d) {
        cf.factors.push_back(directions[TopicOf(i)][d] +
                             static_cast<float>(.3 * rng.Normal() / std::sqrt(options_.dim)));
      }
      cf.item_counts.push_back(trained - i);
      for (uint32_t n = 1; n <= 12; ++n) {
        const uint32_t other = i + n * options_.topics;
        if (other >= trained) break;
        cf.neighbors.push_back(other);
        cf.neighbor_scores.push_back(1.0f / static_cast<float>(n + 1));
      }
      cf.neighbor_offsets.push_back(cf.neighbors.size());
    }
    cf.gramian.assign(size_t{cf.dim} * cf.dim, 0);
    for (uint32_t i = 0; i < trained; ++i) {
      const float* row = cf.factors.data() + size_t{i} * cf.dim;
      for (uint32_t a = 0; a < cf.dim; ++a) {
        for (uint32_t b = 0; b < cf.dim; ++b) cf.gramian[size_t{a} * cf.dim + b] += row[a] * row[b];
      }
    }
    return cf;
  }

  const Options options_;
};

}  // namespace bowerbird::retrieve
