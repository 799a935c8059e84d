#pragma once

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

}  // namespace bowerbird::server
