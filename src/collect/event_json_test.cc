#include "collect/event_json.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "base/rng.h"
#include "collect/item_json.h"

namespace bowerbird::collect {
namespace {

using testing::HasSubstr;

constexpr char kConfig[] = R"(
[collect]
batch_events_max = 5
body_bytes_max = 100000
)";

std::shared_ptr<const config::Config> TestConfig(std::string_view text = kConfig) {
  const config::ParseResult parsed = config::Parse(text, "test.toml");
  for (const config::Problem& problem : parsed.problems) ADD_FAILURE() << problem.ToString();
  return parsed.config;
}

struct Seen {
  int64_t index = 0;
  v1::Event event;
  bool has_time = false;
  catalog::Problem problem;  ///< code empty: none
};

struct ReadResult {
  std::vector<Seen> events;
  absl::Status status;
};

ReadResult Read(std::string_view body, EventJsonReader* reader) {
  ReadResult result;
  result.status =
      reader->Read(body, [&](int64_t index, v1::Event* event, bool has_time, const catalog::Problem* problem) {
        result.events.push_back({index, *event, has_time, problem == nullptr ? catalog::Problem() : *problem});
      });
  return result;
}

ReadResult Read(std::string_view body) {
  EventJsonReader reader(TestConfig());
  return Read(body, &reader);
}

TEST(EventJsonTest, ReadsEveryField) {
  const ReadResult read = Read(
      R"( {"events" : [ {"type":"save","user":"u\u00e9","item":"i/1","client_id":"c","event_time_us":"1700000000000000",
      "surface":"home","request_id":"r","position":3,"value":-4.5e1,"dwell_ms":1200,"collection":"desk \"x\"","query":"q",
      "attributes":{"a":"red","b":2.5,"c":true,"d":["x","y"],"e":null}} ] } )");
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.events.size(), 1u);
  ASSERT_EQ(read.events[0].problem.code, "") << read.events[0].problem.field << read.events[0].problem.detail;
  const v1::Event& event = read.events[0].event;
  EXPECT_EQ(event.type(), "save");
  EXPECT_EQ(event.user(), "u\xc3\xa9");
  EXPECT_EQ(event.item(), "i/1");
  EXPECT_EQ(event.client_id(), "c");
  EXPECT_EQ(event.event_time_us(), 1700000000000000);
  EXPECT_TRUE(read.events[0].has_time);
  EXPECT_EQ(event.surface(), "home");
  EXPECT_EQ(event.request_id(), "r");
  EXPECT_EQ(event.position(), 3u);
  EXPECT_EQ(event.value(), -45);
  EXPECT_EQ(event.dwell_ms(), 1200u);
  EXPECT_EQ(event.collection(), "desk \"x\"");
  EXPECT_EQ(event.query(), "q");
  EXPECT_EQ(event.attributes_size(), 4);
  EXPECT_EQ(event.attributes().at("a").string_value(), "red");
  EXPECT_EQ(event.attributes().at("b").number_value(), 2.5);
  EXPECT_TRUE(event.attributes().at("c").bool_value());
  EXPECT_EQ(event.attributes().at("d").strings().values_size(), 2);
}

TEST(EventJsonTest, TakesABatchAListAndASingleEvent) {
  EXPECT_EQ(Read(R"({"events":[{"type":"a"},{"type":"b"}]})").events.size(), 2u);
  const ReadResult list = Read(R"([{"type":"a"},{"type":"b"},{"type":"c"}])");
  ASSERT_EQ(list.events.size(), 3u);
  EXPECT_EQ(list.events[2].index, 2);
  EXPECT_EQ(list.events[2].event.type(), "c");
  const ReadResult single = Read(R"({"type":"a","user":"u"})");
  ASSERT_EQ(single.events.size(), 1u);
  EXPECT_EQ(single.events[0].index, -1);
  EXPECT_EQ(Read(R"({"events":[]})").events.size(), 0u);
  EXPECT_TRUE(Read(R"({"events":null})").status.ok());
  EXPECT_EQ(Read("{}").events.size(), 1u);
}

