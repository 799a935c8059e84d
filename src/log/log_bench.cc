#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "base/rng.h"
#include "fmt/format.h"
#include "log/rocks_log.h"

// Each benchmark runs on a new log in the folder BOWERBIRD_BENCH_DIR (the present one when unset), on 64 partitions,
// with fsync. Values have 250 bytes, about half of them compressible, as an event with its stamps has.
namespace bowerbird::log {
namespace {

constexpr uint32_t kPartitions = 64;
constexpr size_t kValueBytes = 250;

class Folder {
 public:
  Folder() {
    const char* root = std::getenv("BOWERBIRD_BENCH_DIR");
    path_ = fmt::format("{}/log_bench_{}", root != nullptr ? root : ".", base::HexEncode(base::RandomBytes(6)));
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  uint64_t Bytes() const {
    uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (entry.path().extension() == ".sst") sum += entry.file_size();
    }
    return sum;
  }

 private:
  std::string path_;
};

std::vector<AppendRecord> MakeBatch(size_t records, base::Rng* rng) {
  std::vector<AppendRecord> batch(records);
  for (AppendRecord& record : batch) {
    const uint64_t user = rng->Below(100'000);
    record.partition = static_cast<uint32_t>(user % kPartitions);
    record.key = fmt::format("user-{}", user);
    record.value = fmt::format("type=save user={} item=pin-{} surface=home request=", user, rng->Below(1'000'000));
    while (record.value.size() < kValueBytes)
      record.value += base::HexEncode(std::string(1, static_cast<char>((*rng)())));
    record.value.resize(kValueBytes);
  }
  return batch;
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// Bytes that this process has sent to storage.
double WrittenBytes() {
  std::ifstream io("/proc/self/io");
  std::string name;
  double value = 0;
  while (io >> name >> value) {
    if (name == "write_bytes:") return value;
  }
  return 0;
}

/// Batches of range(0) records, range(1) of them waiting at any time: what the intake does.
void BM_Append(benchmark::State& state) {
  Folder folder;
  RocksLogOptions options;
  options.user_partitions = kPartitions;
  auto log = RocksLog::Open(folder.path(), options);
  if (!log.ok()) return state.SkipWithError(log.status().ToString().c_str());
  base::Rng rng(1);
  std::vector<std::vector<AppendRecord>> batches;
  // Enough that no compressed block sees the same record twice.
  for (int64_t records = 0; records < 50'000; records += state.range(0)) {
    batches.push_back(MakeBatch(static_cast<size_t>(state.range(0)), &rng));
  }
  std::mutex mutex;
  std::condition_variable freed;
  int64_t waiting = 0;
  size_t next = 0;
  const double cpu_before = CpuSeconds();
  const double written_before = WrittenBytes();
  for (auto _ : state) {
    {
      std::unique_lock lock(mutex);
      freed.wait(lock, [&] { return waiting < state.range(1); });
      ++waiting;
    }
    (*log)->AppendAsync(batches[next++ % batches.size()], [&](const absl::StatusOr<std::vector<Offset>>& result) {
      if (!result.ok()) std::abort();
      std::lock_guard lock(mutex);
      --waiting;
      freed.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    freed.wait(lock, [&] { return waiting == 0; });
  }
  const double records = static_cast<double>(state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["cpu_us_per_record"] = 1e6 * (CpuSeconds() - cpu_before) / records;
  state.counters["written_bytes_per_record"] = (WrittenBytes() - written_before) / records;
  state.counters["records_per_fsync"] = records / static_cast<double>((*log)->counters().groups);
}
BENCHMARK(BM_Append)
    ->ArgNames({"batch", "waiting"})
    ->Args({100, 1})
    ->Args({100, 8})
    ->Args({100, 64})
    ->Args({1000, 16})
    ->UseRealTime();

/// Copies of the batches alone: what BM_Append's figures hold that is not the log's.
void BM_CopyBatch(benchmark::State& state) {
  base::Rng rng(1);
  const std::vector<AppendRecord> batch = MakeBatch(100, &rng);
  for (auto _ : state) {
    std::vector<AppendRecord> copy = batch;
    benchmark::DoNotOptimize(copy.data());
  }
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(BM_CopyBatch);

/// Threads that each wait for one record at a time.
void BM_AppendOneRecord(benchmark::State& state) {
  static Folder* folder = nullptr;
  static RocksLog* log = nullptr;
  if (state.thread_index() == 0) {
    folder = new Folder();
    RocksLogOptions options;
    options.user_partitions = kPartitions;
    log = RocksLog::Open(folder->path(), options)->release();
  }
  base::Rng rng(static_cast<uint64_t>(state.thread_index()));
  const std::vector<AppendRecord> batch = MakeBatch(1, &rng);
  for (auto _ : state) {
    if (!log->Append(batch).ok()) std::abort();
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    const RocksLog::Counters counters = log->counters();
    state.counters["records_per_fsync"] = static_cast<double>(counters.records) / static_cast<double>(counters.groups);
    delete log;
    delete folder;
  }
}
BENCHMARK(BM_AppendOneRecord)->Threads(1)->Threads(64)->Threads(256)->UseRealTime();

/// A log of two million records, read partition by partition, 1,000 records a call.
void BM_ReadBack(benchmark::State& state) {
  Folder folder;
  RocksLogOptions options;
  options.user_partitions = kPartitions;
  auto log = RocksLog::Open(folder.path(), options);
  if (!log.ok()) return state.SkipWithError(log.status().ToString().c_str());
  base::Rng rng(1);
  std::vector<std::vector<AppendRecord>> batches;
  for (int i = 0; i < 50; ++i) batches.push_back(MakeBatch(1000, &rng));
  for (size_t i = 0; i < 2000; ++i) {
    if (!(*log)->Append(batches[i % batches.size()]).ok()) return state.SkipWithError("append failed");
  }
  int64_t records = 0;
  int64_t bytes = 0;
  for (auto _ : state) {
    for (uint32_t p = 0; p < kPartitions; ++p) {
      const Offset end = *(*log)->EndOffset(Topic::kEvents, p);
      for (Offset offset = 0; offset < end;) {
        auto read = (*log)->Read(Topic::kEvents, p, offset, 1000, 1 << 20);
        if (!read.ok()) return state.SkipWithError(read.status().ToString().c_str());
        offset = read->next_offset;
        records += static_cast<int64_t>(read->records.size());
        for (const Record& record : read->records) bytes += static_cast<int64_t>(record.value.size());
      }
    }
  }
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(bytes);
  state.counters["file_bytes_per_record"] = static_cast<double>(folder.Bytes()) / 2e6;
}
BENCHMARK(BM_ReadBack)->Unit(benchmark::kMillisecond)->UseRealTime();

/// A consumer that looks at every partition for a few new records, as a tailing fold does.
void BM_ReadTail(benchmark::State& state) {
  Folder folder;
  RocksLogOptions options;
  options.user_partitions = kPartitions;
  auto log = RocksLog::Open(folder.path(), options);
  if (!log.ok()) return state.SkipWithError(log.status().ToString().c_str());
  base::Rng rng(1);
  const std::vector<AppendRecord> batch = MakeBatch(1000, &rng);
  for (int i = 0; i < 500; ++i) {
    if (!(*log)->Append(batch).ok()) return state.SkipWithError("append failed");
  }
  uint32_t partition = 0;
  int64_t records = 0;
  for (auto _ : state) {
    partition = (partition + 1) % kPartitions;
    const Offset end = *(*log)->EndOffset(Topic::kEvents, partition);
    auto read = (*log)->Read(Topic::kEvents, partition, end - std::min<Offset>(end, 15), 1000, 1 << 20);
    if (!read.ok()) return state.SkipWithError(read.status().ToString().c_str());
    records += static_cast<int64_t>(read->records.size());
  }
  state.SetItemsProcessed(records);
}
BENCHMARK(BM_ReadTail)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bowerbird::log
