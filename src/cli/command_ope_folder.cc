#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/judge_recipes.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/progress.h"
#include "experiment/ope/estimate_json.h"
#include "store/file.h"

namespace bowerbird::cli {
namespace {

namespace ope = experiment::ope;
namespace served = experiment::served;

void WriteLeftOut(const std::map<std::string, uint64_t>& left_out, base::JsonWriter* json) {
  json->Key("left_out").BeginObject();
  for (const auto& [why, count] : left_out) json->Key(why).Uint(count);
  json->EndObject();
}

void WriteRecipe(const served::JudgedRecipe& judged, base::JsonWriter* json) {
  const ope::Estimate& estimate = judged.estimate;
  const bool verdict = judged.refused.empty();
  const auto if_verdict = [&](double value) { return verdict ? std::optional(value) : std::nullopt; };
  json->BeginObject().Key("recipe").String(judged.name).Key("estimator").String(ope::NameOf(estimate.estimator));
  json->Key("assumption").String(estimate.assumption);
  ope::WriteNumber(json, "value", if_verdict(estimate.value));
  ope::WriteNumber(json, "low", if_verdict(estimate.bootstrap.low));
  ope::WriteNumber(json, "high", if_verdict(estimate.bootstrap.high));
  ope::WriteNumber(json, "difference", if_verdict(judged.difference));
  ope::WriteNumber(json, "difference_low", if_verdict(judged.difference_interval.low));
  ope::WriteNumber(json, "difference_high", if_verdict(judged.difference_interval.high));
  json->Key("refused");
  if (verdict) {
    json->Null();
  } else {
    json->String(judged.refused);
  }
  WriteLeftOut(judged.left_out, json);
  if (estimate.diagnostics.requests > 0) ope::WriteDiagnostics(json, estimate.diagnostics);
  json->EndObject();
}

void PrintJson(const std::string& surface, const served::Judgement& judgement) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("surface").String(surface).Key("answers").Uint(judgement.answers);
  json.Key("earned").Double(judgement.earned).Key("earned_low").Double(judgement.earned_interval.low);
  json.Key("earned_high").Double(judgement.earned_interval.high);
  json.Key("interval").String("95%, percentile bootstrap by user");
  WriteLeftOut(judgement.left_out, &json);
  json.Key("recipes").BeginArray();
  for (const served::JudgedRecipe& judged : judgement.recipes) WriteRecipe(judged, &json);
  json.EndArray().EndObject();
  std::printf("%s\n", text.c_str());
}

std::string Text(const ope::Interval& interval, const char* sign = "") {
  return fmt::format("{}{:.4f} to {}{:.4f}", *sign != 0 && interval.low >= 0 ? sign : "", interval.low,
                     *sign != 0 && interval.high >= 0 ? sign : "", interval.high);
}

void PrintTable(const std::string& surface, const served::Judgement& judgement) {
  std::printf("%s drawn answers of %s earned %.4f each (%s); 95%% intervals, by user\n",
              Thousands(judgement.answers).c_str(), surface.c_str(), judgement.earned,
              Text(judgement.earned_interval).c_str());
  for (const auto& [why, count] : judgement.left_out)
    std::printf("  left out: %s answers, %s\n", Thousands(count).c_str(), why.c_str());
  for (const served::JudgedRecipe& judged : judgement.recipes) {
    if (judged.refused.empty()) {
      std::printf("%s: %.4f (%s), difference %+.4f (%s), %.0f effective rows\n", judged.name.c_str(),
                  judged.estimate.value, Text(judged.estimate.bootstrap).c_str(), judged.difference,
                  Text(judged.difference_interval, "+").c_str(), judged.estimate.diagnostics.all.effective);
    } else {
      std::printf("%s: refused: %s\n", judged.name.c_str(), judged.refused.c_str());
    }
    for (const auto& [why, count] : judged.left_out)
      std::printf("  left out: %s answers, %s\n", Thousands(count).c_str(), why.c_str());
  }
}

}  // namespace

absl::Status OpeOfFolder(const OpeOptions& options) {
  if (options.recipes.empty()) {
    return absl::InvalidArgumentError(
        "found neither --data nor --recipe; expected one of them: what is to be judged, and by which log");
  }
  std::vector<app::RecipePatch> patches;
  for (const std::string& path : options.recipes) {
    ASSIGN_OR_RETURN(std::string patch, store::ReadFile(path));
    patches.push_back({path, std::move(patch)});
  }
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(options.folder.dir, options.folder.app, false));
  served::JudgeOptions judging;
  judging.surface = options.surface;
  judging.estimator = options.estimator == "rips" ? ope::Estimator::kRips : ope::Estimator::kCascadeDr;
  ASSIGN_OR_RETURN(const served::Judgement judgement, app::JudgeRecipes(*app, patches, judging));
  if (options.json) {
    PrintJson(options.surface, judgement);
  } else {
    PrintTable(options.surface, judgement);
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