TEST(EventJsonTest, TakesTimesAsNumbersStringsAndText) {
  for (const std::string_view time :
       {R"("event_time_us":1700000000123456)", R"("event_time_us":"1700000000123456")",
        R"("event_time_us":1.700000000123456e15)", R"("time":"2023-11-14T22:13:20.123456Z")",
        R"("time":"2023-11-14T23:13:20.123456+01:00")"}) {
    const ReadResult read = Read("{" + std::string(time) + "}");
    ASSERT_TRUE(read.status.ok());
    EXPECT_EQ(read.events[0].event.event_time_us(), 1700000000123456) << time << read.events[0].problem.detail;
  }
  EXPECT_TRUE(Read(R"({"event_time_us":0})").events[0].has_time);
  EXPECT_FALSE(Read(R"({"event_time_us":null})").events[0].has_time);
}

TEST(EventJsonTest, TakesEscapedKeys) {
  EXPECT_EQ(Read(R"({"\u0074ype":"a"})").events[0].event.type(), "a");
  const ReadResult twice = Read(R"({"\u0074ype":"a","type":"b"})");
  EXPECT_EQ(twice.events[0].problem.code, "duplicate_field");
}

TEST(EventJsonTest, NothingOfAnEarlierEventStays) {
  const ReadResult read =
      Read(R"([{"type":"a","user":"u","position":4,"attributes":{"x":1},"event_time_us":5},{"item":"i"}])");
  ASSERT_EQ(read.events.size(), 2u);
  v1::Event expected;
  expected.set_item("i");
  EXPECT_EQ(read.events[1].event.DebugString(), expected.DebugString());
  EXPECT_FALSE(read.events[1].has_time);
}

struct BadEvent {
  const char* name;
  std::string event;
  const char* code;
  const char* field;  ///< behind "events[1]"
  const char* detail;
};

class EventJsonRejectsTest : public testing::TestWithParam<BadEvent> {};

TEST_P(EventJsonRejectsTest, TheEventAndKeepsItsNeighbours) {
  const BadEvent& bad = GetParam();
  const ReadResult read =
      Read(R"({"events":[{"type":"save","user":"u1"},)" + bad.event + R"(,{"type":"click","user":"u2"}]})");
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.events.size(), 3u);
  EXPECT_EQ(read.events[0].problem.code, "");
  EXPECT_EQ(read.events[1].problem.code, bad.code) << read.events[1].problem.detail;
  EXPECT_EQ(read.events[1].problem.field, std::string("events[1]") + bad.field);
  EXPECT_THAT(read.events[1].problem.detail, HasSubstr(bad.detail));
  EXPECT_EQ(read.events[2].problem.code, "");
  EXPECT_EQ(read.events[2].event.type(), "click");
  EXPECT_EQ(read.events[2].event.user(), "u2");
}

