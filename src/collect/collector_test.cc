#include "collect/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "bowerbird/v1/service.pb.h"
#include "collect/intake_for_test.h"
#include "log/event_schema.h"

namespace bowerbird::collect {
namespace {

using testing::HasSubstr;

constexpr char kConfig[] = R"(
[events.rating]
weight = 2.0
[events.rating.attributes]
note = "string"
stars = "number"
rated = "time"
kept = "bool"
tags = "strings"
[collect]
age_max = "7d"
future_max = "1h"
attribute_bytes_max = 20
[items.attributes]
brand = { type = "string", stamp = true }
size = "number"
)";

constexpr int64_t kHourUs = 3'600'000'000;
constexpr int64_t kDayUs = 24 * kHourUs;

class CollectorTest : public IntakeTest {
 protected:
  CollectorTest() : IntakeTest(kConfig) { Make(config_); }

  void Make(std::shared_ptr<const config::Config> config) {
    collector_ = std::make_unique<Collector>(std::move(config), hasher_, failing_log_.get(), catalog_.get(), &clock_,
                                             Collector::Overlays{&last_acknowledged_, &hides_});
  }

  absl::StatusOr<CollectResult> Collect(std::string_view body,
                                        Collector::Source source = Collector::Source::kLive) const {
    std::promise<absl::StatusOr<CollectResult>> result;
    collector_->Collect(body, source,
                        [&](absl::StatusOr<CollectResult> collected) { result.set_value(std::move(collected)); });
    return result.get_future().get();
  }

  absl::StatusOr<CollectResult> CollectEvents(std::vector<v1::Event> events) const {
    std::promise<absl::StatusOr<CollectResult>> result;
    collector_->CollectEvents(std::move(events), Collector::Source::kLive,
                              [&](absl::StatusOr<CollectResult> collected) { result.set_value(std::move(collected)); });
    return result.get_future().get();
  }

  std::vector<v1::Event> Stored() const {
    std::vector<v1::Event> events;
    for (uint32_t partition = 0; partition < 4; ++partition) {
      for (const log::Record& record : ReadAll(log::Topic::kEvents, partition)) {
        EXPECT_TRUE(events.emplace_back().ParseFromString(record.value));
        EXPECT_EQ(record.key, events.back().user());
        EXPECT_EQ(catalog::PartitionOf(catalog::UserKey(events.back().user_key()), 4), partition);
      }
    }
    return events;
  }

  /// The verdict on the only event of the body.
  catalog::Problem ProblemOf(std::string_view event) const {
    const auto result = Collect(R"({"events":[)" + std::string(event) + "]}");
    if (!result.ok() || result->verdicts.size() != 1) return {};
    EXPECT_EQ(result->rejected, result->verdicts[0].kind == Verdict::Kind::kRejected ? 1u : 0u);
    return result->verdicts[0].problem;
  }

  void Store(uint64_t offset, std::string_view key_of, const v1::Item& item) const {
    v1::CatalogRecord record;
    record.set_item_key(hasher_.Item(key_of).value);
    *record.mutable_item() = item;
    ASSERT_TRUE(catalog_->Apply(offset, record).ok());
  }

  LastAcknowledged last_acknowledged_;
  HideOverlay hides_;
  std::unique_ptr<Collector> collector_;
};

TEST_F(CollectorTest, StampsWhatSignalsNeed) {
  v1::Item item;
  item.set_id("i1");
  item.add_categories("lamps");
  item.add_categories("desk lamps");
  (*item.mutable_attributes())["brand"].set_string_value("acme");
  (*item.mutable_attributes())["size"].set_number_value(4);
  Store(0, "i1", item);
  const auto result = Collect(
      R"({"events":[{"type":"save","user":"u1","item":"i1","client_id":"c1","event_time_us":1799999999000000}]})");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted, 1u);
  EXPECT_TRUE(result->verdicts.empty());
  const std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 1u);
  const v1::Event& event = stored[0];
  EXPECT_EQ(event.type(), "save");
  EXPECT_EQ(event.schema(), 1u);
  EXPECT_EQ(event.user_key(), hasher_.User("u1").value);
  EXPECT_EQ(event.item_key(), hasher_.Item("i1").value);
  EXPECT_EQ(event.receive_time_us(), clock_.now_us);
  EXPECT_EQ(event.event_time_us(), 1799999999000000);
  EXPECT_EQ(event.config_version(), config_->version);
  EXPECT_EQ(event.dedupe_print(), hasher_.DedupePrint(hasher_.User("u1"), "c1"));
  EXPECT_FALSE(event.late());
  EXPECT_THAT(event.item_categories(), testing::ElementsAre("lamps", "desk lamps"));
  ASSERT_EQ(event.item_attributes_size(), 1);
  EXPECT_EQ(event.item_attributes().at("brand").string_value(), "acme");
}

