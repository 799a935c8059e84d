#include "collect/event_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/closest_name.h"
#include "base/time_text.h"
#include "catalog/item_rules.h"

namespace bowerbird::collect {
namespace {

using catalog::Problem;

/// Field and problem of an id or text that may be empty.
struct OptionalText {
  std::string_view name;
  const std::string& text;
};

Problem UnknownType(std::string_view found, const std::vector<config::EventType>& types) {
  std::vector<std::string_view> names;
  for (const config::EventType& type : types) names.push_back(type.name);
  const std::string_view closest = base::ClosestName(found, names);
  const std::string shown = fmt::format("\"{}{}\"", found.substr(0, 64), found.size() > 64 ? "..." : "");
  return {"unknown_type", "type",
          closest.empty() ? fmt::format("found {}; expected one of: {}", shown, fmt::join(names, ", "))
                          : fmt::format("found {}; did you mean \"{}\"?", shown, closest)};
}

}  // namespace

std::optional<Problem> EventRules::Check(v1::Event* event) const {
  const config::Collect& limits = config_->collect;
  if (auto problem = catalog::CheckId(event->type(), "type", limits.id_bytes_max)) return problem;
  const config::EventType* type = config_->FindEventType(event->type());
  if (type == nullptr) return UnknownType(event->type(), config_->event_types);
  if (auto problem = catalog::CheckId(event->user(), "user", limits.id_bytes_max)) return problem;
  if (auto problem = CheckType(*event, *type)) return problem;
  for (const OptionalText& id :
       {OptionalText{"item", event->item()}, OptionalText{"client_id", event->client_id()},
        OptionalText{"surface", event->surface()}, OptionalText{"request_id", event->request_id()},
        OptionalText{"anonymous", event->anonymous()}, OptionalText{"collection", event->collection()}}) {
    if (id.text.empty()) continue;
    if (auto problem = catalog::CheckText(id.text, id.name, limits.id_bytes_max)) return problem;
  }
  if (auto problem = catalog::CheckText(event->query(), "query", limits.attribute_bytes_max)) return problem;
  if (auto problem = catalog::CheckText(event->agent(), "agent", limits.attribute_bytes_max)) return problem;
  if (!std::isfinite(event->value())) {
    return Problem{"not_finite", "value", fmt::format("found {}; expected a finite number", event->value())};
  }
  if (event->attributes().empty()) return std::nullopt;
  return CheckAttributes(event, *type);
}

std::optional<Problem> EventRules::CheckType(const v1::Event& event, const config::EventType& type) const {
  if (event.item().empty() && type.item == config::ItemUse::kRequired) {
    return Problem{"missing_field", "item",
                   fmt::format("found nothing; expected the item that a {} acts on", type.name)};
  }
  if (!event.item().empty() && type.item == config::ItemUse::kNone) {
    return Problem{"unexpected_field", "item", fmt::format("found an item; expected none for {}", type.name)};
  }
  const bool identify = type.name == "identify";
  if (identify && event.anonymous().empty()) {
    return Problem{"missing_field", "anonymous", "found nothing; expected the anonymous id that becomes the user"};
  }
  if (identify && event.anonymous() == event.user()) {
    return Problem{"out_of_range", "anonymous", "found the user's own id; expected another id that becomes the user"};
  }
  if (!identify && !event.anonymous().empty()) {
    return Problem{"unexpected_field", "anonymous",
                   fmt::format("found an id; expected it for identify only, not for {}", type.name)};
  }
  return std::nullopt;
}

std::optional<Problem> EventRules::CheckAttributes(v1::Event* event, const config::EventType& type) const {
  const config::Collect& limits = config_->collect;
  if (event->attributes().size() > limits.attributes_max) {
    return Problem{"too_many", "attributes",
                   fmt::format("found {}; expected at most {}", event->attributes().size(), limits.attributes_max)};
  }
  catalog::FitAttributes(type.attributes, event->mutable_attributes());
  std::optional<Problem> first;
  for (const auto& [name, value] : event->attributes()) {
    const auto it = std::find_if(type.attributes.begin(), type.attributes.end(),
                                 [&](const config::Attribute& attribute) { return attribute.name == name; });
    std::optional<Problem> problem;
    if (it == type.attributes.end()) {
      problem = catalog::UndeclaredAttribute(name, "attributes", type.attributes);
    } else {
      problem = catalog::CheckValue(value, *it, "attributes." + name, limits.attribute_bytes_max);
    }
    // The map has no order of its own; the same event is always rejected for the same reason.
    if (problem && (!first || problem->field < first->field)) first = std::move(problem);
  }
  return first;
}

std::optional<Problem> EventRules::SettleTime(v1::Event* event, bool has_time, int64_t receive_time_us,
                                              bool history) const {
  const config::Collect& limits = config_->collect;
  event->clear_late();
  if (!has_time) {
    event->set_event_time_us(receive_time_us);
    return std::nullopt;
  }
  const int64_t time_us = event->event_time_us();
  if (time_us < 0) {
    return Problem{"out_of_range", "event_time_us", fmt::format("found {}; expected a time from 1970 on", time_us)};
  }
  if (time_us > receive_time_us) {
    // No difference of these overflows: both are at least 0.
    if (time_us - receive_time_us <= limits.future_us_max) return std::nullopt;
    if (limits.future_rejected) {
      return Problem{"in_future", "event_time_us",
                     fmt::format("found {}; expected at most {} ahead of the server's {}", base::FormatTimeUs(time_us),
                                 base::FormatDurationUs(limits.future_us_max), base::FormatTimeUs(receive_time_us))};
    }
    event->set_event_time_us(receive_time_us);
    return std::nullopt;
  }
  if (history || receive_time_us - time_us <= limits.age_us_max) return std::nullopt;
  if (limits.late_rejected) {
    return Problem{"too_late", "event_time_us",
                   fmt::format("found {}; expected at most {} before the server's {}", base::FormatTimeUs(time_us),
                               base::FormatDurationUs(limits.age_us_max), base::FormatTimeUs(receive_time_us))};
  }
  event->set_late(true);
  return std::nullopt;
}

}  // namespace bowerbird::collect
