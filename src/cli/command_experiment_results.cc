#include <fmt/format.h>
#include <simdjson.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "base/status_macros.h"
#include "cli/connection.h"
#include "cli/experiment_result_commands.h"
#include "cli/progress.h"
#include "server/http.h"

namespace bowerbird::cli {
namespace {

namespace dom = simdjson::dom;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(fmt::format("{}: found no file that can be read; expected an experiment", path));
  return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

}  // namespace

absl::Status ExperimentResults(const ExperimentResultsOptions& options) {
  if (options.id.empty() && options.file.empty())
    return absl::InvalidArgumentError("found no experiment; expected its id, or --experiment FILE");
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  const std::string query =
      fmt::format("?format={}&engine={}&segment={}&others={}", options.json ? "json" : "text", options.engine,
                  server::PercentEncode(options.segment), server::PercentEncode(options.others));
  std::string answer;
  if (options.file.empty()) {
    const std::string target = fmt::format("/v1/experiments/{}/results{}", server::PercentEncode(options.id), query);
    ASSIGN_OR_RETURN(answer, connection->Checked("GET", target, ""));
  } else {
    ASSIGN_OR_RETURN(const std::string experiment, ReadFile(options.file));
    ASSIGN_OR_RETURN(answer, connection->Checked("POST", "/v1/experiments:results" + query, experiment));
  }
  std::printf("%s%s", answer.c_str(), options.json ? "\n" : "");
  return absl::OkStatus();
}

absl::Status ExperimentPower(const ExperimentPowerOptions& options) {
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(options.folder.dir, options.folder.app));
  std::string target =
      fmt::format("/v1/experiments:power?metric={}&days={}", server::PercentEncode(options.metric), options.days);
  if (options.effect > 0) target += fmt::format("&effect={}", options.effect);
  ASSIGN_OR_RETURN(const std::string answer, connection->Checked("GET", target, ""));
  if (options.json) {
    std::printf("%s\n", answer.c_str());
    return absl::OkStatus();
  }
  dom::parser parser;
  dom::element root;
  uint64_t units = 0, needed = 0, without = 0, days_needed = 0;
  double baseline = 0, reduction = 0, effect = 0, detectable = 0;
  if (parser.parse(answer).get(root) || root["units"].get(units) || root["units_needed"].get(needed) ||
      root["units_needed_without_cuped"].get(without) || root["days_needed"].get(days_needed) ||
      root["baseline"].get(baseline) || root["variance_reduction"].get(reduction) || root["effect"].get(effect) ||
      root["detectable"].get(detectable)) {
    return absl::InternalError("the server's answer is not what was asked for");
  }
  std::printf("%s: %.6g of each of the %s users of the last %u days; CUPED takes %.0f%% of its variance away\n",
              options.metric.c_str(), baseline, Thousands(units).c_str(), options.days, 100 * reduction);
  std::printf("an effect of %.3g%% takes %s users in two arms (%s without CUPED), about %s days of everybody\n",
              100 * effect, Thousands(needed).c_str(), Thousands(without).c_str(), Thousands(days_needed).c_str());
  std::printf("in %u days everybody finds an effect of %.3g%% (80%% power at 5%%, read once at the end)\n",
              options.days, 100 * detectable);
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
