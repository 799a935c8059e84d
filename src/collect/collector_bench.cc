#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/check.h"
#include "base/rng.h"
#include "collect/collector.h"
#include "collect/event_json.h"

namespace bowerbird::collect {
namespace {

/// Takes everything and keeps nothing: what is measured is intake alone.
class NullLog final : public log::EventLog {
 public:
  uint32_t PartitionCount(log::Topic) const override { return 64; }
  absl::StatusOr<std::vector<log::Offset>> Append(std::vector<log::AppendRecord> batch) override {
    return std::vector<log::Offset>(batch.size());
  }
  void AppendAsync(std::vector<log::AppendRecord> batch, AppendDone done) override { done(Append(std::move(batch))); }
  absl::StatusOr<log::ReadResult> Read(log::Topic, uint32_t, log::Offset, size_t, size_t) const override {
    return log::ReadResult();
  }
  absl::StatusOr<log::Offset> BeginOffset(log::Topic, uint32_t) const override { return 0; }
  absl::StatusOr<log::Offset> EndOffset(log::Topic, uint32_t) const override { return 0; }
  bool WaitForAppend(log::Topic, std::span<const log::Offset>, int64_t) const override { return false; }
  absl::Status Truncate(log::Topic, uint32_t, log::Offset) override { return absl::OkStatus(); }
  absl::StatusOr<log::Offset> OffsetAtTime(log::Topic, uint32_t, int64_t) const override { return 0; }
  absl::StatusOr<std::vector<log::PartitionStats>> Stats() const override { return std::vector<log::PartitionStats>(); }
};

constexpr uint64_t kItems = 10'000;

/// A config, a catalog of items with stamps, and the collector over them.
class Intake {
 public:
  Intake() {
    const config::ParseResult parsed = config::Parse(
        "[items.attributes]\nbrand = { type = \"string\", stamp = true }\n"
        "[events.rating]\nweight = 2.0\n[events.rating.attributes]\nreason = \"string\"\nstars = \"number\"\n",
        "bench.toml");
    BOWERBIRD_CHECK(parsed.config != nullptr);
    config_ = parsed.config;
    std::string dir = (std::filesystem::temp_directory_path() / "bowerbird_collector_bench_XXXXXX").string();
    BOWERBIRD_CHECK(mkdtemp(dir.data()) != nullptr);
    dir_ = dir;
    catalog_ = *catalog::Catalog::Open(dir_, config_, hasher_, catalog::Catalog::Options());
    for (uint64_t i = 0; i < kItems; ++i) {
      v1::CatalogRecord record;
      v1::Item* item = record.mutable_item();
      item->set_id(fmt::format("item-{}", i));
      record.set_item_key(hasher_.Item(item->id()).value);
      for (const char* category : {"home", "lamps", "desk lamps"}) item->add_categories(category);
      (*item->mutable_attributes())["brand"].set_string_value("acme");
      BOWERBIRD_CHECK(catalog_->Apply(i, record).ok());
    }
    collector_ = std::make_unique<Collector>(config_, hasher_, &log_, catalog_.get(), &base::SystemClock::Get(),
                                             Collector::Overlays{&last_acknowledged_, &hides_});
  }
  ~Intake() {
    collector_.reset();
    catalog_.reset();
    std::filesystem::remove_all(dir_);
  }

  std::shared_ptr<const config::Config> config_;
  const catalog::KeyHasher hasher_{base::HashSeed{1}};
  std::string dir_;
  NullLog log_;
  LastAcknowledged last_acknowledged_;
  HideOverlay hides_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<Collector> collector_;
};

Intake& Shared() {
  static Intake intake;
  return intake;
}

enum class Kind : uint8_t { kPlain, kRfc3339, kAttributes };

/// `events` events of about 250 bytes each.
std::string Body(int events, Kind kind) {
  base::Rng rng(7);
  const int64_t now_us = base::SystemClock::Get().NowUs();
  std::string body = "{\"events\":[";
  for (int i = 0; i < events; ++i) {
    if (i > 0) body += ',';
    body += fmt::format(
        R"({{"type":"{}","user":"user-{}","item":"item-{}","client_id":"7f1c2f9e-6d5a-4b1e-9a50-{:012x}",{},"surface":"home","request_id":"req-{:016x}","position":{},"dwell_ms":{}{}}})",
        kind == Kind::kAttributes ? "rating" : "click", rng.Below(1'000'000), rng.Below(kItems), rng() >> 16,
        kind == Kind::kRfc3339 ? "\"time\":\"2026-01-02T03:04:05.678901Z\""
                               : fmt::format("\"event_time_us\":{}", now_us - 1000),
        rng(), rng.Below(50) + 1, rng.Below(10'000),
        kind == Kind::kAttributes ? R"(,"attributes":{"reason":"gift","stars":4.5})" : "");
  }
  return body + "]}";
}

void BM_Collect(benchmark::State& state) {
  Intake& intake = Shared();
  const int events = static_cast<int>(state.range(0));
  const std::string body = Body(events, static_cast<Kind>(state.range(1)));
  for (auto _ : state) {
    intake.collector_->Collect(body, Collector::Source::kLive, [&](absl::StatusOr<CollectResult> result) {
      BOWERBIRD_CHECK(result.ok() && result->accepted == static_cast<uint32_t>(events));
    });
  }
  state.SetItemsProcessed(state.iterations() * events);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(BM_Collect)
    ->ArgNames({"events", "kind"})
    ->Args({100, 0})
    ->Args({100, 1})
    ->Args({100, 2})
    ->Args({1, 0})
    ->Args({1000, 0});

/// Reading the JSON alone.
void BM_ReadJson(benchmark::State& state) {
  EventJsonReader reader(Shared().config_);
  const std::string body = Body(100, static_cast<Kind>(state.range(0)));
  uint64_t events = 0;
  for (auto _ : state) {
    BOWERBIRD_CHECK(reader.Read(body, [&](int64_t, v1::Event*, bool, const catalog::Problem*) { ++events; }).ok());
  }
  state.SetItemsProcessed(static_cast<int64_t>(events));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(BM_ReadJson)->ArgName("kind")->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace bowerbird::collect
