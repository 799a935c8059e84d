#include "collect/segment_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "collect/intake_for_test.h"

namespace bowerbird::collect {
namespace {

using testing::HasSubstr;
using Outcome = SegmentMessage::Outcome;

constexpr char kConfig[] = R"(
[events.rating]
value_zero = 2
value_one = 5
[events.rating.attributes]
review_title = "string"
[events.page]
item = "optional"
polarity = "neutral"
[events.page.attributes]
name = "string"
url = "string"
[events.click.attributes]
tags = "strings"
on_sale = "bool"
list_price = "number"
added = "time"
[events.article_read]
[segment]
"Story Opened" = "closeup"
"Cart Viewed" = ""
"product_viewed" = "click"
[users.attributes]
plan = "string"
age = "number"
group = "strings"
group_name = "string"
[collect]
batch_events_max = 5
)";

class SegmentMappingTest : public testing::Test {
 protected:
  SegmentBatch Map(std::string_view body, SegmentCall call = SegmentCall::kTrack) const {
    auto batch = mapping_.Map(body, call);
    EXPECT_TRUE(batch.ok()) << batch.status();
    return batch.ok() ? *std::move(batch) : SegmentBatch();
  }
  v1::Event EventOf(std::string_view body, SegmentCall call = SegmentCall::kTrack) const {
    const SegmentBatch batch = Map(body, call);
    EXPECT_EQ(batch.events.size(), 1u);
    return batch.events.empty() ? v1::Event() : batch.events[0];
  }
  catalog::Problem ProblemOf(std::string_view body, SegmentCall call = SegmentCall::kTrack) const {
    const SegmentBatch batch = Map(body, call);
    EXPECT_TRUE(batch.events.empty() && batch.users.empty());
    EXPECT_EQ(batch.messages.at(0).outcome, Outcome::kRejected);
    return batch.messages.at(0).problem;
  }
  const SegmentMapping mapping_{ParseConfig(kConfig)};
};

TEST_F(SegmentMappingTest, ATrackCallKeepsWhoWhatWhenAndTheDeclaredProperties) {
  const v1::Event event = EventOf(
      R"({"userId":"u1","anonymousId":"a1","messageId":"m1","event":"Product Clicked","timestamp":"2026-01-02T03:04:05.678Z",
          "properties":{"product_id":"p1","position":3,"price":19.5,"quantity":2,"surface":"home","request_id":"r1",
                        "tags":["new","red"],"on_sale":true,"list_price":25,"added":"2026-01-01T00:00:00Z","coupon":"X"},
          "context":{"library":{"name":"x"}},"integrations":{},"sentAt":"2026-01-02T03:04:06Z"})");
  EXPECT_EQ(event.type(), "click");
  EXPECT_EQ(event.user(), "u1");
  EXPECT_EQ(event.client_id(), "m1");
  EXPECT_EQ(event.item(), "p1");
  EXPECT_EQ(event.event_time_us(), 1'767'323'045'678'000);
  EXPECT_EQ(event.position(), 3u);
  EXPECT_EQ(event.value(), 39.0);
  EXPECT_EQ(event.surface(), "home");
  EXPECT_EQ(event.request_id(), "r1");
  EXPECT_EQ(event.anonymous(), "");
  ASSERT_EQ(event.attributes_size(), 4);
  EXPECT_EQ(event.attributes().at("tags").strings().values(1), "red");
  EXPECT_TRUE(event.attributes().at("on_sale").bool_value());
  EXPECT_EQ(event.attributes().at("list_price").number_value(), 25);
  EXPECT_EQ(event.attributes().at("added").time_us(), 1'767'225'600'000'000);
}

TEST_F(SegmentMappingTest, AnAnonymousVisitorActsUnderTheAnonymousId) {
  const v1::Event event =
      EventOf(R"({"userId":null,"anonymousId":"a1","event":"Products Searched","properties":{"query":"desk lamp"}})");
  EXPECT_EQ(event.user(), "a1");
  EXPECT_EQ(event.type(), "search");
  EXPECT_EQ(event.query(), "desk lamp");
  EXPECT_EQ(event.event_time_us(), 0);
}

TEST_F(SegmentMappingTest, EveryBuiltInNameHasItsType) {
  const std::pair<const char*, const char*> kNames[] = {
      {"Products Searched", "search"},       {"Product List Viewed", "impression"},
      {"Product Clicked", "click"},          {"Product Added", "save"},
      {"Product Added to Wishlist", "save"}, {"Order Completed", "purchase"},
      {"Product Reviewed", "rating"},        {"Push Notification Tapped", "notification_open"},
      {"order completed", "purchase"},       {"order_completed", "purchase"},
      {"Completed Order", "purchase"},       {"click", "click"},
      {"Article Read", "article_read"},      {"Story Opened", "closeup"},
      {"Product Viewed", "click"},  // the config goes before what is built in
  };
  const auto config = ParseConfig(kConfig);
  const SegmentNames names(*config);
  const auto type_of = [&](const char* name) {
    const SegmentNames::Name* found = names.Find(name);
    return found == nullptr || found->type == nullptr ? "" : found->type->name;
  };
  for (const auto& [name, type] : kNames) EXPECT_EQ(type_of(name), type) << name;
  // Ignored by the config; a type that is not declared; a name that nobody knows; a merge, which needs two ids.
  for (const char* name : {"Cart Viewed", "Product Shared", "Signed Up", "identify"})
    EXPECT_EQ(type_of(name), "") << name;
}

TEST_F(SegmentMappingTest, AnOrderIsAPurchaseOfEachProduct) {
  const SegmentBatch batch = Map(
      R"({"userId":"u","messageId":"m","event":"Order Completed","properties":{"order_id":"o","revenue":50,"products":[
          {"product_id":"a","price":"10.5","quantity":2},{"sku":7,"price":4},{"product_id":"c"}]}})");
  ASSERT_EQ(batch.events.size(), 3u);
  EXPECT_EQ(batch.events[0].item(), "a");
  EXPECT_EQ(batch.events[0].value(), 21);
  EXPECT_EQ(batch.events[0].client_id(), "m");
  EXPECT_EQ(batch.events[1].item(), "7");
  EXPECT_EQ(batch.events[1].value(), 4);
  EXPECT_EQ(batch.events[1].client_id(), "m#1");
  EXPECT_EQ(batch.events[2].client_id(), "m#2");
  EXPECT_EQ(batch.events[2].type(), "purchase");
  EXPECT_EQ(batch.event_messages, (std::vector<uint32_t>{0, 0, 0}));
  // A cart and a wish list are collections.
  EXPECT_EQ(EventOf(R"({"userId":"u","event":"Product Added","properties":{"product_id":"a"}})").collection(), "cart");
  EXPECT_EQ(
      EventOf(R"({"userId":"u","event":"Product Added to Wishlist","properties":{"product_id":"a"}})").collection(),
      "wishlist");
  EXPECT_EQ(EventOf(R"({"userId":"u","event":"Product Added to Wishlist",
                        "properties":{"product_id":"a","wishlist_name":"attic"}})")
                .collection(),
            "attic");
}

