#include "collect/inbox_intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/service.pb.h"
#include "collect/intake_for_test.h"

namespace bowerbird::collect {
namespace {

using testing::HasSubstr;

/// What a topic would be: Take goes on, and a reader that begins anew begins at what is committed.
class MemoryInbox final : public log::Inbox {
 public:
  explicit MemoryInbox(const std::vector<log::InboxRecord>* records, size_t* committed)
      : records_(records), committed_(committed), next_(*committed) {}
  absl::StatusOr<std::vector<log::InboxRecord>> Take(size_t records_max, size_t /*bytes_max*/,
                                                     int64_t /*timeout_us*/) override {
    std::vector<log::InboxRecord> taken;
    while (next_ < records_->size() && taken.size() < records_max) taken.push_back((*records_)[next_++]);
    return taken;
  }
  uint64_t Lag() override { return records_->size() - *committed_; }
  absl::Status Commit() override {
    *committed_ = next_;
    return absl::OkStatus();
  }

 private:
  const std::vector<log::InboxRecord>* const records_;
  size_t* const committed_;
  size_t next_;
};

class InboxIntakeTest : public IntakeTest {
 protected:
  InboxIntakeTest()
      : IntakeTest(""),
        collector_(config_, hasher_, failing_log_.get(), catalog_.get(), &clock_, Collector::Overlays{}) {}

  void Write(std::string value, std::string content_type = "") {
    const auto offset = static_cast<log::Offset>(records_.size());
    records_.push_back({3, offset, 1'799'000'000'000'000, "key", std::move(value), std::move(content_type)});
  }
  std::unique_ptr<InboxIntake> MakeIntake() {
    return std::make_unique<InboxIntake>(
        std::make_unique<MemoryInbox>(&records_, &committed_), "events_in",
        [this]() -> Collector& { return collector_; }, failing_log_.get());
  }
  std::vector<v1::Event> Events() const {
    std::vector<v1::Event> events;
    for (uint32_t p = 0; p < log_->PartitionCount(log::Topic::kEvents); ++p) {
      for (const log::Record& record : ReadAll(log::Topic::kEvents, p)) {
        EXPECT_TRUE(events.emplace_back().ParseFromString(record.value));
      }
    }
    return events;
  }
  std::vector<v1::DeadLetter> DeadLetters() const {
    std::vector<v1::DeadLetter> letters;
    for (uint32_t p = 0; p < log_->PartitionCount(log::Topic::kDeadLetters); ++p) {
      for (const log::Record& record : ReadAll(log::Topic::kDeadLetters, p)) {
        EXPECT_TRUE(letters.emplace_back().ParseFromString(record.value));
      }
    }
    return letters;
  }

  Collector collector_;
  std::vector<log::InboxRecord> records_;
  size_t committed_ = 0;
};

constexpr char kClick[] = R"({"type":"click","user":"u","item":"i"})";

TEST_F(InboxIntakeTest, TakesOneEventABatchAndProtobuf) {
  Write(kClick);
  Write(
      R"( {"events":[{"type":"click","user":"u","item":"j","client_id":"mine"},{"type":"save","user":"v","item":"j"}]})");
  v1::CollectRequest request;
  v1::Event* event = request.add_events();
  event->set_type("click");
  event->set_user("w");
  event->set_item("k");
  Write(request.SerializeAsString());
  Write(request.SerializeAsString(), "application/x-protobuf");
  ASSERT_EQ(*MakeIntake()->TakeOnce(0), 4U);
  EXPECT_EQ(committed_, 4U);
  std::vector<std::string> client_ids;
  for (const v1::Event& stored : Events()) {
    client_ids.push_back(stored.client_id());
    EXPECT_EQ(stored.event_time_us(), 1'799'000'000'000'000) << "the record's, since the event says none";
    EXPECT_NE(stored.dedupe_print(), 0U);
  }
  EXPECT_THAT(client_ids, testing::UnorderedElementsAre("events_in-3-0/0", "mine", "events_in-3-1/1", "events_in-3-2/0",
                                                        "events_in-3-3/0"));
  EXPECT_TRUE(DeadLetters().empty());
}

TEST_F(InboxIntakeTest, WhatCannotBeTakenIsKeptWithItsReasonAndTheRestGoesOn) {
  Write("\xff\xfe no event");
  Write("{\"type\":");
  Write("");
  Write(std::string(5u << 20, 'x'));
  Write(R"([{"type":"no such type","user":"u","item":"i"},{"type":"click","user":"u","item":"i"}])");
  Write(kClick);
  const auto intake = MakeIntake();
  ASSERT_EQ(*intake->TakeOnce(0), 6U);
  EXPECT_EQ(committed_, 6U);
  EXPECT_EQ(Events().size(), 2U);
  const std::vector<v1::DeadLetter> letters = DeadLetters();
  ASSERT_EQ(letters.size(), 5U);
  for (const v1::DeadLetter& letter : letters) {
    EXPECT_EQ(letter.topic(), "events_in");
    EXPECT_EQ(letter.partition(), 3U);
    EXPECT_FALSE(letter.reason().empty());
    EXPECT_EQ(letter.value(), letter.offset() == 3 ? "" : records_[letter.offset()].value);
  }
  EXPECT_THAT(letters[4].reason(), HasSubstr("no such type"));
  EXPECT_EQ(intake->counters().dead_letters, 5U);
  EXPECT_EQ(intake->counters().accepted, 2U);
}

TEST_F(InboxIntakeTest, WhatIsNotDurableIsNotDoneWithAndComesAgainUnderTheSameId) {
  Write(kClick);
  failing_log_->fail_before_write = true;
  {
    const auto intake = MakeIntake();
    intake->Start();
    while (intake->counters().failures == 0) std::this_thread::yield();
    intake->Stop();
  }
  EXPECT_EQ(committed_, 0U);
  EXPECT_TRUE(Events().empty());
  failing_log_->fail_before_write = false;
  ASSERT_EQ(*MakeIntake()->TakeOnce(0), 1U);
  // A crash between the append and the commit.
  committed_ = 0;
  ASSERT_EQ(*MakeIntake()->TakeOnce(0), 1U);
  const std::vector<v1::Event> events = Events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].dedupe_print(), events[1].dedupe_print()) << "the fold counts it once";
}

TEST_F(InboxIntakeTest, ALetterThatCannotBeKeptHoldsTheCommitBack) {
  Write("no event");
  failing_log_->fail_before_write = true;
  const auto intake = MakeIntake();
  intake->Start();
  while (intake->counters().failures == 0) std::this_thread::yield();
  intake->Stop();
  EXPECT_EQ(committed_, 0U);
}

TEST(IsProtobufBodyTest, GoesByTheContentTypeThenByTheFirstByte) {
  EXPECT_TRUE(IsProtobufBody("{}", "application/x-protobuf"));
  EXPECT_FALSE(IsProtobufBody("\x0a\x02", "application/json"));
  EXPECT_FALSE(IsProtobufBody(" \n[1]", ""));
  EXPECT_FALSE(IsProtobufBody("{", ""));
  EXPECT_TRUE(IsProtobufBody("\x0a\x05\x0a\x03", ""));
  EXPECT_FALSE(IsProtobufBody("", "")) << "empty JSON has the better message";
}

}  // namespace
}  // namespace bowerbird::collect
