// What does it cost as it grows? For 10,000, 100,000 and a million items: building and opening a snapshot, its bytes an
// item, and the CPU time of a home page. For as many users: folding their events, bytes written an event, bytes on disk
// a user, and the memory it took. One process, no network; items and events are made up, the same for each run.
// usage: bench_scale [--max N] [--actions N] [--json]
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "base/vector_math.h"
#include "bowerbird/v1/event.pb.h"
#include "index/live_index.h"
#include "index/snapshot_builder.h"
#include "log/event_log.h"
#include "serve/pipeline.h"
#include "state/state.h"

namespace {

using namespace bowerbird;
namespace fs = std::filesystem;

constexpr uint32_t kDim = 64, kTopics = 200, kNeighbors = 24, kPartitions = 64;
constexpr int64_t kNowUs = 1'790'000'000'000'000, kMinuteUs = 60'000'000;

std::string ItemId(uint64_t i) { return fmt::format("item-{:08}", i); }
std::string UserId(uint64_t i) { return fmt::format("user-{:08}", i); }

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

uint64_t FolderBytes(const std::string& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

/// No counts; the same trending list whatever the size.
class Table final : public state::ItemTable {
 public:
  explicit Table(std::vector<state::RankedItem> top) : top_(std::move(top)) {}
  uint64_t version() const override { return 1; }
  int64_t time_us() const override { return kNowUs; }
  std::span<const uint64_t> offsets() const override { return {}; }
  const state::ItemCounts* Find(catalog::ItemKey) const override { return nullptr; }
  std::span<const state::RankedItem> Top(std::string_view generator) const override {
    return generator == "trending" ? std::span<const state::RankedItem>(top_) : std::span<const state::RankedItem>();
  }
  const state::NextItems* Next(catalog::ItemKey) const override { return nullptr; }

 private:
  std::vector<state::RankedItem> top_;
};

/// Factors that gather around their topics, and neighbors of the same topic.
index::CfModel MakeModel(const std::vector<std::pair<catalog::ItemKey, uint32_t>>& items) {
  base::Rng rng(7);
  std::vector<float> centers(size_t{kTopics} * kDim);
  for (float& value : centers) value = static_cast<float>(rng.Normal() * 0.1);
  std::vector<std::vector<uint32_t>> rows_of(kTopics);
  for (uint32_t row = 0; row < items.size(); ++row) rows_of[items[row].second % kTopics].push_back(row);
  index::CfModel model;
  model.version = "000001";
  model.dim = kDim;
  model.objective = {0.01f, 0.005f};
  model.gramian.assign(size_t{kDim} * kDim, 0.0f);
  model.neighbor_offsets.push_back(0);
  for (uint32_t row = 0; row < items.size(); ++row) {
    const uint32_t topic = items[row].second % kTopics;
    model.items.push_back(items[row].first);
    for (uint32_t d = 0; d < kDim; ++d) {
      model.factors.push_back(centers[size_t{topic} * kDim + d] + static_cast<float>(rng.Normal() * 0.05));
    }
    const float* factor = model.factors.data() + size_t{row} * kDim;
    for (uint32_t d = 0; d < kDim; ++d) {
      base::Axpy(factor[d], {factor, kDim}, std::span(model.gramian).subspan(size_t{d} * kDim, kDim));
    }
    model.item_counts.push_back(1 + rng.Below(1000));
    const std::vector<uint32_t>& same = rows_of[topic];
    for (uint32_t n = 0; n < std::min<size_t>(kNeighbors, same.size() - 1); ++n) {
      uint32_t other = same[rng.Below(same.size())];
      if (other == row) other = same[0] == row ? same[1] : same[0];
      model.neighbors.push_back(other);
      model.neighbor_scores.push_back(1.0f / static_cast<float>(n + 1));
    }
    model.neighbor_offsets.push_back(model.neighbors.size());
  }
  return model;
}

absl::Status MeasureItems(uint32_t count, const std::string& dir, base::JsonWriter* json) {
  const auto config = config::Parse("", "bowerbird.toml").config;
  const catalog::KeyHasher hasher(base::HashSeed{1, 2});
  std::vector<std::pair<catalog::ItemKey, uint32_t>> items;
  for (uint32_t i = 0; i < count; ++i) items.emplace_back(hasher.Item(ItemId(i)), i);
  std::sort(items.begin(), items.end());
  const std::string path = dir + "/scale.snapshot";
  const int64_t begin_us = base::MonotonicUs();
  ASSIGN_OR_RETURN(const auto builder, index::SnapshotBuilder::Create(path, config));
  for (const auto& [key, i] : items) {
    v1::Item item;
    item.set_id(ItemId(i));
    item.set_title(fmt::format("Item {} of topic {}", i, i % kTopics));
    item.add_categories(fmt::format("topic-{}", i % kTopics));
    item.set_price(static_cast<double>(i % 100));
    item.set_created_time_us(kNowUs - int64_t{i % 43'200} * kMinuteUs);
    RETURN_IF_ERROR(builder->Add(key, item));
  }
  const index::CfModel model = MakeModel(items);
  ASSIGN_OR_RETURN(const index::BuildReport built, builder->Finish(0, &model, {}));
  const int64_t built_us = base::MonotonicUs();
  ASSIGN_OR_RETURN(const auto snapshot, index::Snapshot::Open(path, "000001"));
  const int64_t opened_us = base::MonotonicUs();
  index::LiveIndex live(config);
  RETURN_IF_ERROR(live.SwapSnapshot(snapshot));

  base::Rng rng(3);
  std::vector<state::RankedItem> top;
  for (uint32_t i = 0; i < 800; ++i) top.push_back({items[rng.Below(count)].first, static_cast<float>(800 - i)});
  serve::Inputs inputs;
  inputs.config = config;
  inputs.view = live.View();
  inputs.items = std::make_shared<Table>(std::move(top));
  inputs.hasher = hasher;
  inputs.now_us = kNowUs;
  v1::RecommendRequest request;
  request.set_surface("home");
  request.set_user("somebody");
  std::vector<double> ms;
  const uint8_t click = config->FindEventType("click")->code;
  for (uint32_t r = 0; r < 220; ++r) {
    auto user = std::make_shared<state::UserState>();
    user->id = "somebody";
    user->key = hasher.User(user->id);
    const uint64_t topic = rng.Below(kTopics);
    for (uint32_t a = 0; a < 50; ++a) {
      const uint64_t item = (rng.Below(count / kTopics) * kTopics + (a % 4 == 0 ? rng.Below(kTopics) : topic)) % count;
      state::Action action;
      action.item = hasher.Item(ItemId(item));
      action.time_s = static_cast<uint32_t>(kNowUs / 1'000'000 - 3600 + a);
      action.type = click;
      action.strength_bf16 = base::ToBf16(1.0f);
      user->actions.push_back(action);
    }
    inputs.user = std::move(user);
    inputs.seed = r;
    inputs.request_id = fmt::format("request-{}", r);
    const double cpu_s = CpuSeconds();
    RETURN_IF_ERROR(serve::Recommend(inputs, request).status());
    if (r >= 20) ms.push_back((CpuSeconds() - cpu_s) * 1e3);
  }
  std::sort(ms.begin(), ms.end());
  json->BeginObject().Key("items").Uint(count).Key("build_s").Double(static_cast<double>(built_us - begin_us) * 1e-6);
  json->Key("open_s").Double(static_cast<double>(opened_us - built_us) * 1e-6);
  json->Key("bytes_per_item_without_text").Double(static_cast<double>(built.retrieval_bytes) / count);
  json->Key("bytes_per_item").Double(static_cast<double>(built.bytes) / count);
  json->Key("request_cpu_ms_p50").Double(ms[ms.size() / 2]).Key("request_cpu_ms_p99").Double(ms[ms.size() * 99 / 100]);
  json->EndObject();
  fs::remove(path);
  return absl::OkStatus();
}

/// A log of `actions` events of each of `users`, made up as they are read: only the fold is measured.
class MadeUpLog final : public log::EventLog {
 public:
  MadeUpLog(uint32_t users, uint32_t actions) : users_(users), actions_(actions), of_partition_(kPartitions) {
    for (uint32_t u = 0; u < users; ++u) {
      of_partition_[catalog::PartitionOf(hasher_.User(UserId(u)), kPartitions)].push_back(u);
    }
  }

  uint32_t PartitionCount(log::Topic topic) const override { return topic == log::Topic::kEvents ? kPartitions : 1; }
  absl::StatusOr<std::vector<log::Offset>> Append(std::vector<log::AppendRecord>) override {
    return absl::UnimplementedError("read only");
  }
  void AppendAsync(std::vector<log::AppendRecord>, AppendDone done) override {
    done(absl::UnimplementedError("read only"));
  }
  absl::StatusOr<log::ReadResult> Read(log::Topic topic, uint32_t partition, log::Offset offset, size_t records_max,
                                       size_t bytes_max) const override {
    log::ReadResult result;
    size_t bytes = 0;
    const log::Offset end = End(topic, partition);
    for (; offset < end && result.records.size() < records_max && bytes < bytes_max; ++offset) {
      result.records.push_back(Make(partition, offset));
      bytes += result.records.back().value.size();
    }
    result.next_offset = offset;
    return result;
  }
  absl::StatusOr<log::Offset> BeginOffset(log::Topic, uint32_t) const override { return 0; }
  absl::StatusOr<log::Offset> EndOffset(log::Topic topic, uint32_t partition) const override {
    return End(topic, partition);
  }
  bool WaitForAppend(log::Topic, std::span<const log::Offset>, int64_t) const override { return false; }
  absl::Status Truncate(log::Topic, uint32_t, log::Offset) override { return absl::UnimplementedError("read only"); }
  absl::StatusOr<log::Offset> OffsetAtTime(log::Topic topic, uint32_t partition, int64_t) const override {
    return End(topic, partition);
  }
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override { return std::vector<log::PartitionStats>(); }

 private:
  log::Offset End(log::Topic topic, uint32_t partition) const {
    return topic == log::Topic::kEvents ? uint64_t{actions_} * of_partition_[partition].size() : 0;
  }
  /// All users act once, then all of them again.
  log::Record Make(uint32_t partition, log::Offset offset) const {
    const std::vector<uint32_t>& users = of_partition_[partition];
    const uint32_t user = users[offset % users.size()];
    const uint64_t round = offset / users.size();
    const uint64_t item = base::CombineHash(user, round) % users_;
    v1::Event event;
    event.set_schema(1);
    event.set_type(round % 4 == 0 ? "click" : "impression");
    event.set_user(UserId(user));
    event.set_user_key(hasher_.User(event.user()).value);
    event.set_item(ItemId(item));
    event.set_item_key(hasher_.Item(event.item()).value);
    event.set_event_time_us(kNowUs - static_cast<int64_t>(actions_ - round) * kMinuteUs);
    event.set_receive_time_us(event.event_time_us());
    event.set_client_id(fmt::format("c-{}-{}", user, round));
    event.set_dedupe_print(hasher_.DedupePrint(catalog::UserKey(event.user_key()), event.client_id()));
    event.add_item_categories(fmt::format("topic-{}", item % kTopics));
    log::Record record;
    record.offset = offset;
    record.append_time_us = event.receive_time_us();
    record.key = event.user();
    event.SerializeToString(&record.value);
    return record;
  }

  const uint32_t users_, actions_;
  const catalog::KeyHasher hasher_{base::HashSeed{1, 2}};
  std::vector<std::vector<uint32_t>> of_partition_;
};

absl::Status MeasureUsers(uint32_t count, uint32_t actions, const std::string& dir, base::JsonWriter* json) {
  const auto config = config::Parse("", "bowerbird.toml").config;
  MadeUpLog log(count, actions);
  state::State::Options options;
  options.threads = 2;
  options.publish = false;
  const std::string folder = dir + "/state";
  ASSIGN_OR_RETURN(const auto state, state::State::Open(folder, config, &log, &base::SystemClock::Get(), options));
  const double cpu_s = CpuSeconds();
  const int64_t begin_us = base::MonotonicUs();
  RETURN_IF_ERROR(state->CatchUp());
  RETURN_IF_ERROR(state->Flush());
  const double seconds = static_cast<double>(base::MonotonicUs() - begin_us) * 1e-6;
  const auto events = static_cast<double>(count) * actions;
  const state::State::Counters counters = state->counters();
  state->Stop();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  json->BeginObject().Key("users").Uint(count).Key("actions").Uint(actions);
  json->Key("events_per_second").Double(events / seconds);
  json->Key("events_per_cpu_second").Double(events / (CpuSeconds() - cpu_s));
  json->Key("bytes_written_per_event").Double(static_cast<double>(counters.bytes_written) / events);
  json->Key("disk_bytes").Uint(FolderBytes(folder));
  json->Key("cache_bytes").Uint(counters.cache_bytes).Key("cache_bytes_max").Uint(config->state.cache_bytes);
  json->Key("process_peak_bytes").Uint(static_cast<uint64_t>(usage.ru_maxrss) * 1024).EndObject();
  return absl::OkStatus();
}

absl::Status Run(uint32_t most, uint32_t actions, const std::string& dir, std::string* out) {
  base::JsonWriter json(out);
  // Users first: the process's peak is then theirs.
  json.BeginObject().Key("users").BeginArray();
  for (uint32_t count = 10'000; count <= most; count *= 10) {
    RETURN_IF_ERROR(MeasureUsers(count, actions, dir, &json));
    fs::remove_all(dir + "/state");
  }
  json.EndArray().Key("items").BeginArray();
  for (uint32_t count = 10'000; count <= most; count *= 10) RETURN_IF_ERROR(MeasureItems(count, dir, &json));
  json.EndArray().EndObject();
  return absl::OkStatus();
}

uint32_t Number(int argc, char** argv, std::string_view name, uint32_t fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return static_cast<uint32_t>(std::atoi(argv[i + 1]));
  }
  return fallback;
}

}  // namespace

int main(int argc, char** argv) {
  std::string dir = (fs::temp_directory_path() / "bowerbird-scale-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return 1;
  std::string body;
  const absl::Status status =
      Run(Number(argc, argv, "--max", 1'000'000), Number(argc, argv, "--actions", 100), dir, &body);
  fs::remove_all(dir);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::printf("%s\n", body.c_str());
  return 0;
}
