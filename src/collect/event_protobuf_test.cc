#include "collect/event_protobuf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "bowerbird/v1/service.pb.h"
#include "collect/intake_for_test.h"

namespace bowerbird::collect {
namespace {

struct Seen {
  v1::Event event;
  bool has_time = false;
  catalog::Problem problem;
};

class EventProtobufTest : public testing::Test {
 protected:
  absl::Status Read(const std::string& body) {
    seen_.clear();
    return reader_.Read(body, [&](int64_t index, v1::Event* event, bool has_time, const catalog::Problem* problem) {
      EXPECT_EQ(index, static_cast<int64_t>(seen_.size()));
      seen_.push_back({*event, has_time, problem == nullptr ? catalog::Problem() : *problem});
    });
  }
  /// The problem of one event of these bytes.
  catalog::Problem ProblemOf(const std::string& event) {
    std::string body;
    body.push_back(1 << 3 | 2);
    body.push_back(static_cast<char>(event.size()));
    EXPECT_LT(event.size(), 128u);
    EXPECT_TRUE(Read(body + event).ok());
    return seen_.size() == 1 ? seen_[0].problem : catalog::Problem();
  }

  EventProtobufReader reader_{ParseConfig("[collect]\nbatch_events_max = 3\nbody_bytes_max = 4096\n")};
  std::vector<Seen> seen_;
};

TEST_F(EventProtobufTest, ReadsEveryFieldAsItWasWritten) {
  v1::CollectRequest request;
  v1::Event* event = request.add_events();
  event->set_type("save");
  event->set_user("ü");
  event->set_anonymous("a");
  event->set_item("i");
  event->set_client_id("c");
  event->set_event_time_us(-5);
  event->set_surface("home");
  event->set_request_id("r");
  event->set_position(4'294'967'295);
  event->set_value(-1.5);
  event->set_dwell_ms(7);
  event->set_collection("board");
  event->set_query("lamp");
  auto& attributes = *event->mutable_attributes();
  attributes["bool"].set_bool_value(true);
  attributes["number"].set_number_value(2.5);
  attributes["text"].set_string_value("x");
  attributes["time"].set_time_us(9);
  attributes["list"].mutable_strings()->add_values("one");
  attributes["list"].mutable_strings()->add_values("");
  attributes["none"];
  request.add_events();
  ASSERT_TRUE(Read(request.SerializeAsString()).ok());
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_EQ(seen_[0].event.DebugString(), request.events(0).DebugString());
  EXPECT_TRUE(seen_[0].has_time);
  EXPECT_EQ(seen_[0].problem.code, "");
  // Nothing of an event stays for the next one.
  EXPECT_EQ(seen_[1].event.DebugString(), "");
  EXPECT_FALSE(seen_[1].has_time);
}

TEST_F(EventProtobufTest, ABadEventIsRejectedAloneWithItsField) {
  v1::Event good;
  good.set_type("click");
  v1::Event stamped = good;
  stamped.set_user_key(1);
  const std::string bytes = good.SerializeAsString();
  EXPECT_EQ(ProblemOf(bytes).code, "");
  EXPECT_EQ(ProblemOf(stamped.SerializeAsString()).field, "events[0].user_key");
  EXPECT_EQ(ProblemOf(stamped.SerializeAsString()).code, "unknown_field");
  EXPECT_EQ(ProblemOf(bytes + "\x82\x01\x01x").code, "unknown_field");          // field 16
  EXPECT_EQ(ProblemOf(bytes + std::string("\x10\x01", 2)).code, "wrong_type");  // user as a number
  EXPECT_EQ(ProblemOf(bytes + "\x48\xff\xff\xff\xff\x7f").code, "out_of_range");
  EXPECT_EQ(ProblemOf(bytes + "\x48\xff\xff\xff\xff\x7f").field, "events[0].position");
  EXPECT_EQ(ProblemOf(bytes.substr(0, bytes.size() - 1)).code, "malformed_protobuf");
  EXPECT_EQ(ProblemOf("\x0b").code, "malformed_protobuf");  // a group
  EXPECT_EQ(ProblemOf("\x72\x06\x0a\x01"
                      "a\x12\x01\x08")
                .field,
            "events[0].attributes.a");
  EXPECT_EQ(ProblemOf("\x72\x03\x0a\x01\xff").code, "malformed_protobuf");
}

TEST_F(EventProtobufTest, RefusesABodyThatIsNoRequestOrOverALimit) {
  const auto code = [&](const std::string& body) { return catalog::FromStatus(Read(body)).code; };
  EXPECT_EQ(code(""), "ok");
  EXPECT_TRUE(seen_.empty());
  EXPECT_EQ(code("{\"events\":[]}"), "malformed_protobuf");
  EXPECT_EQ(code("\x0a\x7f"), "malformed_protobuf");
  v1::CollectRequest history;
  history.set_history(true);
  EXPECT_EQ(code(history.SerializeAsString()), "unknown_field");
  v1::CollectRequest many;
  for (int i = 0; i < 4; ++i) many.add_events()->set_type("click");
  EXPECT_EQ(code(many.SerializeAsString()), "too_many_events");
  EXPECT_EQ(code(std::string(5000, '\n')), "body_too_large");
}

}  // namespace
}  // namespace bowerbird::collect
