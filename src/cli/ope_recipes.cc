#include "cli/ope_recipes.h"

#include <array>

namespace bowerbird::cli {

const std::string_view kOpeConfig = R"([app]
name = "default"
partitions = 16

[items]
domains = ["organic", "product"]
[items.attributes]
topic = "string"
style = "string"
creator = "string"
look = { embedding = 32 }

[generators.for_you]
count = 40
[generators.because]
count = 40
[generators.trending]
count = 30
[generators.fresh]
count = 30

[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
seen = "exclude"
explore = 1
temperature = 0.15
ranked_max = 300

[served]
l2_sample = 1

[objectives.click]
on = ["click"]
window = "30m"
weight = 0.35
[objectives.closeup]
on = ["closeup"]
window = "30m"
weight = 0.25
[objectives.keep]
on = ["save", "purchase"]
window = "1h"
weight = 0.4
)";

namespace {

constexpr std::array<OpeRecipe, 20> kRecipes = {{
    {"as_logged", ""},
    {"cooler", "[surfaces.home]\ntemperature = 0.12\n"},
    {"no_interest", "[surfaces.home.weights]\ninterest = 0\ninterest_fine = 0\n"},
    {"other_generators", "[surfaces.home]\ngenerators = [\"popular\"]\n", true},
    {"diverse", "[surfaces.home]\ndiversity = 0.4\n"},
    {"nearly_sorted", "[surfaces.home]\ntemperature = 0.002\n", true},
    {"warmer", "[surfaces.home]\ntemperature = 0.3\n"},
    {"more_ials", "[surfaces.home.weights]\ninterest = 1\nfor_you = 4\n"},
    {"no_quality", "[surfaces.home.weights]\nquality = 0\n"},
    {"popularity_twice", "[surfaces.home.weights]\npopularity = 2\n"},
    {"seen_again", "[surfaces.home]\nseen = \"allow\"\n", true},
    {"near_half", "[surfaces.home.weights]\nnear = 0.5\n"},
    {"no_popularity", "[surfaces.home.weights]\npopularity = 0\n"},
    {"no_co_occurrence", "[surfaces.home.weights]\nbecause = 0\n"},
    {"quality_more", "[surfaces.home.weights]\nquality = 1.5\n"},
    {"hot", "[surfaces.home]\ntemperature = 1\n"},
    {"freshness_alone",
     "[surfaces.home]\ntemperature = 0.01\n[surfaces.home.weights]\nfor_you = 0\nbecause = 0\n"
     "trending = 0\nnear = 0\nsession = 0\nsession_category = 0\naffinity = 0\ninterest = 0\n"
     "interest_fine = 0\nquality = 0\npopularity = 0\n",
     true},
    {"interest_half", "[surfaces.home.weights]\ninterest = 0.5\ninterest_fine = 0.5\n"},
    {"two_of_a_topic", "[surfaces.home]\ncategory_cap = 2\n"},
    {"diverse_and_cooler", "[surfaces.home]\ndiversity = 0.2\ntemperature = 0.13\n"},
}};

}  // namespace

std::span<const OpeRecipe> OpeRecipes() { return kRecipes; }

}  // namespace bowerbird::cli
