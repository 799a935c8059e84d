// How fast does iALS train, and how well does it rank? Usage: ials [FOLDER] [--threads N] [--peers FILE]
//
// --peers FILE: what bench/peers/implicit_ials.py printed on this machine just before (`./dev bench ials --peers` runs
// both); adds how long training takes to the peer's best recall@20 with as many factors, and the ratio.
// FOLDER (../shared/data/gowalla) holds train.txt.zst and test.txt.zst in LightGCN's format. Settings are those that
// `bowerbird evaluate split` chooses on a part cut from train; all items are ranked, train masked. Without the folder a
// synthetic matrix of the same size takes its place, which has no test part: the speed is measured, recall is null.
// Prints one JSON line.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/vector_math.h"
#include "evaluate/data_files.h"
#include "evaluate/tuning.h"
#include "fmt/format.h"
#include "simdjson.h"

namespace {

using bowerbird::evaluate::Interaction;
using bowerbird::evaluate::TrainingData;
using bowerbird::evaluate::Wanted;
namespace cf = bowerbird::learn::cf;

constexpr uint32_t kUserCount = 29858, kItemCount = 40981, kPairCount = 810128;

struct Setting {
  uint32_t factors;
  bowerbird::model::IalsObjective objective;
  uint32_t epochs;
};
constexpr uint32_t kPeerEpochsMax = 12;
constexpr Setting kSettings[] = {{64, {0.01f, 0.00461f}, 3}, {128, {0.01f, 0.00461f}, 3}};

// Activity and popularity fall off as powers of the rank, as in the real data.
std::vector<Interaction> Synthetic() {
  bowerbird::base::Rng rng(1);
  std::vector<Interaction> result;
  const auto draw = [&](uint32_t count, double skew) {
    return std::min(count - 1, static_cast<uint32_t>(count * std::pow(rng.Uniform(), skew)));
  };
  for (uint32_t k = 0; k < kPairCount; ++k) result.push_back({draw(kUserCount, 1.8), draw(kItemCount, 2.2)});
  return result;
}

/// What a peer came to with so many factors.
struct Peer {
  uint32_t factors = 0;
  double recall = 0, hit_rate = 0, seconds = 0;
};

std::vector<Peer> ReadPeers(const std::string& path) {
  std::vector<Peer> peers;
  simdjson::padded_string text;
  if (simdjson::padded_string::load(path).get(text) != simdjson::SUCCESS) return peers;
  simdjson::dom::parser parser;
  simdjson::dom::document_stream lines;
  if (parser.parse_many(text).get(lines) != simdjson::SUCCESS) return peers;
  for (const auto line : lines) {
    Peer peer;
    uint64_t factors = 0;
    if (line["factors"].get(factors) != simdjson::SUCCESS || line["recall@20"].get(peer.recall) != simdjson::SUCCESS ||
        line["seconds"].get(peer.seconds) != simdjson::SUCCESS) {
      continue;
    }
    peer.factors = static_cast<uint32_t>(factors);
    if (line["hit_rate@10"].get(peer.hit_rate) != simdjson::SUCCESS) continue;
    peers.push_back(peer);
  }
  return peers;
}

struct Run {
  double epoch_s = 0, train_s = 0, recall = 0, ndcg = 0, hit_rate = 0;
};

Run TrainAndRank(const Setting& setting, const TrainingData& train, const Wanted* wanted, uint32_t threads) {
  std::vector<double> seconds;
  cf::IalsOptions options;
  options.factors = setting.factors;
  options.objective = setting.objective;
  options.epochs = setting.epochs;
  options.threads = threads;
  options.progress = [&](const cf::IalsEpoch& epoch) {
    seconds.push_back(epoch.seconds);
    return true;
  };
  const cf::IalsModel model = *cf::TrainIals(train.matrix, options);
  Run run;
  for (double s : seconds) run.train_s += s;
  std::sort(seconds.begin(), seconds.end());
  run.epoch_s = seconds[seconds.size() / 2];
  if (wanted != nullptr) {
    const auto lists = bowerbird::evaluate::RankAll(bowerbird::evaluate::IalsRanker(model), wanted->users,
                                                    train.matrix.by_user, train.matrix.item_count(), 20, threads);
    for (size_t l = 0; l < wanted->users.size(); ++l) {
      const auto quality = bowerbird::evaluate::MeasureList(lists.of(l), wanted->items[l], 20);
      run.recall += quality.recall / static_cast<double>(wanted->users.size());
      run.ndcg += quality.ndcg / static_cast<double>(wanted->users.size());
      const bool hit = bowerbird::evaluate::MeasureList(lists.of(l), wanted->items[l], 10).hit;
      run.hit_rate += (hit ? 1.0 : 0.0) / static_cast<double>(wanted->users.size());
    }
  }
  return run;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = BOWERBIRD_SOURCE_DIR "/../shared/data/gowalla";
  std::vector<Peer> peers;
  uint32_t threads = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--threads" && i + 1 < argc) {
      threads = static_cast<uint32_t>(std::atoi(argv[++i]));
    } else if (argument == "--peers" && i + 1 < argc) {
      peers = ReadPeers(argv[++i]);
    } else if (argument != "--json") {  // the only output there is
      folder = argument;
    }
  }
  threads = bowerbird::base::ResolveThreads(threads);
  auto train_part = bowerbird::evaluate::ReadLightGcn(folder + "/train.txt.zst");
  auto test_part = bowerbird::evaluate::ReadLightGcn(folder + "/test.txt.zst");
  const bool real = train_part.ok() && test_part.ok();
  if (!real) {
    std::cerr << fmt::format("no data at {}: a synthetic matrix of the same size takes its place, without recall\n",
                             folder);
    train_part = Synthetic();
    test_part = std::vector<Interaction>();
  }
  uint32_t user_count = 0, item_count = 0;
  for (const auto* part : {&*train_part, &*test_part}) {
    for (const Interaction& it : *part) {
      user_count = std::max(user_count, it.user + 1);
      item_count = std::max(item_count, it.item + 1);
    }
  }
  const auto train = TrainingData::Build(user_count, item_count, *train_part);
  const auto wanted = Wanted::Build(user_count, item_count, *test_part);
  if (!train.ok() || !wanted.ok()) {
    std::cerr << train.status() << " " << wanted.status() << "\n";
    return 1;
  }
  std::string text;
  bowerbird::base::JsonWriter json(&text);
  json.BeginObject()
      .Key("bench")
      .String("ials")
      .Key("data")
      .String(real ? folder : "synthetic")
      .Key("threads")
      .Uint(threads);
  json.Key("simd")
      .String(bowerbird::base::SimdTargetName())
      .Key("pairs")
      .Uint(train->matrix.pair_count())
      .Key("runs")
      .BeginArray();
  for (const Setting& setting : kSettings) {
    const Run run = TrainAndRank(setting, *train, real ? &*wanted : nullptr, threads);
    json.BeginObject()
        .Key("factors")
        .Uint(setting.factors)
        .Key("epoch_s")
        .Double(run.epoch_s)
        .Key("epochs")
        .Uint(setting.epochs);
    json.Key("train_s").Double(run.train_s).Key("recall@20");
    real ? json.Double(run.recall) : json.Null();
    json.Key("ndcg@20");
    real ? json.Double(run.ndcg) : json.Null();
    json.Key("hit_rate@10");
    real ? json.Double(run.hit_rate) : json.Null();
    for (const Peer& peer : peers) {
      if (peer.factors != setting.factors || !real) continue;
      // The same seed each time: the first epochs of a longer training are those of a shorter one.
      std::optional<double> seconds;
      Setting longer = setting;
      for (longer.epochs = 2; longer.epochs <= kPeerEpochsMax && !seconds; ++longer.epochs) {
        const Run tried = TrainAndRank(longer, *train, &*wanted, threads);
        if (tried.recall >= peer.recall) seconds = tried.train_s;
      }
      json.Key("peer_recall@20").Double(peer.recall).Key("peer_hit_rate@10").Double(peer.hit_rate);
      json.Key("peer_seconds").Double(peer.seconds);
      json.Key("seconds_to_peer_recall");
      seconds ? json.Double(*seconds) : json.Null();
      json.Key("times_faster");
      seconds ? json.Double(peer.seconds / *seconds) : json.Null();
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
  std::cout << text << std::endl;
  return 0;
}
