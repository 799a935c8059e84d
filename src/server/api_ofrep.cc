#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/json_writer.h"
#include "experiment/live/experiments.h"
#include "server/api_routes.h"
#include "server/experiment_json.h"
#include "server/forward.h"

/// The OpenFeature Remote Evaluation Protocol 0.2, of which every OpenFeature SDK has a provider. A flag is one that
/// the arms of a running experiment give; its variant is the arm.
namespace bowerbird::server {
namespace {

using experiment::assignment::Why;
using experiment::live::FlagValue;

constexpr size_t kKeyBytesMax = 256;

/// An evaluation that failed, as the protocol has it; `key` is left out where it is about no flag.
HttpResponse Failure(int status, std::string_view key, std::string_view code, std::string_view details) {
  HttpResponse response;
  response.status = status;
  base::JsonWriter json(&response.body);
  json.BeginObject();
  if (!key.empty()) json.Key("key").String(key);
  json.Key("errorCode").String(code).Key("errorDetails").String(details).EndObject();
  return response;
}

std::string_view ReasonOf(Why why) {
  switch (why) {
    case Why::kDrawn:
      return "SPLIT";
    case Why::kForced:
    case Why::kKept:
      return "TARGETING_MATCH";
    default:
      return "DEFAULT";
  }
}

void Write(const FlagValue& flag, base::JsonWriter* json) {
  json->BeginObject().Key("key").String(flag.key).Key("reason").String(ReasonOf(flag.why));
  if (!flag.variant.empty()) json->Key("variant").String(flag.variant);
  std::string value;
  WriteValue(flag.value, &value);
  json->Key("value").Raw(value).Key("metadata").BeginObject().Key("experiment").String(flag.experiment);
  json->Key("why").String(experiment::assignment::WhyName(flag.why)).EndObject().EndObject();
}

HttpResponse One(const std::vector<FlagValue>& flags, const std::string& key) {
  if (flags.empty()) return Failure(404, key, "FLAG_NOT_FOUND", "no experiment that runs has the flag");
  HttpResponse response;
  base::JsonWriter json(&response.body);
  Write(flags.front(), &json);
  return response;
}

HttpResponse All(const std::vector<FlagValue>& flags, const HttpRequest& request) {
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("flags").BeginArray();
  for (const FlagValue& flag : flags) Write(flag, &json);
  json.EndArray().EndObject();
  const std::string tag = fmt::format("\"{:016x}\"", base::Hash64(response.body));
  const std::string* known = request.Header("if-none-match");
  if (known != nullptr && known->find(tag) != known->npos) {
    response.status = 304;
    response.body.clear();
  }
  response.headers.emplace_back("ETag", tag);
  return response;
}

/// `key` empty: every flag.
void Evaluate(Api* api, const std::shared_ptr<HttpRequest>& request, const std::string& key, const Responder& respond) {
  absl::StatusOr<OfrepContext> parsed = ParseOfrep(request->body);
  if (!parsed.ok()) return respond(Failure(400, key, "PARSE_ERROR", std::string(parsed.status().message())));
  if (parsed->targeting_key.empty()) {
    return respond(
        Failure(400, key, "TARGETING_KEY_MISSING", "context.targetingKey: found nothing; expected the user's id"));
  }
  if (parsed->targeting_key.size() > kKeyBytesMax) {
    return respond(Failure(400, key, "INVALID_CONTEXT",
                           fmt::format("context.targetingKey: expected at most {} bytes", kKeyBytesMax)));
  }
  if (!key.empty() && !request->app->app().experiments().HasFlag(key))
    return respond(Failure(404, key, "FLAG_NOT_FOUND", "no experiment that runs has the flag"));
  const auto context = std::make_shared<const OfrepContext>(*std::move(parsed));
  Forwarder::Asked about;
  about.user = context->targeting_key;
  about.answer = [request, respond, context, key](const std::string& user) {
    const auto flags = request->app->app().experiments().Evaluate(user, context->attributes, key);
    if (!flags.ok()) return respond(Failure(500, key, "GENERAL", std::string(flags.status().message())));
    respond(key.empty() ? All(*flags, *request) : One(*flags, key));
  };
  about.without_owner = [respond, key] {
    respond(Failure(500, key, "GENERAL", "the node that has the user's state does not answer"));
  };
  api->forwarder().Bring(request, std::move(about), respond);
}

}  // namespace

void AddOfrepRoutes(Api* api) {
  api->AddRoute({"POST", "/ofrep/v1/evaluate/flags/{key}", "serve",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   Evaluate(api, request, request->path_parameters.find("key")->second, respond);
                 }});
  api->AddRoute({"POST", "/ofrep/v1/evaluate/flags", "serve",
                 [api](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   Evaluate(api, request, "", respond);
                 }});
}

}  // namespace bowerbird::server