TEST_F(SegmentMappingTest, TooManyProductsRejectTheirMessageAndNoOther) {
  std::string products;
  for (int i = 0; i < 5; ++i) products += (i == 0 ? "" : ",") + std::string(R"({"product_id":"a"})");
  const auto order = [](const std::string& of) {
    return R"({"type":"track","userId":"u","event":"Order Completed","properties":{"products":[)" + of + "]}}";
  };
  const SegmentBatch batch = Map(R"({"batch":[)" + order(products) + "," + order(products + R"(,{"product_id":"b"})") +
                                     "," + order(products) + "]}",
                                 SegmentCall::kBatch);
  ASSERT_EQ(batch.messages.size(), 3u);
  EXPECT_EQ(batch.messages[0].outcome, Outcome::kMapped);
  EXPECT_EQ(batch.messages[1].problem.code, "too_many_events");
  EXPECT_EQ(batch.messages[2].outcome, Outcome::kMapped);
  EXPECT_EQ(batch.events.size(), 10u);
}

TEST_F(SegmentMappingTest, ALongTextIsNotCopiedIntoEachProductsEvent) {
  const SegmentBatch batch = Map(R"({"userId":"u","event":"Order Completed","messageId":")" + std::string(5000, 'm') +
                                 R"(","properties":{"products":[{"product_id":"a"},{"product_id":"b"}]}})");
  EXPECT_EQ(batch.messages[0].problem.code, "too_long");
  EXPECT_EQ(batch.messages[0].problem.field, "messageId");
  EXPECT_TRUE(batch.events.empty());
}

