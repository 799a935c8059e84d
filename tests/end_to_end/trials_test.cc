// Experiments on the simulated world, where the answer is known: `bowerbird sim ab` and `sim interleave`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;

/// What a command that must succeed says.
std::string Json(const std::vector<std::string>& args) {
  const Outcome outcome = RunProgram(args);
  EXPECT_EQ(outcome.exit_status, 0) << outcome.output;
  return JsonLine(outcome.output);
}

double Number(const std::string& json, std::string_view pointer) {
  const std::string text = At(json, pointer);
  EXPECT_NE(text, "") << pointer << " is missing in " << json;
  return text.empty() ? 0 : std::stod(text);
}

TEST(TrialsTest, AnAbTestFindsItsEffectAboutAsOftenAsPlannedAndSaysWhatCupedSaves) {
  const std::vector<std::string> args = {"sim", "ab", "--effect", "0.06", "--days", "7", "--repeat", "40", "--json"};
  const std::string json = Json(args);
  EXPECT_EQ(At(json, "/repeat"), "40");
  EXPECT_GE(Number(json, "/detected"), 22);
  EXPECT_GE(Number(json, "/detected_cuped"), 22);
  EXPECT_GT(Number(json, "/variance_reduction"), 0.1);
  EXPECT_LT(Number(json, "/n_cuped"), Number(json, "/n"));
  EXPECT_LE(Number(json, "/sequential/detected"), Number(json, "/fixed/detected") + 4);
  EXPECT_LE(Number(json, "/sequential/stop_day_median"), 7);
  EXPECT_LT(Number(json, "/fixed/low"), Number(json, "/fixed/high"));
  EXPECT_EQ(Json(args), json) << "the same seed says something else";
  EXPECT_THAT(RunProgram({"sim", "ab", "--effect", "0.1", "--days", "7", "--repeat", "5"}).output,
              HasSubstr("looked at daily, CUPED"));
}

TEST(TrialsTest, AnAbTestOfNothingFindsLittle) {
  const std::string json = Json({"sim", "ab", "--effect", "0", "--days", "7", "--repeat", "10", "--json"});
  EXPECT_LE(Number(json, "/detected"), 4);
  EXPECT_LE(Number(json, "/sequential/detected"), 4);
  EXPECT_EQ(At(json, "/planned_effect"), "0.02");
}

TEST(TrialsTest, AnEffectThatTakesTooManyUsersIsRefusedInWords) {
  const Outcome outcome = RunProgram({"sim", "ab", "--effect", "0.00001"});
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("effect: found 1e-05"));
  EXPECT_THAT(RunProgram({"sim", "ab", "--effect=-3"}).output, HasSubstr("effect: found -3"));
  EXPECT_NE(RunProgram({"sim", "ab", "--days", "1"}).exit_status, 0);
  EXPECT_NE(RunProgram({"sim", "interleave", "--pairs", "0"}).exit_status, 0);
}

TEST(TrialsTest, PairsOfRecipesAreComparedBothWaysBesideTheTruth) {
  const std::vector<std::string> args = {"sim", "interleave", "--pairs", "6",      "--users", "300",   "--items",
                                         "500", "--days",     "5",       "--seed", "3",       "--json"};
  const std::string json = Json(args);
  EXPECT_EQ(At(json, "/pairs"), "6");
  EXPECT_LE(Number(json, "/decided"), 6);
  EXPECT_LE(Number(json, "/same_sign"), Number(json, "/decided"));
  EXPECT_LE(Number(json, "/ratio_low"), Number(json, "/ratio_high"));
  for (int pair = 0; pair < 6; ++pair) {
    const std::string row = "/rows/" + std::to_string(pair);
    EXPECT_GT(Number(json, row + "/users"), 30);
    EXPECT_LE(Number(json, row + "/truth/low"), Number(json, row + "/truth/high"));
    EXPECT_NE(At(json, row + "/clicks/decided"), "");
    EXPECT_NE(At(json, row + "/value/users_ab"), "");
  }
  EXPECT_EQ(At(json, "/rows/6/users"), "");
  EXPECT_LE(Number(json, "/kinds/error/decided"), 3);
  EXPECT_EQ(Json(args), json) << "the same seed says something else";
  EXPECT_THAT(RunProgram({"sim", "interleave", "--pairs", "3", "--users", "200", "--items", "300"}).output,
              HasSubstr("credit by clicks"));
}

}  // namespace
}  // namespace bowerbird::end_to_end
