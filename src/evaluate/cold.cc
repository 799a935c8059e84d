#include "evaluate/cold.h"

#include <algorithm>

#include "base/json_writer.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "evaluate/ranker.h"
#include "evaluate/tuning.h"
#include "fmt/format.h"
#include "model/attribute_regression.h"

namespace bowerbird::evaluate {

namespace {

// An item's factor is trusted up to this many interactions; more say little more about it.
constexpr float kTrustedInteractions = 50;

absl::Status Validate(const ColdOptions& options) {
  if (!(options.held_out_share > 0 && options.held_out_share <= 0.4)) {
    return absl::InvalidArgumentError(
        fmt::format("held_out_share is {}; expected above 0 and at most 0.4", options.held_out_share));
  }
  if (options.k == 0) return absl::InvalidArgumentError("k is 0; expected at least 1");
  if (!options.features) return absl::InvalidArgumentError("features is not set; expected a function");
  return absl::OkStatus();
}

// Items held out together, numbered among themselves, and who should find them.
struct Lot {
  std::vector<uint32_t> items;
  std::vector<Interaction> interactions;  // in the lot's numbers
};

struct Parts {
  std::vector<Interaction> train;
  Lot choose, measure;
};

Parts DrawLots(const std::vector<Interaction>& interactions, uint32_t item_count, double share, uint64_t seed) {
  std::vector<bool> seen(item_count);
  for (const Interaction& it : interactions) seen[it.item] = true;
  std::vector<uint32_t> items;
  for (uint32_t item = 0; item < item_count; ++item) {
    if (seen[item]) items.push_back(item);
  }
  const size_t count = static_cast<size_t>(share * static_cast<double>(items.size()));
  base::Rng rng(seed);
  for (size_t k = 0; k < 2 * count; ++k) std::swap(items[k], items[k + rng.Below(items.size() - k)]);
  Parts parts;
  parts.measure.items.assign(items.begin(), items.begin() + count);
  parts.choose.items.assign(items.begin() + count, items.begin() + 2 * count);
  std::vector<std::pair<Lot*, uint32_t>> places(item_count);
  for (Lot* lot : {&parts.measure, &parts.choose}) {
    for (uint32_t place = 0; place < count; ++place) places[lot->items[place]] = {lot, place};
  }
  for (Interaction it : interactions) {
    const auto [lot, place] = places[it.item];
    if (lot == nullptr) {
      parts.train.push_back(it);
    } else {
      it.item = place;
      lot->interactions.push_back(it);
    }
  }
  return parts;
}

// Every item's features in the form that the regression takes, and the items in train that teach it.
struct FeatureTable {
  std::vector<uint64_t> offsets = {0};
  std::vector<uint32_t> columns;
  std::vector<float> dense;

