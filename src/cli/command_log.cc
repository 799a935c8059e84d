#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bowerbird/v1/collection.pb.h"
#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "state/state.h"

namespace bowerbird::cli {
namespace {

std::unique_ptr<google::protobuf::Message> NewMessage(log::Topic topic) {
  switch (topic) {
    case log::Topic::kEvents:
      return std::make_unique<v1::Event>();
    case log::Topic::kCatalog:
      return std::make_unique<v1::CatalogRecord>();
    case log::Topic::kUsers:
      return std::make_unique<v1::UserRecord>();
    case log::Topic::kCollections:
      return std::make_unique<v1::CollectionRecord>();
    case log::Topic::kServed:
      return std::make_unique<v1::ServedRecord>();
    case log::Topic::kExposures:
      return std::make_unique<v1::Exposure>();
    case log::Topic::kExperiments:
      return std::make_unique<v1::Experiment>();
    case log::Topic::kItemTables:
      return std::make_unique<v1::ItemTableRecord>();
    default:
      return nullptr;
  }
}

void PrintRecord(log::Topic topic, uint32_t partition, const log::Record& record) {
  std::string value;
  const auto message = NewMessage(topic);
  if (message != nullptr && message->ParseFromString(record.value)) {
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    (void)google::protobuf::util::MessageToJsonString(*message, &value, options);
  }
  std::string line;
  base::JsonWriter json(&line);
  json.BeginObject().Key("partition").Uint(partition).Key("offset").Uint(record.offset);
  json.Key("append_time").String(base::FormatTimeUs(record.append_time_us)).Key("value");
  value.empty() ? json.String(record.value) : json.Raw(value);
  json.EndObject();
  std::printf("%s\n", line.c_str());
}

}  // namespace

absl::Status LogTail(const LogTailOptions& options) {
  ASSIGN_OR_RETURN(const log::Topic topic, log::TopicFromName(options.topic));
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(options.folder.dir, options.folder.app, false));
  struct Found {
    uint32_t partition;
    log::Record record;
  };
  std::vector<Found> found;
  for (uint32_t p = 0; p < app->log().PartitionCount(topic); ++p) {
    ASSIGN_OR_RETURN(const log::Offset begin, app->log().BeginOffset(topic, p));
    ASSIGN_OR_RETURN(const log::Offset end, app->log().EndOffset(topic, p));
    const log::Offset from = end - std::min<log::Offset>(end - begin, options.n);
    if (from == end) continue;
    ASSIGN_OR_RETURN(log::ReadResult read, app->log().Read(topic, p, from, options.n, 64u << 20));
    for (log::Record& record : read.records) found.push_back({p, std::move(record)});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.record.append_time_us < b.record.append_time_us; });
  const size_t first = found.size() - std::min<size_t>(found.size(), options.n);
  for (size_t i = first; i < found.size(); ++i) PrintRecord(topic, found[i].partition, found[i].record);
  return absl::OkStatus();
}

absl::Status LogVerify(const Folder& folder) {
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(folder.dir, folder.app, false));
  ASSIGN_OR_RETURN(const log::VerifyReport report, app->log().Verify());
  for (const std::string& problem : report.problems) std::printf("%s\n", problem.c_str());
  std::printf("%s records, %s bytes: %s problems\n", Thousands(report.records).c_str(), Thousands(report.bytes).c_str(),
              Thousands(report.problem_count).c_str());
  return report.ok() ? absl::OkStatus() : absl::DataLossError("the log is damaged");
}

absl::Status LogStats(const Folder& folder) {
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(folder.dir, folder.app, false));
  ASSIGN_OR_RETURN(const std::vector<log::PartitionStats> stats, app->log().Stats());
  std::printf("%-14s %10s %14s %16s %10s\n", "topic", "partitions", "records", "bytes", "a record");
  for (const log::Topic topic : log::kAllTopics) {
    uint64_t records = 0, partitions = 0;
    std::optional<uint64_t> bytes = 0;
    for (const log::PartitionStats& partition : stats) {
      if (partition.topic != topic) continue;
      ++partitions;
      records += partition.records;
      bytes =
          bytes.has_value() && partition.bytes.has_value() ? std::optional(*bytes + *partition.bytes) : std::nullopt;
    }
    std::printf("%-14s %10s %14s %16s %10s\n", std::string(log::TopicName(topic)).c_str(),
                Thousands(partitions).c_str(), Thousands(records).c_str(),
                bytes.has_value() ? Thousands(*bytes).c_str() : "-",
                records == 0 || !bytes.has_value() ? "-" : Thousands(*bytes / records).c_str());
  }
  return absl::OkStatus();
}

absl::Status StateVerify(const Folder& folder) {
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(folder.dir, folder.app, false));
  // The App holds its stores open: give the state's back before it is read by itself.
  RETURN_IF_ERROR(app->CloseState());
  const std::string app_folder = app::App::Folder(folder.dir, folder.app);
  ASSIGN_OR_RETURN(
      const state::VerifyReport report,
      state::VerifyByReplay(app_folder + "/state/events", app_folder + "/state/verify", app->config(), &app->history(),
                            &app->clock(), nullptr, app->node().Owned(app->config()->partitions)));
  for (const std::string& difference : report.differences) std::printf("%s\n", difference.c_str());
  std::printf("%s keys of %s users and %s items from %s events: %s differences\n", Thousands(report.keys).c_str(),
              Thousands(report.users).c_str(), Thousands(report.items).c_str(), Thousands(report.events).c_str(),
              Thousands(report.difference_count).c_str());
  return report.difference_count == 0 ? absl::OkStatus() : absl::DataLossError("the state is not what the log says");
}

}  // namespace bowerbird::cli
