#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "catalog/problem.h"
#include "collect/catalog_intake.h"
#include "collect/collector.h"
#include "collect/segment_mapping.h"
#include "server/api_routes.h"

namespace bowerbird::server {
namespace {

using collect::SegmentBatch;
using collect::SegmentCall;
using collect::SegmentMessage;
using Outcome = SegmentMessage::Outcome;

struct SegmentPath {
  const char* path;
  SegmentCall call;
};
/// With the short forms of the browser's client and the old name of batch.
constexpr SegmentPath kPaths[] = {
    {"/v1/track", SegmentCall::kTrack},   {"/v1/t", SegmentCall::kTrack},     {"/v1/identify", SegmentCall::kIdentify},
    {"/v1/i", SegmentCall::kIdentify},    {"/v1/page", SegmentCall::kPage},   {"/v1/p", SegmentCall::kPage},
    {"/v1/screen", SegmentCall::kScreen}, {"/v1/s", SegmentCall::kScreen},    {"/v1/group", SegmentCall::kGroup},
    {"/v1/g", SegmentCall::kGroup},       {"/v1/alias", SegmentCall::kAlias}, {"/v1/a", SegmentCall::kAlias},
    {"/v1/batch", SegmentCall::kBatch},   {"/v1/b", SegmentCall::kBatch},     {"/v1/import", SegmentCall::kBatch},
};

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kMapped:
      return "accepted";
    case Outcome::kIgnored:
      return "ignored";
    case Outcome::kRejected:
      return "rejected";
  }
  return "";
}

void Reject(catalog::Problem problem, SegmentMessage* message) {
  if (message->outcome == Outcome::kRejected) return;
  message->outcome = Outcome::kRejected;
  message->problem = std::move(problem);
}

/// Drops the events and attributes whose message `refused` names.
template <typename T>
void Keep(const std::vector<SegmentMessage>& messages, std::vector<T>* values, std::vector<uint32_t>* of) {
  size_t kept = 0;
  for (size_t i = 0; i < values->size(); ++i) {
    if (messages[(*of)[i]].outcome == Outcome::kRejected) continue;
    if (kept != i) (*values)[kept] = std::move((*values)[i]);
    (*of)[kept++] = (*of)[i];
  }
  values->resize(kept);
  of->resize(kept);
}

/// A key that anybody may read out of a web page says what was done, not who is who.
void RefuseIdentities(SegmentBatch* batch) {
  const catalog::Problem problem{"permission_denied", "type",
                                 "found who a user is, under a key of scope events; expected a key of scope collect"};
  for (const uint32_t message : batch->user_messages) Reject(problem, &batch->messages[message]);
  for (size_t i = 0; i < batch->events.size(); ++i) {
    if (!batch->events[i].anonymous().empty()) Reject(problem, &batch->messages[batch->event_messages[i]]);
  }
  Keep(batch->messages, &batch->users, &batch->user_messages);
  Keep(batch->messages, &batch->events, &batch->event_messages);
}

/// "events[3].item" -> "item": the field of the message's event.
std::string FieldOfEvent(const std::string& field) {
  const size_t dot = field.find("].");
  return dot == std::string::npos ? "" : field.substr(dot + 2);
}

/// Makes the verdicts on events those of their messages.
void Judge(const collect::CollectResult& result, SegmentBatch* batch) {
  for (size_t i = 0; i < result.verdicts.size(); ++i) {
    const collect::Verdict& verdict = result.verdicts[i];
    if (verdict.kind != collect::Verdict::Kind::kRejected) continue;
    catalog::Problem problem = verdict.problem;
    problem.field = FieldOfEvent(problem.field);
    Reject(std::move(problem), &batch->messages[batch->event_messages[i]]);
  }
}

