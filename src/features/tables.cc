#include "features/tables.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/status_macros.h"

namespace bowerbird::features {
namespace {

constexpr const char* kKind = "features";

/// Versions are numbered from this one on.
constexpr std::string_view kFirstVersion = "000001";

std::string Inputs(const Source& source) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("file").String(source.file).Key("entity").String(EntityName(source.entity));
  json.Key("key").String(source.key_column).Key("as_of_us").Int(source.as_of_us).EndObject();
  return text;
}

}  // namespace

const Version* NamedTable::At(int64_t time_us) const {
  const Version* at = nullptr;
  for (const Version& version : versions) {
    if (version.created_us <= time_us) at = &version;
  }
  return at;
}

bool NamedTable::GoneAt(int64_t time_us) const {
  return At(time_us) == nullptr && versions.front().version != kFirstVersion;
}

const Version* NamedTable::AsOf(int64_t time_us) const {
  const Version* at = nullptr;
  for (const Version& version : versions) {
    if (version.created_us <= time_us && version.table->as_of_us() <= time_us) at = &version;
  }
  return at;
}

const NamedTable* TableSet::Find(std::string_view name) const {
  const auto found = std::ranges::find(tables, name, &NamedTable::name);
  return found == tables.end() ? nullptr : &*found;
}

absl::StatusOr<Version> Tables::Map(const std::string& name, const std::string& version) const {
  ASSIGN_OR_RETURN(const registry::Artifact artifact, registry_->Open(kKind, name, version));
  Version mapped{version, artifact.manifest.created_us, nullptr};
  ASSIGN_OR_RETURN(mapped.table, Table::Open(artifact.Path(Table::kFile)));
  return mapped;
}

absl::StatusOr<std::vector<std::string>> Tables::Open() {
  const absl::MutexLock lock(&load_mutex_);
  std::vector<std::string> refused;
  auto set = std::make_shared<TableSet>();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, registry_->Names(kKind));
  for (const std::string& name : names) {
    NamedTable table{name, {}};
    ASSIGN_OR_RETURN(const std::vector<std::string> versions, registry_->List(kKind, name));
    for (const std::string& version : versions) {
      absl::StatusOr<Version> mapped = Map(name, version);
      if (mapped.ok()) {
        table.versions.push_back(*std::move(mapped));
      } else {
        refused.emplace_back(mapped.status().message());
      }
    }
    if (!table.versions.empty()) set->tables.push_back(std::move(table));
  }
  set_.Set(std::move(set));
  return refused;
}

absl::StatusOr<LoadReport> Tables::Load(const std::string& name, const Source& source,
                                        const std::function<bool()>& cancelled) {
  const absl::MutexLock lock(&load_mutex_);
  const int64_t start_us = base::MonotonicUs();
  auto next = std::make_shared<TableSet>(*Get());
  auto table = std::ranges::find(next->tables, name, &NamedTable::name);
  const bool is_new = table == next->tables.end();
  if (is_new && next->tables.size() >= kTablesMax) {
    return absl::InvalidArgumentError(
        fmt::format("table: found one more, \"{}\"; expected at most {} tables", name, kTablesMax));
  }
  if (!is_new && table->newest().table->entity() != source.entity) {
    return absl::InvalidArgumentError(fmt::format("entity: found \"{}\"; expected \"{}\", as the table has it",
                                                  EntityName(source.entity),
                                                  EntityName(table->newest().table->entity())));
  }
  LoadReport report;
  registry::Contents contents;
  contents.write = [&](const std::string& folder) -> absl::Status {
    ASSIGN_OR_RETURN(report.built, BuildTable(source, hasher_, folder + "/" + Table::kFile, kBuildBytes, cancelled));
    return absl::OkStatus();
  };
  contents.inputs_json = Inputs(source);
  ASSIGN_OR_RETURN(report.version, registry_->Publish(kKind, name, contents));
  ASSIGN_OR_RETURN(Version mapped, Map(name, report.version));
  if (is_new) table = next->tables.insert(next->tables.end(), NamedTable{name, {}});
  table->versions.push_back(std::move(mapped));
  if (table->versions.size() > kVersionsKept) {
    table->versions.erase(table->versions.begin(), table->versions.end() - kVersionsKept);
  }
  std::ranges::sort(next->tables, {}, &NamedTable::name);
  set_.Set(std::move(next));
  RETURN_IF_ERROR(registry_->Prune(kKind, name, kVersionsKept).status());
  report.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  return report;
}

absl::StatusOr<uint64_t> Tables::RemoveUsers(std::span<const RowKey> users) {
  const absl::MutexLock lock(&load_mutex_);
  auto next = std::make_shared<TableSet>(*Get());
  uint64_t changed = 0;
  for (NamedTable& table : next->tables) {
    const bool concerned = std::ranges::any_of(table.versions, [&](const Version& version) {
      return version.table->entity() == Entity::kUser &&
             std::ranges::any_of(users, [&](const RowKey& user) { return version.table->Find(user).has_value(); });
    });
    if (!concerned) continue;
    const std::shared_ptr<const Table> newest = table.newest().table;
    registry::Contents contents;
    contents.inputs_json.clear();
    contents.write = [&](const std::string& folder) { return newest->CopyWithout(users, folder + "/" + Table::kFile); };
    base::JsonWriter(&contents.inputs_json).BeginObject().Key("as_of_us").Int(newest->as_of_us()).EndObject();
    ASSIGN_OR_RETURN(const std::string version, registry_->Publish(kKind, table.name, contents));
    ASSIGN_OR_RETURN(Version mapped, Map(table.name, version));
    table.versions = {std::move(mapped)};
    RETURN_IF_ERROR(registry_->Prune(kKind, table.name, 1).status());
    ++changed;
  }
  set_.Set(std::move(next));
  return changed;
}

absl::StatusOr<VersionTime> Tables::TimeOf(std::string_view name, std::string_view version) const {
  ASSIGN_OR_RETURN(const registry::Manifest manifest, registry_->Describe(kKind, name, version));
  VersionTime time{manifest.created_us, 0};
  simdjson::dom::parser parser;
  simdjson::dom::element inputs;
  if (parser.parse(manifest.inputs_json).get(inputs) || inputs["as_of_us"].get(time.as_of_us)) {
    return absl::NotFoundError(fmt::format("{}/{}/{}: its inputs do not say as of when it is", kKind, name, version));
  }
  return time;
}

absl::StatusOr<std::shared_ptr<const TableSet>> Tables::OpenVersions(
    std::span<const std::pair<std::string, std::string>> versions) const {
  const auto current = Get();
  auto set = std::make_shared<TableSet>();
  for (const auto& [name, version] : versions) {
    const NamedTable* table = current->Find(name);
    const Version* kept = nullptr;
    if (table != nullptr) {
      const auto at = std::ranges::find(table->versions, version, &Version::version);
      if (at != table->versions.end()) kept = &*at;
    }
    if (kept == nullptr) {
      return absl::NotFoundError(fmt::format("features {}: version {} is no longer kept", name, version));
    }
    set->tables.push_back({name, {*kept}});
  }
  return set;
}

}  // namespace bowerbird::features
