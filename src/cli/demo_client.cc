#include "cli/demo_client.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/json_writer.h"
#include "base/status_macros.h"

namespace bowerbird::cli {

absl::StatusOr<std::string> DemoClient::Post(std::string_view target, std::string_view body) {
  ASSIGN_OR_RETURN(server::HttpResponse response, client_.Call("POST", target, body));
  if (response.status != 200)
    return absl::InternalError(fmt::format("{}: {} {}", target, response.status, response.body));
  return std::move(response.body);
}

absl::StatusOr<sim::FeedPage> DemoClient::Recommend(const sim::FeedQuery& query) {
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("surface").String(query.surface).Key("user").String(query.user).Key("n").Uint(query.n);
  if (!query.cursor.empty()) json.Key("cursor").String(query.cursor);
  if (!query.exclude.empty()) {
    json.Key("exclude").BeginArray();
    for (const std::string& id : query.exclude) json.String(id);
    json.EndArray();
  }
  json.Key("context").BeginObject().Key("device").String(query.device).EndObject().EndObject();
  ASSIGN_OR_RETURN(const std::string answer, Post("/v1/recommend", body));
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  simdjson::dom::array items;
  std::string_view request_id, cursor;
  if (parser.parse(answer).get(document) || document["items"].get(items) || document["request_id"].get(request_id) ||
      document["next_cursor"].get(cursor)) {
    return absl::InternalError("the answer is not a feed");
  }
  sim::FeedPage page;
  page.request_id = request_id;
  page.next_cursor = cursor;
  for (const simdjson::dom::element item : items) {
    std::string_view id;
    if (item["id"].get(id) == simdjson::SUCCESS) page.items.emplace_back(id);
  }
  return page;
}

absl::Status DemoClient::SendEvents(std::span<const sim::SentEvent> events) {
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("events").BeginArray();
  for (const sim::SentEvent& event : events) {
    json.BeginObject().Key("type").String(event.type).Key("user").String(event.user).Key("item").String(event.item);
    json.Key("client_id").String(event.client_id).Key("event_time_us").Int(event.time_us);
    if (!event.surface.empty()) json.Key("surface").String(event.surface);
    if (!event.request_id.empty()) json.Key("request_id").String(event.request_id);
    if (event.position > 0) json.Key("position").Uint(event.position);
    if (event.dwell_ms > 0) json.Key("dwell_ms").Uint(event.dwell_ms);
    if (event.value > 0) json.Key("value").Double(event.value);
    json.EndObject();
  }
  json.EndArray().EndObject();
  ASSIGN_OR_RETURN(const std::string answer, Post("/v1/events", body));
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  uint64_t accepted = 0;
  if (parser.parse(answer).get(document) || document["accepted"].get(accepted) || accepted != events.size()) {
    return absl::InternalError(fmt::format("not all events were accepted: {}", answer));
  }
  return absl::OkStatus();
}

absl::Status DemoClient::AddItem(const sim::world::Item& item) {
  if (const auto number = world_->FindItem(item.id)) gallery_->Add(ExhibitOf(item, world_->PictureSvg(*number)));
  return Post("/v1/items:batch", fmt::format("{{\"upsert\":[{}]}}", ItemJson(item))).status();
}

absl::Status DemoClient::Withdraw(std::string_view item) {
  return Post(fmt::format("/v1/items/{}:withdraw", server::PercentEncode(item)), "").status();
}

}  // namespace bowerbird::cli
