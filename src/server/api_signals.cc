#include "app/signals_report.h"
#include "base/json_writer.h"
#include "bowerbird/v1/service.pb.h"
#include "server/api_routes.h"
#include "server/serve_json.h"

namespace bowerbird::server {
namespace {

void Write(const v1::ListSignalsResponse& report, std::string* out) {
  base::JsonWriter json(out);
  json.BeginObject().Key("signals").BeginArray();
  for (const v1::SignalInfo& signal : report.signals()) {
    json.BeginObject().Key("name").String(signal.name()).Key("kind").String(signal.kind());
    json.Key("id").String(signal.id()).Key("meaning").String(signal.meaning());
    json.Key("owner").String(signal.owner()).Key("description").String(signal.description());
    json.Key("per").String(signal.per()).Key("users").Uint(signal.users());
    json.Key("null_rate").Double(signal.null_rate()).Key("items").Uint(signal.items());
    json.Key("bytes").Uint(signal.bytes()).Key("newest_us").Int(signal.newest_us()).EndObject();
  }
  json.EndArray().Key("users").Uint(report.users()).Key("sampled_share").Double(report.sampled_share());
  json.Key("items").Uint(report.items()).Key("item_sampled_share").Double(report.item_sampled_share());
  json.Key("lag_us").Int(report.lag_us()).EndObject();
}

}  // namespace

void AddSignalRoutes(Api* api) {
  api->AddRoute({"GET", "/v1/items/{id}/signals", "serve",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   v1::ItemSignalsRequest asked;
                   asked.set_id(request->path_parameters["id"]);
                   const absl::StatusOr<v1::ItemSignalsResponse> signals =
                       request->app->app().engine().ItemSignals(asked);
                   if (!signals.ok()) return respond(ProblemResponse(signals.status()));
                   HttpResponse response;
                   WriteItemSignals(*signals, &response.body);
                   respond(std::move(response));
                 }});
  api->AddRoute(
      {"GET", "/v1/signals", "serve", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         // Reads thousands of users: not where others are answered.
         HostedApp* hosted = request->app.get();
         QueueJob(&hosted->jobs(), respond, [hosted] {
           const absl::StatusOr<v1::ListSignalsResponse> report = app::ReportSignals(hosted->app());
           if (!report.ok()) return ProblemResponse(report.status());
           HttpResponse response;
           Write(*report, &response.body);
           return response;
         });
       }});
}

}  // namespace bowerbird::server
