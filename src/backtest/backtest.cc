#include "backtest/backtest.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/notification.h"
#include "app/app.h"
#include "backtest/baselines.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/time_text.h"

namespace bowerbird::backtest {
namespace {

constexpr int64_t kHourUs = int64_t{3600} * 1'000'000;
constexpr size_t kBatchEvents = 500;
constexpr size_t kBatchItems = 500;
constexpr int64_t kProgressIntervalUs = 250'000;

/// The time of the action that is happening.
class StreamClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return now_us_; }
  void Set(int64_t now_us) { now_us_ = now_us; }

 private:
  std::atomic<int64_t> now_us_ = 0;
};

double SecondsSince(int64_t start_us) { return static_cast<double>(base::MonotonicUs() - start_us) * 1e-6; }

/// Whether action number `index` is predicted: by its number alone, so that a longer stream keeps the choice.
bool Chosen(uint64_t seed, uint64_t index, double share) {
  constexpr uint64_t kParts = 1'000'000;
  return static_cast<double>(base::CombineHash(seed, index) % kParts) < share * kParts;
}

uint64_t PeakMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

/// The App, and what was acted on but not sent to it yet.
class Product {
 public:
  Product(const Stream& stream, const Options& options) : stream_(stream), options_(options) {}

  absl::Status Open() {
    ASSIGN_OR_RETURN(const bool made, app::App::InitFolder(options_.dir, "default", options_.config));
    if (!made)
      return absl::FailedPreconditionError(fmt::format("{}: found an app; expected a new folder", options_.dir));
    clock_.Set(stream_.actions.front().time_us);
    app::App::Options app;
    app.dir = options_.dir;
    app.clock = &clock_;
    app.consume = false;
    app.log_served = false;
    app.on_warning = [this](const std::string& warning) { warning_ = warning; };
    ASSIGN_OR_RETURN(app_, app::App::Open(app));
    for (const std::string& type : stream_.types) {
      if (app_->config()->FindEventType(type) == nullptr) {
        return absl::InvalidArgumentError(
            fmt::format("type: found '{}'; expected an event type that the config declares", type));
      }
    }
    if (app_->config()->FindSurface(options_.surface) == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("surface: found '{}'; expected one that the config declares", options_.surface));
    }
    return absl::OkStatus();
  }

  absl::Status Act(const Stream::Action& action, bool new_item) {
    clock_.Set(action.time_us);
    if (new_item) {
      v1::Item* item = items_.request.add_upsert();
      item->set_id(stream_.items[action.item]);
      item->set_title(stream_.items[action.item]);
      item->set_created_time_us(action.time_us);
    }
    v1::Event& event = events_.emplace_back();
    event.set_type(stream_.types[action.type]);
    event.set_user(stream_.users[action.user]);
    event.set_item(stream_.items[action.item]);
    event.set_event_time_us(action.time_us);
    waiting_.insert(action.user);
    const bool full =
        events_.size() >= kBatchEvents || static_cast<size_t>(items_.request.upsert_size()) >= kBatchItems;
    return full ? Send() : absl::OkStatus();
  }

  /// The ids of the answer for the user and the time of `next`.
  absl::StatusOr<std::vector<std::string>> Predict(const Stream::Action& next) {
    clock_.Set(next.time_us);
    const bool stale = next.time_us - table_us_ >= app_->config()->state.item_table_interval_us;
    if (stale || waiting_.contains(next.user)) {
      RETURN_IF_ERROR(Send());
      RETURN_IF_ERROR(app_->state().CatchUp());
    }
    if (stale) {
      app_->state().PublishItemTable(next.time_us, 0);
      table_us_ = next.time_us;
    }
    const int64_t start_us = base::MonotonicUs();
    v1::RecommendRequest request;
    request.set_surface(options_.surface);
    request.set_user(stream_.users[next.user]);
    request.set_n(options_.n);
    ASSIGN_OR_RETURN(const serve::Answer answer, app_->engine().Recommend(request));
    std::vector<std::string> ids;
    ids.reserve(answer.items.size());
    for (const serve::AnswerItem& item : answer.items) ids.push_back(item.id);
    predict_seconds_ += SecondsSince(start_us);
    return ids;
  }

  absl::Status Retrain(int64_t now_us) {
    clock_.Set(now_us);
    RETURN_IF_ERROR(Send());
    const int64_t start_us = base::MonotonicUs();
    ASSIGN_OR_RETURN(const std::vector<app::JobResult> jobs, app_->RunPipeline());
    trainings_ += jobs.empty() ? 0 : 1;
    train_seconds_ += SecondsSince(start_us);
    return absl::OkStatus();
  }

  absl::Status Finish() {
    RETURN_IF_ERROR(Send());
    RETURN_IF_ERROR(app_->state().CatchUp());
    const state::State::Counters counters = app_->state().counters();
    if (counters.folded != stream_.actions.size()) {
      return absl::InternalError(fmt::format("state: folded {} events; expected {}, all of the stream", counters.folded,
                                             stream_.actions.size()));
    }
    app_->Stop();
    if (!warning_.empty()) return absl::InternalError(warning_);
    return absl::OkStatus();
  }

  double train_seconds() const { return train_seconds_; }
  double predict_seconds() const { return predict_seconds_; }
  uint64_t trainings() const { return trainings_; }

 private:
  /// Items first: what an event names is in the catalog.
  absl::Status Send() {
    if (items_.request.upsert_size() > 0) {
      ASSIGN_OR_RETURN(const v1::BatchItemsResponse response, app_->catalog_intake().Batch(items_));
      if (response.rejected_size() > 0) {
        const v1::ItemVerdict& refused = response.rejected(0);
        return absl::InvalidArgumentError(fmt::format("item '{}': {}", refused.id(), refused.detail()));
      }
      items_ = {};
    }
    if (events_.empty()) return absl::OkStatus();
    absl::StatusOr<collect::CollectResult> result;
    absl::Notification done;
    app_->collector().CollectEvents(std::exchange(events_, {}), collect::Collector::Source::kLive,
                                    [&](absl::StatusOr<collect::CollectResult> collected) {
                                      result = std::move(collected);
                                      done.Notify();
                                    });
    done.WaitForNotification();
    RETURN_IF_ERROR(result.status());
    for (const collect::Verdict& verdict : result->verdicts) {
      if (verdict.kind != collect::Verdict::Kind::kRejected) continue;
      return absl::InvalidArgumentError(fmt::format("event: {}: {}", verdict.problem.field, verdict.problem.detail));
    }
    waiting_.clear();
    return absl::OkStatus();
  }

  const Stream& stream_;
  const Options& options_;
  StreamClock clock_;
  std::unique_ptr<app::App> app_;
  std::string warning_;
  std::vector<v1::Event> events_;
  collect::ItemsBatch items_;
  absl::flat_hash_set<uint32_t> waiting_;  ///< users of events_
  int64_t table_us_ = 0;                   ///< time of the item table
  double train_seconds_ = 0, predict_seconds_ = 0;
  uint64_t trainings_ = 0;
};

