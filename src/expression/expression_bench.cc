// How long a filter takes over a catalog of 41,000 items: columns as an index hands them in, and row by row.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "expression/expression.h"
#include "expression/table_for_test.h"

namespace bowerbird::expression {
namespace {

constexpr uint32_t kRows = 41'000;
constexpr int64_t kNowUs = 1'793'000'000'000'000;
constexpr const char* kFilters[] = {
    "available and price in 10..50 and created > now - 30d",
    "color == \"color3\" and price < 20 and not (tags contains \"tag7\")",
    "tags in [\"tag1\", \"tag2\", \"tag3\"] or color in [\"color1\", \"color2\"] or price != 5",
    "title contains \"title 77\" and available and price > 1",
};

struct Catalog {
  Schema schema;
  std::vector<std::vector<Value>> rows;
  std::unique_ptr<TestColumns> columns;

  Catalog() {
    base::Rng rng(1);
    const auto add = [&](const char* name, Type type) { BOWERBIRD_CHECK(schema.Add(name, type).ok()); };
    add("available", Type::kBool);
    add("price", Type::kNumber);
    add("color", Type::kString);
    add("created", Type::kTime);
    add("tags", Type::kStrings);
    add("title", Type::kString);
    for (uint32_t r = 0; r < kRows; ++r) {
      std::vector<std::string> tags;
      for (uint64_t i = rng.Below(6); i > 0; --i) tags.push_back(fmt::format("tag{}", rng.Below(300)));
      rows.push_back({rng.Bernoulli(0.95), rng.Exponential() * 30, fmt::format("color{}", rng.Below(20)),
                      TimeUs{kNowUs - static_cast<int64_t>(rng.Exponential() * 60 * 86'400e6)}, tags,
                      fmt::format("the title {}", r)});
    }
    columns = std::make_unique<TestColumns>(schema, rows);
  }
};
const Catalog& TheCatalog() {
  static const Catalog* catalog = new Catalog();
  return *catalog;
}

std::shared_ptr<const Program> Filter(benchmark::State& state) {
  const char* text = kFilters[state.range(0)];
  state.SetLabel(text);
  return Program::Compile(text, TheCatalog().schema).value();
}

void BM_Columns(benchmark::State& state) {
  const auto program = Filter(state);
  std::vector<uint64_t> bitmap((kRows + 63) / 64);
  for (auto _ : state) {
    program->EvaluateColumns(*TheCatalog().columns, 0, kRows, kNowUs, bitmap);
    benchmark::DoNotOptimize(bitmap.data());
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(BM_Columns)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);

void BM_Rows(benchmark::State& state) {
  const auto program = Filter(state);
  for (auto _ : state) {
    uint32_t matches = 0;
    for (const auto& row : TheCatalog().rows) matches += program->Evaluate(TestRow(row), kNowUs) ? 1 : 0;
    benchmark::DoNotOptimize(matches);
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(BM_Rows)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);

void BM_Compile(benchmark::State& state) {
  const char* text = kFilters[state.range(0)];
  state.SetLabel(text);
  for (auto _ : state) benchmark::DoNotOptimize(Program::Compile(text, TheCatalog().schema));
}
BENCHMARK(BM_Compile)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bowerbird::expression
