#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "absl/strings/ascii.h"
#include "config/sections.h"

namespace bowerbird::config {
namespace {

void ReadApp(TableReader table, Config* config) {
  table.Text("name", 1, 64, &config->app);
  if (!IsName(config->app)) table.Refuse("name", Quote(config->app), "1 to 64 letters, digits, '_', '-' or '.'");
  int64_t partitions = config->partitions;
  table.Integer("partitions", 1, 4096, &partitions);
  // A partition is the high bits of the user's key, so that it can be split in two later.
  if (!std::has_single_bit(static_cast<uint64_t>(partitions))) {
    table.Refuse("partitions", fmt::format("integer {}", partitions), "a power of two from 1 to 4096");
  } else {
    config->partitions = static_cast<uint32_t>(partitions);
  }
  table.RefuseUnknown("[app]");
}

void ReadCollect(TableReader table, Collect* collect) {
  constexpr std::pair<std::string_view, bool> kLate[] = {{"accept", false}, {"reject", true}};
  constexpr std::pair<std::string_view, bool> kFuture[] = {{"clamp", false}, {"reject", true}};
  table.Duration("age_max", kMinuteUs, kDurationUsMax, &collect->age_us_max);
  table.Choice<bool>("late", kLate, &collect->late_rejected);
  table.Duration("future_max", 0, 365 * kDayUs, &collect->future_us_max);
  table.Choice<bool>("future", kFuture, &collect->future_rejected);
  table.Integer("batch_events_max", 1, 100'000, &collect->batch_events_max);
  table.Integer("body_bytes_max", 1024, 1 << 30, &collect->body_bytes_max);
  table.Integer("id_bytes_max", 1, 256, &collect->id_bytes_max);
  table.Integer("attributes_max", 0, 1024, &collect->attributes_max);
  table.Integer("attribute_bytes_max", 1, 1 << 20, &collect->attribute_bytes_max);
  table.Integer("text_bytes_max", 1, 1 << 24, &collect->text_bytes_max);
  table.RefuseUnknown("[collect]");
}

void ReadState(TableReader table, State* state) {
  table.Integer("sequence_max", 1, 65'535, &state->sequence_max);
  table.Integer("dedupe_prints", 1, 65'535, &state->dedupe_prints);
  table.Duration("dedupe_window", kMinuteUs, 365 * kDayUs, &state->dedupe_window_us);
  table.Duration("read_your_writes", 0, 10 * kSecondUs, &state->read_your_writes_us);
  table.Integer("cache_bytes", 1 << 20, int64_t{1} << 40, &state->cache_bytes);
  table.Duration("flush_interval", 10'000, kHourUs, &state->flush_interval_us);
  table.Duration("item_bucket", kMinuteUs, 30 * kDayUs, &state->item_bucket_us);
  table.Integer("item_buckets_max", 1, 100'000, &state->item_buckets_max);
  table.Duration("item_table_interval", 100'000, kHourUs, &state->item_table_interval_us);
  table.Duration("affinity_half_life", kMinuteUs, kDurationUsMax, &state->affinity_half_life_us);
  table.Integer("affinity_top", 1, 1024, &state->affinity_top);
  table.RefuseUnknown("[state]");
}

void ReadPipeline(TableReader table, Pipeline* pipeline) {
  table.Duration("interval", 0, 365 * kDayUs, &pipeline->interval_us);
  if (pipeline->interval_us > 0 && pipeline->interval_us < kSecondUs) {
    table.Refuse("interval", "less than a second", "\"0s\" (only by command) or at least \"1s\"");
  }
  table.Integer("factors", 1, 4096, &pipeline->factors);
  table.Integer("epochs", 1, 1000, &pipeline->epochs);
  table.Number("regularization", Interval::Closed(0, 1000), &pipeline->regularization);
  table.Number("unobserved_weight", Interval::Closed(0, 1000), &pipeline->unobserved_weight);
  table.Duration("co_occurrence_half_life", kMinuteUs, kDurationUsMax, &pipeline->co_occurrence_half_life_us);
  table.Integer("snapshots_kept", 1, 1000, &pipeline->snapshots_kept);
  table.Duration("window", 0, kDurationUsMax, &pipeline->window_us);
  if (pipeline->window_us > 0 && pipeline->window_us < kMinuteUs) {
    table.Refuse("window", "less than a minute", "\"0s\" (the whole log) or at least \"1m\"");
  }
  table.RefuseUnknown("[pipeline]");
}

void ReadServed(TableReader table, Served* served) {
  table.Number("l2_sample", Interval::Share(), &served->l2_sample);
  table.Number("union_sample", Interval::Share(), &served->union_sample);
  table.RefuseUnknown("[served]");
}

void ReadLake(TableReader table, Lake* lake) {
  table.Bool("enabled", &lake->enabled);
  table.Duration("interval", kSecondUs, 365 * kDayUs, &lake->interval_us);
  table.Duration("sql_time_max", 100'000, kDayUs, &lake->sql_us_max);
  table.Integer("sql_rows_max", 1, 100'000'000, &lake->sql_rows_max);
  table.Integer("sql_bytes_max", 1024, int64_t{1} << 30, &lake->sql_bytes_max);
  table.Integer("sql_memory_bytes", 64 << 20, int64_t{1} << 40, &lake->sql_memory_bytes);
  table.Integer("sql_threads", 1, 256, &lake->sql_threads);
  TableReader retention = table.Table("retention");
  for (const char* name : {"events", "served", "items", "users", "exposures"}) {
    int64_t keep_us = 0;
    retention.Duration(name, 0, kDurationUsMax, &keep_us);
    if (keep_us > 0 && keep_us < kDayUs)
      retention.Refuse(name, "less than a day", "\"0s\" (keep everything) or at least \"1d\"");
    lake->retention_us[name] = keep_us;
  }
  retention.RefuseUnknown("[lake.retention]");
  table.RefuseUnknown("[lake]");
}

void ReadForget(TableReader table, Forget* forget) {
  table.Duration("interval", kMinuteUs, 30 * kDayUs, &forget->interval_us);
  table.RefuseUnknown("[forget]");
}

void ReadExperiments(TableReader table, Experiments* experiments) {
  table.Number("holdout", Interval::Closed(0, 0.5), &experiments->holdout);
  table.Duration("check_interval", kMinuteUs, kDayUs, &experiments->check_interval_us);
  table.RefuseUnknown("[experiments]");
}

void ReadAgents(TableReader* table, std::vector<std::string>* agents) {
  std::vector<NameAt> names;
  if (!table->Names("agents", &names)) return;
  constexpr size_t kAgentsMax = 256, kBytesMax = 64;
  if (names.size() > kAgentsMax) {
    table->Refuse("agents", fmt::format("{} texts", names.size()), fmt::format("at most {}", kAgentsMax));
    return;
  }
  agents->clear();
  for (const NameAt& name : names) {
    if (name.text.empty() || name.text.size() > kBytesMax) {
      table->Refuse("agents", Quote(name.text), fmt::format("texts of 1 to {} bytes", kBytesMax));
      continue;
    }
    agents->push_back(absl::AsciiStrToLower(name.text));
  }
}

void ReadTraffic(TableReader table, const State& state, Traffic* traffic) {
  table.Bool("enabled", &traffic->enabled);
  ReadAgents(&table, &traffic->agents);
  // The rules look at what a user's record holds.
  const auto held = static_cast<int64_t>(std::min(state.sequence_max, state.dedupe_prints)) - 1;
  table.Integer("rate", 0, 65'534, &traffic->rate);
  table.Duration("rate_window", kSecondUs, kDayUs, &traffic->rate_window_us);
  table.Number("entropy", Interval::Closed(0, 8), &traffic->entropy);
  table.Integer("entropy_actions", 16, 1024, &traffic->entropy_actions);
  table.Duration("mark_for", kMinuteUs, 365 * kDayUs, &traffic->mark_us);
  if (traffic->enabled && traffic->rate > held) {
    table.Refuse("rate", fmt::format("{}", traffic->rate),
                 fmt::format("less than state.sequence_max and state.dedupe_prints: 0 to {}", held));
  }
  if (traffic->enabled && traffic->entropy > 0 && traffic->entropy_actions > state.sequence_max) {
    table.Refuse("entropy_actions", fmt::format("{}", traffic->entropy_actions),
                 fmt::format("at most state.sequence_max: 16 to {}", state.sequence_max));
  }
  table.RefuseUnknown("[traffic]");
}

}  // namespace

void ReadSettings(TableReader* root, Draft* draft) {
  Config& config = draft->config;
  ReadApp(root->Table("app"), &config);
  ReadCollect(root->Table("collect"), &config.collect);
  ReadLog(root->Table("log"), config.app, draft);
  ReadState(root->Table("state"), &config.state);
  ReadPipeline(root->Table("pipeline"), &config.pipeline);
  ReadServed(root->Table("served"), &config.served);
  ReadLake(root->Table("lake"), &config.lake);
  ReadForget(root->Table("forget"), &config.forget);
  ReadTraffic(root->Table("traffic"), config.state, &config.traffic);
  ReadExperiments(root->Table("experiments"), &config.experiments);
}

}  // namespace bowerbird::config
