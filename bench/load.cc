#include "bench/load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <queue>
#include <string_view>

#include "base/clock.h"

namespace bowerbird::bench {
namespace {

constexpr size_t kDegradedBytesMax = 1024;  // of an answer's end, in which it says what it did without

class Generator {
 public:
  explicit Generator(const Load& load) : load_(load), epoll_(epoll_create1(0)), connections_(load.connections) {}
  ~Generator() {
    for (const Connection& connection : connections_) {
      if (connection.socket >= 0) close(connection.socket);
    }
    close(epoll_);
  }

  LoadReport Run() {
    start_us_ = base::MonotonicUs();
    end_us_ = start_us_ + static_cast<int64_t>(load_.seconds * 1e6);
    for (uint32_t c = 0; c < connections_.size(); ++c) {
      if (Connect(c)) {
        Next(c);
      } else {
        ++report_.errors;
      }
    }
    epoll_event events[256];
    while (in_flight_ > 0 || !waiting_.empty()) {
      const timespec wait = Wait();
      const int ready = epoll_pwait2(epoll_, events, 256, &wait, nullptr);
      for (int i = 0; i < ready; ++i) OnReady(events[i].data.u32, events[i].events);
      const int64_t now_us = base::MonotonicUs();
      while (!waiting_.empty() && waiting_.top().due_us <= now_us) {
        const uint32_t connection = waiting_.top().connection;
        waiting_.pop();
        Send(connection);
      }
    }
    report_.seconds = static_cast<double>(base::MonotonicUs() - start_us_) * 1e-6;
    std::sort(report_.latencies_us.begin(), report_.latencies_us.end());
    return std::move(report_);
  }

 private:
  struct Connection {
    int socket = -1;
    uint64_t sent = 0;
    int64_t due_us = 0;
    std::string out;
    size_t written = 0;
    std::string in;
    size_t in_wanted = 0;  ///< whole size of the answer; 0: its head is not here yet
  };
  struct Waiting {
    int64_t due_us = 0;
    uint32_t connection = 0;
    bool operator<(const Waiting& other) const { return due_us > other.due_us; }
  };

  /// Until the next request's time.
  timespec Wait() const {
    const int64_t us = waiting_.empty() ? 100'000 : std::max<int64_t>(0, waiting_.top().due_us - base::MonotonicUs());
    return {us / 1'000'000, us % 1'000'000 * 1000};
  }

  bool Connect(uint32_t c) {
    Connection& connection = connections_[c];
    connection.socket = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(load_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return false;
    fcntl(connection.socket, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.u32 = c;
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event) == 0;
  }

  /// The next request, now or at its time.
  void Next(uint32_t c) {
    Connection& connection = connections_[c];
    const int64_t now_us = base::MonotonicUs();
    connection.due_us = now_us;
    if (load_.rate > 0) {
      const auto turn = static_cast<double>(connection.sent * connections_.size() + c);
      connection.due_us = start_us_ + static_cast<int64_t>(turn / load_.rate * 1e6);
    }
    if (std::max(connection.due_us, now_us) >= end_us_) return;
    if (connection.due_us > now_us) {
      waiting_.push({connection.due_us, c});
    } else {
      Send(c);
    }
  }

  void Send(uint32_t c) {
    Connection& connection = connections_[c];
    const std::string target = load_.target_of ? load_.target_of(c, connection.sent) : load_.target;
    const std::string body = load_.body_of(c, connection.sent++);
    connection.out = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n{}\r\n{}", load_.method,
                                 target, body.size(), load_.headers, body);
    connection.written = 0;
    connection.in.clear();
    connection.in_wanted = 0;
    ++in_flight_;
    Write(c);
  }

  void Write(uint32_t c) {
    Connection& connection = connections_[c];
    while (connection.written < connection.out.size()) {
      const ssize_t bytes = send(connection.socket, connection.out.data() + connection.written,
                                 connection.out.size() - connection.written, MSG_NOSIGNAL);
      if (bytes < 0) {
        if (errno != EAGAIN) Broken(c);
        return;
      }
      connection.written += static_cast<size_t>(bytes);
    }
  }

  void OnReady(uint32_t c, uint32_t events) {
    Connection& connection = connections_[c];
    if (connection.socket < 0) return;
    if ((events & EPOLLOUT) != 0 && connection.written < connection.out.size()) Write(c);
    if (connection.socket < 0 || (events & EPOLLIN) == 0) return;
    char buffer[64 * 1024];
    while (true) {
      const ssize_t bytes = recv(connection.socket, buffer, sizeof(buffer), 0);
      if (bytes > 0) {
        connection.in.append(buffer, static_cast<size_t>(bytes));
        if (Whole(&connection)) return Answered(c);
        continue;
      }
      if (bytes < 0 && errno == EAGAIN) return;
      return Broken(c);
    }
  }

  /// Whether the answer is there as a whole. Ours all say their Content-Length.
  static bool Whole(Connection* connection) {
    if (connection->in_wanted == 0) {
      const size_t head = connection->in.find("\r\n\r\n");
      if (head == std::string::npos) return false;
      constexpr std::string_view kLength = "Content-Length: ";
      const size_t length = connection->in.find(kLength);
      if (length == std::string::npos || length > head) return false;
      connection->in_wanted = head + 4 + std::strtoull(connection->in.c_str() + length + kLength.size(), nullptr, 10);
    }
    return connection->in.size() >= connection->in_wanted;
  }

  void Answered(uint32_t c) {
    const Connection& connection = connections_[c];
    --in_flight_;
    ++report_.requests;
    report_.latencies_us.push_back(base::MonotonicUs() - connection.due_us);
    const std::string_view answer = connection.in;
    if (!answer.starts_with("HTTP/1.1 200")) {
      ++report_.errors;
    } else if (report_.latencies_us.back() <= load_.in_time_us) {
      ++report_.in_time;
      // Near the end, if at all: a long answer is not searched through.
      const std::string_view end = answer.substr(answer.size() - std::min(answer.size(), kDegradedBytesMax));
      const size_t degraded = end.rfind("\"degraded\":[");
      if (degraded != std::string_view::npos) {
        const std::string_view names = end.substr(degraded, 100);
        if (names.find("\"fewer_generators\"") != std::string_view::npos) ++report_.fewer;
        if (names.find("\"popular\"") != std::string_view::npos) ++report_.popular;
      }
    }
    Next(c);
  }

  void Broken(uint32_t c) {
    close(connections_[c].socket);
    connections_[c].socket = -1;
    --in_flight_;
    ++report_.requests;
    ++report_.errors;
  }

  const Load& load_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::priority_queue<Waiting> waiting_;
  uint64_t in_flight_ = 0;
  int64_t start_us_ = 0, end_us_ = 0;
  LoadReport report_;
};

}  // namespace

double LoadReport::PercentileMs(double share) const {
  if (latencies_us.empty()) return 0;
  const auto at = static_cast<size_t>(share * static_cast<double>(latencies_us.size() - 1));
  return static_cast<double>(latencies_us[at]) * 1e-3;
}

LoadReport RunLoad(const Load& load) { return Generator(load).Run(); }

}  // namespace bowerbird::bench
