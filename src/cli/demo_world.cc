#include "cli/demo_world.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "server/embedded.h"

namespace bowerbird::cli {
namespace {

constexpr size_t kBatch = 1000;
constexpr size_t kFoundMax = 8;
constexpr size_t kWordsBytesMax = 100;
constexpr std::string_view kPictureAge = "max-age=3600";

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

void Respond(const server::Responder& respond, std::string body, std::string_view type,
             std::string_view cache = "no-cache") {
  server::HttpResponse response;
  response.headers.emplace_back("cache-control", cache);
  response.body = std::move(body);
  response.content_type = type;
  respond(std::move(response));
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

# Learn from what was done in the demo, too.
[pipeline]
interval = "30s"
)",
                     embedding_dim);
}

void Gallery::Add(const sim::world::Item& item, std::string svg) {
  std::string words = absl::AsciiStrToLower(fmt::format("{} {} {}", item.title, item.topic, item.subtopic));
  absl::MutexLock lock(&mutex_);
  exhibits_[item.id] = {std::move(svg), item.title, item.topic, std::move(words)};
}

std::string Gallery::Picture(std::string_view item) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto it = exhibits_.find(item);
  return it == exhibits_.end() ? std::string() : it->second.svg;
}

std::string Gallery::FindJson(std::string_view text) const {
  const std::string lower = absl::AsciiStrToLower(std::string(text.substr(0, kWordsBytesMax)));
  const std::vector<std::string> words = absl::StrSplit(lower, ' ', absl::SkipEmpty());
  std::string found;
  base::JsonWriter json(&found);
  json.BeginArray();
  size_t count = 0;
  absl::ReaderMutexLock lock(&mutex_);
  for (auto it = exhibits_.begin(); it != exhibits_.end() && !words.empty() && count < kFoundMax; ++it) {
    const bool all = std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      return it->second.words.find(word) != std::string::npos;
    });
    if (!all) continue;
    json.BeginObject().Key("id").String(it->first).Key("title").String(it->second.title);
    json.Key("topic").String(it->second.topic).EndObject();
    ++count;
  }
  json.EndArray();
  return found;
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
    gallery.Add(items[i], world.PictureSvg(sim::world::ItemNumber(i)));
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

void AddDemoRoutes(server::Api& api, std::shared_ptr<const std::string> users_json, const Gallery* gallery) {
  const auto text = [](std::string_view body, std::string_view type) {
    return [body, type](const std::shared_ptr<server::HttpRequest>&, const server::Responder& respond) {
      Respond(respond, std::string(body), type);
    };
  };
  api.AddRoute({"GET", "/demo", "", text(server::DemoIndexText(), "text/html; charset=utf-8")});
  api.AddRoute({"GET", "/demo/", "", text(server::DemoIndexText(), "text/html; charset=utf-8")});
  api.AddRoute({"GET", "/demo/assets/{name}", "",
                [](const std::shared_ptr<server::HttpRequest>& request, const server::Responder& respond) {
                  const std::string& name = request->path_parameters["name"];
                  const std::string_view asset = server::DemoAssetText(name);
                  if (asset.empty()) return respond(server::ProblemResponse(404, "not_found", "no such file"));
                  Respond(respond, std::string(asset),
                          name.ends_with(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8");
                }});
  api.AddRoute({"GET", "/demo/find", "",
                [gallery](const std::shared_ptr<server::HttpRequest>& request, const server::Responder& respond) {
                  const auto words = request->query.find("q");
                  Respond(respond, gallery->FindJson(words == request->query.end() ? "" : words->second),
                          "application/json");
                }});
  api.AddRoute({"GET", "/demo/users", "",
                [users_json](const std::shared_ptr<server::HttpRequest>&, const server::Responder& respond) {
                  Respond(respond, *users_json, "application/json");
                }});
  api.AddRoute({"GET", "/demo/pictures/{item}.svg", "",
                [gallery](const std::shared_ptr<server::HttpRequest>& request, const server::Responder& respond) {
                  std::string svg = gallery->Picture(request->path_parameters["item"]);
                  if (svg.empty()) return respond(server::ProblemResponse(404, "not_found", "no such picture"));
                  Respond(respond, std::move(svg), "image/svg+xml", kPictureAge);
                }});
}

}  // namespace bowerbird::cli
