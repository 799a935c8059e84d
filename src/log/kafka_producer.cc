#include "log/kafka_producer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::log {
namespace {

constexpr int kPollMs = 50;
constexpr int64_t kRenewPauseUs = 500'000;

absl::Status Closing() { return absl::UnavailableError("the log is closing"); }

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaProducer>> KafkaProducer::Open(const Options& options, const KafkaTopicNames* names,
                                                                   Acknowledged acknowledged, BatchDone batch_done) {
  std::unique_ptr<KafkaProducer> producer(
      new KafkaProducer(options, names, std::move(acknowledged), std::move(batch_done)));
  RETURN_IF_ERROR(producer->MakeClient());
  producer->thread_ = std::thread([raw = producer.get()] { raw->Run(); });
  return producer;
}

KafkaProducer::KafkaProducer(const Options& options, const KafkaTopicNames* names, Acknowledged acknowledged,
                             BatchDone batch_done)
    : options_(options),
      names_(names),
      acknowledged_(std::move(acknowledged)),
      batch_done_(std::move(batch_done)),
      last_append_ms_(options.last_append_time_us / 1000) {}

KafkaProducer::~KafkaProducer() { Stop(); }

absl::Status KafkaProducer::MakeClient() {
  ASSIGN_OR_RETURN(KafkaConf conf, KafkaConf::Make(options_.client));
  const int64_t timeout_ms = std::max<int64_t>(options_.append_timeout_us / 1000, 1'000);
  const auto linger_ms = static_cast<double>(options_.linger_us) * 1e-3;
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"enable.idempotence", "true"},
                                    {"acks", "all"},
                                    {"message.timeout.ms", std::to_string(timeout_ms)},
                                    {"request.timeout.ms", std::to_string(std::min<int64_t>(timeout_ms, 5'000))},
                                    {"linger.ms", fmt::format("{:.3f}", linger_ms)},
                                    // The bound is ours, in bytes; the library's only must not be met first.
                                    {"queue.buffering.max.messages", "10000000"},
                                    {"queue.buffering.max.kbytes", "2097151"}}) {
    RETURN_IF_ERROR(conf.Set(name, value));
  }
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), &OnReport);
  rd_kafka_conf_set_error_cb(conf.get(), &OnError);
  ASSIGN_OR_RETURN(client_, std::move(conf).NewClient(RD_KAFKA_PRODUCER));
  main_queue_.reset(rd_kafka_queue_get_main(client_.get()));
  for (const Topic topic : kAllTopics) {
    auto& handle = topics_[static_cast<size_t>(topic) - 1];
    handle.reset(rd_kafka_topic_new(client_.get(), (*names_)[topic].c_str(), nullptr));
    if (handle == nullptr) return KafkaStatus(rd_kafka_last_error(), "kafka topic " + (*names_)[topic]);
  }
  return absl::OkStatus();
}

void KafkaProducer::Append(std::vector<AppendRecord> batch, size_t bytes, EventLog::AppendDone done) {
  {
    std::unique_lock lock(queue_mutex_);
    queue_drained_.wait(
        lock, [&] { return closing_ || queue_bytes_ == 0 || queue_bytes_ + bytes <= options_.queue_bytes_max; });
    if (closing_) {
      lock.unlock();
      return done(Closing());
    }
    queue_bytes_ += bytes;
    ++under_way_;
  }
  auto pending = std::make_unique<Pending>();
  pending->batch = std::move(batch);
  pending->done = std::move(done);
  pending->bytes = bytes;
  pending->left = pending->batch.size();
  pending->slots.assign(pending->batch.size(), {pending.get()});
  Produce(pending.release());
}

