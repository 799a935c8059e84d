#include "server/lake_query.h"

#include <vector>

#include "base/status_macros.h"

namespace bowerbird::server {

lake::SqlLimits LakeLimits(const config::Lake& settings) {
  lake::SqlLimits limits;
  limits.seconds = static_cast<double>(settings.sql_us_max) * 1e-6;
  limits.rows = settings.sql_rows_max;
  limits.result_bytes = settings.sql_bytes_max;
  limits.memory_bytes = settings.sql_memory_bytes;
  limits.threads = settings.sql_threads;
  return limits;
}

absl::StatusOr<lake::SqlAnswer> AskLake(app::App* app, const lake::SqlQuery& query) {
  RETURN_IF_ERROR(app->lake().CatchUp().status());
  ASSIGN_OR_RETURN(const std::vector<lake::TableFiles> files, app->lake().Files());
  return lake::RunSql(files, query);
}

}  // namespace bowerbird::server
