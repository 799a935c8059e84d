// What a log says of recipes, by the real binary: on the simulated world, where they are deployed, too, and on the
// folder that it leaves.
#include <cstdlib>

#include "end_to_end/program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;

double NumberAt(const std::string& json, const std::string& pointer) {
  const std::string text = At(json, pointer);
  EXPECT_FALSE(text.empty() || text == "null") << pointer;
  return std::strtod(text.c_str(), nullptr);
}

TEST(OffPolicyTest, OneLogJudgesRecipesThatAreDeployedToo) {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/explored";
  const Outcome simulated = RunProgram({"sim", "ope", "--dir", dir, "--recipes", "6", "--requests", "600", "--users",
                                        "300", "--items", "300", "--days", "5", "--json"});
  const std::string json = JsonLine(simulated.output);
  ASSERT_EQ(At(json, "/answers"), "600") << simulated.output;
  EXPECT_EQ(At(json, "/left_out"), "{}");
  EXPECT_EQ(At(json, "/rows/0/recipe"), "as_logged");
  EXPECT_EQ(At(json, "/rows/0/covered"), "true");
  EXPECT_NEAR(NumberAt(json, "/rows/0/mean_weight"), 1, 1e-4);
  EXPECT_NEAR(NumberAt(json, "/rows/0/ess"), 8 * 600, 1);
  EXPECT_EQ(At(json, "/unsupported"), "2");
  EXPECT_EQ(At(json, "/unsupported_refused"), "2");
  EXPECT_THAT(At(json, "/rows/3/refused"), HasSubstr("surfaces.home.generators"));
  EXPECT_EQ(At(json, "/rows/3/value"), "null");
  EXPECT_GT(NumberAt(json, "/rows/3/deployed"), 0);

  // The same by the product's own command.
  const std::string cooler = WriteFile(folder.path(), "cooler.toml", "[surfaces.home]\ntemperature = 0.12\n");
  const std::string popular = WriteFile(folder.path(), "popular.toml", "[surfaces.home]\ngenerators = ['popular']\n");
  const Outcome judged = RunProgram({"ope", "--dir", dir, "--recipe", cooler, "--recipe", popular, "--json"});
  ASSERT_EQ(judged.exit_status, 0) << judged.output;
  const std::string report = JsonLine(judged.output);
  EXPECT_EQ(At(report, "/answers"), "600");
  EXPECT_EQ(At(report, "/earned"), At(json, "/earned"));
  if (At(json, "/rows/1/refused") == "null") {
    EXPECT_EQ(At(report, "/recipes/0/value"), At(json, "/rows/1/value"));
  }
  EXPECT_THAT(At(report, "/recipes/1/refused"), HasSubstr("surfaces.home.generators"));
  const Outcome table = RunProgram({"ope", "--dir", dir, "--recipe", cooler, "--estimator", "rips"});
  EXPECT_EQ(table.exit_status, 0);
  EXPECT_THAT(table.output, HasSubstr("600 drawn answers of home earned"));

  // What cannot be read is named.
  const std::string broken = WriteFile(folder.path(), "broken.toml", "[surfaces.home]\ndiversity = 7\n");
  const Outcome refused = RunProgram({"ope", "--dir", dir, "--recipe", broken});
  EXPECT_NE(refused.exit_status, 0);
  EXPECT_THAT(refused.output, HasSubstr("surfaces.home.diversity"));
  EXPECT_THAT(RunProgram({"ope", "--dir", dir}).output, HasSubstr("found neither --data nor --recipe"));
  EXPECT_THAT(RunProgram({"ope", "--dir", dir, "--recipe", cooler, "--surface", "nowhere"}).output,
              HasSubstr("surface: found \"nowhere\""));
}

}  // namespace
}  // namespace bowerbird::end_to_end