TEST_F(SegmentMappingTest, IdentifyAndAliasSayWhoBecomesWhom) {
  const SegmentBatch batch = Map(
      R"({"userId":"u","anonymousId":"a","messageId":"m","traits":{"plan":"pro","age":40,"email":"x@y","group":"g"}})",
      SegmentCall::kIdentify);
  ASSERT_EQ(batch.events.size(), 1u) << batch.messages[0].problem.field << ": " << batch.messages[0].problem.detail;
  EXPECT_EQ(batch.events[0].type(), "identify");
  EXPECT_EQ(batch.events[0].user(), "u");
  EXPECT_EQ(batch.events[0].anonymous(), "a");
  EXPECT_EQ(batch.events[0].client_id(), "m");
  ASSERT_EQ(batch.users.size(), 1u);
  EXPECT_EQ(batch.users[0].id(), "u");
  EXPECT_EQ(batch.users[0].attributes().at("plan").string_value(), "pro");
  EXPECT_EQ(batch.users[0].attributes().at("age").number_value(), 40);
  EXPECT_FALSE(batch.users[0].attributes().contains("email"));

  const v1::Event alias = EventOf(R"({"previousId":"old","userId":"u"})", SegmentCall::kAlias);
  EXPECT_EQ(alias.type(), "identify");
  EXPECT_EQ(alias.user(), "u");
  EXPECT_EQ(alias.anonymous(), "old");
  EXPECT_EQ(ProblemOf(R"({"userId":"u"})", SegmentCall::kAlias).field, "previousId");
  EXPECT_EQ(Map(R"({"userId":"u","previousId":"u"})", SegmentCall::kAlias).messages[0].outcome, Outcome::kIgnored);

  // Null takes a trait away; a user whose traits are all unknown here is left alone.
  const SegmentBatch cleared = Map(R"({"userId":"u","traits":{"plan":null}})", SegmentCall::kIdentify);
  ASSERT_EQ(cleared.users.size(), 1u);
  EXPECT_EQ(cleared.users[0].attributes().at("plan").kind_case(), v1::Value::KIND_NOT_SET);
  const SegmentBatch unknown = Map(R"({"userId":"u","traits":{"email":"x@y"}})", SegmentCall::kIdentify);
  EXPECT_EQ(unknown.messages[0].outcome, Outcome::kIgnored);
}

TEST_F(SegmentMappingTest, AGroupIsKeptAsAttributes) {
  const SegmentBatch batch =
      Map(R"({"userId":"u","groupId":"g1","traits":{"name":"Acme","size":3}})", SegmentCall::kGroup);
  ASSERT_EQ(batch.users.size(), 1u);
  EXPECT_EQ(batch.users[0].attributes().at("group").strings().values(0), "g1");
  EXPECT_EQ(batch.users[0].attributes().at("group_name").string_value(), "Acme");
  EXPECT_EQ(batch.users[0].attributes_size(), 2);
  EXPECT_EQ(ProblemOf(R"({"userId":"u"})", SegmentCall::kGroup).field, "groupId");
}

