#include "serve/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/status_macros.h"
#include "catalog/problem.h"
#include "serve/profile.h"

namespace bowerbird::serve {
namespace {

absl::Status Check(const config::Config& config, const v1::HistoryRequest& request) {
  const auto refuse = [](std::string field, std::string expected) {
    return catalog::ToStatus({"invalid_argument", std::move(field), std::move(expected)});
  };
  if (!request.type().empty() && config.FindEventType(request.type()) == nullptr) {
    return refuse("type", fmt::format("found \"{}\"; expected a declared event type", request.type()));
  }
  if (request.limit() > kHistoryActionsMax) return refuse("limit", fmt::format("expected 1 to {}", kHistoryActionsMax));
  if (request.from_us() < 0) return refuse("from_us", "expected a time, or 0 for none");
  if (request.to_us() < 0 || (request.to_us() > 0 && request.to_us() <= request.from_us())) {
    return refuse("to_us", "expected a time after from_us, or 0 for none");
  }
  return absl::OkStatus();
}

/// What a page takes of the actions that it is shown.
class Wanted {
 public:
  Wanted(const config::Config& config, const index::LiveView& view, const v1::HistoryRequest& request)
      : type_(config.FindEventType(request.type())), view_(view), request_(request) {}

  /// The action's item, by its id; false: not wanted, or gone from the catalog.
  bool Matches(const state::Action& action, std::string* item) const {
    const int64_t time_us = int64_t{action.time_s} * 1'000'000;
    if (time_us < request_.from_us() || (request_.to_us() > 0 && time_us >= request_.to_us())) return false;
    if (type_ != nullptr && type_->code != action.type) return false;
    index::ItemHandle handle;
    if (!view_.Find(action.item, &handle)) return false;
    if (!request_.category().empty() && !HasCategory(handle)) return false;
    *item = view_.Id(handle);
    return true;
  }

 private:
  bool HasCategory(const index::ItemHandle& item) const {
    const auto categories = view_.Categories(item);
    return std::any_of(categories.begin(), categories.end(),
                       [&](const auto category) { return view_.CategoryName(category) == request_.category(); });
  }

  const config::EventType* const type_;  ///< null: any
  const index::LiveView& view_;
  const v1::HistoryRequest& request_;
};

}  // namespace

absl::StatusOr<v1::HistoryResponse> BuildHistory(const config::Config& config, const index::LiveView& view,
                                                 const v1::HistoryRequest& request, const VisitActions& actions) {
  RETURN_IF_ERROR(Check(config, request));
  const Wanted wanted(config, view, request);
  const int limit = static_cast<int>(request.limit() == 0 ? kHistoryActionsDefault : request.limit());
  v1::HistoryResponse page;
  uint32_t seen = 0;
  ASSIGN_OR_RETURN(const uint64_t total, actions(request.before(), [&](uint64_t ordinal, const state::Action& action) {
                     if (page.actions_size() == limit || seen == kHistoryScanMax) {
                       page.set_next(ordinal + 1);
                       return false;
                     }
                     ++seen;
                     std::string item;
                     if (wanted.Matches(action, &item)) ShowAction(config, action, item, page.add_actions());
                     return true;
                   }));
  page.set_total(total);
  return page;
}

}  // namespace bowerbird::serve
