// Writes a fixed simulated world as JSON lines for the evaluation set of the tools: {"item": ...}, {"user": ...} and
// {"event": ...}, each as our API takes it. The same program gives the same lines.
//
// usage: mcp_world_files OUTPUT.jsonl
#include <cstdio>
#include <fstream>
#include <string>

#include "base/json_writer.h"
#include "fmt/format.h"
#include "sim/world/world.h"

namespace bowerbird::sim::world {
namespace {

constexpr uint64_t kSeed = 20'260'601;
constexpr int64_t kEndUs = 1'780'272'000'000'000;  // 2026-06-01T00:00:00Z

std::string ItemLine(const Item& item) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("item").BeginObject().Key("id").String(item.id).Key("title").String(item.title);
  json.Key("domain").String(item.domain).Key("categories").BeginArray().String(item.topic).String(item.subtopic);
  json.EndArray();
  if (item.price.has_value()) json.Key("price").Double(*item.price);
  json.Key("created_time_us").Int(item.created_time_us).Key("attributes").BeginObject();
  json.Key("topic").String(item.topic).Key("style").String(item.style).Key("colour").String(item.colour);
  json.Key("creator").String(item.creator).EndObject().EndObject().EndObject();
  return text;
}

std::string UserLine(const World& world, uint32_t number) {
  static constexpr const char* kCountries[] = {"de", "fr", "jp", "us"};
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("user").BeginObject().Key("id").String(world.UserId(UserNumber(number)));
  json.Key("attributes").BeginObject().Key("name").String(world.UserName(UserNumber(number)));
  json.Key("country").String(kCountries[number % 4]).Key("age").Uint(18 + number % 50).EndObject().EndObject();
  json.EndObject();
  return text;
}

std::string EventLine(const World& world, const Event& event, uint64_t number) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("event").BeginObject().Key("type").String(ActionName(event.action.type));
  json.Key("user").String(world.UserId(event.user)).Key("item").String(world.ItemAt(event.action.item).id);
  json.Key("client_id").String(fmt::format("h{}", number)).Key("event_time_us").Int(event.time_us);
  json.Key("surface").String("home").Key("request_id").String(fmt::format("history-{}", event.page));
  json.Key("position").Uint(event.action.position);
  if (event.action.dwell_ms > 0) json.Key("dwell_ms").Uint(event.action.dwell_ms);
  if (event.action.value > 0) json.Key("value").Double(event.action.value);
  json.EndObject().EndObject();
  return text;
}

int Write(const char* path) {
  WorldOptions options;
  options.seed = kSeed;
  options.items = 300;
  options.users = 400;
  options.days = 21;
  options.end_time_us = kEndUs;
  options.embedding_dim = 0;
  auto world = World::Create(options);
  if (!world.ok()) {
    std::fprintf(stderr, "%s\n", std::string(world.status().message()).c_str());
    return 1;
  }
  std::ofstream out(path);
  for (const Item& item : world->Items()) out << ItemLine(item) << '\n';
  for (uint32_t user = 0; user < world->user_count(); ++user) out << UserLine(*world, user) << '\n';
  uint64_t number = 0;
  world->History([&](const Event& event) { out << EventLine(*world, event, ++number) << '\n'; });
  return out.good() ? 0 : 1;
}

}  // namespace
}  // namespace bowerbird::sim::world

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: mcp_world_files OUTPUT.jsonl\n");
    return 2;
  }
  return bowerbird::sim::world::Write(argv[1]);
}
