#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/json_writer.h"
#include "base/status_macros.h"
#include "cli/progress.h"
#include "cli/trials.h"
#include "sim/trial/ab_trial.h"
#include "sim/trial/user_days.h"

namespace bowerbird::cli {
namespace {

namespace trial = sim::trial;

/// Of the world that the distribution is fitted to.
constexpr uint32_t kUsers = 6000, kItems = 3600;
constexpr double kDaysMin = 60;

void WriteDetections(const trial::Detections& found, base::JsonWriter* json) {
  json->Key("detected").Uint(found.detected).Key("wrong_sign").Uint(found.wrong_sign);
  json->Key("share").Double(found.share).Key("low").Double(found.interval.low);
  json->Key("high").Double(found.interval.high);
}

void WriteSequential(const char* name, const trial::SequentialDetections& sequential, base::JsonWriter* json) {
  json->Key(name).BeginObject();
  WriteDetections(sequential.found, json);
  json->Key("stop_day_median");
  sequential.stop_day_median.has_value() ? json->Double(*sequential.stop_day_median) : json->Null();
  json->Key("users_saved");
  sequential.users_saved.has_value() ? json->Double(*sequential.users_saved) : json->Null();
  json->EndObject();
}

void WriteModel(const trial::UserDayModel& model, size_t users, base::JsonWriter* json) {
  json->Key("model").BeginObject().Key("users").Uint(users);
  json->Key("rate_log_mean").Double(model.rate_log_mean).Key("rate_log_sd").Double(model.rate_log_sd);
  json->Key("log_mean").Double(model.log_mean).Key("log_sd_user").Double(model.log_sd_user);
  json->Key("log_sd_day").Double(model.log_sd_day).Key("persistence").Double(model.persistence).EndObject();
}

std::string ToJson(const SimAbOptions& options, const trial::UserDayModel& model, size_t fitted_users,
                   const trial::AbTrialReport& report) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("seed").Uint(options.seed).Key("effect").Double(options.effect);
  json.Key("days").Uint(options.days).Key("repeat").Uint(options.repeats);
  json.Key("alpha").Double(report.alpha).Key("power").Double(report.power);
  WriteModel(model, fitted_users, &json);
  json.Key("mean").Double(report.mean).Key("standard_deviation").Double(report.standard_deviation);
  json.Key("planned_effect").Double(report.planned_effect);
  json.Key("n").Uint(report.users).Key("n_cuped").Uint(report.users_cuped);
  json.Key("variance_reduction").Double(report.variance_reduction);
  json.Key("detected").Uint(report.fixed.detected).Key("detected_cuped").Uint(report.fixed_cuped.detected);
  json.Key("fixed").BeginObject();
  WriteDetections(report.fixed, &json);
  json.EndObject().Key("fixed_cuped").BeginObject();
  WriteDetections(report.fixed_cuped, &json);
  json.EndObject().Key("all_cuped").BeginObject();
  WriteDetections(report.all_cuped, &json);
  json.EndObject();
  WriteSequential("sequential", report.sequential, &json);
  WriteSequential("sequential_cuped", report.sequential_cuped, &json);
  json.EndObject();
  return text;
}

void PrintDetections(const char* name, uint64_t users, const trial::Detections& found, std::string_view more) {
  std::printf("  %-28s %10s users  %5.1f%% [%.1f%%, %.1f%%]%s\n", name, Thousands(users).c_str(), 100 * found.share,
              100 * found.interval.low, 100 * found.interval.high, std::string(more).c_str());
}

std::string StopText(const trial::SequentialDetections& sequential, uint32_t days) {
  if (!sequential.stop_day_median.has_value()) return "";
  return fmt::format("  stops on day {:g} of {}, median", *sequential.stop_day_median, days);
}

void Print(const SimAbOptions& options, const trial::AbTrialReport& report) {
  std::printf(
      "%u days, %.1f actions a user (standard deviation %.1f); %s users find %+.3g%% with %.0f%% power at %.0f%%\n",
      options.days, report.mean, report.standard_deviation, Thousands(report.users).c_str(),
      100 * report.planned_effect, 100 * report.power, 100 * report.alpha);
  std::printf("CUPED takes %.1f%% of the variance away: %s users\n", 100 * report.variance_reduction,
              Thousands(report.users_cuped).c_str());
  std::printf("%u experiments with an effect of %+.3g%%, found in:\n", options.repeats, 100 * options.effect);
  PrintDetections("at the end", report.users, report.fixed, "");
  PrintDetections("at the end, CUPED", report.users_cuped, report.fixed_cuped, "");
  PrintDetections("at the end, CUPED", report.users, report.all_cuped, "");
  PrintDetections("looked at daily", report.users, report.sequential.found, StopText(report.sequential, options.days));
  PrintDetections("looked at daily, CUPED", report.users, report.sequential_cuped.found,
                  StopText(report.sequential_cuped, options.days));
}

}  // namespace

absl::Status SimAb(const SimAbOptions& options) {
  trial::AbTrialOptions trial_options;
  trial_options.effect = options.effect;
  trial_options.days = options.days;
  trial_options.repeats = options.repeats;
  trial_options.seed = options.seed;
  sim::world::WorldOptions world_options;
  world_options.seed = options.seed;
  world_options.items = kItems;
  world_options.users = kUsers;
  world_options.days = std::max(kDaysMin, 2.0 * options.days);
  ASSIGN_OR_RETURN(sim::world::World world, sim::world::World::Create(world_options));
  ASSIGN_OR_RETURN(const trial::UserDays observed, trial::CountUserDays(world, options.days));
  ASSIGN_OR_RETURN(const trial::UserDayModel model, trial::FitUserDays(observed));
  ASSIGN_OR_RETURN(const trial::AbTrialReport report, trial::RunAbTrial(model, trial_options));
  if (options.json) {
    std::printf("%s\n", ToJson(options, model, observed.users(), report).c_str());
  } else {
    Print(options, report);
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