INSTANTIATE_TEST_SUITE_P(
    All, EventJsonRejectsTest,
    testing::Values(
        BadEvent{"number_for_text", R"({"type":5,"user":"u"})", "wrong_type", ".type",
                 "found number 5; expected a string"},
        BadEvent{"object_for_text", R"({"type":{"a":[1,{"b":"c"}]},"user":"u"})", "wrong_type", ".type",
                 "found an object"},
        BadEvent{"list_for_text", R"({"user":["u"]})", "wrong_type", ".user", "found a list"},
        BadEvent{"bool_for_text", R"({"item":true})", "wrong_type", ".item", "found bool true"},
        BadEvent{"text_for_number", R"({"value":"four"})", "wrong_type", ".value", "found string \"four\""},
        BadEvent{"text_for_integer", R"({"position":"x"})", "wrong_type", ".position",
                 "expected a whole number from 0 to 4294967295"},
        BadEvent{"fraction", R"({"position":1.5})", "out_of_range", ".position", "found number 1.5"},
        BadEvent{"negative", R"({"position":-1})", "out_of_range", ".position", "found number -1"},
        BadEvent{"beyond_uint32", R"({"dwell_ms":4294967296})", "out_of_range", ".dwell_ms", "4294967296"},
        BadEvent{"beyond_int64", R"({"event_time_us":9223372036854775808})", "out_of_range", ".event_time_us",
                 "9223372036854775808"},
        BadEvent{"beyond_everything", R"({"event_time_us":123456789012345678901234567890})", "out_of_range",
                 ".event_time_us", "1234567890"},
        BadEvent{"beyond_double", R"({"value":1e999})", "out_of_range", ".value", "1e999"},
        BadEvent{"bare_nan", R"({"value":NaN,"user":"u"})", "not_finite", ".value",
                 "found NaN; expected a finite number"},
        BadEvent{"bare_infinity", R"({"user":"u","value":-Infinity})", "not_finite", ".value", "-Infinity"},
        BadEvent{"quoted_nan", R"({"value":"NaN"})", "not_finite", ".value", "NaN"},
        BadEvent{"quoted_infinity", R"({"value":"-Infinity"})", "not_finite", ".value", "Infinity"},
        BadEvent{"unknown_field", R"({"type":"save","usr":"u","item":"i"})", "unknown_field", ".usr",
                 "did you mean \"user\"?"},
        BadEvent{"far_unknown_field", R"({"properties":{"deep":[{}]}})", "unknown_field", ".properties",
                 "expected one of: type, user"},
        BadEvent{"stamped_field", R"({"item_categories":["x"]})", "unknown_field", ".item_categories", "intake stamps"},
        BadEvent{"stamped_key", R"({"user_key":"1"})", "unknown_field", ".user_key", "intake stamps"},
        BadEvent{"camel_case", R"({"clientId":"1"})", "unknown_field", ".clientId", "did you mean \"client_id\"?"},
        BadEvent{"twice", R"({"type":"a","user":"u","type":"b"})", "duplicate_field", ".type", "found twice"},
        BadEvent{"both_times", R"({"time":"2023-11-14T22:13:20Z","event_time_us":5})", "duplicate_field",
                 ".event_time_us", "one of them"},
        BadEvent{"bad_time", R"({"time":"yesterday"})", "wrong_type", ".time", "expected a time in RFC 3339"},
        BadEvent{"number_as_time", R"({"time":1700000000})", "wrong_type", ".time",
                 "found number 1700000000; expected a string"},
        BadEvent{"attribute_object", R"({"attributes":{"a":{"b":1}}})", "wrong_type", ".attributes.a",
                 "found an object"},
        BadEvent{"attribute_list_of_numbers", R"({"attributes":{"a":["x",1]}})", "wrong_type", ".attributes.a[1]",
                 "found number 1"},
        BadEvent{"attribute_twice", R"({"attributes":{"a":1,"a":2}})", "duplicate_field", ".attributes.a",
                 "found twice"},
        BadEvent{"attribute_nan", R"({"attributes":{"a":NaN}})", "not_finite", ".attributes.a", "NaN"},
        BadEvent{"attributes_list", R"({"attributes":[1]})", "wrong_type", ".attributes",
                 "found a list; expected an object"},
        BadEvent{"invalid_utf8", "{\"user\":\"a\xff\"}", "invalid_utf8", ".user", "at position"},
        BadEvent{"invalid_utf8_in_attribute", "{\"attributes\":{\"a\":[\"x\",\"\xc3\x28\"]}}", "invalid_utf8",
                 ".attributes.a[1]", "not UTF-8"},
        BadEvent{"invalid_utf8_in_name", "{\"attributes\":{\"a\\n\xff\":true}}", "invalid_utf8", ".attributes.a\n?",
                 "not UTF-8"},
        BadEvent{"bad_escape", R"({"user":"\ud800x"})", "invalid_utf8", ".user", "escape"},
        BadEvent{"event_is_null", "null", "wrong_type", "", "found null; expected an object"},
        BadEvent{"event_is_text", "\"save\"", "wrong_type", "", "found string \"save\"; expected an object"},
        BadEvent{"event_is_list", "[[1],[]]", "wrong_type", "", "found a list; expected an object"},
        BadEvent{"event_is_number", "12", "wrong_type", "", "found number 12"}),
    [](const auto& info) { return info.param.name; });

struct BadBody {
  const char* name;
  std::string body;
  const char* code;
  const char* detail;
};

class EventJsonRefusesTest : public testing::TestWithParam<BadBody> {};

TEST_P(EventJsonRefusesTest, TheWholeBody) {
  const BadBody& bad = GetParam();
  const ReadResult read = Read(bad.body);
  ASSERT_EQ(read.status.code(), absl::StatusCode::kInvalidArgument);
  const catalog::Problem problem = catalog::FromStatus(read.status);
  EXPECT_EQ(problem.code, bad.code);
  EXPECT_THAT(problem.detail, HasSubstr(bad.detail));
}

