#pragma once

#include "app/app.h"
#include "server/api.h"
#include "server/metrics.h"

namespace bowerbird::server {

/// Each adds the routes of one part of the API.
void AddCollectRoutes(app::App* app, Metrics* metrics, Api* api);
void AddCatalogRoutes(app::App* app, Api* api);
void AddServeRoutes(app::App* app, Metrics* metrics, Api* api);
void AddJobRoutes(app::App* app, Api* api);

}  // namespace bowerbird::server