TEST_F(CollectorTest, LeavesOfAUserAgentWhichDeclaredAgentItIs) {
  constexpr char kCrawler[] = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
  const auto collect = [&](std::string_view events, Collector::Source source, std::string_view agent) {
    std::promise<void> done;
    collector_->Collect(events, Collector::Sender(source, agent), [&](const absl::StatusOr<CollectResult>& collected) {
      EXPECT_TRUE(collected.ok()) << collected.status();
      EXPECT_EQ(collected->rejected, 0u);
      done.set_value();
    });
    done.get_future().get();
  };
  const auto agent_of = [&](const std::string& user) {
    for (const v1::Event& event : Stored()) {
      if (event.user() == user) return event.agent();
    }
    return std::string("no event");
  };
  // Off: nothing of it is kept.
  collect(R"({"type":"click","user":"off","item":"i","agent":"Googlebot/2.1"})", Collector::Source::kLive, kCrawler);
  EXPECT_EQ(agent_of("off"), "");
  config::Config enabled = *config_;
  enabled.traffic.enabled = true;
  Make(std::make_shared<const config::Config>(enabled));
  collect(R"({"type":"click","user":"crawler","item":"i"})", Collector::Source::kPublic, kCrawler);
  EXPECT_EQ(agent_of("crawler"), "bot/");
  collect(R"({"type":"click","user":"person","item":"i"})", Collector::Source::kLive, "Mozilla/5.0 Chrome/131.0");
  EXPECT_EQ(agent_of("person"), "");
  // A backend that sends for others says with which program they act.
  collect(R"([{"type":"click","user":"theirs","item":"i","agent":"my Spider 2"},
              {"type":"click","user":"browser","item":"i","agent":"Mozilla/5.0 Firefox"}])",
          Collector::Source::kLive, "python-requests/2.32");
  EXPECT_EQ(agent_of("theirs"), "spider");
  EXPECT_EQ(agent_of("browser"), "");
  collect(R"({"type":"click","user":"imported","item":"i"})", Collector::Source::kHistory, kCrawler);
  EXPECT_EQ(agent_of("imported"), "") << "the import's program";
  EXPECT_EQ(ProblemOf(R"({"type":"click","user":"u","item":"i","mark":{}})").code, "unknown_field");
}

TEST_F(CollectorTest, AcceptsAnUnknownItemWithoutAStamp) {
  ASSERT_TRUE(Collect(R"({"type":"click","user":"u","item":"new"})").ok());
  const std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].item_key(), hasher_.Item("new").value);
  EXPECT_EQ(stored[0].item_categories_size(), 0);
  EXPECT_EQ(stored[0].event_time_us(), clock_.now_us);
  EXPECT_EQ(stored[0].dedupe_print(), 0u);
}

TEST_F(CollectorTest, AnIdentifyTellsBothPartitionsAtOnce) {
  ASSERT_TRUE(Collect(R"({"type":"identify","user":"u","anonymous":"a","client_id":"c1"})").ok());
  const std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 2u);
  const v1::Event& of_user = stored[stored[0].user() == "u" ? 0 : 1];
  const v1::Event& of_id = stored[stored[0].user() == "u" ? 1 : 0];
  EXPECT_EQ(of_user.anonymous(), "a");
  EXPECT_EQ(of_user.becomes(), "");
  EXPECT_EQ(of_id.user(), "a");
  EXPECT_EQ(of_id.becomes(), "u");
  EXPECT_EQ(of_id.becomes_key(), hasher_.User("u").value);
  EXPECT_EQ(of_id.dedupe_print(), hasher_.DedupePrint(hasher_.User("a"), "c1"));
  EXPECT_EQ(of_id.config_version(), config_->version);
  EXPECT_EQ(of_user.schema(), log::kEventSchema);
  EXPECT_EQ(of_id.schema(), log::kEventSchemaMovesBlocks);
  // A request for either waits for its own record.
  EXPECT_TRUE(last_acknowledged_.Get(hasher_.User("u")).has_value());
  EXPECT_TRUE(last_acknowledged_.Get(hasher_.User("a")).has_value());
  EXPECT_EQ(ProblemOf(R"({"type":"identify","user":"u","anonymous":"u"})").field, "events[0].anonymous");
}

