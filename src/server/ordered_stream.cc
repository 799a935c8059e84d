#include "server/ordered_stream.h"

#include <utility>

namespace bowerbird::server {

OrderedStream::OrderedStream(Answer answer, uint32_t ahead_max) : answer_(std::move(answer)), ahead_max_(ahead_max) {
  Advance(std::unique_lock(mutex_));
}

void OrderedStream::OnReadDone(bool ok) {
  std::shared_ptr<Message> message;
  grpc::ByteBuffer bytes;
  {
    std::unique_lock lock(mutex_);
    reading_ = false;
    // A message that was on its way when the stream was refused is dropped: nothing of it was acknowledged, and the
    // object may go at any moment.
    if (!ok || closed_) {
      closed_ = true;
      return Advance(std::move(lock));
    }
    message = messages_.emplace_back(std::make_shared<Message>());
    bytes.Swap(&incoming_);
    Advance(std::move(lock));
  }
  // Without the lock: it may be answered before this returns. The message keeps the stream open until it is.
  answer_(bytes, [this, message](const grpc::Status& status, const grpc::ByteBuffer& response) {
    std::unique_lock lock(mutex_);
    message->answered = true;
    message->status = status;
    message->response = response;
    Advance(std::move(lock));
  });
}

void OrderedStream::OnWriteDone(bool ok) {
  std::unique_lock lock(mutex_);
  writing_ = false;
  if (!ok) closed_ = failed_ = true;
  Advance(std::move(lock));
}

void OrderedStream::Advance(std::unique_lock<std::mutex> lock) {
  if (finished_) return;
  while (!writing_ && !messages_.empty() && messages_.front()->answered) {
    const std::shared_ptr<Message> message = messages_.front();
    messages_.pop_front();
    // The first refusal ends the stream; what was done for messages after it is done, and the client asks again.
    if (!message->status.ok() && !failed_) {
      closed_ = failed_ = true;
      status_ = message->status;
    }
    if (failed_) continue;
    writing_ = true;
    outgoing_.Swap(&message->response);
    StartWrite(&outgoing_);
  }
  if (!reading_ && !closed_ && messages_.size() < ahead_max_) {
    reading_ = true;
    StartRead(&incoming_);
  }
  if (closed_ && !writing_ && messages_.empty()) {
    finished_ = true;
    const grpc::Status status = status_;
    lock.unlock();
    Finish(status);
  }
}

}  // namespace bowerbird::server