void Count(bool unseen, const std::vector<bool>& hits, Tally* tally) {
  ++tally->predictions;
  tally->unseen += unseen ? 1 : 0;
  for (size_t m = 0; m < hits.size(); ++m) tally->hits[m] += hits[m] ? 1 : 0;
}

}  // namespace

bool Report::BeatsAll() const {
  const auto ahead = [](const Tally& tally) {
    return std::all_of(tally.hits.begin() + 1, tally.hits.end(), [&](uint64_t hits) { return tally.hits[0] > hits; });
  };
  return ahead(all) && std::all_of(days.begin(), days.end(), ahead);
}

absl::StatusOr<Report> Run(const Stream& stream, const Options& options) {
  if (stream.actions.empty()) return absl::InvalidArgumentError("stream: found no action; expected some");
  if (options.n == 0 || options.n > serve::kItemsMax) {
    return absl::InvalidArgumentError(fmt::format("n: found {}; expected 1 to {}", options.n, serve::kItemsMax));
  }
  const int64_t start_us = base::MonotonicUs();
  Product product(stream, options);
  RETURN_IF_ERROR(product.Open());
  std::vector<std::unique_ptr<Baseline>> baselines;
  baselines.push_back(MakePopularLastHour(stream));
  baselines.push_back(MakeLastItemCoOccurrence(stream));
  baselines.push_back(MakeSessionNeighbors(stream));

  Report report;
  report.methods = {"bowerbird"};
  for (const auto& baseline : baselines) report.methods.emplace_back(baseline->name());
  report.all.hits.resize(report.methods.size());

  std::vector<bool> known(stream.items.size(), false);
  std::vector<bool> hits(report.methods.size());
  int64_t next_training_us = stream.actions.front().time_us + kHourUs;
  int64_t shown_us = start_us;
  for (size_t i = 0; i < stream.actions.size(); ++i) {
    const Stream::Action& action = stream.actions[i];
    if (action.time_us >= next_training_us) {
      RETURN_IF_ERROR(product.Retrain(action.time_us));
      while (next_training_us <= action.time_us) next_training_us += kHourUs;
    }
    if (Chosen(options.seed, i, options.share)) {
      ASSIGN_OR_RETURN(const std::vector<std::string> predicted, product.Predict(action));
      hits[0] = std::find(predicted.begin(), predicted.end(), stream.items[action.item]) != predicted.end();
      const int64_t baselines_us = base::MonotonicUs();
      for (size_t m = 0; m < baselines.size(); ++m) {
        const std::vector<uint32_t> items = baselines[m]->Predict(action, options.n);
        hits[m + 1] = std::find(items.begin(), items.end(), action.item) != items.end();
      }
      report.baseline_seconds += SecondsSince(baselines_us);
      const std::string day = base::FormatTimeUs(action.time_us).substr(0, 10);
      if (report.days.empty() || report.days.back().day != day) {
        report.days.push_back({day, 0, 0, std::vector<uint64_t>(report.methods.size())});
      }
      Count(!known[action.item], hits, &report.days.back());
      Count(!known[action.item], hits, &report.all);
    }
    RETURN_IF_ERROR(product.Act(action, !known[action.item]));
    if (!known[action.item]) ++report.items;
    known[action.item] = true;
    for (const auto& baseline : baselines) baseline->Learn(action);
    if (options.progress && base::MonotonicUs() - shown_us > kProgressIntervalUs) {
      shown_us = base::MonotonicUs();
      options.progress(static_cast<double>(i) / static_cast<double>(stream.actions.size()), i);
    }
  }
  RETURN_IF_ERROR(product.Finish());
  if (options.progress) options.progress(1, stream.actions.size());
  report.actions = stream.actions.size();
  report.users = stream.users.size();
  report.trainings = product.trainings();
  report.seconds = SecondsSince(start_us);
  report.train_seconds = product.train_seconds();
  report.predict_seconds = product.predict_seconds();
  report.events_per_second =
      static_cast<double>(report.actions) /
      std::max(1e-9, report.seconds - report.train_seconds - report.predict_seconds - report.baseline_seconds);
  report.peak_memory_bytes = PeakMemoryBytes();
  return report;
}

}  // namespace bowerbird::backtest