TEST_F(CollectorTest, APublicKeySaysWhatWasDoneAndNotWhoIsWho) {
  const auto result =
      Collect(R"([{"type":"click","user":"u","item":"i"},{"type":"identify","user":"u","anonymous":"a"}])",
              Collector::Source::kPublic);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->accepted, 1u);
  EXPECT_EQ(result->verdicts.at(1).problem.code, "permission_denied");
  EXPECT_EQ(Stored().size(), 1u);
}

TEST_F(CollectorTest, ProtobufIsJudgedAndStampedAsJsonIs) {
  v1::CollectRequest request;
  v1::Event* event = request.add_events();
  event->set_type("rating");
  event->set_user("u");
  event->set_item("i");
  event->set_client_id("c");
  event->set_value(4);
  (*event->mutable_attributes())["note"].set_string_value("fine");
  (*event->mutable_attributes())["rated"].set_number_value(1.8e15);
  request.add_events()->set_type("rating");
  std::promise<absl::StatusOr<CollectResult>> promise;
  collector_->CollectProtobuf(request.SerializeAsString(), Collector::Source::kLive,
                              [&](absl::StatusOr<CollectResult> result) { promise.set_value(std::move(result)); });
  const auto result = promise.get_future().get();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted, 1u);
  EXPECT_EQ(result->verdicts.at(1).problem.field, "events[1].user");
  ASSERT_TRUE(Collect(R"({"type":"rating","user":"u","item":"i","client_id":"c","value":4,
                          "attributes":{"note":"fine","rated":1800000000000000}})")
                  .ok());
  const std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(stored[0].DebugString(), stored[1].DebugString());
  std::string answer;
  AppendProtobuf(*result, &answer);
  v1::CollectResponse response;
  ASSERT_TRUE(response.ParseFromString(answer));
  EXPECT_EQ(response.rejected(), 1u);
  EXPECT_EQ(response.verdicts(1).code(), "missing_field");
}

TEST_F(CollectorTest, ARetryHasTheSamePrint) {
  const char* body = R"([{"type":"click","user":"u","item":"i","client_id":"c1"}])";
  ASSERT_TRUE(Collect(body).ok());
  clock_.now_us += 5'000'000;
  ASSERT_TRUE(Collect(body).ok());
  ASSERT_TRUE(Collect(R"([{"type":"click","user":"v","item":"i","client_id":"c1"}])").ok());
  const std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 3u);
  uint64_t print = 0;
  for (const v1::Event& event : stored) {
    if (event.user() == "u") {
      EXPECT_NE(event.dedupe_print(), 0u);
      EXPECT_TRUE(print == 0 || print == event.dedupe_print());
      print = event.dedupe_print();
    }
  }
  for (const v1::Event& event : stored) {
    if (event.user() == "v") {
      EXPECT_NE(event.dedupe_print(), print);
    }
  }
}

TEST_F(CollectorTest, JudgesEachEventAndKeepsTheGoodOnes) {
  const auto result = Collect(R"({"events":[
      {"type":"click","user":"u1","item":"i1"},
      {"type":"clack","user":"u1","item":"i1"},
      {"type":"click","user":"","item":"i1"},
      {"type":"click","user":"u2","item":"i2","event_time_us":1000000},
      {"type":"click","user":"u3","item":"i3"}]})");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted, 3u);
  EXPECT_EQ(result->rejected, 2u);
  ASSERT_EQ(result->verdicts.size(), 5u);
  EXPECT_EQ(result->verdicts[0].kind, Verdict::Kind::kAccepted);
  EXPECT_EQ(result->verdicts[1].problem.code, "unknown_type");
  EXPECT_EQ(result->verdicts[1].problem.field, "events[1].type");
  EXPECT_EQ(result->verdicts[1].problem.detail, "found \"clack\"; did you mean \"click\"?");
  EXPECT_EQ(result->verdicts[2].problem.code, "missing_field");
  EXPECT_EQ(result->verdicts[2].problem.field, "events[2].user");
  EXPECT_EQ(result->verdicts[3].kind, Verdict::Kind::kLate);
  EXPECT_EQ(result->verdicts[4].kind, Verdict::Kind::kAccepted);
  EXPECT_EQ(Stored().size(), 3u);
  ASSERT_EQ(result->positions.size(), 3u);
  EXPECT_EQ(result->positions[1].user, hasher_.User("u2"));

  std::string json;
  AppendJson(*result, &json);
  EXPECT_EQ(
      json,
      R"({"accepted":3,"rejected":2,"verdicts":[{"verdict":"accepted"},)"
      R"({"verdict":"rejected","code":"unknown_type","field":"events[1].type","detail":"found \"clack\"; did you mean \"click\"?"},)"
      R"({"verdict":"rejected","code":"missing_field","field":"events[2].user","detail":"found nothing; expected 1 to 256 bytes"},)"
      R"({"verdict":"late"},{"verdict":"accepted"}]})");
}