HttpResponse Answer(const std::vector<SegmentMessage>& messages, bool is_batch,
                    prometheus::Counter* const counters[3]) {
  uint32_t counts[3] = {};
  for (const SegmentMessage& message : messages) ++counts[static_cast<size_t>(message.outcome)];
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("success").Bool(true);
  for (const Outcome outcome : {Outcome::kMapped, Outcome::kIgnored, Outcome::kRejected}) {
    const uint32_t count = counts[static_cast<size_t>(outcome)];
    counters[static_cast<size_t>(outcome)]->Increment(count);
    json.Key(OutcomeName(outcome)).Uint(count);
  }
  if (counts[0] != messages.size()) {
    json.Key("verdicts").BeginArray();
    for (size_t i = 0; i < messages.size(); ++i) {
      const SegmentMessage& message = messages[i];
      json.BeginObject().Key("verdict").String(OutcomeName(message.outcome));
      if (message.outcome == Outcome::kIgnored) json.Key("detail").String(message.why);
      if (message.outcome == Outcome::kRejected) {
        const std::string& field = message.problem.field;
        json.Key("code").String(message.problem.code);
        json.Key("field").String(!is_batch       ? field
                                 : field.empty() ? fmt::format("batch[{}]", i)
                                                 : fmt::format("batch[{}].{}", i, field));
        json.Key("detail").String(message.problem.detail);
      }
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return response;
}

/// A request under way.
struct Taken {
  std::shared_ptr<HttpRequest> request;
  std::shared_ptr<SegmentBatch> batch;
  SegmentCall call;
  Responder answer;
};

/// False: it failed, and is answered.
bool PatchUsers(const Taken& taken) {
  SegmentBatch& batch = *taken.batch;
  const auto patched = taken.request->app->app().catalog_intake().PatchUsers(batch.users);
  if (!patched.ok()) {
    taken.answer(ProblemResponse(patched.status()));
    return false;
  }
  for (size_t i = 0; i < patched->size(); ++i) {
    if ((*patched)[i].ok()) continue;
    Reject(catalog::FromStatus((*patched)[i]), &batch.messages[batch.user_messages[i]]);
  }
  Keep(batch.messages, &batch.events, &batch.event_messages);
  return true;
}

void Collect(const Taken& taken) {
  const std::string* agent = taken.request->Header("user-agent");
  taken.request->app->app().collector().CollectEvents(
      std::move(taken.batch->events),
      {collect::Collector::Source::kLive, agent == nullptr ? std::string_view() : *agent},
      [taken](const absl::StatusOr<collect::CollectResult>& result) {
        if (!result.ok()) return taken.answer(ProblemResponse(result.status()));
        const HostedApp::CollectMetrics& metrics = taken.request->app->collect_metrics();
        SegmentBatch& batch = *taken.batch;
        Api::ChargeEvents(*taken.request,
                          std::max<uint64_t>(batch.messages.size(), uint64_t{result->accepted} + result->rejected));
        metrics.accepted->Increment(result->accepted);
        metrics.rejected->Increment(result->rejected);
        Judge(*result, &batch);
        taken.answer(Answer(batch.messages, taken.call == SegmentCall::kBatch, metrics.segment));
      });
}

}  // namespace

void AddSegmentRoutes(Api* api) {
  for (const SegmentPath& path : kPaths) {
    const auto handler = [api, call = path.call](const std::shared_ptr<HttpRequest>& request,
                                                 const Responder& respond) {
      HttpResponse refused;
      if (!api->EventsLeft(*request, &refused)) return respond(std::move(refused));
      const Responder answer =
          api->in_flight().Take(request->body.size(), request->app->app().log().crowded(), respond);
      if (answer == nullptr) return;
      auto mapped = request->app->app().segment().Map(request->body, call);
      if (!mapped.ok()) return answer(ProblemResponse(mapped.status()));
      const Taken taken{request, std::make_shared<SegmentBatch>(*std::move(mapped)), call, answer};
      if (!api->Authorize(request.get(), "collect", &refused)) RefuseIdentities(taken.batch.get());
      if (taken.batch->users.empty()) return Collect(taken);
      QueueWrite(request->app.get(), answer, [taken] {
        if (PatchUsers(taken)) Collect(taken);
      });
    };
    api->AddRoute({"POST", path.path, "events", handler, KeyPlace::kBody, /*browser=*/true});
  }
}

}  // namespace bowerbird::server
