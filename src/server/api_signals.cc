#include <fmt/format.h>

#include "app/signals_report.h"
#include "base/json_writer.h"
#include "bowerbird/v1/service.pb.h"
#include "server/api_routes.h"

namespace bowerbird::server {
namespace {

void Write(const v1::ListSignalsResponse& report, std::string* out) {
  base::JsonWriter json(out);
  json.BeginObject().Key("signals").BeginArray();
  for (const v1::SignalInfo& signal : report.signals()) {
    json.BeginObject().Key("name").String(signal.name()).Key("kind").String(signal.kind());
    json.Key("id").String(signal.id()).Key("meaning").String(signal.meaning());
    json.Key("owner").String(signal.owner()).Key("description").String(signal.description());
    json.Key("users").Uint(signal.users()).Key("null_rate").Double(signal.null_rate());
    json.Key("bytes").Uint(signal.bytes()).Key("newest_us").Int(signal.newest_us()).EndObject();
  }
  json.EndArray().Key("users").Uint(report.users()).Key("sampled_share").Double(report.sampled_share());
  json.Key("lag_us").Int(report.lag_us()).EndObject();
}

}  // namespace

void AddSignalRoutes(Api* api) {
  api->AddRoute(
      {"GET", "/v1/signals", "serve", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         // Reads thousands of users: not where others are answered. The app outlives the job, because
         // `respond` holds the request.
         HostedApp* hosted = request->app.get();
         const bool queued = hosted->jobs().Add([hosted, respond] {
           const absl::StatusOr<v1::ListSignalsResponse> report = app::ReportSignals(hosted->app());
           if (!report.ok()) return respond(ProblemResponse(report.status()));
           HttpResponse response;
           Write(*report, &response.body);
           respond(std::move(response));
         });
         if (queued) return;
         respond(ProblemResponse(
             429, "too_many_jobs",
             fmt::format("{} jobs wait already; try again when one has ended", hosted->jobs().waiting_max())));
       }});
}

}  // namespace bowerbird::server
