#include "server/item_exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/thread_priority.h"
#include "server/hosted_app.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

/// A node that tells a million items takes a few seconds.
constexpr int64_t kTimeoutUs = 10'000'000;
constexpr int kGivesWay = 10;

}  // namespace

ItemExchange::ItemExchange(AppHost* apps, peer::Peers* peers, Metrics* metrics, int64_t interval_us)
    : apps_(apps), peers_(peers), interval_us_(interval_us), told_us_(peers->size(), base::MonotonicUs()) {
  for (uint32_t node = 0; node < peers->size(); ++node) {
    const std::string name = fmt::format("{}", node);
    const bool own = node == peers->self();
    failures_.push_back(own ? nullptr
                            : &metrics->Counter("bowerbird_peer_item_counts_failures_total",
                                                "Times that a node did not tell what it counted of items.",
                                                {{"peer", name}}));
    items_.push_back(own ? nullptr
                         : &metrics->Counter("bowerbird_peer_item_counts_items_total",
                                             "Items whose counts a node told, each as often as they changed.",
                                             {{"peer", name}}));
    ages_.push_back(own ? nullptr
                        : &metrics->Gauge("bowerbird_peer_item_counts_age_seconds",
                                          "Time since a node told what it counted of items.", {{"peer", name}}));
  }
  thread_ = std::thread([this] { Loop(); });
}

void ItemExchange::Stop() {
  if (stopped_) return;
  stopped_ = true;
  stop_.Notify();
  thread_.join();
}

void ItemExchange::Loop() {
  base::GiveWay(kGivesWay);
  // Without the others' counts an answer is poorer: the first question is at once.
  int64_t wait_us = 0;
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(wait_us))) {
    bool all = true;
    for (uint32_t node = 0; node < peers_->size(); ++node) {
      if (node == peers_->self()) continue;
      all = all && peers_->up(node);
      for (const std::shared_ptr<HostedApp>& hosted : apps_->OpenApps()) {
        if (stop_.HasBeenNotified()) return;
        if (peers_->up(node)) Ask(hosted.get(), node);
      }
      ages_[node]->Set(static_cast<double>(base::MonotonicUs() - told_us_[node]) * 1e-6);
    }
    // One that has just come is not waited for long.
    wait_us = all ? interval_us_ : std::min<int64_t>(interval_us_, 250'000);
  }
}

void ItemExchange::Ask(HostedApp* hosted, uint32_t node) {
  Known& known = known_[{hosted->name(), node}];
  if (known.app != hosted) known = {0, 0, hosted};
  v1::ItemCountsRequest request;
  request.set_app(hosted->name());
  request.set_epoch(known.epoch);
  request.set_change(known.change);
  state::ItemCountsDelta delta;
  bool whole_answer = false;
  absl::Status status = peers_->ItemCounts(node, request, kTimeoutUs, [&](const v1::ItemCountsPart& part) {
    delta.epoch = part.epoch();
    delta.whole = part.whole();
    for (const v1::ItemCounts& item : part.items()) {
      state::ItemCountsDelta::One& one = delta.items.emplace_back();
      one = {catalog::ItemKey(item.item()), item.record(), item.next(), {}};
      for (const v1::ItemSignalBlock& block : item.signals()) {
        one.signals.push_back({block.id(), {block.first(), block.end()}, block.value()});
      }
    }
    if (!part.offsets().empty()) {
      whole_answer = true;
      delta.change = part.change();
      delta.offsets.assign(part.offsets().begin(), part.offsets().end());
    }
    return !stop_.HasBeenNotified();
  });
  if (status.ok() && !whole_answer) status = absl::DataLossError("its answer has no end");
  // What did not change is not taken again, so that tables are made where there is something new.
  const bool news = delta.whole || !delta.items.empty() || delta.change != known.change;
  if (status.ok() && news) status = hosted->app().state().TakeItemCounts(node, delta);
  if (!status.ok()) {
    failures_[node]->Increment();
    const std::string reason(status.message());
    if (!stop_.HasBeenNotified()) {
      Log(LogLevel::kWarning, "item_counts_failed", {{"node", int64_t{node}}, {"reason", std::string_view(reason)}});
    }
    return;
  }
  items_[node]->Increment(static_cast<double>(delta.items.size()));
  told_us_[node] = base::MonotonicUs();
  known.epoch = delta.epoch;
  known.change = delta.change;
}

}  // namespace bowerbird::server
