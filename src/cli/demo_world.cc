#include "cli/demo_world.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "base/status_macros.h"

namespace bowerbird::cli {
namespace {

constexpr size_t kBatch = 1000;

/// Posts and expects a 200; the number at `count_key` of the answer.
absl::StatusOr<uint64_t> Post(server::HttpClient& client, std::string_view target, std::string_view body,
                              std::string_view count_key) {
  ASSIGN_OR_RETURN(const server::HttpResponse response, client.Call("POST", target, body));
  if (response.status != 200) return absl::InternalError(fmt::format("{}: {}", target, response.body));
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  uint64_t count = 0;
  if (parser.parse(response.body).get(document) || document[count_key].get(count))
    return absl::InternalError(fmt::format("{}: no '{}'", target, count_key));
  return count;
}

}  // namespace

std::string DemoConfigText(uint32_t embedding_dim) {
  return fmt::format(R"(# The demo's app: a simulated catalog of pictures.
[app]
name = "default"

[events.click]
weight = 1.0
[events.closeup]
weight = 1.0
[events.save]
weight = 3.0
[events.purchase]
weight = 4.0

[items]
domains = ["organic", "product"]

[items.attributes]
topic = "string"
subtopic = "string"
style = "string"
colour = "string"
creator = "string"
tags = "strings"
aspect = "number"
look = {{ embedding = {} }}

[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
seen = "exclude"

[surfaces.related]
needs_item = true
generators = ["similar", "because"]
seen = "allow"

# What everybody gets: the page shows it beside the personal feed.
[surfaces.popular]
generators = ["popular"]
seen = "allow"
explore = 0

# What is known of every user: docs/guides/signals.md.
[signals.topics]
kind = "decayed_sum"
by = "item.topic"
on = ["click", "closeup", "save", "purchase"]
half_life = "7d"
[signals.creators]
kind = "top_k"
of = "item.creator"
on = ["save", "purchase"]
[signals.recent]
kind = "last_n"
on = ["click", "save"]
n = 20
[signals.save_rate]
kind = "ratio"
of = "save"
on = ["impression"]
window = "30d"
prior = 0.02
prior_weight = 50

# What training rows have labels of: docs/guides/training-rows.md.
[objectives.click]
on = ["click"]
window = "30m"
weight = 0.35
[objectives.closeup]
on = ["closeup"]
window = "30m"
weight = 0.25
[objectives.keep]
on = ["save", "purchase"]
window = "1h"
weight = 0.4

# Learn from what was done in the demo, too.
[pipeline]
interval = "30s"
)",
                     embedding_dim);
}

Exhibit ExhibitOf(const sim::world::Item& item, std::string svg) {
  return {item.id, item.title, item.topic, item.subtopic, std::move(svg)};
}

std::string ItemJson(const sim::world::Item& item) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("id").String(item.id).Key("title").String(item.title).Key("domain").String(item.domain);
  json.Key("image_url").String(fmt::format("/demo/pictures/{}.svg", server::PercentEncode(item.id)));
  json.Key("categories").BeginArray().String(item.topic).String(item.subtopic).EndArray();
  if (item.price.has_value()) json.Key("price").Double(*item.price);
  json.Key("created_time_us").Int(item.created_time_us);
  json.Key("attributes")
      .BeginObject()
      .Key("topic")
      .String(item.topic)
      .Key("subtopic")
      .String(item.subtopic)
      .Key("style")
      .String(item.style);
  json.Key("colour")
      .String(item.colour)
      .Key("creator")
      .String(item.creator)
      .Key("aspect")
      .Double(item.aspect)
      .Key("tags")
      .BeginArray();
  for (const std::string& tag : item.tags) json.String(tag);
  json.EndArray().EndObject();
  if (!item.embedding.empty()) {
    json.Key("embeddings").BeginArray().BeginObject().Key("name").String("look").Key("values").BeginArray();
    for (const float x : item.embedding) json.Float(x);
    json.EndArray().EndObject().EndArray();
  }
  json.EndObject();
  return text;
}

absl::StatusOr<uint64_t> ImportWorld(sim::world::World& world, sim::Audience& audience, server::HttpClient& client,
                                     Gallery& gallery, const std::function<void(uint64_t)>& progress) {
  std::string body;
  size_t size = 0;
  const auto add = [&](std::string_view object, std::string_view key) {
    body += size == 0 ? fmt::format("{{\"{}\":[", key) : ",";
    body += object;
    ++size;
  };
  const std::span<const sim::world::Item> items = world.Items();
  for (uint32_t i = 0; i < items.size(); ++i) {
    gallery.Add(ExhibitOf(items[i], world.PictureSvg(sim::world::ItemNumber(i))));
    add(ItemJson(items[i]), "upsert");
    if (size == kBatch || i + 1 == items.size()) {
      RETURN_IF_ERROR(Post(client, "/v1/items:batch", body + "]}", "applied").status());
      body.clear();
      size = 0;
    }
  }
  uint64_t acknowledged = 0, number = 0;
  absl::Status status;
  const auto send = [&] {
    if (size == 0 || !status.ok()) return;
    const auto accepted = Post(client, "/v1/events?history=true", body + "]}", "accepted");
    status = accepted.status();
    if (accepted.ok()) acknowledged += *accepted;
    body.clear();
    size = 0;
    if (progress) progress(acknowledged);
  };
  std::string object;
  world.History([&](const sim::world::Event& event) {
    audience.Take(event.user, event.time_us, event.action);
    object.clear();
    base::JsonWriter json(&object);
    json.BeginObject()
        .Key("type")
        .String(sim::world::ActionName(event.action.type))
        .Key("user")
        .String(world.UserId(event.user));
    json.Key("item").String(items[event.action.item.value].id).Key("client_id").String(fmt::format("h{}", ++number));
    json.Key("event_time_us")
        .Int(event.time_us)
        .Key("surface")
        .String("home")
        .Key("request_id")
        .String(fmt::format("history-{}", event.page));
    json.Key("position").Uint(event.action.position);
    if (event.action.dwell_ms > 0) json.Key("dwell_ms").Uint(event.action.dwell_ms);
    if (event.action.value > 0) json.Key("value").Double(event.action.value);
    json.EndObject();
    add(object, "events");
    if (size == kBatch) send();
  });
  send();
  if (!status.ok()) return status;
  return acknowledged;
}

std::string UsersJson(const sim::world::World& world, uint32_t count) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginArray();
  for (uint32_t u = 0; u < std::min(count, world.user_count()); ++u) {
    const sim::world::UserNumber user(u);
    json.BeginObject().Key("id").String(world.UserId(user)).Key("name").String(world.UserName(user)).EndObject();
  }
  json.EndArray();
  return text;
}

}  // namespace bowerbird::cli
