#include <fmt/format.h>
#include <simdjson.h>

#include <functional>
#include <string>
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

void RunJob(HostedApp* hosted, const Responder& respond,
            std::function<absl::StatusOr<app::JobResult>(app::App& app)> job) {
  QueueJob(&hosted->jobs(), respond, [hosted, job = std::move(job)] { return JobResponse(job(hosted->app())); });
}

}  // namespace

void QueueJob(JobQueue* queue, const Responder& respond, std::function<HttpResponse()> work) {
  if (queue->Add([respond, work = std::move(work)] { respond(work()); })) return;
  HttpResponse response = ProblemResponse(
      429, "too_many_jobs", fmt::format("{} jobs wait already; try again when one has ended", queue->waiting_max()));
  response.headers.emplace_back("Retry-After", "1");
  respond(std::move(response));
}

void AddJobRoutes(Api* api) {
  api->AddRoute(
      {"POST", "/v1/jobs/train-cf", "admin", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         app::TrainOptions options;
         if (!request->body.empty()) {
           simdjson::dom::parser parser;
           simdjson::dom::object object;
           if (parser.parse(request->body).get(object) != simdjson::SUCCESS) {
             return respond(
                 ProblemResponse(400, "malformed_json", "expected an object with factors and epochs, or no body"));
           }
           for (const auto field : object) {
             uint64_t number = 0;
             if ((field.key != "factors" && field.key != "epochs") || field.value.get(number) != simdjson::SUCCESS ||
                 number > 4096) {
               return respond(ProblemResponse(400, "invalid_argument",
                                              "expected factors and epochs, whole numbers up to 4096", field.key));
             }
             (field.key == "factors" ? options.factors : options.epochs) = static_cast<uint32_t>(number);
           }
         }
         RunJob(request->app.get(), respond, [options](app::App& app) { return app.TrainCf(options); });
       }});
  api->AddRoute({"POST", "/v1/jobs/index-build", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   RunJob(request->app.get(), respond, [](app::App& app) { return app.BuildIndex(); });
                 }});
  api->AddRoute({"POST", "/v1/jobs/checkpoint", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   RunJob(request->app.get(), respond, [](app::App& app) { return app.Checkpoint(); });
                 }});
}

}  // namespace bowerbird::server