  std::span<const uint32_t> columns_of(size_t row) const {
    return std::span(columns).subspan(offsets[row], offsets[row + 1] - offsets[row]);
  }
};

absl::StatusOr<FeatureTable> ReadFeatures(const ColdOptions& options, uint32_t item_count) {
  FeatureTable table;
  for (uint32_t item = 0; item < item_count; ++item) {
    const ItemFeatures features = options.features(item);
    if (!features.dense.empty() && features.dense.size() != options.dense_dim) {
      return absl::InvalidArgumentError(fmt::format("item {} has {} dense features; expected none or {}", item,
                                                    features.dense.size(), options.dense_dim));
    }
    table.columns.insert(table.columns.end(), features.columns.begin(), features.columns.end());
    table.offsets.push_back(table.columns.size());
    table.dense.insert(table.dense.end(), features.dense.begin(), features.dense.end());
    table.dense.resize((item + size_t{1}) * options.dense_dim);
  }
  return table;
}

struct Quality {
  double recall = 0, ndcg = 0;
  uint32_t users = 0;
};

// Those with something to find in the lot and something in train to know them by.
absl::StatusOr<Wanted> KnownSeekers(const Lot& lot, const TrainingData& train) {
  std::vector<Interaction> interactions = lot.interactions;
  std::erase_if(interactions, [&](const Interaction& it) { return train.matrix.by_user.size(it.user) == 0; });
  ASSIGN_OR_RETURN(Wanted wanted,
                   Wanted::Build(train.matrix.user_count(), static_cast<uint32_t>(lot.items.size()), interactions));
  if (wanted.users.empty()) return absl::InvalidArgumentError("too few items with interactions to hold any out");
  return wanted;
}

Quality Measure(const Ranker& ranker, const Wanted& wanted, const Lot& lot, const ColdOptions& options) {
  learn::cf::SparseRows nothing_masked;
  nothing_masked.offsets.assign(wanted.rows.offsets.size(), 0);
  const RankedLists lists = RankAll(ranker, wanted.users, nothing_masked, static_cast<uint32_t>(lot.items.size()),
                                    options.k, options.threads);
  Quality quality{.users = static_cast<uint32_t>(wanted.users.size())};
  for (size_t l = 0; l < wanted.users.size(); ++l) {
    const ListQuality list = MeasureList(lists.of(l), wanted.items[l], options.k);
    quality.recall += list.recall / static_cast<double>(wanted.users.size());
    quality.ndcg += list.ndcg / static_cast<double>(wanted.users.size());
  }
  return quality;
}

// The users' trained factors beside the factors predicted for a lot's items.
learn::cf::IalsModel PredictLot(const model::AttributeRegression& regression, const FeatureTable& features,
                                const Lot& lot, const std::vector<float>& users) {
  learn::cf::IalsModel model{.factors = regression.factor_dim(), .users = users};
  model.items.resize(lot.items.size() * model.factors);
  for (size_t place = 0; place < lot.items.size(); ++place) {
    const size_t item = lot.items[place];
    regression.Predict(features.columns_of(item), {},
                       std::span(features.dense).subspan(item * regression.dense_dim(), regression.dense_dim()),
                       std::span(model.items).subspan(place * model.factors, model.factors));
  }
  return model;
}

}  // namespace

absl::StatusOr<ColdReport> RunCold(const ColdOptions& options, std::ostream& log) {
  RETURN_IF_ERROR(Validate(options));
  uint32_t user_count = 0, item_count = 0;
  for (const Interaction& it : options.interactions) {
    user_count = std::max(user_count, it.user + 1);
    item_count = std::max(item_count, it.item + 1);
  }
  const Parts parts = DrawLots(options.interactions, item_count, options.held_out_share, options.seed);
  ASSIGN_OR_RETURN(const TrainingData train, TrainingData::Build(user_count, item_count, parts.train));
  ASSIGN_OR_RETURN(const Wanted choose, KnownSeekers(parts.choose, train));
  ASSIGN_OR_RETURN(const Wanted measure, KnownSeekers(parts.measure, train));

  learn::cf::IalsOptions ials;
  ials.factors = options.factors;
  ials.epochs = options.epochs;
  ials.objective = {options.unobserved_weight, options.regularization};
  ials.seed = options.seed;
  ials.threads = options.threads;
  ASSIGN_OR_RETURN(const learn::cf::IalsModel model, learn::cf::TrainIals(train.matrix, ials));

  // Only items with interactions in train teach the regression.
  ASSIGN_OR_RETURN(const FeatureTable features, ReadFeatures(options, item_count));
  std::vector<float> trust(item_count);
  for (uint32_t item = 0; item < item_count; ++item) {
    trust[item] = std::min(kTrustedInteractions, static_cast<float>(train.matrix.by_item.size(item)));
  }
  const model::FeatureRows rows{options.column_count, options.dense_dim, features.offsets, features.columns, {},
                                features.dense};

  ColdReport report{.k = options.k, .held_out_items = static_cast<uint32_t>(parts.measure.items.size())};
  double best_ndcg = -1;
  learn::cf::IalsModel best;
  for (float lambda : {1.0f, 10.0f, 100.0f, 1000.0f}) {
    ASSIGN_OR_RETURN(const model::AttributeRegression regression,
                     model::AttributeRegression::Train(rows, model.items, options.factors, trust,
                                                       {.lambda = lambda, .threads = options.threads}));
    const learn::cf::IalsModel chooser = PredictLot(regression, features, parts.choose, model.users);
    const Quality quality = Measure(IalsRanker(chooser), choose, parts.choose, options);
    log << fmt::format("  lambda {}: ndcg@{} {:.4f} on the items that choose it\n", lambda, options.k, quality.ndcg);
    if (quality.ndcg > best_ndcg) {
      best_ndcg = quality.ndcg;
      best = PredictLot(regression, features, parts.measure, model.users);
      report.lambda = lambda;
    }
  }
  const Quality quality = Measure(IalsRanker(best), measure, parts.measure, options);
  const Quality random = Measure(RandomRanker(options.seed, report.held_out_items), measure, parts.measure, options);
  report.users = quality.users;
  report.recall = quality.recall;
  report.ndcg = quality.ndcg;
  report.random_recall = random.recall;
  report.random_ndcg = random.ndcg;
  log << fmt::format("{} items without events, {} users: recall@{} {:.4f}, ndcg {:.4f}; random {:.4f}, {:.4f}\n",
                     report.held_out_items, report.users, report.k, report.recall, report.ndcg, report.random_recall,
                     report.random_ndcg);
  return report;
}

std::string ToJson(const ColdReport& report) {
  std::string text;
  base::JsonWriter json(&text);
  const auto quality = [&](double recall, double ndcg) {
    json.Key(fmt::format("recall@{}", report.k)).Double(recall).Key(fmt::format("ndcg@{}", report.k)).Double(ndcg);
  };
  json.BeginObject()
      .Key("protocol")
      .String("cold")
      .Key("held_out_items")
      .Uint(report.held_out_items)
      .Key("users")
      .Uint(report.users);
  quality(report.recall, report.ndcg);
  json.Key("lambda").Double(report.lambda).Key("random").BeginObject();
  quality(report.random_recall, report.random_ndcg);
  json.EndObject().EndObject();
  return text;
}

}  // namespace bowerbird::evaluate
