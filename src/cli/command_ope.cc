#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "cli/commands.h"
#include "evaluate/data_files.h"
#include "experiment/ope/agreement.h"
#include "fmt/format.h"

namespace bowerbird::cli {
namespace {

namespace ope = experiment::ope;

constexpr uint64_t kSeed = 1;  // of the intervals' resampling

/// POLICY_CAMPAIGN.csv.zst of the folder, or the same without .zst.
absl::StatusOr<ope::PolicyLog> ReadLog(const std::string& folder, std::string_view policy, std::string_view campaign) {
  std::string path = fmt::format("{}/{}_{}.csv", folder, policy, campaign);
  if (!std::filesystem::exists(path)) path += ".zst";
  ASSIGN_OR_RETURN(const std::string text, evaluate::ReadText(path));
  ope::PolicyLog log{std::string(policy), {}};
  ASSIGN_OR_RETURN(log.rows, ope::ReadOpenBandit(path, text));
  return log;
}

}  // namespace

absl::Status Ope(const OpeOptions& options) {
  if (options.data.empty()) return OpeOfFolder(options);
  std::vector<ope::Agreement> agreements;
  for (const std::string_view campaign : {"men", "women"}) {
    ASSIGN_OR_RETURN(const ope::PolicyLog random, ReadLog(options.data, "random", campaign));
    ASSIGN_OR_RETURN(const ope::PolicyLog thompson, ReadLog(options.data, "bts", campaign));
    for (const auto& [log, target] : {std::pair{&random, &thompson}, std::pair{&thompson, &random}}) {
      ASSIGN_OR_RETURN(std::vector<ope::Agreement> rows,
                       ope::JudgeByOtherLog(std::string(campaign), *log, *target, kSeed));
      std::move(rows.begin(), rows.end(), std::back_inserter(agreements));
    }
  }
  std::printf("%s", options.json ? (ope::ToJson(agreements) + "\n").c_str() : ope::ToTable(agreements).c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
