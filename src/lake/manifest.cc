#include "lake/manifest.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <utility>

#include "base/json_writer.h"

namespace bowerbird::lake {
namespace {

namespace dom = simdjson::dom;

/// A path that leads out of the table's folder is none of ours, whoever wrote it.
bool IsBelow(std::string_view path) {
  return !path.empty() && path.front() != '/' && path.find("..") == std::string_view::npos;
}

bool ReadPart(const dom::element& element, Part* part) {
  std::string_view path, checksum;
  uint64_t schema = 0;
  if (element["path"].get(path) || element["rows"].get(part->rows) || element["bytes"].get(part->bytes) ||
      element["checksum"].get(checksum) || element["schema"].get(schema) || element["first_us"].get(part->first_us) ||
      element["last_us"].get(part->last_us)) {
    return false;
  }
  part->path = path;
  part->checksum = checksum;
  part->schema = static_cast<uint32_t>(schema);
  return IsBelow(path) && schema <= UINT32_MAX;
}

bool ReadRetired(const dom::element& element, RetiredPart* retired) {
  std::string_view path;
  if (element["path"].get(path) || element["at_us"].get(retired->at_us)) return false;
  retired->path = path;
  return IsBelow(path);
}

bool ReadGap(const dom::element& element, Gap* gap) {
  uint64_t partition = 0;
  if (element["partition"].get(partition) || element["begin"].get(gap->begin) || element["end"].get(gap->end))
    return false;
  gap->partition = static_cast<uint32_t>(partition);
  return partition <= UINT32_MAX;
}

template <typename T>
bool ReadList(const dom::element& root, const char* name, bool (*read)(const dom::element&, T*), std::vector<T>* out) {
  dom::array array;
  if (root[name].get(array)) return false;
  for (const dom::element element : array) {
    if (!read(element, &out->emplace_back())) return false;
  }
  return true;
}

}  // namespace

std::string Manifest::ToJson() const {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("format").Uint(kFormat).Key("table").String(table).Key("sequence").Uint(sequence);
  json.Key("next").BeginArray();
  for (const log::Offset offset : next) json.Uint(offset);
  json.EndArray().Key("parts").BeginArray();
  for (const Part& part : parts) {
    json.BeginObject().Key("path").String(part.path).Key("rows").Uint(part.rows).Key("bytes").Uint(part.bytes);
    json.Key("checksum").String(part.checksum).Key("schema").Uint(part.schema);
    json.Key("first_us").Int(part.first_us).Key("last_us").Int(part.last_us).EndObject();
  }
  json.EndArray().Key("retired").BeginArray();
  for (const RetiredPart& part : retired)
    json.BeginObject().Key("path").String(part.path).Key("at_us").Int(part.at_us).EndObject();
  json.EndArray().Key("gaps").BeginArray();
  for (const Gap& gap : gaps) {
    json.BeginObject().Key("partition").Uint(gap.partition).Key("begin").Uint(gap.begin).Key("end").Uint(gap.end);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

absl::StatusOr<Manifest> Manifest::FromJson(std::string_view json, const std::string& path) {
  const auto damaged = [&] { return absl::DataLossError(fmt::format("{}: not the manifest of a table", path)); };
  dom::parser parser;
  dom::element root;
  uint64_t format = 0;
  std::string_view table;
  Manifest manifest;
  if (parser.parse(json).get(root) || root["format"].get(format)) return damaged();
  if (format != kFormat) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: found format {}; this program reads {}: it was written by a newer one", path, format, kFormat));
  }
  dom::array next;
  if (root["table"].get(table) || root["sequence"].get(manifest.sequence) || root["next"].get(next) ||
      !ReadList(root, "parts", ReadPart, &manifest.parts) ||
      !ReadList(root, "retired", ReadRetired, &manifest.retired) || !ReadList(root, "gaps", ReadGap, &manifest.gaps)) {
    return damaged();
  }
  for (const dom::element element : next) {
    if (element.get(manifest.next.emplace_back())) return damaged();
  }
  manifest.table = table;
  return manifest;
}

}  // namespace bowerbird::lake
