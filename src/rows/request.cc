#include "rows/request.h"

#include <algorithm>

namespace bowerbird::rows {

SeenUntil::SeenUntil(const Request& request, LogTimeUs until_us) : until_us_(until_us) {
  if (request.impressed_us <= until_us) {
    by_ = SeenBy::kImpressions;
    return;
  }
  for (const Request::Act& act : request.acts) {
    if (act.time_us <= until_us) last_position_ = std::max(last_position_, act.position);
  }
  if (last_position_ > 0) by_ = SeenBy::kLastPosition;
}

std::optional<uint32_t> LastRequestOf(const CountedEvent& event, const std::vector<uint32_t>& of_user,
                                      std::vector<Request>* all, int64_t window_us) {
  std::optional<uint32_t> impressed, shown;
  LogTimeUs newest_us = 0;
  for (auto at = of_user.rbegin(); at != of_user.rend(); ++at) {
    Request& request = (*all)[*at];
    if (request.time_us > event.log_us) continue;
    if (event.log_us - request.time_us > window_us) break;
    const ShownItem* item = request.Find(event.item);
    if (item == nullptr) continue;
    if (event.impression) return *at;
    if (item->seen_us <= event.log_us && item->seen_us >= newest_us) {
      // Of requests with impressions at the same time, the later one.
      if (!impressed.has_value() || item->seen_us > newest_us) impressed = *at;
      newest_us = item->seen_us;
    }
    if (!shown.has_value() && request.impressed_us > event.log_us) shown = *at;
  }
  return impressed.has_value() ? impressed : shown;
}

bool Note(const CountedEvent& event, const Objectives& objectives, Request* request) {
  ShownItem* item = request->Find(event.item);
  if (item == nullptr) return false;
  if (event.impression) {
    item->seen_us = std::min(item->seen_us, event.log_us);
    request->impressed_us = std::min(request->impressed_us, event.log_us);
  } else {
    request->acts.push_back({event.log_us, item->position});
  }
  const int64_t at_us = std::max(event.time_us, event.log_us);
  for (uint64_t left = event.objectives; left != 0; left &= left - 1) {
    const auto i = static_cast<size_t>(__builtin_ctzll(left));
    if (at_us <= request->time_us + objectives[i].window_us) item->hits |= uint64_t{1} << i;
  }
  return true;
}

}  // namespace bowerbird::rows
