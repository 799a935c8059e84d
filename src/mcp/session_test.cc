#include "mcp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bowerbird::mcp {
namespace {

using testing::HasSubstr;

class Shop final : public Toolbox {
 public:
  std::span<const Tool> tools() const override { return tools_; }
  absl::StatusOr<std::string> Call(const Tool& tool, const Arguments& arguments) override {
    ++calls;
    if (arguments.Text("item") == "none") return absl::NotFoundError("item: found none");
    if (arguments.Text("item") == "much") return std::string(Session::kTextBytesMax + 1, 'x');
    return tool.name + arguments.Json();
  }
  absl::StatusOr<std::vector<Resource>> Resources() override {
    return std::vector<Resource>{{"shop://list", "list", "What there is.", "text/markdown"}};
  }
  absl::StatusOr<std::string> Read(std::string_view uri) override {
    if (uri == "shop://list") return "# Lamps";
    return absl::NotFoundError("no such page");
  }
  int calls = 0;

 private:
  std::vector<Tool> tools_ = {{"price",
                               "Price",
                               "What it costs.",
                               {{"item", ParameterType::kText, "its id", true, 0, 8},
                                {"count", ParameterType::kInteger, "how many", false, 1, 10},
                                {"off", ParameterType::kNumber, "rebate", false, 0, 1},
                                {"gift", ParameterType::kFlag, "wrapped"}}}};
};

class SessionTest : public testing::Test {
 protected:
  std::string Say(std::string_view message) { return session_.Handle(message).value_or("(nothing)"); }
  std::string Ask(std::string_view method, std::string_view params) {
    return Say(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":)" + std::string(params) +
               "}");
  }
  std::string Price(std::string_view arguments) {
    return Ask("tools/call", R"({"name":"price","arguments":)" + std::string(arguments) + "}");
  }
  Shop shop_;
  Session session_{{"9.9", "Ask about prices."}, &shop_};
};

TEST_F(SessionTest, AgreesOnARevision) {
  EXPECT_THAT(Ask("initialize", R"({"protocolVersion":"2025-03-26","capabilities":{}})"),
              HasSubstr(R"("protocolVersion":"2025-03-26")"));
  EXPECT_EQ(session_.revision(), "2025-03-26");
  EXPECT_THAT(Ask("initialize", R"({"protocolVersion":"2031-01-01"})"), HasSubstr(R"("protocolVersion":"2025-06-18")"));
  EXPECT_EQ(session_.revision(), "2025-06-18");
  EXPECT_THAT(Ask("initialize", "{}"), HasSubstr("-32602"));
  EXPECT_THAT(
      Ask("initialize", R"({"protocolVersion":"2025-06-18"})"),
      HasSubstr(R"("serverInfo":{"name":"bowerbird","title":"Bowerbird","version":"9.9"},"instructions":"Ask about)"));
}

TEST_F(SessionTest, AnswersUnderTheIdThatWasGiven) {
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","id":"a\"b","method":"ping"})"), R"({"jsonrpc":"2.0","id":"a\"b","result":{}})");
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","id":-7,"method":"ping","params":{}})"),
            R"({"jsonrpc":"2.0","id":-7,"result":{}})");
}

TEST_F(SessionTest, NotificationsAndAnswersGetNone) {
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"), "(nothing)");
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","method":"tools/call","params":{"name":"price","arguments":{"item":"a"}}})"),
            "(nothing)");
  EXPECT_EQ(shop_.calls, 0);
  EXPECT_EQ(Say(R"({"jsonrpc":"2.0","id":3,"result":{}})"), "(nothing)");
}

TEST_F(SessionTest, ToolsAreListedWithTheirSchema) {
  EXPECT_THAT(
      Ask("tools/list", "{}"),
      HasSubstr(
          R"("inputSchema":{"type":"object","properties":{"item":{"type":"string","description":"its id","maxLength":8},)"
          R"("count":{"type":"integer","description":"how many","minimum":1,"maximum":10},)"
          R"("off":{"type":"number","description":"rebate","minimum":0,"maximum":1},)"
          R"("gift":{"type":"boolean","description":"wrapped"}},"required":["item"],"additionalProperties":false},)"
          R"("annotations":{"readOnlyHint":true)"));
  EXPECT_THAT(Ask("tools/list", R"({"cursor":"2"})"), HasSubstr("-32602"));
}

