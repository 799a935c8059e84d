#include "sim/adaptation.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "fmt/format.h"

namespace bowerbird::sim {
namespace {

double Nearness(const world::World& world, const FeedPage& page, world::ItemNumber saved) {
  double sum = 0;
  double weights = 0;
  for (size_t place = 0; place < page.items.size(); ++place) {
    const double weight = 1 / std::log2(static_cast<double>(place) + 2);
    weights += weight;
    if (const auto item = world.FindItem(page.items[place]); item.has_value()) {
      sum += weight * world.TopicSimilarity(*item, saved);
    }
  }
  return weights > 0 ? sum / weights : 0;
}

}  // namespace

Adaptation MeasureAdaptation(world::World& world, const Audience& audience, Client& client, const base::Clock& clock,
                             const AdaptationOptions& options) {
  base::Rng rng(options.seed ^ 0x6164617074ULL ^ (static_cast<uint64_t>(options.looked_over) << 40));
  std::vector<uint32_t> users(world.user_count());
  for (uint32_t u = 0; u < users.size(); ++u) users[u] = u;
  for (size_t u = users.size(); u > 1; --u) std::swap(users[u - 1], users[rng.Below(u)]);

  Adaptation out;
  uint64_t moved = 0;
  const std::string run = fmt::format("probe-{}-{}", static_cast<int>(options.looked_over), clock.NowUs());
  for (size_t u = 0; u < users.size() && out.probes < options.probes; ++u) {
    if (base::MonotonicUs() >= options.until_us) break;
    if (options.stop != nullptr && options.stop->load(std::memory_order_relaxed)) break;
    const world::UserNumber user(users[u]);
    std::vector<std::string> exclude;
    if (options.looked_over == LookedOver::kOwnFeed) {
      absl::StatusOr<FeedPage> first =
          client.Recommend({.user = world.UserId(user), .n = options.page, .cursor = {}, .exclude = {}, .device = {}});
      if (!first.ok()) continue;
      exclude = std::move(first->items);
    } else {
      for (uint32_t i = 0; i < options.page; ++i) {
        const world::ItemNumber item = audience.available()[rng.Below(audience.available().size())];
        if (!audience.HasHidden(user, item)) exclude.push_back(world.ItemAt(item).id);
      }
    }
    std::vector<world::ItemNumber> looked_over;
    for (const std::string& id : exclude) {
      if (const auto item = world.FindItem(id); item.has_value()) looked_over.push_back(*item);
    }
    world::Session session = world.Begin(user, world.options().end_time_us);
    const std::vector<world::ItemNumber> best = session.OraclePage(1, {}, looked_over);
    if (best.empty()) continue;

    const FeedQuery query{
        .user = world.UserId(user), .n = options.page, .cursor = {}, .exclude = exclude, .device = session.device()};
    const absl::StatusOr<FeedPage> before = client.Recommend(query);
    if (!before.ok()) continue;
    SentEvent save;
    save.type = world::ActionName(world::ActionType::kSave);
    save.user = world.UserId(user);
    save.item = world.ItemAt(best[0]).id;
    save.client_id = fmt::format("{}-{}", run, u);
    save.surface = "home";
    save.time_us = clock.NowUs();
    if (!client.SendEvents({&save, 1}).ok()) continue;
    const absl::StatusOr<FeedPage> after = client.Recommend(query);
    if (!after.ok()) continue;

    const double shift = Nearness(world, *after, best[0]) - Nearness(world, *before, best[0]);
    ++out.probes;
    moved += shift > 0 ? 1 : 0;
    out.shift += shift;
  }
  if (out.probes > 0) {
    out.moved = static_cast<double>(moved) / static_cast<double>(out.probes);
    out.shift /= static_cast<double>(out.probes);
  }
  return out;
}

}  // namespace bowerbird::sim
