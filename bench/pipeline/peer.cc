// The same windowed counts, decayed sums and distinct counts of every user, folded in the stream and computed by DuckDB
// over the lake in one query: that they are equal, and what an event costs either way.
#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "bench/pipeline/events.h"
#include "fmt/format.h"
#include "lake/lake.h"
#include "lake/sql.h"
#include "signal/definition.h"
#include "signal/distinct_sketch.h"
#include "signal/window_counts.h"

namespace bowerbird::bench {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;
constexpr int64_t kWindowUs = 24 * kHourUs, kHalfLifeUs = 7 * 24 * kHourUs;
constexpr double kSumTolerance = 1e-9;
/// Five standard errors of the sketch (distinct_sketch.h).
constexpr double kDistinctTolerance = 5 * 0.023;
constexpr std::string_view kSignals = R"(
[signals.clicks]
kind = "count"
on = ["click"]
window = "24h"
[signals.weight]
kind = "decayed_sum"
on = ["click", "save"]
half_life = "7d"
[signals.items]
kind = "distinct"
of = "item.id"
on = ["click", "save"]
)";

/// What the signals say of each user at `now_us`, each client id counted once.
std::string PeerSql(int64_t now_us) {
  const int64_t width_us = signal::BucketWidthUs(kWindowUs);
  return fmt::format(R"(
with once as (
  select e.user, e.client_id, any_value(e.type) as type, any_value(e.item) as item,
    any_value(least(epoch_us(e.event_time), epoch_us(e.receive_time))) as us
  from events e where e.type in ('click', 'save') group by 1, 2)
select o.user, count(*) filter (o.type = 'click' and o.us // {0} between {1} and {2}),
  sum((case o.type when 'save' then 3.0 else 1.0 end) * pow(2.0, (o.us - {3})::double / {4})), count(distinct o.item)
from once o group by 1)",
                     width_us, now_us / width_us - static_cast<int64_t>(signal::kWindowBuckets) + 1, now_us / width_us,
                     now_us, kHalfLifeUs);
}

struct Compared {
  uint64_t users = 0, counts_differ = 0, sums_differ = 0, distinct_differ = 0;
  double sum_error_max = 0, distinct_error_max = 0;
};

double ErrorOf(double found, double expected) {
  return std::abs(found - expected) / std::max(std::abs(expected), 1e-300);
}

Compared Compare(const std::string& body, const state::State& state, const catalog::KeyHasher& hasher, int64_t now_us) {
  simdjson::dom::parser parser;
  simdjson::dom::array rows;
  if (parser.parse(body)["rows"].get(rows)) Die(absl::InternalError("the answer has no rows"));
  Compared compared;
  for (const simdjson::dom::element row : rows) {
    std::string_view id;
    double clicks = 0, weight = 0, items = 0;
    if (row.at(0).get(id) || row.at(1).get(clicks) || row.at(2).get(weight) || row.at(3).get(items))
      Die(absl::InternalError("the answer has another shape"));
    const auto user = OrDie(state.Get(hasher.User(id), id));
    const auto number = [&](std::string_view name) {
      for (size_t slot = 0; user->signals != nullptr && slot < user->signal_set->size(); ++slot) {
        const signal::Definition& definition = (*user->signal_set)[slot];
        if (definition.signal().name != name) continue;
        const signal::SignalReading reading = definition.Read((*user->signals)[slot], now_us);
        return reading.keys.empty() ? 0 : reading.keys[0].reading.number.value_or(0);
      }
      return 0.0;
    };
    ++compared.users;
    compared.counts_differ += number("clicks") != clicks;
    const double sum_error = ErrorOf(number("weight"), weight), distinct_error = ErrorOf(number("items"), items);
    compared.sums_differ += sum_error > kSumTolerance;
    compared.distinct_differ += distinct_error > (items <= signal::kSparseMax ? 0 : kDistinctTolerance);
    compared.sum_error_max = std::max(compared.sum_error_max, sum_error);
    compared.distinct_error_max = std::max(compared.distinct_error_max, distinct_error);
  }
  return compared;
}

}  // namespace

void PeerRow(uint64_t count, const std::string& dir, base::JsonWriter* json) {
  const catalog::KeyHasher hasher(base::HashSeed{1, 2, 3});
  EventMaker maker(&hasher, /*signals=*/true);
  const auto log = FillLog(dir + "/peer-log", count, &maker);
  const int64_t now_us = maker.now_us() + kHourUs;
  const Timed bare = Fold(dir + "/peer-bare", ConfigWith(""), log.get(), 1, count).timed;
  const Folded folded = Fold(dir + "/peer-state", ConfigWith(std::string(kSignals)), log.get(), 1, count);
  lake::Lake lake({.folder = dir + "/peer-lake", .log = log.get()});
  const Timed written = Time([&] { OrDie(lake.CatchUp("events")); });
  lake::SqlQuery query;
  query.sql = PeerSql(now_us);
  query.limits = {.seconds = 3600, .rows = 100'000'000, .result_bytes = 1u << 30, .memory_bytes = uint64_t{8} << 30};
  const auto files = OrDie(lake.Files());
  lake::SqlAnswer answer;
  const Timed asked = Time([&] { answer = OrDie(lake::RunSql(files, query)); });
  const Compared compared = Compare(answer.body, *folded.state, hasher, now_us);

  const auto ns = [&](double seconds) { return seconds * 1e9 / static_cast<double>(count); };
  json->Key("peer").BeginObject().Key("events").Uint(count).Key("users").Uint(compared.users).Key("signals").Uint(3);
  json->Key("counts_differ").Uint(compared.counts_differ).Key("sums_differ").Uint(compared.sums_differ);
  json->Key("distinct_differ").Uint(compared.distinct_differ);
  json->Key("sum_error_max").Double(compared.sum_error_max);
  json->Key("distinct_error_max").Double(compared.distinct_error_max);
  json->Key("stream_cpu_ns_per_event").Double(ns(folded.timed.cpu_s));
  json->Key("stream_cpu_ns_per_event_of_signals").Double(ns(folded.timed.cpu_s - bare.cpu_s));
  json->Key("lake_write_cpu_ns_per_event").Double(ns(written.cpu_s));
  json->Key("duckdb_cpu_ns_per_event").Double(ns(asked.children_cpu_s));
  json->Key("duckdb_seconds").Double(answer.seconds).EndObject();
}

}  // namespace bowerbird::bench