TEST_F(SessionTest, ArgumentsAreCheckedAgainstTheSchema) {
  EXPECT_THAT(Price(R"({"item":"a","count":2.0,"off":1,"gift":true})"),
              HasSubstr(R"(price{\"count\":2,\"gift\":true,\"item\":\"a\",\"off\":1}"}],"isError":false)"));
  EXPECT_THAT(Price(R"({"item":"a","count":null})"), HasSubstr(R"(price{\"item\":\"a\"})"));
  for (const char* wrong : {"{}", R"({"item":7})", R"({"item":"123456789"})", R"({"item":"a","count":0})",
                            R"({"item":"a","count":1.5})", R"({"item":"a","count":"3"})", R"({"item":"a","off":1e300})",
                            R"({"item":"a","gift":1})", R"({"item":"a","color":"red"})", R"({"item":null})", "[]"}) {
    EXPECT_THAT(Price(wrong), HasSubstr("-32602")) << wrong;
  }
  EXPECT_EQ(shop_.calls, 2);
  EXPECT_THAT(Price(R"({"item":"a","count":11})"), HasSubstr("count: found 11; expected integer from 1 to 10"));
}

TEST_F(SessionTest, AToolThatFailsIsAResultThatSaysSo) {
  EXPECT_THAT(Price(R"({"item":"none"})"), HasSubstr(R"("text":"item: found none"}],"isError":true)"));
  EXPECT_THAT(Price(R"({"item":"much"})"), HasSubstr("ask for less"));
}

TEST_F(SessionTest, WhatIsNoRequestGetsTheProtocolsErrors) {
  EXPECT_THAT(Say("{"), HasSubstr(R"("id":null,"error":{"code":-32700)"));
  EXPECT_THAT(Say(std::string(100, '[') + std::string(100, ']')), HasSubstr("-32700"));
  EXPECT_THAT(Say("7"), HasSubstr("-32600"));
  EXPECT_THAT(Say(R"({"id":1,"method":"ping"})"), HasSubstr("-32600"));
  EXPECT_THAT(Say(R"({"jsonrpc":"2.0","id":null,"method":"ping"})"), HasSubstr("-32600"));
  EXPECT_THAT(Say(R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})"), HasSubstr("-32600"));
  EXPECT_THAT(Say(R"({"jsonrpc":"2.0","id":1})"), HasSubstr("-32600"));
  EXPECT_THAT(Say(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[]})"), HasSubstr("-32602"));
  EXPECT_THAT(Ask("tools/call", R"({"name":"steal"})"), HasSubstr("-32602"));
  EXPECT_THAT(Ask("tools/call", "{}"), HasSubstr("-32602"));
  EXPECT_THAT(Ask("prompts/list", "{}"), HasSubstr("-32601"));
  EXPECT_THAT(Say(std::string(Session::kMessageBytesMax + 1, ' ')), HasSubstr("expected at most 1048576"));
}

TEST_F(SessionTest, BatchesAreOfTheOlderRevision) {
  const std::string batch =
      R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":2,"method":"x"},4])";
  EXPECT_THAT(
      Say(batch),
      testing::AllOf(testing::StartsWith(
                         R"([{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{"code":-32601)"),
                     HasSubstr("-32600")));
  EXPECT_EQ(Say(R"([{"jsonrpc":"2.0","method":"notifications/x"}])"), "(nothing)");
  EXPECT_THAT(Say("[]"), HasSubstr("-32600"));
  std::string many = "[1";
  for (size_t i = 0; i < Session::kBatchMax; ++i) many += ",1";
  EXPECT_THAT(Say(many + "]"), HasSubstr("more than 50"));
  (void)Ask("initialize", R"({"protocolVersion":"2025-06-18"})");
  EXPECT_THAT(Say(batch), HasSubstr("-32600"));
}

TEST_F(SessionTest, ResourcesAreListedAndRead) {
  EXPECT_THAT(Ask("resources/list", "{}"), HasSubstr(R"({"uri":"shop://list","name":"list")"));
  EXPECT_THAT(Ask("resources/read", R"({"uri":"shop://list"})"), HasSubstr(R"("text":"# Lamps")"));
  EXPECT_THAT(Ask("resources/read", R"({"uri":"shop://vault"})"), HasSubstr("-32002"));
  EXPECT_THAT(Ask("resources/read", "{}"), HasSubstr("-32602"));
  EXPECT_THAT(Ask("resources/templates/list", "{}"), HasSubstr(R"({"resourceTemplates":[]})"));
}

TEST(ErrorForTest, IsUnderTheMessagesId) {
  EXPECT_EQ(ErrorFor(R"({"jsonrpc":"2.0","id":"x","method":"ping"})", ErrorCode::kInternal, "away"),
            R"({"jsonrpc":"2.0","id":"x","error":{"code":-32603,"message":"away"}})");
  EXPECT_EQ(ErrorFor(R"({"jsonrpc":"2.0","method":"notifications/x"})", ErrorCode::kInternal, "away"), std::nullopt);
  EXPECT_THAT(ErrorFor("{", ErrorCode::kInternal, "away").value(), HasSubstr(R"("id":null)"));
}

}  // namespace
}  // namespace bowerbird::mcp
