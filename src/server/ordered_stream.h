#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace bowerbird::server {

/// One stream whose messages are answered in the order they came. It reads ahead, so that several are under way at
/// once, and no further: who sends faster than is answered, or reads slower, waits.
///
/// The lock is held for a few steps at a time; what `answer` calls back takes it again. The object goes when gRPC says
/// that it is done, perhaps on another thread as soon as Finish is called; so that is the last step of whoever takes
/// it, without the lock, when every message is answered.
class OrderedStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  /// Is called once, from any thread, with the response's bytes. Another status than OK ends the stream, after the
  /// answers before it.
  using Done = std::function<void(const grpc::Status& status, const grpc::ByteBuffer& response)>;
  using Answer = std::function<void(const grpc::ByteBuffer& message, Done done)>;

  /// At most `ahead_max` messages are under way, or answered and not read.
  OrderedStream(Answer answer, uint32_t ahead_max);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  struct Message {
    bool answered = false;
    grpc::Status status;
    grpc::ByteBuffer response;
  };
  /// Starts whatever can go on. The object may be gone when it returns.
  void Advance(std::unique_lock<std::mutex> lock);

  const Answer answer_;
  const uint32_t ahead_max_;
  std::mutex mutex_;  ///< of what follows
  grpc::ByteBuffer incoming_, outgoing_;
  std::deque<std::shared_ptr<Message>> messages_;
  bool reading_ = false, writing_ = false;
  bool closed_ = false;  ///< nothing more is read
  bool failed_ = false;  ///< nothing more is written
  bool finished_ = false;
  grpc::Status status_;
};

/// A stream that is refused before its first message.
class RefusedStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace bowerbird::server