TEST_F(CollectorTest, KeepsNothingOfARefusedBody) {
  const auto result = Collect(R"([{"type":"click","user":"u1","item":"i1"},{"type":"click","user":)");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Stored().empty());
}

TEST_F(CollectorTest, AnswersAtOnceWhenNothingIsToBeWritten) {
  bool answered = false;
  collector_->Collect("[]", Collector::Source::kLive,
                      [&](absl::StatusOr<CollectResult> result) { answered = result.ok(); });
  EXPECT_TRUE(answered);
}

TEST_F(CollectorTest, SaysWhenTheLogCannotWrite) {
  failing_log_->fail_before_write = true;
  const auto result = Collect(R"([{"type":"hide","user":"u1","item":"i1"}])");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(hides_.Unfolded(hasher_.User("u1"), 0).empty());
  EXPECT_FALSE(last_acknowledged_.Get(hasher_.User("u1")).has_value());
}

TEST_F(CollectorTest, RemembersAcknowledgedEventsAndHides) {
  const auto result = Collect(R"([{"type":"click","user":"u1","item":"i1"},{"type":"hide","user":"u1","item":"i2"}])");
  ASSERT_TRUE(result.ok());
  const auto position = last_acknowledged_.Get(hasher_.User("u1"));
  ASSERT_TRUE(position.has_value());
  EXPECT_EQ(position->partition, result->positions[1].partition);
  EXPECT_EQ(position->offset, result->positions[1].offset);
  const std::vector<HideOverlay::Hide> hides = hides_.Unfolded(hasher_.User("u1"), 0);
  ASSERT_EQ(hides.size(), 1u);
  EXPECT_EQ(hides[0].item, "i2");
  EXPECT_EQ(hides[0].key, hasher_.Item("i2"));
  EXPECT_EQ(hides[0].offset, result->positions[1].offset);
  ASSERT_TRUE(Collect(R"([{"type":"unhide","user":"u1","item":"i2"}])").ok());
  EXPECT_TRUE(hides_.Unfolded(hasher_.User("u1"), 0).empty());
}

TEST_F(CollectorTest, HandlesTimesOf1970AndOf2099) {
  const auto at = [](int64_t time_us) {
    return R"({"type":"click","user":"u","item":"i","event_time_us":)" + std::to_string(time_us) + "}";
  };
  const int64_t now = clock_.now_us;
  constexpr int64_t k2099 = 4'070'908'800'000'000;
  EXPECT_EQ(ProblemOf(at(-1)).code, "out_of_range");
  for (const int64_t time_us : {int64_t{0}, int64_t{1}, now - 7 * kDayUs - 1, now - 7 * kDayUs, now, now + kHourUs,
                                k2099, std::numeric_limits<int64_t>::max()}) {
    ASSERT_TRUE(Collect(at(time_us)).ok());
  }
  std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 8u);
  const std::vector<std::pair<int64_t, bool>> expected = {{0, true},
                                                          {1, true},
                                                          {now - 7 * kDayUs - 1, true},
                                                          {now - 7 * kDayUs, false},
                                                          {now, false},
                                                          {now + kHourUs, false},
                                                          {now, false},
                                                          {now, false}};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(stored[i].event_time_us(), expected[i].first) << i;
    EXPECT_EQ(stored[i].late(), expected[i].second) << i;
  }

  Make(ParseConfig("[collect]\nage_max = \"7d\"\nfuture_max = \"1h\"\nlate = \"reject\"\nfuture = \"reject\"\n"));
  EXPECT_EQ(ProblemOf(at(0)).code, "too_late");
  EXPECT_THAT(ProblemOf(at(0)).detail, HasSubstr("found 1970-01-01T00:00:00Z; expected at most 7d before"));
  EXPECT_EQ(ProblemOf(at(k2099)).code, "in_future");
  EXPECT_THAT(ProblemOf(at(k2099)).detail, HasSubstr("found 2099-01-01T00:00:00Z; expected at most 1h ahead"));
  EXPECT_EQ(ProblemOf(at(std::numeric_limits<int64_t>::max())).code, "in_future");
  EXPECT_EQ(Stored().size(), 8u);
}

