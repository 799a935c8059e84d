#include "registry/manifest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/hash.h"
#include "fmt/format.h"

namespace bowerbird::registry {
namespace {

Manifest Example() {
  Manifest manifest;
  manifest.kind = "snapshot";
  manifest.name = "default";
  manifest.version = "000012";
  manifest.created_us = 1'793'000'000'123'456;
  manifest.inputs_json = R"({"catalog":{"end":17},"cf":"000003"})";
  manifest.metrics = {{"items", 41000}, {"seconds", 1.25}};
  manifest.files = {{"snapshot.bb", 12345, "0123456789abcdef"}};
  return manifest;
}

/// `json` with its checksum made to fit.
std::string Sealed(const std::string& json) {
  return json + fmt::format(",\"xxh3\":\"{:016x}\"}}\n", base::Hash64(json));
}

TEST(ManifestTest, ReadsBackWhatWasWritten) {
  const Manifest manifest = Example();
  const auto json = FormatManifest(manifest);
  ASSERT_TRUE(json.ok()) << json.status();
  const auto read = ParseManifest(*json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind, manifest.kind);
  EXPECT_EQ(read->name, manifest.name);
  EXPECT_EQ(read->version, manifest.version);
  EXPECT_EQ(read->created_us, manifest.created_us);
  EXPECT_EQ(read->inputs_json, manifest.inputs_json);
  EXPECT_EQ(read->metrics, manifest.metrics);
  EXPECT_EQ(read->files, manifest.files);
}

TEST(ManifestTest, LeavesOutMetricsThatAreNoNumbers) {
  Manifest manifest = Example();
  manifest.metrics = {{"recall", NAN}, {"items", 3}};
  const auto read = ParseManifest(FormatManifest(manifest).value());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->metrics, (std::vector<std::pair<std::string, double>>{{"items", 3}}));
}

TEST(ManifestTest, RefusesInputsThatAreNoObject) {
  for (const char* inputs : {"", "[1]", "{", "{} {}"}) {
    Manifest manifest = Example();
    manifest.inputs_json = inputs;
    EXPECT_EQ(FormatManifest(manifest).status().code(), absl::StatusCode::kInvalidArgument) << inputs;
  }
}

TEST(ManifestTest, RefusesEveryFlippedBitAndEveryTruncation) {
  const std::string json = FormatManifest(Example()).value();
  for (size_t bit = 0; bit < json.size() * 8; ++bit) {
    std::string damaged = json;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(ParseManifest(damaged).status().code(), absl::StatusCode::kDataLoss) << "bit " << bit;
  }
  for (size_t size = 0; size < json.size(); ++size) EXPECT_FALSE(ParseManifest(json.substr(0, size)).ok()) << size;
}

TEST(ManifestTest, RefusesWhatAnotherProgramWrote) {
  EXPECT_EQ(ParseManifest(Sealed(R"({"format":2)")).status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string start =
      R"({"format":1,"kind":"k","name":"n","version":"000001","created_us":1,"inputs":{},"metrics":{})";
  EXPECT_TRUE(ParseManifest(Sealed(start + R"(,"files":[])")).ok());
  for (const char* files :
       {R"(,"files":3)", R"(,"files":[3])", R"(,"files":[{"name":"a","bytes":1}])",
        R"(,"files":[{"name":"../a","bytes":1,"xxh3":"0"}])", R"(,"files":[{"name":"","bytes":1,"xxh3":"0"}])",
        R"(,"files":[{"name":"a","bytes":-1,"xxh3":"0"}])", ""}) {
    EXPECT_EQ(ParseManifest(Sealed(start + files)).status().code(), absl::StatusCode::kDataLoss) << files;
  }
}

}  // namespace
}  // namespace bowerbird::registry
