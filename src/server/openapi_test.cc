#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <string>

#include "server/api.h"
#include "server/embedded.h"

namespace bowerbird::server {
namespace {

namespace dom = simdjson::dom;

class OpenApiTest : public testing::Test {
 protected:
  OpenApiTest() { EXPECT_EQ(parser_.parse(OpenApiText()).get(document_), simdjson::SUCCESS); }
  dom::parser parser_;
  dom::element document_;
};

/// The scope that the document says a key needs; empty for none.
std::string ScopeOf(dom::element operation) {
  dom::array scopes;
  if (operation["security"].at(0)["key"].get(scopes) != simdjson::SUCCESS) return "";
  return std::string(std::string_view(scopes.at(0)));
}

TEST_F(OpenApiTest, DescribesEveryRouteWithItsScopeAndNothingElse) {
  const std::string dir = testing::TempDir() + "/openapi_test";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  AppHost apps({.dir = dir});
  const auto keys = Keys::Open(dir + "/keys.json");
  AuditLog audit(dir + "/audit.log");
  Metrics metrics;
  const Api api(&apps, keys->get(), &audit, &metrics, {});

  std::set<std::string> routes, described;
  for (const Router::Route& route : api.routes()) {
    if (route.pattern == "/mcp") continue;  // another protocol, which describes itself
    std::string verb = route.method;
    std::transform(verb.begin(), verb.end(), verb.begin(), ::tolower);
    routes.insert(verb + " " + route.pattern);
    dom::element operation;
    ASSERT_EQ(document_["paths"][route.pattern][verb].get(operation), simdjson::SUCCESS) << verb << route.pattern;
    EXPECT_EQ(ScopeOf(operation), route.scope) << route.pattern;
    EXPECT_EQ(operation["responses"]["503"]["$ref"].error(), simdjson::SUCCESS);
    EXPECT_EQ(operation["responses"]["401"].error() == simdjson::SUCCESS, !route.scope.empty()) << route.pattern;
  }
  const dom::object paths = document_["paths"].get_object().value();
  for (const auto path : paths) {
    const dom::object verbs = path.value.get_object().value();
    for (const auto verb : verbs) described.insert(std::string(verb.key) + " " + std::string(path.key));
  }
  EXPECT_EQ(described, routes);
}

TEST_F(OpenApiTest, ResolvesEveryReferenceAndKeepsWhatIntakeStampsToItself) {
  EXPECT_EQ(std::string_view(document_["openapi"]), "3.1.0");
  const std::string text(OpenApiText());
  for (const std::string kind : {"schemas", "responses"}) {
    const std::string prefix = "\"#/components/" + kind + "/";
    for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
      const size_t start = at + prefix.size();
      const std::string name = text.substr(start, text.find('"', start) - start);
      EXPECT_EQ(document_["components"][kind][name].error(), simdjson::SUCCESS) << name;
    }
  }
  const dom::element schemas = document_["components"]["schemas"].value();
  EXPECT_EQ(schemas["Event"]["properties"]["user_key"].error(), simdjson::NO_SUCH_FIELD);
  // What JSON takes beside the fields of the protos.
  EXPECT_EQ(schemas["Event"]["properties"]["time"].error(), simdjson::SUCCESS);
  EXPECT_EQ(schemas["Item"]["properties"]["created_time"].error(), simdjson::SUCCESS);
}

TEST_F(OpenApiTest, AQueryParameterIsNoPartOfTheBody) {
  const dom::element operation = document_["paths"]["/v1/events"]["post"].value();
  EXPECT_EQ(std::string_view(operation["parameters"].at(0)["name"]), "history");
  EXPECT_EQ(std::string_view(operation["parameters"].at(0)["in"]), "query");
  EXPECT_EQ(operation["requestBody"].error(), simdjson::SUCCESS);
  const dom::element body = document_["components"]["schemas"]["CollectRequest"]["properties"].value();
  EXPECT_EQ(body["events"].error(), simdjson::SUCCESS);
  EXPECT_EQ(body["history"].error(), simdjson::NO_SUCH_FIELD);
}

}  // namespace
}  // namespace bowerbird::server
