#include <simdjson.h>

#include <string>
#include <thread>
#include <utility>

#include "base/json_writer.h"
#include "server/api_routes.h"
#include "server/structured_log.h"

namespace bowerbird::server {
namespace {

HttpResponse JobResponse(const absl::StatusOr<app::JobResult>& result) {
  if (!result.ok()) return ProblemResponse(result.status());
  Log(LogLevel::kInfo, "job_done",
      {{"artifact", std::string_view(result->artifact)},
       {"version", std::string_view(result->version)},
       {"seconds", result->seconds}});
  HttpResponse response;
  base::JsonWriter json(&response.body);
  json.BeginObject().Key("artifact").String(result->artifact).Key("version").String(result->version);
  json.Key("seconds").Double(result->seconds).Key("metrics").BeginObject();
  for (const auto& [name, value] : result->metrics) json.Key(name).Double(value);
  json.EndObject().EndObject();
  return response;
}

}  // namespace

void AddJobRoutes(app::App* app, Api* api) {
  // A job takes seconds to minutes: it runs on a thread of its own, so that answers go on. The App runs one at a time.
  api->AddRoute({"POST", "/v1/jobs/train-cf", "admin",
                 [app](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   app::TrainOptions options;
                   if (!request->body.empty()) {
                     simdjson::dom::parser parser;
                     simdjson::dom::object object;
                     if (parser.parse(request->body).get(object) != simdjson::SUCCESS) {
                       return respond(ProblemResponse(400, "malformed_json",
                                                      "expected an object with factors and epochs, or no body"));
                     }
                     for (const auto field : object) {
                       uint64_t number = 0;
                       if ((field.key != "factors" && field.key != "epochs") ||
                           field.value.get(number) != simdjson::SUCCESS || number > 4096) {
                         return respond(ProblemResponse(400, "invalid_argument",
                                                        "expected factors and epochs, whole numbers up to 4096",
                                                        field.key));
                       }
                       (field.key == "factors" ? options.factors : options.epochs) = static_cast<uint32_t>(number);
                     }
                   }
                   std::thread([app, options, respond] { respond(JobResponse(app->TrainCf(options))); }).detach();
                 }});
  api->AddRoute(
      {"POST", "/v1/jobs/index-build", "admin", [app](const std::shared_ptr<HttpRequest>&, const Responder& respond) {
         std::thread([app, respond] { respond(JobResponse(app->BuildIndex())); }).detach();
       }});
}

}  // namespace bowerbird::server
