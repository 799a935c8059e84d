// Segment's calls: any bytes are answered by messages or a refusal; what is mapped belongs to a message that says so,
// names a declared type and stays within the bounds.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "collect/segment_mapping.h"

namespace {

using namespace bowerbird;  // NOLINT: a program of one file
using collect::SegmentMessage;

std::shared_ptr<const config::Config> MakeConfig() {
  const config::ParseResult parsed = config::Parse(
      "[collect]\nbatch_events_max = 20\n[events.rating.attributes]\ntags = \"strings\"\nwhen = \"time\"\n"
      "[events.page]\nitem = \"optional\"\npolarity = \"neutral\"\n[events.page.attributes]\nname = \"string\"\n"
      "[segment]\n\"Cart Viewed\" = \"\"\n"
      "[users.attributes]\nplan = \"string\"\nage = \"number\"\ngroup = \"strings\"\ngroup_name = \"string\"\n",
      "fuzz.toml");
  BOWERBIRD_CHECK(parsed.config != nullptr);
  return parsed.config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const config::Config> config = MakeConfig();
  static const collect::SegmentMapping mapping(config);
  if (size == 0) return 0;
  const auto call = static_cast<collect::SegmentCall>(data[0] % 7);
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  (void)collect::SegmentWriteKey(body);
  const absl::StatusOr<collect::SegmentBatch> batch = mapping.Map(body, call);
  if (!batch.ok()) {
    BOWERBIRD_CHECK(!catalog::FromStatus(batch.status()).code.empty());
    return 0;
  }
  BOWERBIRD_CHECK(batch->events.size() <= config->collect.batch_events_max);
  BOWERBIRD_CHECK(batch->events.size() == batch->event_messages.size());
  BOWERBIRD_CHECK(batch->users.size() == batch->user_messages.size());
  for (size_t i = 0; i < batch->events.size(); ++i) {
    const v1::Event& event = batch->events[i];
    BOWERBIRD_CHECK(batch->messages.at(batch->event_messages[i]).outcome == SegmentMessage::Outcome::kMapped);
    BOWERBIRD_CHECK(config->FindEventType(event.type()) != nullptr && !event.user().empty());
    BOWERBIRD_CHECK((event.type() == "identify") == !event.anonymous().empty());
    BOWERBIRD_CHECK(base::IsValidUtf8(event.user()) && base::IsValidUtf8(event.item()));
  }
  for (size_t i = 0; i < batch->users.size(); ++i) {
    BOWERBIRD_CHECK(batch->messages.at(batch->user_messages[i]).outcome == SegmentMessage::Outcome::kMapped);
    BOWERBIRD_CHECK(!batch->users[i].id().empty() && !batch->users[i].attributes().empty());
  }
  for (const SegmentMessage& message : batch->messages) {
    BOWERBIRD_CHECK((message.outcome == SegmentMessage::Outcome::kRejected) == !message.problem.code.empty());
    BOWERBIRD_CHECK((message.outcome == SegmentMessage::Outcome::kIgnored) == !message.why.empty());
  }
  return 0;
}
