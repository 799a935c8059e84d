#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lake/sql.h"
#include "mcp/toolbox.h"
#include "server/api.h"

namespace bowerbird::server {

/// What experiments answer to the tools; an empty function: there are no experiments.
struct ExperimentTools {
  /// The results of the experiment `id`, as text for a reader. NotFound: no experiment of that name.
  std::function<absl::StatusOr<std::string>(app::App& app, const std::string& id)> report;
  /// How many users and days it takes to see the relative change `effect` of a metric. NotFound: no such metric.
  std::function<absl::StatusOr<std::string>(app::App& app, const std::string& metric, double effect)> power;
};

/// The tools for language models and analysts, over one app: they read and change nothing. Each call is a line of the
/// audit log. docs/guides/mcp.md.
///
/// Threads  one; blocks while it asks the lake or the user's node, so not one where others are answered.
/// Bounds   a query: those of the config's [lake], kRowsMax rows, kBytesMax; a profile: kProfileUs.
class McpTools final : public mcp::Toolbox {
 public:
  static constexpr int64_t kRows = 200, kRowsMax = 5000;
  static constexpr uint64_t kBytesMax = 512u << 10;
  static constexpr int64_t kProfileUs = 10'000'000;
  struct Caller {
    std::shared_ptr<HttpRequest> request;  ///< authorized: whose it is and which app it is about
    bool masked = true;                    ///< users are named by their masks (lake/mask.h)
  };
  /// `api` outlives it.
  McpTools(Api* api, Caller caller, ExperimentTools experiments);

  std::span<const mcp::Tool> tools() const override;
  absl::StatusOr<std::string> Call(const mcp::Tool& tool, const mcp::Arguments& arguments) override;
  absl::StatusOr<std::vector<mcp::Resource>> Resources() override;
  absl::StatusOr<std::string> Read(std::string_view uri) override;

 private:
  absl::StatusOr<std::string> Run(const std::string& tool, const mcp::Arguments& arguments);
  absl::StatusOr<std::string> ListTables();
  absl::StatusOr<std::string> DescribeTable(const std::string& name);
  absl::StatusOr<std::string> RunSql(const std::string& sql, int64_t rows_max);
  absl::StatusOr<std::string> ExplainRequest(const std::string& id);
  absl::StatusOr<std::string> ExplainUser(const std::string& user);
  absl::StatusOr<std::string> PipelineHealth();
  static absl::StatusOr<std::string> SearchDocs(const std::string& query, int64_t count);
  /// The rows of a query of our own, as {"columns", "rows", ...}.
  absl::StatusOr<std::string> Ask(std::string sql, int64_t rows_max, bool masked) const;
  /// The id that a caller means: a mask's where users are masked.
  absl::StatusOr<std::string> UserOf(const std::string& named) const;
  app::App& app() const { return caller_.request->app->app(); }

  Api* const api_;
  const Caller caller_;
  const ExperimentTools experiments_;
  uint64_t rows_ = 0;  ///< of the call under way, for the audit log
};

/// The seed of an app's masks: its secret's, and telling nothing of it.
base::HashSeed MaskSeed(const app::App& app);

}  // namespace bowerbird::server
