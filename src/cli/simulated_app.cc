#include "cli/simulated_app.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "app/secrets.h"
#include "base/status_macros.h"
#include "collect/collector.h"

namespace bowerbird::cli {
namespace {

constexpr size_t kBatch = 1000;

v1::Item MessageOf(const sim::world::Item& item) {
  v1::Item out;
  out.set_id(item.id);
  out.set_title(item.title);
  out.set_domain(item.domain);
  out.add_categories(item.topic);
  out.add_categories(item.subtopic);
  if (item.price.has_value()) out.set_price(*item.price);
  out.set_created_time_us(item.created_time_us);
  auto& attributes = *out.mutable_attributes();
  attributes["topic"].set_string_value(item.topic);
  attributes["style"].set_string_value(item.style);
  attributes["creator"].set_string_value(item.creator);
  if (!item.embedding.empty()) {
    v1::Embedding* embedding = out.add_embeddings();
    embedding->set_name("look");
    embedding->mutable_values()->Add(item.embedding.begin(), item.embedding.end());
  }
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulatedApp>> SimulatedApp::Make(const std::string& dir, const std::string& config,
                                                                 int64_t now_us) {
  ASSIGN_OR_RETURN(const bool made, app::App::InitFolder(dir, "default", config));
  if (!made) return absl::FailedPreconditionError(fmt::format("{}: found an app; expected a new folder", dir));
  // Keys break ties, and order what is learned from: with others, another run would be another one.
  RETURN_IF_ERROR(app::Secrets::WriteGuessable(dir + "/apps/default/secret", 1));
  std::unique_ptr<SimulatedApp> simulated(new SimulatedApp());
  simulated->clock_.Set(now_us);
  app::App::Options options;
  options.dir = dir;
  options.clock = &simulated->clock_;
  options.consume = false;
  options.on_warning = [](const std::string& warning) { std::fprintf(stderr, "warning: %s\n", warning.c_str()); };
  ASSIGN_OR_RETURN(simulated->app_, app::App::Open(options));
  return simulated;
}

void SimulatedApp::AdvanceTo(int64_t now_us) { clock_.Set(std::max(clock_.NowUs(), now_us)); }

absl::Status SimulatedApp::Collect(std::vector<v1::Event> events, collect::Collector::Source source) {
  absl::StatusOr<collect::CollectResult> result;
  absl::Notification done;
  app_->collector().CollectEvents(std::move(events), source, [&](absl::StatusOr<collect::CollectResult> collected) {
    result = std::move(collected);
    done.Notify();
  });
  done.WaitForNotification();
  RETURN_IF_ERROR(result.status());
  for (const collect::Verdict& verdict : result->verdicts) {
    if (verdict.kind != collect::Verdict::Kind::kRejected) continue;
    return absl::InternalError(fmt::format("event: {}: {}", verdict.problem.field, verdict.problem.detail));
  }
  unfolded_ = true;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SimulatedApp::Import(sim::world::World& world) {
  collect::ItemsBatch batch;
  for (const sim::world::Item& item : world.Items()) {
    *batch.request.add_upsert() = MessageOf(item);
    if (static_cast<size_t>(batch.request.upsert_size()) < kBatch && item.id != world.Items().back().id) continue;
    ASSIGN_OR_RETURN(const v1::BatchItemsResponse response, app_->catalog_intake().Batch(batch));
    if (response.rejected_size() > 0) return absl::InternalError(response.rejected(0).detail());
    batch = {};
  }
  std::vector<v1::Event> events;
  uint64_t sent = 0;
  absl::Status status;
  const auto send = [&] {
    if (status.ok() && !events.empty())
      status = Collect(std::exchange(events, {}), collect::Collector::Source::kHistory);
  };
  world.History([&](const sim::world::Event& event) {
    v1::Event& out = events.emplace_back();
    out.set_type(std::string(sim::world::ActionName(event.action.type)));
    out.set_user(world.UserId(event.user));
    out.set_item(world.ItemAt(event.action.item).id);
    out.set_client_id(fmt::format("h{}", ++sent));
    out.set_event_time_us(event.time_us);
    out.set_surface("home");
    out.set_position(event.action.position);
    out.set_dwell_ms(event.action.dwell_ms);
    out.set_value(event.action.value);
    if (events.size() == kBatch) send();
  });
  send();
  if (!status.ok()) return status;
  return sent;
}

/// With its record in the log, as an app that runs by itself leaves one.
absl::Status SimulatedApp::PublishItemTable() {
  const auto table = app_->state().PublishItemTable(clock_.NowUs(), 0);
  v1::ItemTableRecord record;
  record.set_version(table->version());
  record.set_time_us(table->time_us());
  record.mutable_offsets()->Add(table->offsets().begin(), table->offsets().end());
  std::vector<log::AppendRecord> batch;
  batch.push_back({log::Topic::kItemTables, 0, "", record.SerializeAsString()});
  return app_->log().Append(std::move(batch)).status();
}

absl::Status SimulatedApp::Fold() {
  if (std::exchange(unfolded_, false)) RETURN_IF_ERROR(app_->state().CatchUp());
  table_us_ = clock_.NowUs();
  return PublishItemTable();
}

absl::StatusOr<sim::FeedPage> SimulatedApp::Recommend(const sim::FeedQuery& query) {
  if (std::exchange(unfolded_, false)) RETURN_IF_ERROR(app_->state().CatchUp());
  if (clock_.NowUs() - table_us_ >= kTableUs) {
    RETURN_IF_ERROR(PublishItemTable());
    table_us_ = clock_.NowUs();
  }
  v1::RecommendRequest request;
  request.set_surface(std::string(query.surface));
  request.set_user(std::string(query.user));
  request.set_n(query.n);
  request.set_cursor(std::string(query.cursor));
  for (const std::string& id : query.exclude) request.add_exclude(id);
  request.mutable_context()->set_device(std::string(query.device));
  ASSIGN_OR_RETURN(const serve::Answer answer, app_->engine().Recommend(request));
  sim::FeedPage page;
  page.request_id = answer.request_id;
  page.next_cursor = answer.next_cursor;
  for (const serve::AnswerItem& item : answer.items) page.items.push_back(item.id);
  return page;
}

absl::Status SimulatedApp::SendEvents(std::span<const sim::SentEvent> sent) {
  std::vector<v1::Event> events;
  for (const sim::SentEvent& event : sent) {
    v1::Event& out = events.emplace_back();
    out.set_type(std::string(event.type));
    out.set_user(std::string(event.user));
    out.set_item(std::string(event.item));
    out.set_client_id(event.client_id);
    out.set_event_time_us(event.time_us);
    out.set_surface(std::string(event.surface));
    out.set_request_id(std::string(event.request_id));
    out.set_position(event.position);
    out.set_dwell_ms(event.dwell_ms);
    out.set_value(event.value);
  }
  return Collect(std::move(events), collect::Collector::Source::kLive);
}

absl::Status SimulatedApp::AddItem(const sim::world::Item& item) {
  return app_->catalog_intake().Put(MessageOf(item)).status();
}

absl::Status SimulatedApp::Withdraw(std::string_view item) { return app_->catalog_intake().Withdraw(item).status(); }

}  // namespace bowerbird::cli
