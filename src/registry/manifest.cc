#include "registry/manifest.h"

#include <simdjson.h>

#include "base/hash.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "fmt/format.h"

namespace bowerbird::registry {
namespace {

namespace dom = simdjson::dom;

absl::Status Wrong(std::string_view field, std::string_view expected) {
  return absl::DataLossError(fmt::format("{}: {}: expected {}", kManifestFile, field, expected));
}

absl::Status ReadString(const dom::object& object, const char* field, std::string* out) {
  std::string_view text;
  if (object[field].get(text) != simdjson::SUCCESS) return Wrong(field, "a string");
  *out = text;
  return absl::OkStatus();
}

/// The end of a manifest: the checksum of what comes before it.
std::string Ending(std::string_view before) { return fmt::format(",\"xxh3\":\"{:016x}\"}}\n", base::Hash64(before)); }
constexpr size_t kEndingBytes = 28;

/// A name that stays inside the version's folder.
bool IsFileName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name.front() != '.' && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

absl::Status ReadFiles(const dom::object& root, std::vector<ArtifactFile>* files) {
  dom::array array;
  if (root["files"].get(array) != simdjson::SUCCESS) return Wrong("files", "an array");
  for (const dom::element element : array) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) return Wrong("files", "objects");
    ArtifactFile file;
    RETURN_IF_ERROR(ReadString(object, "name", &file.name));
    RETURN_IF_ERROR(ReadString(object, "xxh3", &file.checksum));
    if (object["bytes"].get(file.bytes) != simdjson::SUCCESS) return Wrong("files.bytes", "a number");
    if (!IsFileName(file.name)) return Wrong("files.name", "the name of a file in the same folder");
    files->push_back(std::move(file));
  }
  return absl::OkStatus();
}

absl::Status ReadMetrics(const dom::object& root, std::vector<std::pair<std::string, double>>* metrics) {
  dom::object object;
  if (root["metrics"].get(object) != simdjson::SUCCESS) return Wrong("metrics", "an object");
  for (const dom::key_value_pair field : object) {
    double value = 0;
    // What is no finite number was written as null; it says nothing and is left out.
    if (field.value.is_null()) continue;
    if (field.value.get(value) != simdjson::SUCCESS) return Wrong("metrics", "numbers");
    metrics->emplace_back(std::string(field.key), value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FormatManifest(const Manifest& manifest) {
  dom::parser parser;
  dom::object inputs;
  if (parser.parse(manifest.inputs_json).get(inputs) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("inputs: found no JSON object; expected one");
  }
  std::string out;
  base::JsonWriter writer(&out);
  writer.BeginObject();
  writer.Key("format").Uint(kManifestFormat);
  writer.Key("kind").String(manifest.kind);
  writer.Key("name").String(manifest.name);
  writer.Key("version").String(manifest.version);
  writer.Key("created_us").Int(manifest.created_us);
  writer.Key("created").String(base::FormatTimeUs(manifest.created_us));
  writer.Key("inputs").Raw(simdjson::minify(inputs));
  writer.Key("metrics").BeginObject();
  for (const auto& [name, value] : manifest.metrics) writer.Key(name).Double(value);
  writer.EndObject();
  writer.Key("files").BeginArray();
  for (const ArtifactFile& file : manifest.files) {
    writer.BeginObject();
    writer.Key("name").String(file.name);
    writer.Key("bytes").Uint(file.bytes);
    writer.Key("xxh3").String(file.checksum);
    writer.EndObject();
  }
  writer.EndArray();
  out += Ending(out);
  return out;
}

absl::StatusOr<Manifest> ParseManifest(std::string_view json) {
  if (json.size() < kEndingBytes ||
      Ending(json.substr(0, json.size() - kEndingBytes)) != json.substr(json.size() - kEndingBytes)) {
    return absl::DataLossError(fmt::format("{}: its checksum does not fit", kManifestFile));
  }
  dom::parser parser;
  dom::object root;
  if (parser.parse(simdjson::padded_string(json)).get(root) != simdjson::SUCCESS) {
    return absl::DataLossError(fmt::format("{} is not a JSON object", kManifestFile));
  }
  uint64_t format = 0;
  if (root["format"].get(format) != simdjson::SUCCESS) return Wrong("format", "a number");
  if (format != kManifestFormat) {
    return absl::FailedPreconditionError(
        fmt::format("{}: format: found {}; this program reads {}", kManifestFile, format, kManifestFormat));
  }
  Manifest manifest;
  RETURN_IF_ERROR(ReadString(root, "kind", &manifest.kind));
  RETURN_IF_ERROR(ReadString(root, "name", &manifest.name));
  RETURN_IF_ERROR(ReadString(root, "version", &manifest.version));
  if (root["created_us"].get(manifest.created_us) != simdjson::SUCCESS) return Wrong("created_us", "a number");
  dom::object inputs;
  if (root["inputs"].get(inputs) != simdjson::SUCCESS) return Wrong("inputs", "an object");
  manifest.inputs_json = simdjson::minify(inputs);
  RETURN_IF_ERROR(ReadMetrics(root, &manifest.metrics));
  RETURN_IF_ERROR(ReadFiles(root, &manifest.files));
  return manifest;
}

}  // namespace bowerbird::registry
