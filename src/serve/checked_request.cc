#include "serve/checked_request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <utility>

#include "base/closest_name.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "catalog/problem.h"
#include "config/signal_fields.h"
#include "serve/item_fields.h"

namespace bowerbird::serve {
namespace {

constexpr double kFactorMax = 1e6;
constexpr size_t kContextBytesMax = 256;
constexpr size_t kShownBytesMax = 80;  ///< of a value in a message

absl::Status Refuse(std::string_view code, std::string_view field, std::string detail) {
  return catalog::ToStatus({std::string(code), std::string(field), std::move(detail)});
}

std::string Quote(std::string_view value) {
  if (value.size() <= kShownBytesMax) return fmt::format("'{}'", value);
  return fmt::format("'{}...'", value.substr(0, kShownBytesMax));
}

absl::Status CheckSize(size_t size, size_t size_max, std::string_view what, std::string_view field) {
  if (size <= size_max) return absl::OkStatus();
  return Refuse("too_many", field, fmt::format("found {} {}; expected at most {}", size, what, size_max));
}

absl::Status CheckItemId(const config::Config& config, std::string_view id, std::string_view field) {
  if (id.empty()) return Refuse("missing_field", field, "found nothing; expected an item's id");
  if (id.size() > config.collect.id_bytes_max) {
    return Refuse("too_long", field,
                  fmt::format("found {} bytes; expected 1 to {}", id.size(), config.collect.id_bytes_max));
  }
  return absl::OkStatus();
}

absl::StatusOr<const config::Surface*> FindSurface(const config::Config& config, const std::string& name) {
  std::vector<std::string_view> names;
  for (const config::Surface& surface : config.surfaces) names.push_back(surface.name);
  if (name.empty()) {
    return Refuse("missing_field", "surface", fmt::format("found nothing; expected one of {}", fmt::join(names, ", ")));
  }
  const config::Surface* surface = config.FindSurface(name);
  if (surface != nullptr) return surface;
  const std::string_view closest = base::ClosestName(name, names);
  const std::string hint = closest.empty() ? "" : fmt::format(" (did you mean '{}'?)", closest);
  return Refuse("unknown_surface", "surface",
                fmt::format("found {}; expected one of {}{}", Quote(name), fmt::join(names, ", "), hint));
}

absl::Status CheckContext(const v1::Context& context) {
  const std::pair<const char*, const std::string*> fields[] = {{"context.locale", &context.locale()},
                                                               {"context.device", &context.device()},
                                                               {"context.place", &context.place()}};
  for (const auto& [field, value] : fields) {
    if (value->size() > kContextBytesMax) {
      return Refuse("too_long", field,
                    fmt::format("found {} bytes; expected at most {}", value->size(), kContextBytesMax));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const expression::Program>> CompileFilter(const config::Config& config,
                                                                         const std::string& text,
                                                                         std::string_view field) {
  auto program = expression::Program::Compile(text, config.ItemSchema());
  if (!program.ok()) return Refuse("invalid_filter", field, std::string(program.status().message()));
  return *std::move(program);
}

/// A filter is asked of every item.
absl::Status CheckNoProduct(const expression::Program& filter) {
  for (const expression::OpenNumber& number : filter.open()) {
    if (number.other.empty()) continue;
    return Refuse("invalid_filter", "filter",
                  fmt::format("found {}; expected {}", Quote(number.Text()), config::kNoProduct));
  }
  return absl::OkStatus();
}

void NameTables(const Inputs& inputs, std::string_view user, CheckedRequest* checked) {
  checked->tables = std::make_shared<TableValues>(inputs, user);
  for (const ScoreRule& rule : checked->scores) checked->tables->Name(rule.when.get());
  checked->tables->NameRankFeatures(*checked->surface, inputs.ranker.trained.get());
}

absl::Status CheckAbsent(bool absent, std::string_view kind, std::string field) {
  if (absent) return absl::OkStatus();
  return Refuse("unexpected_field", field, fmt::format("found a value; expected none with kind '{}'", kind));
}

/// Adds the request's rule `r` to `checked`.
absl::Status AddRule(const config::Config& config, const catalog::KeyHasher& hasher, const v1::RequestRule& rule, int r,
                     CheckedRequest* checked) {
  const std::string at = fmt::format("rules[{}]", r);
  if (rule.kind() == "pin") {
    RETURN_IF_ERROR(CheckAbsent(rule.when().empty(), "pin", at + ".when"));
    RETURN_IF_ERROR(CheckAbsent(rule.factor() == 0, "pin", at + ".factor"));
    RETURN_IF_ERROR(CheckItemId(config, rule.item(), at + ".item"));
    if (rule.position() < 1 || rule.position() > kChainItemsMax) {
      return Refuse("out_of_range", at + ".position",
                    fmt::format("found {}; expected 1 to {}", rule.position(), kChainItemsMax));
    }
    checked->pins.push_back({at, hasher.Item(rule.item()), rule.position()});
    return absl::OkStatus();
  }
  if (rule.kind() != "boost" && rule.kind() != "bury") {
    return Refuse("unknown_kind", at + ".kind",
                  fmt::format("found {}; expected 'boost', 'bury' or 'pin'", Quote(rule.kind())));
  }
  RETURN_IF_ERROR(CheckAbsent(rule.item().empty(), rule.kind(), at + ".item"));
  RETURN_IF_ERROR(CheckAbsent(rule.position() == 0, rule.kind(), at + ".position"));
  if (rule.when().empty()) {
    return Refuse("missing_field", at + ".when", "found nothing; expected a filter that says which items");
  }
  const double factor = rule.factor();
  if (rule.kind() == "boost" && !(factor > 1 && factor <= kFactorMax)) {
    return Refuse("out_of_range", at + ".factor",
                  fmt::format("found {}; expected above 1, at most {}", factor, kFactorMax));
  }
  if (rule.kind() == "bury" && !(factor >= 0 && factor < 1)) {
    return Refuse("out_of_range", at + ".factor", fmt::format("found {}; expected from 0 to below 1", factor));
  }
  config::ItemSignalFields signals;
  expression::CompileError error;
  auto when = config::CompileOverItemSignals(config, config.ItemSchema(), rule.when(), &signals, &error);
  if (when == nullptr)
    return Refuse("invalid_filter", at + ".when",
                  fmt::format("at {}: found {}; expected {}", error.position, error.found, error.expected));
  checked->scores.push_back({at, std::move(when), std::move(signals), factor});
  return absl::OkStatus();
}

void AddScoreRules(const config::Surface& surface, CheckedRequest* checked) {
  for (const config::Rule& rule : surface.rules) {
    if (rule.kind == config::Rule::Kind::kPin) continue;
    checked->scores.push_back({rule.name, rule.when, rule.when_signals, rule.factor});
  }
}

absl::Status CheckRelatedItem(const Inputs& inputs, const v1::RecommendRequest& request, CheckedRequest* checked) {
  if (!checked->surface->needs_item) {
    if (request.item().empty()) return absl::OkStatus();
    return Refuse("unexpected_field", "item",
                  fmt::format("found {}; expected none: surface '{}' is not related to an item", Quote(request.item()),
                              request.surface()));
  }
  if (request.item().empty()) {
    return Refuse("missing_field", "item",
                  fmt::format("found nothing; expected the item that surface '{}' is related to", request.surface()));
  }
  RETURN_IF_ERROR(CheckItemId(*inputs.config, request.item(), "item"));
  index::ItemHandle item;
  if (!inputs.view->Find(inputs.hasher.Item(request.item()), &item) || inputs.view->Id(item) != request.item()) {
    return Refuse("unknown_item", "item",
                  fmt::format("found {}; expected the id of an item in the catalog", Quote(request.item())));
  }
  checked->item = item;
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckUserId(const config::Config& config, std::string_view id, std::string_view field) {
  if (id.size() > config.collect.id_bytes_max) {
    return Refuse("too_long", field,
                  fmt::format("found {} bytes; expected at most {}", id.size(), config.collect.id_bytes_max));
  }
  const size_t bad = base::FindInvalidUtf8(id, 0);
  if (bad == std::string_view::npos) return absl::OkStatus();
  return Refuse("invalid_utf8", field,
                fmt::format("found byte {:#04x} at position {}; expected UTF-8", static_cast<uint8_t>(id[bad]), bad));
}

absl::StatusOr<CheckedRequest> Check(const Inputs& inputs, const v1::RecommendRequest& request) {
  const config::Config& config = *inputs.config;
  CheckedRequest checked;
  ASSIGN_OR_RETURN(checked.surface, FindSurface(config, request.surface()));
  RETURN_IF_ERROR(CheckUserId(config, request.user(), "user"));
  if (request.n() > kItemsMax) {
    return Refuse("out_of_range", "n",
                  fmt::format("found {}; expected 1 to {}, or 0 for {}", request.n(), kItemsMax, kItemsDefault));
  }
  checked.n = request.n() == 0 ? kItemsDefault : request.n();
  if (!request.priority().empty() && request.priority() != "low" && request.priority() != "normal" &&
      request.priority() != "high") {
    return Refuse("unknown_value", "priority",
                  fmt::format("found {}; expected low, normal or high", Quote(request.priority())));
  }
  RETURN_IF_ERROR(CheckRelatedItem(inputs, request, &checked));
  RETURN_IF_ERROR(CheckContext(request.context()));
  RETURN_IF_ERROR(CheckSize(static_cast<size_t>(request.exclude_size()), kExcludeMax, "items", "exclude"));
  for (int i = 0; i < request.exclude_size(); ++i) {
    RETURN_IF_ERROR(CheckItemId(config, request.exclude(i), fmt::format("exclude[{}]", i)));
    checked.exclude.push_back(inputs.hasher.Item(request.exclude(i)));
  }
  if (!request.filter().empty()) {
    ASSIGN_OR_RETURN(checked.filter, CompileFilter(config, request.filter(), "filter"));
    RETURN_IF_ERROR(CheckNoProduct(*checked.filter));
  }
  RETURN_IF_ERROR(CheckSize(static_cast<size_t>(request.fields_size()), kFieldsMax, "fields", "fields"));
  for (int i = 0; i < request.fields_size(); ++i) {
    if (IsItemField(config, request.fields(i))) continue;
    return Refuse("unknown_field", fmt::format("fields[{}]", i),
                  fmt::format("found {}; expected {}", Quote(request.fields(i)), ItemFieldNames(config)));
  }
  RETURN_IF_ERROR(
      CheckSize(static_cast<size_t>(request.explain_items_size()), kExplainItemsMax, "items", "explain_items"));
  for (int i = 0; i < request.explain_items_size(); ++i) {
    RETURN_IF_ERROR(CheckItemId(config, request.explain_items(i), fmt::format("explain_items[{}]", i)));
  }
  RETURN_IF_ERROR(CheckSize(static_cast<size_t>(request.rules_size()), kRulesMax, "rules", "rules"));
  AddScoreRules(*checked.surface, &checked);
  for (int r = 0; r < request.rules_size(); ++r) {
    RETURN_IF_ERROR(AddRule(config, inputs.hasher, request.rules(r), r, &checked));
  }
  for (const config::Rule& rule : checked.surface->rules) {
    if (rule.kind != config::Rule::Kind::kPin) continue;
    checked.pins.push_back({rule.name, inputs.hasher.Item(rule.item), rule.position});
  }
  NameTables(inputs, request.user(), &checked);
  checked.tables->Name(checked.surface->filter.get());
  checked.tables->Name(checked.filter.get());
  return checked;
}

absl::StatusOr<CheckedRequest> Check(const Inputs& inputs, const v1::RankRequest& request) {
  CheckedRequest checked;
  ASSIGN_OR_RETURN(checked.surface, FindSurface(*inputs.config, request.surface()));
  RETURN_IF_ERROR(CheckUserId(*inputs.config, request.user(), "user"));
  RETURN_IF_ERROR(CheckContext(request.context()));
  if (request.items().empty()) {
    return Refuse("missing_field", "items", fmt::format("found nothing; expected 1 to {} items", kRankItemsMax));
  }
  RETURN_IF_ERROR(CheckSize(static_cast<size_t>(request.items_size()), kRankItemsMax, "items", "items"));
  for (int i = 0; i < request.items_size(); ++i) {
    RETURN_IF_ERROR(CheckItemId(*inputs.config, request.items(i), fmt::format("items[{}]", i)));
  }
  AddScoreRules(*checked.surface, &checked);
  NameTables(inputs, request.user(), &checked);
  return checked;
}

}  // namespace bowerbird::serve
