// From the log to what is known of a user: Kafka beside librdkafka's own producer, the fold, making state again, the
// same signals by DuckDB over the lake, and the profile API.
//
// usage: bench_pipeline [--parts kafka,rebuild,peer,profile,soak] [--brokers HOST:PORT] [--events N] [--rounds N]
//        [--rebuild-events N] [--peer-events N] [--users N] [--per-second N] [--seconds N]
//        [--soak-users N] [--soak-actions N] [--soak-seconds N] [--json]
//   --events          appended to Kafka and folded from it (500,000), `--rounds` times (3)
//   --rebuild-events  of the log that state is made again from (20,000,000; some 5 GB on disk)
//   --peer-events     of the log whose signals DuckDB computes, too (2,000,000)
//   --users           whose profiles are asked for (100,000), `--per-second` (5,000), for `--seconds` (10)
//   soak              only when it is named: memory with 5,000,000 users of 20 actions each, for 900 s or for as long
//                     as they take (some 20 GB on disk)
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/json_writer.h"
#include "bench/pipeline/events.h"

namespace {

using namespace bowerbird;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::array<std::string_view, 5> kParts = {"kafka", "rebuild", "peer", "profile", "soak"};

std::string Text(int argc, char** argv, std::string_view name, std::string_view fallback) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == name) return argv[i + 1];
  }
  return std::string(fallback);
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](std::string_view name, std::string_view fallback) {
    return std::strtoull(Text(argc, argv, name, fallback).c_str(), nullptr, 10);
  };
  const std::vector<std::string> parts = absl::StrSplit(Text(argc, argv, "--parts", "kafka,rebuild,peer,profile"), ',');
  for (const std::string& part : parts) {
    if (std::ranges::find(kParts, part) != kParts.end()) continue;
    std::fprintf(stderr, "--parts: found '%s'; expected some of kafka,rebuild,peer,profile,soak\n", part.c_str());
    return 2;
  }
  const auto has = [&](std::string_view part) { return std::ranges::find(parts, part) != parts.end(); };
  std::string dir = (std::filesystem::temp_directory_path() / "bowerbird-bench-XXXXXX").string();
  if (mkdtemp(dir.data()) == nullptr) return 1;
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject();
  if (has("kafka")) {
    bench::KafkaRows(Text(argc, argv, "--brokers", "127.0.0.1:9092"), number("--events", "500000"),
                     number("--rounds", "3"), dir, &json);
  }
  if (has("rebuild")) bench::RebuildRow(number("--rebuild-events", "20000000"), dir, &json);
  if (has("peer")) bench::PeerRow(number("--peer-events", "2000000"), dir, &json);
  if (has("profile")) {
    bench::ProfileRow(number("--users", "100000"), static_cast<double>(number("--per-second", "5000")),
                      static_cast<double>(number("--seconds", "10")), dir, &json);
  }
  if (has("soak")) {
    bench::SoakRow(number("--soak-users", "5000000"), number("--soak-actions", "20"), number("--soak-seconds", "900"),
                   dir, &json);
  }
  json.EndObject();
  std::filesystem::remove_all(dir);
  std::printf("%s\n", body.c_str());
  return 0;
}