TEST_F(SegmentMappingTest, PagesAndScreensAreEventsWhereTheAppDeclaresThem) {
  const v1::Event page = EventOf(
      R"({"anonymousId":"a","name":"Start","category":"Docs","properties":{"url":"https://x/"}})", SegmentCall::kPage);
  EXPECT_EQ(page.type(), "page");
  EXPECT_EQ(page.item(), "");
  EXPECT_EQ(page.attributes().at("name").string_value(), "Start");
  EXPECT_EQ(page.attributes().at("url").string_value(), "https://x/");
  const SegmentBatch screen = Map(R"({"anonymousId":"a","name":"Start"})", SegmentCall::kScreen);
  EXPECT_EQ(screen.messages[0].outcome, Outcome::kIgnored);
  EXPECT_THAT(screen.messages[0].why, HasSubstr("\"Screen\""));
}

TEST_F(SegmentMappingTest, ABadMessageIsRejectedWithItsFieldAndTheOthersAreMapped) {
  const SegmentBatch batch = Map(R"({"batch":[
      {"type":"track","userId":"u","event":"click","properties":{"product_id":"a"}},
      {"type":"trck","userId":"u","event":"click"}, 7,
      {"type":"track","userId":"u","event":"Unheard Of"},
      {"type":"track","userId":{"id":"u"},"event":"click"}],"sentAt":"2026-01-01T00:00:00Z"})",
                                 SegmentCall::kBatch);
  ASSERT_EQ(batch.messages.size(), 5u);
  EXPECT_EQ(batch.messages[0].outcome, Outcome::kMapped);
  EXPECT_EQ(batch.messages[1].problem.field, "type");
  EXPECT_EQ(batch.messages[2].problem.code, "wrong_type");
  EXPECT_EQ(batch.messages[3].outcome, Outcome::kIgnored);
  EXPECT_EQ(batch.messages[4].problem.field, "userId");
  EXPECT_EQ(batch.events.size(), 1u);
  EXPECT_EQ(ProblemOf(R"({"event":"click"})").field, "userId");
  EXPECT_EQ(ProblemOf(R"({"userId":"u"})").field, "event");
  EXPECT_EQ(ProblemOf(R"({"userId":"u","event":"click","timestamp":"yesterday"})").field, "timestamp");
  EXPECT_EQ(ProblemOf(R"({"userId":"u","event":"click","properties":[]})").field, "properties");
  EXPECT_EQ(ProblemOf(R"({"userId":"u","event":"click","properties":{"product_id":{}}})").field,
            "properties.product_id");
  EXPECT_EQ(ProblemOf(R"({"userId":"u","event":"click","properties":{"product_id":"a","position":-1}})").field,
            "properties.position");
  EXPECT_EQ(ProblemOf(R"({"userId":"u","event":"click","properties":{"product_id":"a","on_sale":"yes"}})").field,
            "properties.on_sale");
  EXPECT_EQ(ProblemOf(R"({"userId":"u","event":"Order Completed","properties":{"products":[1]}})").field,
            "properties.products[0]");
  EXPECT_EQ(ProblemOf(R"({"userId":"u","traits":{"age":"old"}})", SegmentCall::kIdentify).field, "traits.age");
}

TEST_F(SegmentMappingTest, RefusesABodyThatIsNone) {
  const auto code = [&](std::string_view body) {
    return catalog::FromStatus(mapping_.Map(body, SegmentCall::kBatch).status()).code;
  };
  EXPECT_EQ(code("{"), "malformed_json");
  EXPECT_EQ(code("[]"), "wrong_type");
  EXPECT_EQ(code("{}"), "missing_field");
  EXPECT_EQ(code(R"({"batch":{}})"), "wrong_type");
  EXPECT_EQ(code(R"({"batch":[1,2,3,4,5,6]})"), "too_many_events");
  EXPECT_EQ(SegmentWriteKey(R"({"batch":[],"writeKey":"k"})"), "k");
  EXPECT_EQ(SegmentWriteKey(R"({"writeKey":7})"), "");
  EXPECT_EQ(SegmentWriteKey("k"), "");
}

}  // namespace
}  // namespace bowerbird::collect
