#include "serve/checked_request.h"

#include "catalog/problem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::HasSubstr;

struct Refused {
  std::string name, request, code, field, detail;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }

std::string Repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

class RefusesTest : public testing::TestWithParam<Refused> {};

TEST_P(RefusesTest, NamesFieldFoundAndExpected) {
  static const RequestForTest* shop = new RequestForTest({.items = 20});
  const auto answer = shop->Try(GetParam().request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
  const catalog::Problem problem = catalog::FromStatus(answer.status());
  EXPECT_EQ(problem.code, GetParam().code);
  EXPECT_EQ(problem.field, GetParam().field);
  EXPECT_THAT(problem.detail, HasSubstr(GetParam().detail));
  EXPECT_THAT(problem.detail, HasSubstr("expected"));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusesTest,
    testing::Values(
        Refused{"no_surface", "", "missing_field", "surface", "home, related"},
        Refused{"unknown_surface", "surface: 'hom'", "unknown_surface", "surface", "did you mean 'home'?"},
        Refused{"long_surface", "surface: '" + std::string(9000, 'x') + "'", "unknown_surface", "surface", "..."},
        Refused{"n_too_large", "surface: 'home' n: 201", "out_of_range", "n", "found 201; expected 1 to 200"},
        Refused{"long_user", "surface: 'home' user: '" + std::string(257, 'u') + "'", "too_long", "user",
                "found 257 bytes"},
        Refused{"related_to_nothing", "surface: 'related'", "missing_field", "item", "'related'"},
        Refused{"related_to_unknown", "surface: 'related' item: 'no such'", "unknown_item", "item", "'no such'"},
        Refused{"home_with_item", "surface: 'home' item: 'item-00001'", "unexpected_field", "item", "not related"},
        Refused{"long_locale", "surface: 'home' context { locale: '" + std::string(300, 'l') + "' }", "too_long",
                "context.locale", "300 bytes"},
        Refused{"exclude_too_many", "surface: 'home' " + Repeat("exclude: 'a' ", 1001), "too_many", "exclude",
                "found 1001 items; expected at most 1000"},
        Refused{"exclude_empty", "surface: 'home' exclude: 'a' exclude: ''", "missing_field", "exclude[1]",
                "item's id"},
        Refused{"exclude_long", "surface: 'home' exclude: '" + std::string(10'000, 'a') + "'", "too_long", "exclude[0]",
                "found 10000 bytes"},
        Refused{"filter_syntax", "surface: 'home' filter: 'price <'", "invalid_filter", "filter", "found"},
        Refused{"filter_unknown_attribute", "surface: 'home' filter: 'prize < 3'", "invalid_filter", "filter", "prize"},
        Refused{"filter_type", "surface: 'home' filter: 'price contains 3'", "invalid_filter", "filter", "found"},
        Refused{"unknown_rule", "surface: 'home' rules { kind: 'hide' }", "unknown_kind", "rules[0].kind", "'hide'"},
        Refused{"boost_without_when", "surface: 'home' rules { kind: 'boost' factor: 2 }", "missing_field",
                "rules[0].when", "filter"},
        Refused{"boost_bad_when", "surface: 'home' rules { kind: 'boost' factor: 2 when: ')' }", "invalid_filter",
                "rules[0].when", "found"},
        Refused{"boost_of_one", "surface: 'home' rules { kind: 'boost' when: 'price < 1' factor: 1 }", "out_of_range",
                "rules[0].factor", "above 1"},
        Refused{"boost_of_nan", "surface: 'home' rules { kind: 'boost' when: 'price < 1' factor: nan }", "out_of_range",
                "rules[0].factor", "found nan"},
        Refused{"boost_of_infinity", "surface: 'home' rules { kind: 'boost' when: 'price < 1' factor: inf }",
                "out_of_range", "rules[0].factor", "found inf"},
        Refused{"bury_of_one", "surface: 'home' rules { kind: 'bury' when: 'price < 1' factor: 1 }", "out_of_range",
                "rules[0].factor", "below 1"},
        Refused{"bury_negative", "surface: 'home' rules { kind: 'bury' when: 'price < 1' factor: -1 }", "out_of_range",
                "rules[0].factor", "found -1"},
        Refused{"boost_with_position",
                "surface: 'home' rules { kind: 'boost' when: 'price < 1' factor: 2 position: 1 }", "unexpected_field",
                "rules[0].position", "'boost'"},
        Refused{"pin_nothing", "surface: 'home' rules { kind: 'pin' position: 1 }", "missing_field", "rules[0].item",
                "id"},
        Refused{"pin_nowhere", "surface: 'home' rules { kind: 'pin' item: 'item-00001' }", "out_of_range",
                "rules[0].position", "found 0; expected 1 to"},
        Refused{"pin_far", "surface: 'home' rules { kind: 'pin' item: 'item-00001' position: 5001 }", "out_of_range",
                "rules[0].position", "found 5001"},
        Refused{"pin_with_factor", "surface: 'home' rules { kind: 'pin' item: 'i' position: 1 factor: 2 }",
                "unexpected_field", "rules[0].factor", "'pin'"},
        Refused{"rules_too_many", "surface: 'home' " + Repeat("rules { kind: 'pin' item: 'i' position: 1 } ", 51),
                "too_many", "rules", "found 51 rules; expected at most 50"},
        Refused{"unknown_field", "surface: 'home' fields: 'title' fields: 'colour'", "unknown_field", "fields[1]",
                "'colour'; expected one of"},
        Refused{"fields_too_many", "surface: 'home' " + Repeat("fields: 'title' ", 65), "too_many", "fields",
                "found 65"}),
    [](const testing::TestParamInfo<Refused>& info) { return info.param.name; });

TEST(RankRefusesTest, NamesTheField) {
  const RequestForTest shop({.items = 20});
  const auto refused = [&](const v1::RankRequest& request) {
    const auto answer = Rank(shop.Inputs(), request);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
    const catalog::Problem problem = catalog::FromStatus(answer.status());
    return problem.field + ": " + problem.code;
  };
  v1::RankRequest request;
  EXPECT_EQ(refused(request), "surface: missing_field");
  request.set_surface("home");
  EXPECT_EQ(refused(request), "items: missing_field");
  request.add_items("a");
  request.add_items("");
  EXPECT_EQ(refused(request), "items[1]: missing_field");
  for (int i = 0; i < 1000; ++i) request.add_items("b");
  EXPECT_EQ(refused(request), "items: too_many");
}

}  // namespace
}  // namespace bowerbird::serve