TEST_F(CollectorTest, HistoryIsNotLate) {
  Make(ParseConfig("[collect]\nlate = \"reject\"\n"));
  const char* body = R"([{"type":"click","user":"u","item":"i","event_time_us":1000000}])";
  EXPECT_EQ(Collect(body)->rejected, 1u);
  EXPECT_EQ(Collect(body, Collector::Source::kHistory)->accepted, 1u);
  EXPECT_FALSE(Stored()[0].late());
}

TEST_F(CollectorTest, TypesAttributesAsDeclared) {
  ASSERT_TRUE(Collect(R"({"type":"rating","user":"u","item":"i","attributes":
      {"note":"good","stars":4.5,"rated":"2023-11-14T22:13:20Z","kept":true,"tags":["a","b"]}})")
                  .ok());
  ASSERT_TRUE(Collect(R"({"type":"rating","user":"u","item":"i","attributes":{"rated":1700000000000000}})").ok());
  const std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(stored[0].attributes().at("rated").time_us(), 1700000000000000);
  EXPECT_EQ(stored[1].attributes().at("rated").time_us(), 1700000000000000);
  EXPECT_EQ(stored[0].attributes().at("tags").strings().values_size(), 2);
}

struct BadEvent {
  const char* name;
  std::string event;
  const char* code;
  const char* field;
  const char* detail;
};

