#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/app.h"
#include "base/clock.h"
#include "sim/client.h"
#include "sim/world/world.h"

namespace bowerbird::cli {

/// An app in this process whose time is the simulation's: days pass as fast as they are computed. Whoever asks sees
/// everything that was sent before, and an item table that is at most kTableUs old.
///
/// Threads  one.
class SimulatedApp final : public sim::Client {
 public:
  static constexpr int64_t kTableUs = 60'000'000;

  /// Makes an app with this config in `dir`, a new folder, at `now_us`.
  static absl::StatusOr<std::unique_ptr<SimulatedApp>> Make(const std::string& dir, const std::string& config,
                                                            int64_t now_us);

  app::App& app() { return *app_; }
  int64_t now_us() const { return clock_.NowUs(); }
  /// Never back.
  void AdvanceTo(int64_t now_us);

  /// Puts the world's items and sends its history.
  absl::StatusOr<uint64_t> Import(sim::world::World& world);

  /// Folds what was sent, and publishes an item table.
  absl::Status Fold();

  absl::StatusOr<sim::FeedPage> Recommend(const sim::FeedQuery& query) override;
  absl::Status SendEvents(std::span<const sim::SentEvent> events) override;
  absl::Status AddItem(const sim::world::Item& item) override;
  absl::Status Withdraw(std::string_view item) override;

 private:
  class SimulatedClock final : public base::Clock {
   public:
    int64_t NowUs() const override { return now_us_; }
    void Set(int64_t now_us) { now_us_ = now_us; }

   private:
    std::atomic<int64_t> now_us_ = 0;
  };
  SimulatedApp() = default;
  absl::Status PublishItemTable();
  absl::Status Collect(std::vector<v1::Event> events, collect::Collector::Source source);

  SimulatedClock clock_;
  std::unique_ptr<app::App> app_;
  bool unfolded_ = true;
  int64_t table_us_ = 0;
};

}  // namespace bowerbird::cli
