#include "collect/collector.h"

#include <fmt/format.h>

#include <mutex>
#include <utility>

#include "base/json_writer.h"
#include "bowerbird/v1/service.pb.h"
#include "collect/declared_agents.h"
#include "collect/event_json.h"
#include "collect/event_protobuf.h"
#include "collect/event_rules.h"
#include "log/event_schema.h"

namespace bowerbird::collect {
namespace {

/// The user's event that takes an item out of their sight at once.
constexpr std::string_view kHideType = "hide", kUnhideType = "unhide";

catalog::Problem Prefixed(catalog::Problem problem, int64_t index) {
  if (index >= 0) {
    problem.field =
        problem.field.empty() ? fmt::format("events[{}]", index) : fmt::format("events[{}].{}", index, problem.field);
  }
  return problem;
}

}  // namespace

std::string_view VerdictName(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::kAccepted:
      return "accepted";
    case Verdict::Kind::kLate:
      return "late";
    case Verdict::Kind::kRejected:
      return "rejected";
  }
  return "";
}

void AppendJson(const CollectResult& result, std::string* out) {
  base::JsonWriter json(out);
  json.BeginObject().Key("accepted").Uint(result.accepted).Key("rejected").Uint(result.rejected);
  if (!result.verdicts.empty()) {
    json.Key("verdicts").BeginArray();
    for (const Verdict& verdict : result.verdicts) {
      json.BeginObject().Key("verdict").String(VerdictName(verdict.kind));
      if (verdict.kind == Verdict::Kind::kRejected) {
        json.Key("code").String(verdict.problem.code);
        json.Key("field").String(verdict.problem.field);
        json.Key("detail").String(verdict.problem.detail);
      }
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
}

void AppendProtobuf(const CollectResult& result, std::string* out) {
  v1::CollectResponse response;
  response.set_accepted(result.accepted);
  response.set_rejected(result.rejected);
  for (const Verdict& verdict : result.verdicts) {
    v1::EventVerdict* to = response.add_verdicts();
    to->set_verdict(std::string(VerdictName(verdict.kind)));
    if (verdict.kind != Verdict::Kind::kRejected) continue;
    to->set_code(verdict.problem.code);
    to->set_field(verdict.problem.field);
    to->set_detail(verdict.problem.detail);
  }
  response.AppendToString(out);
}

namespace {

/// Readers that keep their buffers: as many as threads were inside Collect at once.
template <typename Reader>
class ReaderPool {
 public:
  explicit ReaderPool(std::shared_ptr<const config::Config> config) : config_(std::move(config)) {}
  std::unique_ptr<Reader> Take() {
    const std::lock_guard lock(mutex_);
    if (readers_.empty()) return std::make_unique<Reader>(config_);
    std::unique_ptr<Reader> reader = std::move(readers_.back());
    readers_.pop_back();
    return reader;
  }
  void Give(std::unique_ptr<Reader> reader) {
    const std::lock_guard lock(mutex_);
    readers_.push_back(std::move(reader));
  }

 private:
  const std::shared_ptr<const config::Config> config_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace

/// The events of one call on their way into the log.
struct Collector::Batch {
  struct Hide {
    size_t position = 0;  ///< in result.positions
    std::string item;
    catalog::ItemKey key;
    bool undo = false;  ///< an unhide
  };
  int64_t receive_time_us = 0;
  bool history = false;
  bool is_public = false;
  std::string_view agent;  ///< a declared one; empty: none
  Origin origin;
  std::string common_fields;  ///< what intake stamps into every event of the batch, as bytes of a v1::Event
  uint64_t events = 0;
  uint64_t bytes = 0;
  CollectResult result;
  std::vector<log::AppendRecord> records;
  std::vector<Hide> hides;
  /// Of identify events, the records of the anonymous ids, appended with the others; where they lie.
  std::vector<log::AppendRecord> becomings;
  std::vector<Accepted> becoming_positions;
  std::vector<catalog::UserKey> becoming_users;  ///< whom each becomes

  /// Verdicts are kept from the first one on that a client needs to see.
  void Judge(Verdict verdict) {
    result.verdicts.resize(events);
    result.verdicts.push_back(std::move(verdict));
  }
};

struct Collector::Impl {
  Impl(std::shared_ptr<const config::Config> config, const catalog::KeyHasher& hasher, log::EventLog* log,
       const catalog::Catalog* catalog, const base::Clock* clock, Overlays overlays)
      : config(std::move(config)),
        hasher(hasher),
        log(log),
        catalog(catalog),
        clock(clock),
        overlays(overlays),
        partitions(log->PartitionCount(log::Topic::kEvents)),
        rules(this->config),
        agents(this->config->traffic) {}

  template <typename Reader>
  void Collect(std::string_view body, const Sender& sender, ReaderPool<Reader>* readers, Done done,
               Origin origin = {}) {
    std::shared_ptr<Batch> batch = NewBatch(sender);
    batch->origin = std::move(origin);
    std::unique_ptr<Reader> reader = readers->Take();
    const absl::Status read =
        reader->Read(body, [&](int64_t index, v1::Event* event, bool has_time, const catalog::Problem* problem) {
          Admit(index, event, has_time, problem, batch.get());
        });
    readers->Give(std::move(reader));
    if (!read.ok()) return done(read);
    Append(std::move(batch), std::move(done));
  }

  std::shared_ptr<Batch> NewBatch(const Sender& sender) const {
    auto batch = std::make_shared<Batch>();
    batch->receive_time_us = clock->NowUs();
    batch->history = sender.source == Source::kHistory;
    batch->is_public = sender.source == Source::kPublic;
    // An import's program is not that of who acted.
    if (!batch->history) batch->agent = agents.Find(sender.agent);
    v1::Event common;
    common.set_schema(log::kEventSchema);
    common.set_receive_time_us(batch->receive_time_us);
    common.set_config_version(config->version);
    batch->common_fields = common.SerializeAsString();
    return batch;
  }

  /// Takes the next event into the batch, or a verdict in its place.
  void Admit(int64_t index, v1::Event* event, bool has_time, const catalog::Problem* unread, Batch* batch) const {
    std::optional<catalog::Problem> problem;
    if (unread != nullptr) {
      problem = *unread;
    } else {
      problem = Add(event, has_time, batch);
      if (problem) problem = Prefixed(*std::move(problem), index);
    }
    if (problem) {
      ++batch->result.rejected;
      batch->Judge({Verdict::Kind::kRejected, *std::move(problem)});
    } else {
      ++batch->result.accepted;
      if (event->late()) {
        batch->Judge({Verdict::Kind::kLate, {}});
      }
    }
    ++batch->events;
  }

  std::optional<catalog::Problem> Add(v1::Event* event, bool has_time, Batch* batch) const {
    if (auto problem = rules.Check(event)) return problem;
    if (batch->is_public && !event->anonymous().empty()) {
      return catalog::Problem{"permission_denied", "type",
                              "found an identify under a key of scope events; expected a key of scope collect"};
    }
    if (!has_time && batch->origin.time_us > 0) {
      event->set_event_time_us(batch->origin.time_us);
      has_time = true;
    }
    if (event->client_id().empty() && !batch->origin.id.empty()) {
      event->set_client_id(fmt::format("{}/{}", batch->origin.id, batch->events));
    }
    if (auto problem = rules.SettleTime(event, has_time, batch->receive_time_us, batch->history)) return problem;
    const catalog::UserKey user = hasher.User(event->user());
    event->set_user_key(user.value);
    std::shared_ptr<const catalog::ItemStamp> stamp;
    if (!event->item().empty()) {
      const catalog::ItemKey item = hasher.Item(event->item());
      event->set_item_key(item.value);
      stamp = catalog->Stamp(item);
      if (stamp != nullptr && stamp->id != event->item()) {
        return catalog::Problem{"id_collision", "item",
                                "found an id whose key belongs to another item; expected another id"};
      }
    }
    if (!event->client_id().empty()) event->set_dedupe_print(hasher.DedupePrint(user, event->client_id()));
    StampAgent(*batch, event);

    log::AppendRecord record;
    record.topic = log::Topic::kEvents;
    record.partition = catalog::PartitionOf(user, partitions);
    record.key = event->user();
    const size_t size = event->ByteSizeLong();
    record.value.reserve(size + batch->common_fields.size() + (stamp == nullptr ? 0 : stamp->event_fields.size()));
    record.value.resize(size);
    event->SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(record.value.data()));
    // Serialized messages one behind the other are their merge.
    record.value.append(batch->common_fields);
    if (stamp != nullptr) record.value.append(stamp->event_fields);
    if (record.value.size() > log::EventLog::kValueBytesMax) {
      return catalog::Problem{"too_long", "",
                              fmt::format("found an event of {} bytes with its item's stamp; expected at most {}",
                                          record.value.size(), log::EventLog::kValueBytesMax)};
    }
    const bool unhide = event->type() == kUnhideType;
    if (unhide || event->type() == kHideType) {
      batch->hides.push_back(
          {batch->result.positions.size(), event->item(), catalog::ItemKey(event->item_key()), unhide});
    }
    if (!event->anonymous().empty()) AddBecoming(*event, user, batch);
    batch->bytes += record.value.size() + record.key.size();
    batch->result.positions.push_back({user, record.partition, 0});
    batch->records.push_back(std::move(record));
    return std::nullopt;
  }

  /// Leaves of a User-Agent which declared agent it is.
  void StampAgent(const Batch& batch, v1::Event* event) const {
    const std::string_view agent = event->agent().empty() ? batch.agent : agents.Find(event->agent());
    if (!event->agent().empty() || !agent.empty()) event->mutable_agent()->assign(agent);
  }

  /// An identify tells the anonymous id's own partition, too, where what it did is folded; there is what it hands over
  /// to the user.
  void AddBecoming(const v1::Event& identify, catalog::UserKey user, Batch* batch) const {
    const catalog::UserKey anonymous = hasher.User(identify.anonymous());
    v1::Event event;
    event.set_type(identify.type());
    event.set_user(identify.anonymous());
    event.set_user_key(anonymous.value);
    event.set_event_time_us(identify.event_time_us());
    event.set_late(identify.late());
    event.set_becomes(identify.user());
    event.set_becomes_key(user.value);
    if (!identify.client_id().empty()) {
      event.set_client_id(identify.client_id());
      event.set_dedupe_print(hasher.DedupePrint(anonymous, identify.client_id()));
    }
    v1::Event schema;
    schema.set_schema(log::kEventSchemaMovesBlocks);
    const uint32_t partition = catalog::PartitionOf(anonymous, partitions);
    // The last value of a field counts.
    batch->becomings.push_back({log::Topic::kEvents, partition, identify.anonymous(),
                                event.SerializeAsString() + batch->common_fields + schema.SerializeAsString()});
    batch->becoming_positions.push_back({anonymous, partition, 0});
    batch->becoming_users.push_back(user);
    batch->bytes += batch->becomings.back().value.size() + batch->becomings.back().key.size();
  }

  void Append(std::shared_ptr<Batch> batch, Done done) {
    if (!batch->result.verdicts.empty()) batch->result.verdicts.resize(batch->events);
    if (batch->bytes > log::EventLog::kBatchBytesMax) {
      return done(catalog::ToStatus(
          {"batch_too_large", "events",
           fmt::format("found {} bytes with the items' stamps; expected at most {}: send fewer events at once",
                       batch->bytes, log::EventLog::kBatchBytesMax)}));
    }
    if (batch->records.empty()) return done(std::move(batch->result));
    std::vector<log::AppendRecord> records = std::move(batch->records);
    std::move(batch->becomings.begin(), batch->becomings.end(), std::back_inserter(records));
    log->AppendAsync(std::move(records), [this, batch = std::move(batch),
                                          done = std::move(done)](absl::StatusOr<std::vector<log::Offset>> offsets) {
      if (!offsets.ok()) return done(std::move(offsets).status());
      Remember(*offsets, batch.get());
      done(std::move(batch->result));
    });
  }

  /// What is acknowledged holds from now on, before state has folded it.
  void Remember(const std::vector<log::Offset>& offsets, Batch* batch) const {
    std::vector<Accepted>& positions = batch->result.positions;
    for (size_t i = 0; i < positions.size(); ++i) positions[i].offset = offsets[i];
    for (size_t i = 0; i < batch->becoming_positions.size(); ++i) {
      Accepted& position = batch->becoming_positions[i];
      position.offset = offsets[positions.size() + i];
      if (overlays.becomings != nullptr)
        overlays.becomings->Set(batch->becoming_users[i], {position.partition, position.offset});
    }
    if (overlays.hides != nullptr) {
      for (const Batch::Hide& hide : batch->hides) {
        const Accepted& position = positions[hide.position];
        if (hide.undo) {
          overlays.hides->Undo(position.user, hide.key, position.offset);
        } else {
          overlays.hides->Add(position.user, hide.item, hide.key, position.offset);
        }
      }
    }
    if (overlays.last_acknowledged == nullptr) return;
    for (const std::vector<Accepted>* list : {&positions, &batch->becoming_positions}) {
      for (const Accepted& position : *list) {
        overlays.last_acknowledged->Set(position.user, {position.partition, position.offset});
      }
    }
  }

  const std::shared_ptr<const config::Config> config;
  const catalog::KeyHasher hasher;
  log::EventLog* const log;
  const catalog::Catalog* const catalog;
  const base::Clock* const clock;
  const Overlays overlays;
  const uint32_t partitions;
  const EventRules rules;
  const DeclaredAgents agents;
  ReaderPool<EventJsonReader> json_readers{config};
  ReaderPool<EventProtobufReader> protobuf_readers{config};
};

Collector::Collector(std::shared_ptr<const config::Config> config, const catalog::KeyHasher& hasher, log::EventLog* log,
                     const catalog::Catalog* catalog, const base::Clock* clock, Overlays overlays)
    : impl_(std::make_unique<Impl>(std::move(config), hasher, log, catalog, clock, overlays)) {}
Collector::~Collector() = default;

void Collector::Collect(std::string_view json_body, const Sender& sender, Done done) {
  impl_->Collect(json_body, sender, &impl_->json_readers, std::move(done));
}

void Collector::CollectProtobuf(std::string_view body, const Sender& sender, Done done) {
  impl_->Collect(body, sender, &impl_->protobuf_readers, std::move(done));
}

void Collector::CollectFrom(const Origin& origin, std::string_view body, bool protobuf, Done done) {
  if (protobuf) {
    impl_->Collect(body, Source::kLive, &impl_->protobuf_readers, std::move(done), origin);
  } else {
    impl_->Collect(body, Source::kLive, &impl_->json_readers, std::move(done), origin);
  }
}

void Collector::CollectEvents(std::vector<v1::Event> events, const Sender& sender, Done done) {
  std::shared_ptr<Batch> batch = impl_->NewBatch(sender);
  for (size_t i = 0; i < events.size(); ++i) {
    v1::Event& event = events[i];
    event.clear_schema();
    event.clear_receive_time_us();
    event.clear_config_version();
    event.clear_user_key();
    event.clear_item_key();
    event.clear_item_categories();
    event.clear_item_attributes();
    event.clear_dedupe_print();
    event.clear_becomes();
    event.clear_becomes_key();
    event.clear_merge();
    event.clear_mark();
    impl_->Admit(static_cast<int64_t>(i), &event, event.event_time_us() != 0, nullptr, batch.get());
  }
  impl_->Append(std::move(batch), std::move(done));
}

}  // namespace bowerbird::collect