const std::string kLong(10'000, 'x');

const BadEvent kBadEvents[] = {
    BadEvent{"no_type", R"({"user":"u","item":"i"})", "missing_field", "type", "found nothing"},
    BadEvent{"no_user", R"({"type":"click","item":"i"})", "missing_field", "user",
             "found nothing; expected 1 to 256 bytes"},
    BadEvent{"no_item", R"({"type":"save","user":"u"})", "missing_field", "item",
             "expected the item that a save acts on"},
    BadEvent{"item_for_search", R"({"type":"search","user":"u","item":"i"})", "unexpected_field", "item",
             "expected none for search"},
    BadEvent{"unknown_type", R"({"type":"teleport","user":"u"})", "unknown_type", "type",
             "expected one of: impression"},
    BadEvent{"long_unknown_type", R"({"type":")" + std::string(200, 'x') + R"(","user":"u"})", "unknown_type", "type",
             "..."},
    BadEvent{"identify_without_anonymous", R"({"type":"identify","user":"u"})", "missing_field", "anonymous",
             "anonymous id"},
    BadEvent{"anonymous_elsewhere", R"({"type":"click","user":"u","item":"i","anonymous":"a"})", "unexpected_field",
             "anonymous", "identify only"},
    BadEvent{"long_type", R"({"type":")" + kLong + R"("})", "too_long", "type",
             "found 10000 bytes; expected at most 256"},
    BadEvent{"long_user", R"({"type":"click","item":"i","user":")" + kLong + R"("})", "too_long", "user",
             "found 10000 bytes"},
    BadEvent{"long_item", R"({"type":"click","user":"u","item":")" + kLong + R"("})", "too_long", "item",
             "found 10000 bytes"},
    BadEvent{"long_client_id", R"({"type":"click","user":"u","item":"i","client_id":")" + kLong + R"("})", "too_long",
             "client_id", "10000"},
    BadEvent{"long_request_id", R"({"type":"click","user":"u","item":"i","request_id":")" + kLong + R"("})", "too_long",
             "request_id", "10000"},
    BadEvent{"long_collection", R"({"type":"save","user":"u","item":"i","collection":")" + kLong + R"("})", "too_long",
             "collection", "10000"},
    BadEvent{"long_query", R"({"type":"search","user":"u","query":"a query of more than twenty bytes"})", "too_long",
             "query", "at most 20"},
    BadEvent{"undeclared_attribute", R"({"type":"click","user":"u","item":"i","attributes":{"note":"x"}})",
             "undeclared_attribute", "attributes.note", "expected a name declared in the config"},
    BadEvent{"misspelt_attribute", R"({"type":"rating","user":"u","item":"i","attributes":{"nota":"x"}})",
             "undeclared_attribute", "attributes.nota", "did you mean \"note\"?"},
    BadEvent{"attribute_of_wrong_type", R"({"type":"rating","user":"u","item":"i","attributes":{"stars":"4"}})",
             "wrong_type", "attributes.stars", "found string \"4\"; expected number"},
    BadEvent{"attribute_that_is_no_time", R"({"type":"rating","user":"u","item":"i","attributes":{"rated":"soon"}})",
             "wrong_type", "attributes.rated", "expected time (RFC 3339"},
    BadEvent{"long_attribute", R"({"type":"rating","user":"u","item":"i","attributes":{"note":")" + kLong + R"("}})",
             "too_long", "attributes.note", "at most 20"},
    BadEvent{"long_list",
             R"({"type":"rating","user":"u","item":"i","attributes":{"tags":["aaaaaaaaaaaa","bbbbbbbbbbb"]}})",
             "too_long", "attributes.tags", "found 23 bytes in all"}};

// One log for all of them: opening one takes longer than the test.
TEST_F(CollectorTest, RejectsEventsThatTheConfigDoesNotAllow) {
  for (const BadEvent& bad : kBadEvents) {
    SCOPED_TRACE(bad.name);
    const catalog::Problem problem = ProblemOf(bad.event);
    EXPECT_EQ(problem.code, bad.code);
    EXPECT_EQ(problem.field, std::string("events[0].") + bad.field);
    EXPECT_THAT(problem.detail, HasSubstr(bad.detail));
  }
  EXPECT_TRUE(Stored().empty());
}

TEST_F(CollectorTest, RefusesAnItemWhoseKeyIsAnothers) {
  v1::Item forged;
  forged.set_id("victim");
  Store(0, "attacker", forged);
  const catalog::Problem problem = ProblemOf(R"({"type":"save","user":"u","item":"attacker"})");
  EXPECT_EQ(problem.code, "id_collision");
  EXPECT_EQ(problem.field, "events[0].item");
  EXPECT_TRUE(Stored().empty());
}

TEST_F(CollectorTest, ChecksTypedEventsTheSameWay) {
  std::vector<v1::Event> events(5);
  events[0].set_type("click");
  events[0].set_user("u");
  events[0].set_item("i");
  // What only intake may say is not taken from the client.
  events[0].set_user_key(77);
  events[0].set_late(true);
  events[0].set_dedupe_print(5);
  events[0].add_item_categories("forged");
  events[1] = events[0];
  events[1].set_user("a\xff");
  events[2] = events[0];
  events[2].set_value(std::nan(""));
  events[3] = events[0];
  events[3].set_value(INFINITY);
  events[4] = events[0];
  (*events[4].mutable_attributes())["x"].set_number_value(1);
  const auto result = CollectEvents(events);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted, 1u);
  ASSERT_EQ(result->verdicts.size(), 5u);
  EXPECT_EQ(result->verdicts[0].kind, Verdict::Kind::kAccepted);
  EXPECT_EQ(result->verdicts[1].problem.code, "invalid_utf8");
  EXPECT_EQ(result->verdicts[1].problem.field, "events[1].user");
  EXPECT_EQ(result->verdicts[2].problem.code, "not_finite");
  EXPECT_EQ(result->verdicts[3].problem.code, "not_finite");
  EXPECT_EQ(result->verdicts[4].problem.code, "undeclared_attribute");
  const std::vector<v1::Event> stored = Stored();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].user_key(), hasher_.User("u").value);
  EXPECT_FALSE(stored[0].late());
  EXPECT_EQ(stored[0].dedupe_print(), 0u);
  EXPECT_EQ(stored[0].item_categories_size(), 0);
}

TEST_F(CollectorTest, TakesBatchesFromManyThreadsAtOnce) {
  constexpr int kThreads = 4, kBatches = 25, kEvents = 10;
  std::atomic<uint64_t> accepted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int b = 0; b < kBatches; ++b) {
        std::string body = "[";
        for (int e = 0; e < kEvents; ++e) {
          body += (e == 0 ? "" : ",") + std::string(R"({"type":"click","user":"u)") + std::to_string(t) +
                  R"(","item":"i","client_id":")" + std::to_string(b * kEvents + e) + R"("})";
        }
        const auto result = Collect(body + "]");
        if (result.ok()) accepted += result->accepted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted, uint64_t{kThreads * kBatches * kEvents});
  EXPECT_EQ(Stored().size(), accepted);
}

}  // namespace
}  // namespace bowerbird::collect
