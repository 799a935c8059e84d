#pragma once

#include <functional>

#include "server/api.h"

namespace bowerbird::server {

/// Each adds the routes of one part of the API.
void AddAppRoutes(Api* api);
void AddKeyRoutes(Api* api);
void AddCollectRoutes(Api* api);
void AddSegmentRoutes(Api* api);
void AddCatalogRoutes(Api* api);
void AddServeRoutes(Metrics* metrics, Api* api);
void AddJobRoutes(Api* api);
void AddSignalRoutes(Api* api);
void AddLakeRoutes(Api* api);
void AddUserSegmentRoutes(Api* api);
void AddFeatureRoutes(Api* api);
void AddTrainingRoutes(Api* api);
void AddForgetRoutes(Api* api);
void AddTrafficRoutes(Api* api);

/// Answers what `work` says, by a thread of `queue`, so that those who serve do not wait for it; 429 when too many wait
/// already. The app outlives it: `respond` holds the request, which holds the app.
void QueueJob(JobQueue* queue, const Responder& respond, std::function<HttpResponse()> work);

/// Runs `write` where those who serve do not wait for it; answers 429 when too many wait already. The app outlives it:
/// `respond`, which `write` is to call, holds the request, which holds the app.
void QueueWrite(HostedApp* hosted, const Responder& respond, std::function<void()> write);

}  // namespace bowerbird::server
