#include <fmt/format.h>

#include <charconv>

#include "app/segments_report.h"
#include "base/json_writer.h"
#include "catalog/problem.h"
#include "server/api_routes.h"

namespace bowerbird::server {
namespace {

void Write(const v1::ListUserSegmentsResponse& report, std::string* out) {
  base::JsonWriter json(out);
  json.BeginObject().Key("segments").BeginArray();
  for (const v1::UserSegmentInfo& segment : report.segments()) {
    json.BeginObject().Key("name").String(segment.name()).Key("where").String(segment.where());
    json.Key("owner").String(segment.owner()).Key("description").String(segment.description());
    json.Key("users").Uint(segment.users()).Key("share").Double(segment.share()).EndObject();
  }
  json.EndArray().Key("users").Uint(report.users()).Key("sampled_share").Double(report.sampled_share());
  json.Key("time_us").Int(report.time_us()).EndObject();
}

void Write(const v1::ListSegmentUsersResponse& page, std::string* out) {
  base::JsonWriter json(out);
  json.BeginObject().Key("users").BeginArray();
  for (const std::string& user : page.users()) json.String(user);
  json.EndArray().Key("next").String(page.next()).Key("time_us").Int(page.time_us()).EndObject();
}

void Write(const v1::WriteSegmentUsersResponse& written, std::string* out) {
  base::JsonWriter json(out);
  json.BeginObject().Key("table").String(written.table()).Key("file").String(written.file());
  json.Key("rows").Uint(written.rows()).Key("seconds").Double(written.seconds()).EndObject();
}

absl::StatusOr<v1::ListSegmentUsersRequest> ParsePage(const HttpRequest& request) {
  v1::ListSegmentUsersRequest message;
  const auto name = request.path_parameters.find("name");
  if (name != request.path_parameters.end()) message.set_name(name->second);
  if (const auto after = request.query.find("after"); after != request.query.end()) message.set_after(after->second);
  if (const auto limit = request.query.find("limit"); limit != request.query.end()) {
    uint32_t number = 0;
    const char* end = limit->second.data() + limit->second.size();
    const auto [stopped, error] = std::from_chars(limit->second.data(), end, number);
    if (error != std::errc() || stopped != end) {
      return catalog::ToStatus(
          {"invalid_argument", "limit", fmt::format("expected a number of 1 to {}", app::kSegmentPageMax)});
    }
    message.set_limit(number);
  }
  return message;
}

/// Reads users by the thousand: not where others are answered.
template <typename Work>
void Queue(HostedApp* hosted, const Responder& respond, Work work) {
  QueueJob(&hosted->jobs(), respond, [hosted, work = std::move(work)] {
    const auto result = work(hosted->app());
    if (!result.ok()) return ProblemResponse(result.status());
    HttpResponse response;
    Write(*result, &response.body);
    return response;
  });
}

}  // namespace

void AddUserSegmentRoutes(Api* api) {
  api->AddRoute(
      {"GET", "/v1/segments", "serve", [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
         Queue(request->app.get(), respond, [](app::App& app) { return app::ReportSegments(app); });
       }});
  api->AddRoute({"GET", "/v1/segments/{name}/users", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   absl::StatusOr<v1::ListSegmentUsersRequest> page = ParsePage(*request);
                   if (!page.ok()) return respond(ProblemResponse(page.status()));
                   request->audit_detail = page->name();
                   Queue(request->app.get(), respond,
                         [page = *std::move(page)](app::App& app) { return app::ListSegmentUsers(app, page); });
                 }});
  api->AddRoute({"POST", "/v1/segments:write", "admin",
                 [](const std::shared_ptr<HttpRequest>& request, const Responder& respond) {
                   Queue(request->app.get(), respond, [](app::App& app) { return app::WriteSegmentUsers(app); });
                 }});
}

}  // namespace bowerbird::server