std::string Repeat(std::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

INSTANTIATE_TEST_SUITE_P(
    All, EventJsonRefusesTest,
    testing::Values(
        BadBody{"empty", "", "malformed_json", "empty body"}, BadBody{"white_space", " \n ", "malformed_json", ""},
        BadBody{"not_json", "hello", "malformed_json", ""},
        BadBody{"number", "12", "wrong_type", "neither an object nor a list"},
        BadBody{"text", "\"x\"", "wrong_type", "expected {\"events\""},
        BadBody{"truncated", R"({"events":[{"type":"save")", "malformed_json", ""},
        BadBody{"truncated_text", R"({"events":[{"type":"sa)", "malformed_json", ""},
        BadBody{"missing_comma", R"({"events":[{"type":"a" "user":"u"}]})", "malformed_json", "near byte"},
        BadBody{"missing_colon", R"({"events":[{"type" "a"}]})", "malformed_json", ""},
        BadBody{"trailing_comma", R"({"events":[{"type":"a",}]})", "malformed_json", ""},
        BadBody{"trailing_comma_in_list", R"([{"type":"a"},])", "malformed_json", ""},
        BadBody{"wrong_bracket", R"({"events":[{"type":"a"]}})", "malformed_json", ""},
        BadBody{"behind_a_good_event", R"([{"type":"a","user":"u"},{"type":tru}])", "malformed_json", ""},
        BadBody{"in_a_rejected_event", R"([{"nope":[1,2,tru]}])", "malformed_json", ""},
        BadBody{"behind_a_rejection", R"([{"nope":1,"value":01}])", "malformed_json", ""},
        BadBody{"leading_zero", R"([{"value":012}])", "malformed_json", ""},
        BadBody{"single_quotes", "[{'type':'a'}]", "malformed_json", ""},
        BadBody{"trailing_text", R"({"events":[]} x)", "malformed_json", ""},
        BadBody{"two_documents", R"({"events":[]}{"events":[]})", "malformed_json", ""},
        BadBody{"control_character", "[{\"type\":\"a\nb\"}]", "malformed_json", ""},
        BadBody{"events_is_object", R"({"events":{"type":"a"}})", "wrong_type", "found an object; expected a list"},
        BadBody{"events_is_text", R"({"events":"all"})", "wrong_type", "expected a list"},
        BadBody{"field_beside_events", R"({"events":[],"batch":1})", "unknown_field", "expected only events"},
        BadBody{"events_twice", R"({"events":[],"events":[]})", "duplicate_field", "expected only events"},
        BadBody{"too_many", "[" + Repeat("{},", 5) + "{}]", "too_many_events", "found more than 5 events"},
        BadBody{"huge", std::string(100001, ' '), "body_too_large",
                "found a body of 100001 bytes; expected at most 100000"},
        BadBody{"deep_lists", Repeat("[", 5000) + Repeat("]", 5000), "too_deep", "levels"},
        BadBody{"deep_attribute", R"([{"attributes":{"a":)" + Repeat("{\"a\":", 5000) + "1" + Repeat("}", 5000) + "}}]",
                "too_deep", "levels"},
        BadBody{"deep_unclosed", Repeat("[", 9000), "malformed_json", ""},
        BadBody{"all_bad_bytes", "\"" + std::string(2000, '\xff') + "\"", "invalid_utf8", "0xff"},
        BadBody{"bad_byte_outside_strings", "[\xff{}]", "malformed_json", ""}),
    [](const auto& info) { return info.param.name; });

TEST(EventJsonTest, ReadsOnAfterARefusedBody) {
  EventJsonReader reader(TestConfig());
  EXPECT_FALSE(Read(R"([{"nope":1},{"type":)", &reader).status.ok());
  const ReadResult read = Read(R"([{"type":"save"}])", &reader);
  ASSERT_TRUE(read.status.ok());
  EXPECT_EQ(read.events[0].problem.code, "");
  EXPECT_EQ(read.events[0].event.type(), "save");
}

// --- the same as protobuf's own JSON mapping
// -------------------------------------------------------------------------------------

std::string RandomText(base::Rng* rng) {
  static constexpr std::string_view kPieces[] = {
      "a", "Z9", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa6", "\"", "\\", "/", "\n", "\x01", " ", "\x7f"};
  std::string text;
  for (uint64_t i = rng->Below(12); i > 0; --i) text += kPieces[rng->Below(std::size(kPieces))];
  return text;
}

double RandomNumber(base::Rng* rng) {
  switch (rng->Below(6)) {
    case 0:
      return 0;
    case 1:
      return static_cast<double>(rng->Below(100));
    case 2:
      return rng->Normal() * 1e-8;
    case 3:
      return std::numeric_limits<double>::max() * (rng->Bernoulli(0.5) ? 1 : -1);
    case 4:
      return std::numeric_limits<double>::denorm_min();
    default:
      return rng->Normal() * 1e6;
  }
}

v1::Event RandomEvent(base::Rng* rng) {
  v1::Event event;
  const auto text = [&] { return rng->Bernoulli(0.6) ? RandomText(rng) : std::string(); };
  event.set_type(text());
  event.set_user(text());
  event.set_anonymous(text());
  event.set_item(text());
  event.set_client_id(text());
  event.set_surface(text());
  event.set_request_id(text());
  event.set_collection(text());
  event.set_query(text());
  if (rng->Bernoulli(0.7)) event.set_event_time_us(static_cast<int64_t>((*rng)() >> rng->Below(60)));
  if (rng->Bernoulli(0.5)) event.set_position(static_cast<uint32_t>((*rng)() >> (32 + rng->Below(32))));
  if (rng->Bernoulli(0.5)) event.set_dwell_ms(static_cast<uint32_t>((*rng)()));
  if (rng->Bernoulli(0.5)) event.set_value(RandomNumber(rng));
  return event;
}

v1::Value RandomValue(base::Rng* rng) {
  v1::Value value;
  switch (rng->Below(4)) {
    case 0:
      value.set_bool_value(rng->Bernoulli(0.5));
      break;
    case 1:
      value.set_number_value(RandomNumber(rng));
      break;
    case 2:
      value.set_string_value(RandomText(rng));
      break;
    default:
      value.mutable_strings();
      for (uint64_t i = rng->Below(4); i > 0; --i) value.mutable_strings()->add_values(RandomText(rng));
  }
  return value;
}

TEST(EventJsonTest, EqualsProtobufsJsonOnRandomEvents) {
  const uint64_t seed = std::random_device()();
  base::Rng rng(seed);
  EventJsonReader reader(TestConfig());
  for (int i = 0; i < 3000; ++i) {
    const v1::Event event = RandomEvent(&rng);
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    options.add_whitespace = rng.Bernoulli(0.3);
    options.always_print_primitive_fields = rng.Bernoulli(0.1);
    std::string json;
    ASSERT_TRUE(google::protobuf::util::MessageToJsonString(event, &json, options).ok());
    if (options.always_print_primitive_fields) {
      // Written with its stamps, of which a client sends none.
      json = json.substr(0, json.find("\"schema\""));
      json = json.substr(0, json.find_last_of(',')) + "}";
    }
    v1::Event theirs;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &theirs).ok()) << json;
    const ReadResult ours = Read(json, &reader);
    ASSERT_TRUE(ours.status.ok()) << ours.status << json << " seed " << seed;
    ASSERT_EQ(ours.events.size(), 1u);
    ASSERT_EQ(ours.events[0].problem.code, "") << ours.events[0].problem.detail << json << " seed " << seed;
    ASSERT_EQ(ours.events[0].event.SerializeAsString(), theirs.SerializeAsString()) << json << " seed " << seed;
  }
}

TEST(EventJsonTest, ReadsRandomAttributesBackAsWritten) {
  const uint64_t seed = std::random_device()();
  base::Rng rng(seed);
  EventJsonReader reader(TestConfig());
  for (int i = 0; i < 1000; ++i) {
    v1::Event event;
    std::string json;
    base::JsonWriter writer(&json);
    writer.BeginObject().Key("attributes").BeginObject();
    for (uint64_t n = rng.Below(5); n > 0; --n) {
      const std::string name = "a" + std::to_string(n);
      const v1::Value value = RandomValue(&rng);
      writer.Key(name);
      WriteValue(value, &writer);
      (*event.mutable_attributes())[name] = value;
    }
    writer.EndObject().EndObject();
    const ReadResult read = Read(json, &reader);
    ASSERT_TRUE(read.status.ok()) << read.status << json << " seed " << seed;
    ASSERT_TRUE(google::protobuf::util::MessageDifferencer::Equals(read.events[0].event, event))
        << json << " seed " << seed;
  }
}

}  // namespace
}  // namespace bowerbird::collect
