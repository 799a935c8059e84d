#include "server/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/problem.h"

namespace bowerbird::server {
namespace {

Router MakeRouter() {
  Router router;
  for (const char* route : {"GET /v1/items/{id}", "PUT /v1/items/{id}", "POST /v1/items/{id}:withdraw",
                            "POST /v1/items:batch", "GET /v1/users/{id}/profile", "GET /healthz"}) {
    const std::string_view text(route);
    const size_t space = text.find(' ');
    router.Add({std::string(text.substr(0, space)), std::string(text.substr(space + 1)), "", nullptr});
  }
  return router;
}

struct Case {
  const char* method;
  const char* path;
  const char* pattern;  // nullptr: none
  const char* id;       // expected {id}
  int problem;
};

class RouterTest : public testing::TestWithParam<Case> {};

TEST_P(RouterTest, FindsTheRouteAndDecodesItsParameter) {
  const Router router = MakeRouter();
  HttpRequest request;
  request.method = GetParam().method;
  request.path = GetParam().path;
  std::vector<std::string> allowed;
  HttpResponse problem;
  const Router::Route* route = router.Find(&request, &allowed, &problem);
  if (GetParam().pattern == nullptr) {
    ASSERT_EQ(route, nullptr);
    EXPECT_EQ(problem.status, GetParam().problem);
    return;
  }
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->pattern, GetParam().pattern);
  if (GetParam().id != nullptr) {
    EXPECT_EQ(request.path_parameters["id"], GetParam().id);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RouterTest,
                         testing::Values(Case{"GET", "/healthz", "/healthz", nullptr, 0},
                                         Case{"GET", "/v1/items/a", "/v1/items/{id}", "a", 0},
                                         Case{"GET", "/v1/items/a%2Fb%20c", "/v1/items/{id}", "a/b c", 0},
                                         Case{"POST", "/v1/items/a:withdraw", "/v1/items/{id}:withdraw", "a", 0},
                                         Case{"POST", "/v1/items:batch", "/v1/items:batch", nullptr, 0},
                                         Case{"GET", "/v1/users/u:1/profile", "/v1/users/{id}/profile", "u:1", 0},
                                         Case{"GET", "/v1/items/x:withdraw", "/v1/items/{id}", "x:withdraw", 0},
                                         Case{"GET", "/v1/items/a/b", nullptr, nullptr, 404},
                                         Case{"DELETE", "/healthz", nullptr, nullptr, 405},
                                         Case{"DELETE", "/v1/items/a", nullptr, nullptr, 405},
                                         Case{"GET", "/v1/items/%zz", nullptr, nullptr, 400},
                                         Case{"GET", "/", nullptr, nullptr, 404}));

TEST(ProblemTest, CarriesCodeFieldAndDetail) {
  const HttpResponse response =
      ProblemResponse(catalog::ToStatus({"out_of_range", "n", "found 900; expected 1 to 200"}));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"urn:bowerbird:problem:out_of_range","title":"Bad request","status":400,)"
                           R"("code":"out_of_range","field":"n","detail":"found 900; expected 1 to 200"})");
}

TEST(PercentTest, EncodesWhatItDecodes) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  std::string back;
  ASSERT_TRUE(PercentDecode(PercentEncode(all), false, &back));
  EXPECT_EQ(back, all);
  EXPECT_FALSE(PercentDecode("%4", false, &back));
}

}  // namespace
}  // namespace bowerbird::server
