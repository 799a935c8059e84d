#include "cli/api_sink.h"

#include <fmt/format.h>

#include "base/json_writer.h"
#include "base/status_macros.h"

namespace bowerbird::cli {
namespace {

using simdjson::dom::element;

constexpr size_t kBareItemsABatch = 1000;

std::string_view Text(element parent, std::string_view key) {
  std::string_view text;
  if (parent[key].get(text) != simdjson::SUCCESS) return {};
  return text;
}

}  // namespace

absl::StatusOr<ingest::Sink::Result> ApiSink::Send(ingest::Kind kind, const std::vector<std::string>& objects) {
  const bool events = kind == ingest::Kind::kEvents;
  std::string body = events ? "{\"events\":[" : "{\"upsert\":[";
  for (size_t i = 0; i < objects.size(); ++i) {
    if (i > 0) body.push_back(',');
    body += objects[i];
  }
  body += "]}";
  ASSIGN_OR_RETURN(const std::string answer,
                   connection_->Checked("POST", events ? "/v1/events?history=true" : "/v1/items:batch", body));
  element document;
  if (parser_.parse(answer).get(document) != simdjson::SUCCESS) return absl::InternalError("the answer is not JSON");
  return events ? ReadVerdicts(document, objects) : ReadRejected(document, objects);
}

absl::StatusOr<ingest::Sink::Result> ApiSink::ReadVerdicts(element document, const std::vector<std::string>& objects) {
  Result result;
  if (document["accepted"].get(result.accepted) != simdjson::SUCCESS)
    return absl::InternalError("the answer has no count of accepted events");
  // Verdicts are absent, or none, when every event was accepted.
  simdjson::dom::array verdicts;
  if (document["verdicts"].get(verdicts) == simdjson::SUCCESS) {
    size_t index = 0;
    for (const element verdict : verdicts) {
      if (Text(verdict, "verdict") == "rejected") {
        result.rejected.push_back({index, fmt::format("{}: {}", Text(verdict, "field"), Text(verdict, "detail"))});
      }
      ++index;
    }
  }
  for (const std::string& object : objects) {
    element event;
    if (object_parser_.parse(object).get(event) != simdjson::SUCCESS) continue;
    const std::string_view item = Text(event, "item");
    if (!item.empty() && !items_named_.contains(item)) items_named_.insert(std::string(item));
  }
  return result;
}

absl::StatusOr<ingest::Sink::Result> ApiSink::ReadRejected(element document, const std::vector<std::string>& objects) {
  Result result;
  simdjson::dom::array rejected;
  if (document["applied"].get(result.accepted) != simdjson::SUCCESS)
    return absl::InternalError("the answer has no count of applied items");
  if (document["rejected"].get(rejected) != simdjson::SUCCESS) return result;
  if (rejected.size() == 0) return result;
  base::StringMap<size_t> index_of;
  for (size_t i = 0; i < objects.size(); ++i) {
    element item;
    if (object_parser_.parse(objects[i]).get(item) == simdjson::SUCCESS) index_of[std::string(Text(item, "id"))] = i;
  }
  for (const element verdict : rejected) {
    const auto it = index_of.find(Text(verdict, "id"));
    result.rejected.push_back({it == index_of.end() ? 0 : it->second,
                               fmt::format("{}: {}", Text(verdict, "field"), Text(verdict, "detail"))});
  }
  return result;
}

absl::StatusOr<uint64_t> ApiSink::MakeBareItems() {
  std::vector<std::string> batch;
  uint64_t made = 0;
  const auto send = [&]() -> absl::Status {
    if (batch.empty()) return absl::OkStatus();
    made += batch.size();
    RETURN_IF_ERROR(Send(ingest::Kind::kItems, batch).status());
    batch.clear();
    return absl::OkStatus();
  };
  for (const std::string& id : items_named_) {
    ASSIGN_OR_RETURN(const server::HttpResponse known,
                     connection_->Call("GET", "/v1/items/" + server::PercentEncode(id), ""));
    if (known.status != 404) continue;
    batch.push_back(BareItemJson(id));
    if (batch.size() == kBareItemsABatch) RETURN_IF_ERROR(send());
  }
  RETURN_IF_ERROR(send());
  return made;
}

std::string BareItemJson(std::string_view id) {
  std::string object;
  base::JsonWriter(&object).BeginObject().Key("id").String(id).Key("title").String(id).EndObject();
  return object;
}

}  // namespace bowerbird::cli
