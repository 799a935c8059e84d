// Do people of the simulated world behave like people? Session length, gaps, inequality of popularity and clicks by
// rank, beside those of the Globo.com click log where it is there. usage: bench_world [--family NAME] [--seed N]
// [--globo FOLDER] [--json]
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "sim/behaviour_report.h"

namespace {

using namespace bowerbird;

std::string Text(int argc, char** argv, std::string_view name, const std::string& fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return argv[i + 1];
  }
  return fallback;
}

bool Flag(int argc, char** argv, std::string_view name) {
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == name) return true;
  }
  return false;
}

void WriteNumbers(std::string_view name, const std::vector<double>& numbers, base::JsonWriter* json) {
  json->Key(name).BeginArray();
  for (const double number : numbers) json->Double(number);
  json->EndArray();
}

void Write(std::string_view name, const sim::Behaviour& b, base::JsonWriter* json) {
  json->Key(name).BeginObject().Key("users").Uint(b.users).Key("sessions").Uint(b.sessions);
  json->Key("clicks").Uint(b.clicks).Key("items").Uint(b.items);
  json->Key("session_clicks_mean").Double(b.session_clicks_mean).Key("session_clicks_p90").Double(b.session_clicks_p90);
  json->Key("session_gap_h_p50").Double(b.session_gap_h_p50).Key("click_gap_s_p50").Double(b.click_gap_s_p50);
  json->Key("popularity_gini").Double(b.popularity_gini).Key("popularity_gini_top").Double(b.popularity_gini_top);
  json->Key("clicks_top_10").Double(b.clicks_top_10);
  WriteNumbers("click_rate_by_rank", b.click_rate_by_rank, json);
  WriteNumbers("looks_by_rank", b.looks_by_rank, json);
  json->EndObject();
}

}  // namespace

int main(int argc, char** argv) {
  const auto family = sim::world::ParseFamily(Text(argc, argv, "--family", "mixture"));
  if (!family.ok()) {
    std::fprintf(stderr, "--family: %s\n", std::string(family.status().message()).c_str());
    return 2;
  }
  sim::world::WorldOptions options;
  options.family = *family;
  options.seed = std::strtoull(Text(argc, argv, "--seed", "1").c_str(), nullptr, 10);
  auto world = sim::world::World::Create(options);
  if (!world.ok()) {
    std::fprintf(stderr, "%s\n", std::string(world.status().message()).c_str());
    return 1;
  }
  const sim::Behaviour simulated = sim::MeasureWorld(*world);
  const std::string folder = Text(argc, argv, "--globo", BOWERBIRD_SOURCE_DIR "/../shared/data/globo");
  std::optional<sim::Behaviour> real;
  if (std::filesystem::exists(folder)) {
    const auto measured = sim::MeasureGlobo(folder);
    if (!measured.ok()) {
      std::fprintf(stderr, "%s\n", std::string(measured.status().message()).c_str());
      return 1;
    }
    real = *measured;
  } else {
    std::fprintf(stderr, "%s is absent: the world stands alone\n", folder.c_str());
  }
  if (!Flag(argc, argv, "--json")) std::printf("%s", sim::BehaviourTable(simulated, real ? &*real : nullptr).c_str());
  std::string line;
  base::JsonWriter json(&line);
  json.BeginObject();
  Write("world", simulated, &json);
  if (real.has_value()) Write("globo", *real, &json);
  json.EndObject();
  std::printf("%s\n", line.c_str());
  return 0;
}