void KafkaProducer::Produce(Pending* pending) {
  const size_t count = pending->batch.size();
  size_t taken = 0;
  {
    const std::lock_guard lock(produce_mutex_);
    // Never backwards, whatever the clock does; and 0 would mean the library's own clock.
    last_append_ms_ = std::max<int64_t>({options_.clock->NowUs() / 1000, last_append_ms_, 1});
    for (; taken < count && client_ != nullptr; ++taken) {
      AppendRecord& record = pending->batch[taken];
      // Neither key nor value is null, be it empty: a null value is a tombstone, as which an empty one of a compacted
      // topic is meant. Values are not copied: the batch stays until its last report.
      rd_kafka_vu_t arguments[7] = {};
      arguments[0].vtype = RD_KAFKA_VTYPE_RKT;
      arguments[0].u.rkt = topics_[static_cast<size_t>(record.topic) - 1].get();
      arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION;
      arguments[1].u.i32 = static_cast<int32_t>(record.partition);
      arguments[2].vtype = RD_KAFKA_VTYPE_VALUE;
      const bool tombstone = record.value.empty() && IsCompacted(record.topic);
      arguments[2].u.mem = {tombstone ? nullptr : record.value.data(), record.value.size()};
      arguments[3].vtype = RD_KAFKA_VTYPE_KEY;
      arguments[3].u.mem = {record.key.data(), record.key.size()};
      arguments[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
      arguments[4].u.i64 = last_append_ms_;
      arguments[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
      arguments[5].u.ptr = &pending->slots[taken];
      arguments[6].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
      arguments[6].u.i = 0;
      const KafkaPtr<rd_kafka_error_t> error(rd_kafka_produceva(client_.get(), arguments, std::size(arguments)));
      if (error == nullptr) continue;
      pending->refused = absl::UnavailableError(fmt::format("kafka: append: {}", rd_kafka_error_string(error.get())));
      break;
    }
    if (client_ == nullptr) pending->refused = absl::UnavailableError("kafka: the producer is being replaced");
  }
  if (taken < count) Settle(pending, count - taken);
}

void KafkaProducer::Settle(Pending* pending, size_t records) {
  if (pending->left.fetch_sub(records) != records) return;
  const std::lock_guard lock(settled_mutex_);
  settled_.emplace_back(pending);
}

void KafkaProducer::OnReport(rd_kafka_t* /*client*/, const rd_kafka_message_t* message, void* opaque) {
  auto* const producer = static_cast<KafkaProducer*>(opaque);
  auto* const slot = static_cast<Slot*>(message->_private);
  Pending* const pending = slot->pending;
  const AppendRecord& record = pending->batch[static_cast<size_t>(slot - pending->slots.data())];
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (pending->failed.ok()) {
      pending->failed =
          absl::UnavailableError(fmt::format("kafka: append to {} partition {}: {}", (*producer->names_)[record.topic],
                                             record.partition, rd_kafka_err2str(message->err)));
    }
  } else if (message->offset < 0) {
    // Stored by an earlier try of which the brokers no longer know the place.
    pending->failed = absl::UnavailableError("kafka: append: stored, but nobody knows at which offset");
  } else {
    slot->offset = static_cast<Offset>(message->offset);
    producer->acknowledged_(record.topic, record.partition, slot->offset);
  }
  producer->Settle(pending, 1);
}

void KafkaProducer::OnError(rd_kafka_t* /*client*/, int error, const char* /*reason*/, void* opaque) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) static_cast<KafkaProducer*>(opaque)->fenced_ = true;
}

void KafkaProducer::Run() {
  int64_t renew_at_us = 0;
  while (!stop_) {
    // Only this thread replaces the client.
    if (client_ != nullptr) {
      rd_kafka_poll(client_.get(), kPollMs);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
    }
    AnswerAll();
    if ((fenced_ || client_ == nullptr) && base::MonotonicUs() >= renew_at_us) {
      Renew();
      renew_at_us = base::MonotonicUs() + kRenewPauseUs;
    }
  }
  AnswerAll();
}

void KafkaProducer::Renew() {
  {
    const std::lock_guard lock(produce_mutex_);
    if (client_ != nullptr) {
      rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
      while (rd_kafka_outq_len(client_.get()) > 0) rd_kafka_poll(client_.get(), kPollMs);
      for (auto& topic : topics_) topic = nullptr;
      main_queue_ = nullptr;
      client_ = nullptr;
    }
    fenced_ = false;
    if (const absl::Status made = MakeClient(); !made.ok()) {
      for (auto& topic : topics_) topic = nullptr;
      main_queue_ = nullptr;
      client_ = nullptr;
    }
    ++counters_.renewals;
  }
  AnswerAll();
}

void KafkaProducer::AnswerAll() {
  std::vector<std::unique_ptr<Pending>> settled;
  std::vector<Answered> answers;
  {
    const std::lock_guard lock(settled_mutex_);
    settled.swap(settled_);
    answers.swap(answers_);
  }
  for (auto& pending : settled) Finish(std::move(pending));
  for (Answered& answer : answers) {
    answer.done(std::move(answer.answer));
    const std::lock_guard lock(queue_mutex_);
    --under_way_;
  }
  if (!settled.empty() || !answers.empty()) queue_drained_.notify_all();
}

void KafkaProducer::Finish(std::unique_ptr<Pending> pending) {
  batch_done_(pending->batch);
  const absl::Status& status = pending->refused.ok() ? pending->failed : pending->refused;
  if (status.ok()) {
    std::vector<Offset> offsets;
    offsets.reserve(pending->slots.size());
    for (const Slot& slot : pending->slots) offsets.push_back(slot.offset);
    counters_.records += offsets.size();
    ++counters_.batches;
    pending->done(std::move(offsets));
  } else {
    ++counters_.failures;
    pending->done(status);
  }
  const std::lock_guard lock(queue_mutex_);
  queue_bytes_ -= pending->bytes;
  --under_way_;
}

void KafkaProducer::Answer(EventLog::AppendDone done, absl::StatusOr<std::vector<Offset>> answer) {
  {
    std::unique_lock lock(queue_mutex_);
    if (closing_) {
      lock.unlock();
      return done(std::move(answer));
    }
    ++under_way_;
  }
  {
    const std::lock_guard lock(settled_mutex_);
    answers_.push_back({std::move(done), std::move(answer)});
  }
  const std::lock_guard lock(produce_mutex_);
  if (main_queue_ != nullptr) rd_kafka_queue_yield(main_queue_.get());
}

void KafkaProducer::Stop() {
  {
    std::unique_lock lock(queue_mutex_);
    closing_ = true;
    queue_drained_.notify_all();
    // Each has an answer within append_timeout_us.
    queue_drained_.wait(lock, [&] { return under_way_ == 0; });
  }
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

size_t KafkaProducer::queue_bytes() const {
  const std::lock_guard lock(queue_mutex_);
  return queue_bytes_;
}

}  // namespace bowerbird::log
