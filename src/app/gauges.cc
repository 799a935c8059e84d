#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/app.h"
#include "base/clock.h"

namespace bowerbird::app {

std::vector<Gauge> App::Gauges() const {
  const state::State::Counters state = state_->counters();
  const log::ManagedLog::Counters log = log_->counters();
  const serve::Engine::Counters serve = engine_->counters();
  const auto view = live_->View();
  const auto number = [](auto value) { return static_cast<double>(value); };
  std::vector<Gauge> gauges = {
      {"bowerbird_log_records", "Records appended since the start.", number(log.records)},
      {"bowerbird_log_groups", "Groups of records that became durable together, since the start.", number(log.groups)},
      {"bowerbird_log_failures", "Groups that could not be made durable, since the start.", number(log.failures)},
      {"bowerbird_state_folded", "Events folded since the start.", number(state.folded)},
      {"bowerbird_state_duplicates", "Events dropped as repeats since the start.", number(state.duplicates)},
      {"bowerbird_state_too_late", "Events too old to be told from a repeat, since the start.", number(state.too_late)},
      {"bowerbird_state_dead_letters", "Records that could not be folded since the start.", number(state.dead_letters)},
      {"bowerbird_state_bytes_written", "Bytes written by flushes since the start.", number(state.bytes_written)},
      {"bowerbird_state_lag_records", "Events in the log that are not folded.", number(state.lag_records)},
      {"bowerbird_state_lag_seconds", "Age of the oldest of them.", number(state.lag_us) * 1e-6},
      {"bowerbird_state_cache_bytes", "Memory of the users held.", number(state.cache_bytes)},
      {"bowerbird_catalog_items", "Items known.", number(view->size())},
      {"bowerbird_index_delta_items", "Items changed since the snapshot.", number(view->delta_size())},
      {"bowerbird_serve_answers", "Answers made since the start.", number(serve.answers)},
      {"bowerbird_serve_explored", "Answers drawn at random on purpose, since the start.", number(serve.explored)},
      {"bowerbird_serve_degraded", "Answers that used a fallback, since the start.", number(serve.degraded)},
      {"bowerbird_serve_ranker_fallbacks", "Answers that a promoted ranker was to order and did not, since the start.",
       number(serve.ranker_fallbacks)},
      {"bowerbird_serve_log_failures", "Served records that could not be logged, since the start.",
       number(served_failed_.load())},
  };
  const experiment::live::Experiments::Counters experiments = experiments_->counters();
  gauges.insert(
      gauges.end(),
      {{"bowerbird_experiments_running", "Experiments that run.", number(experiments.running)},
       {"bowerbird_experiment_assignments", "Questions of who is in which arm, since the start.",
        number(experiments.assignments)},
       {"bowerbird_experiment_exposures", "Exposures written since the start.", number(experiments.exposures)},
       {"bowerbird_experiment_exposure_failures", "Exposures that the log did not take, since the start.",
        number(experiments.exposures_failed)},
       {"bowerbird_experiment_recipe_failures", "Requests whose arms together gave no config, since the start.",
        number(experiments.recipes_failed)}});
  AddTrafficGauges(state, &gauges);
  const state::PartitionRange owned = node_.Owned(config()->partitions);
  for (uint32_t p = 0; p < log_->PartitionCount(log::Topic::kEvents); ++p) {
    if (!owned.Has(p)) continue;
    const log::Offset folded = state_->FoldedOffset(p);
    const log::Offset end = log_->EndOffset(log::Topic::kEvents, p).value_or(folded);
    gauges.push_back({"bowerbird_state_partition_lag_records",
                      "Offsets of the events topic that are not folded.",
                      number(end - std::min(end, folded)),
                      {{"partition", fmt::format("{}", p)}}});
  }
  for (log::ManagedLog::Gauge& gauge : log_->gauges())
    gauges.push_back({std::move(gauge.name), std::move(gauge.help), gauge.value});
  if (inbox_ != nullptr) {
    const collect::InboxIntake::Counters inbox = inbox_->counters();
    gauges.insert(
        gauges.end(),
        {{"bowerbird_events_in_lag_records", "Records of other producers that are not taken in.", number(inbox.lag)},
         {"bowerbird_events_in_records", "Records of other producers taken in.", number(inbox.records)},
         {"bowerbird_events_in_accepted", "Events of theirs that were accepted.", number(inbox.accepted)},
         {"bowerbird_events_in_rejected", "Events and bodies of theirs that were not.", number(inbox.rejected)},
         {"bowerbird_events_in_dead_letters", "Records of theirs with something that was not accepted.",
          number(inbox.dead_letters)},
         {"bowerbird_events_in_failures", "Tries that the brokers did not let succeed.", number(inbox.failures)}});
  }
  if (checkpoint_files_ != nullptr) {
    const CheckpointCounts& counts = checkpoint_counts_;
    const int64_t taken_us = counts.taken_us;
    gauges.insert(
        gauges.end(),
        {{"bowerbird_checkpoint_age_seconds", "Time since the last checkpoint of the state, since the start.",
          number(base::MonotonicUs() - taken_us) * 1e-6},
         {"bowerbird_checkpoint_taken", "Checkpoints taken since the start.", number(counts.taken.load())},
         {"bowerbird_checkpoint_failures", "Checkpoints that failed since the start.", number(counts.failed.load())},
         {"bowerbird_checkpoint_refused", "Checkpoints found damaged at the start.", number(counts.refused.load())},
         {"bowerbird_checkpoint_restored", "1 where the state was made from a checkpoint at the start.",
          number(counts.restored.load())},
         {"bowerbird_checkpoint_bytes", "Size of the last checkpoint.", number(counts.bytes.load())},
         {"bowerbird_checkpoint_duration_seconds", "What the last checkpoint took.", counts.seconds.load()}});
  }
  if (shared_artifacts_ != nullptr) {
    gauges.push_back({"bowerbird_shared_artifact_failures",
                      "Tries to give or take artifacts that failed, since the start.",
                      number(artifact_failures_.load())});
  }
  if (config()->lake.enabled) AddLakeGauges(&gauges);
  return gauges;
}

void App::AddLakeGauges(std::vector<Gauge>* gauges) const {
  const auto tables = lake_->Status();
  if (!tables.ok()) return;
  const auto add = [&](const char* name, const char* help, uint64_t lake::TableStatus::*of) {
    for (const lake::TableStatus& table : *tables) {
      gauges->push_back({name, help, static_cast<double>(table.*of), {{"table", table.name}}});
    }
  };
  add("bowerbird_lake_rows", "Rows of a table of the lake.", &lake::TableStatus::rows);
  add("bowerbird_lake_bytes", "Bytes of its files.", &lake::TableStatus::bytes);
  add("bowerbird_lake_files", "Its files.", &lake::TableStatus::parts);
  add("bowerbird_lake_lag_records", "Records of the log that it does not have yet.", &lake::TableStatus::lag);
  add("bowerbird_lake_missed_records", "Records that the log dropped before it had them.", &lake::TableStatus::missed);
  add("bowerbird_lake_damaged_files", "Files of it that were found damaged when read last.",
      &lake::TableStatus::damaged);
}

}  // namespace bowerbird::app
