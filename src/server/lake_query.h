#pragma once

#include "absl/status/statusor.h"
#include "app/app.h"
#include "config/config.h"
#include "lake/sql.h"

namespace bowerbird::server {

/// What the config lets a query use.
lake::SqlLimits LakeLimits(const config::Lake& settings);

/// Answers a query over the app's tables, up to the last record that was acknowledged. Blocks: for a JobQueue. Errors
/// as lake::RunSql has them.
absl::StatusOr<lake::SqlAnswer> AskLake(app::App* app, const lake::SqlQuery& query);

}  // namespace bowerbird::server
