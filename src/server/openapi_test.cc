#include <gtest/gtest.h>
#include <simdjson.h>

#include "server/embedded.h"

namespace bowerbird::server {
namespace {

TEST(OpenApiTest, NamesEveryEndpointWithItsScopeAndResolvesEveryReference) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(OpenApiText()).get(document), simdjson::SUCCESS);
  EXPECT_EQ(std::string_view(document["openapi"]), "3.1.0");
  for (const char* path : {"/v1/events", "/v1/recommend", "/v1/rank", "/v1/items/{id}", "/v1/items:batch",
                           "/v1/users/{id}/profile", "/v1/users/{id}/collections/{name}"}) {
    EXPECT_EQ(document["paths"][path].error(), simdjson::SUCCESS) << path;
  }
  const std::string text(OpenApiText());
  const std::string prefix = "\"#/components/schemas/";
  for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
    const size_t start = at + prefix.size();
    const std::string name = text.substr(start, text.find('"', start) - start);
    EXPECT_EQ(document["components"]["schemas"][name].error(), simdjson::SUCCESS) << name;
  }
  EXPECT_EQ(document["components"]["schemas"]["Event"]["properties"]["user_key"].error(), simdjson::NO_SUCH_FIELD);
}

}  // namespace
}  // namespace bowerbird::server
