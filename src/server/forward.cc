#include "server/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "server/hosted_app.h"
#include "state/user_record.h"

namespace bowerbird::server {
namespace {

/// The answer by a node that is asked for a user of another one.
constexpr int kMisdirected = 421;
/// What is left of a request's time when its owner has failed: an answer without the owner takes a millisecond or two.
constexpr int64_t kLeftForOthers = 5;

/// Calls `answer` when the user's last acknowledged event is in effect: at once in most cases, else on the request's
/// own thread.
void WhenCurrent(const std::shared_ptr<HttpRequest>& request, const std::string& user, std::function<void()> answer) {
  app::App& app = request->app->app();
  if (app.UserCurrent(user)) {
    answer();
  } else {
    app.WhenUserCurrent(user, [request, answer = std::move(answer)]() mutable { request->post(std::move(answer)); });
  }
}

}  // namespace

/// One request on its way.
struct Forwarder::Course {
  std::shared_ptr<HttpRequest> request;
  Asked asked;
  Responder respond;
  int64_t start_us = 0;
  uint32_t hops = 0;
};

void Forwarder::SetPeers(peer::Peers* peers, int64_t forward_us_max) {
  peers_ = peers;
  forward_us_max_ = forward_us_max;
  for (uint32_t node = 0; node < peers->size(); ++node) {
    PeerMetrics& metrics = peer_metrics_.emplace_back();
    if (node == peers->self()) continue;
    const std::string name = fmt::format("{}", node);
    for (size_t i = 0; i < peer::kOutcomes; ++i) {
      metrics.outcomes[i] = &metrics_->Counter(
          "bowerbird_peer_requests_total", "Requests for users of another node, by node and what became of them.",
          {{"peer", name}, {"outcome", std::string(peer::OutcomeName(static_cast<peer::Outcome>(i)))}});
    }
    metrics.seconds = &metrics_->Seconds("bowerbird_peer_request_duration_seconds",
                                         "Time until another node had answered, or failed to.", {{"peer", name}});
    metrics.up = &metrics_->Gauge("bowerbird_peer_up", "1 where the node answers.", {{"peer", name}});
    metrics.in_flight = &metrics_->Gauge("bowerbird_peer_in_flight_requests",
                                         "Requests to the node that are under way.", {{"peer", name}});
  }
  without_owner_ = &metrics_->Counter("bowerbird_owner_unreachable_total",
                                      "Requests that were answered without the node that has the user's state.");
}

void Forwarder::ExportGauges() {
  for (uint32_t node = 0; node < peer_metrics_.size(); ++node) {
    if (node == peers_->self()) continue;
    peer_metrics_[node].up->Set(peers_->up(node) ? 1 : 0);
    peer_metrics_[node].in_flight->Set(peers_->in_flight(node));
  }
}

void Forwarder::Bring(const std::shared_ptr<HttpRequest>& request, Asked asked, const Responder& respond) {
  if (alone() || asked.user.empty()) {
    const std::string user = asked.user;
    return WhenCurrent(request, user, [answer = std::move(asked.answer), user] { answer(user); });
  }
  const auto course = std::make_shared<Course>(Course{request, std::move(asked), respond, base::MonotonicUs()});
  const Forwarded* forwarded = request->forwarded.get();
  if (forwarded == nullptr) return Go(course, course->asked.user);
  const std::string& user = forwarded->user.empty() ? course->asked.user : forwarded->user;
  if (request->app->app().OwnerOf(user) != peers_->self()) {
    return respond(ProblemResponse(kMisdirected, "misdirected",
                                   "another node brought a request for a user whom neither has; expected the same "
                                   "nodes and partitions everywhere"));
  }
  request->app->app().Learn(user, forwarded->acknowledged);
  Answer(course, user);
}

void Forwarder::BringTo(uint32_t owner, const std::shared_ptr<HttpRequest>& request, Asked asked,
                        const Responder& respond) {
  if (alone() || request->forwarded != nullptr || owner >= peers_->size() || owner == peers_->self()) {
    return asked.answer(asked.user);
  }
  Send(std::make_shared<Course>(Course{request, std::move(asked), respond, base::MonotonicUs()}), owner, "");
}

void Forwarder::Go(const std::shared_ptr<Course>& course, const std::string& user) {
  const uint32_t owner = course->request->app->app().OwnerOf(user);
  if (owner == peers_->self()) return Answer(course, user);
  Send(course, owner, user);
}

void Forwarder::Answer(const std::shared_ptr<Course>& course, const std::string& user) {
  WhenCurrent(course->request, user, [this, course, user] {
    app::App& app = course->request->app->app();
    const std::string becomes = app.BecomesElsewhere(user);
    if (becomes.empty()) return course->asked.answer(user);
    if (Forwarded* forwarded = course->request->forwarded.get(); forwarded != nullptr) {
      forwarded->becomes = becomes;
      forwarded->becomes_acknowledged = app.AcknowledgedOf(becomes);
      return course->respond(HttpResponse());
    }
    if (++course->hops > state::kMergeHopsMax) return WithoutOwner(course);
    Go(course, becomes);
  });
}

void Forwarder::Send(const std::shared_ptr<Course>& course, uint32_t owner, const std::string& user) {
  HttpRequest& request = *course->request;
  const int64_t now_us = base::MonotonicUs();
  v1::ForwardRequest message;
  message.set_app(request.app->name());
  message.set_method(request.method);
  message.set_path(request.path);
  for (const auto& [name, value] : request.query) (*message.mutable_query())[name] = value;
  message.set_body(request.body);
  if (const std::string* accept = request.Header("accept"); accept != nullptr) message.set_accept(*accept);
  message.set_user(user);
  if (!user.empty()) *message.mutable_acknowledged() = request.app->app().AcknowledgedOf(user);
  message.set_waited_us(request.waited_us + now_us - course->start_us);
  int64_t timeout_us = forward_us_max_;
  if (course->asked.timeout_us > 0) {
    const int64_t left_us = course->asked.timeout_us - message.waited_us();
    timeout_us = std::min(timeout_us, left_us - left_us / kLeftForOthers);
  }
  if (timeout_us <= 0) return WithoutOwner(course);
  peers_->Forward(
      owner, std::move(message), timeout_us,
      [this, course, owner, user, now_us](peer::Outcome outcome, const absl::Status&, v1::ForwardResponse response) {
        PeerMetrics& metrics = peer_metrics_[owner];
        metrics.outcomes[static_cast<size_t>(outcome)]->Increment();
        metrics.seconds->Observe(static_cast<double>(base::MonotonicUs() - now_us) * 1e-6);
        if (outcome == peer::Outcome::kAnswered) return Received(course, user, std::move(response));
        course->request->post([this, course] { WithoutOwner(course); });
      });
}

void Forwarder::Received(const std::shared_ptr<Course>& course, const std::string& user, v1::ForwardResponse response) {
  app::App& app = course->request->app->app();
  if (!user.empty()) app.ForgetFolded(user, response.folded_offset());
  if (!response.becomes().empty()) {
    if (++course->hops > state::kMergeHopsMax) return course->request->post([this, course] { WithoutOwner(course); });
    app.Learn(response.becomes(), response.becomes_acknowledged());
    return course->request->post([this, course, becomes = response.becomes()] { Go(course, becomes); });
  }
  // Its app is closed there, or the nodes do not agree who is who.
  if (response.status() == 503 || response.status() == kMisdirected) {
    return course->request->post([this, course] { WithoutOwner(course); });
  }
  HttpResponse answer;
  answer.status = static_cast<int>(response.status());
  answer.content_type = std::move(*response.mutable_content_type());
  answer.body = std::move(*response.mutable_body());
  for (v1::HttpHeader& header : *response.mutable_headers()) {
    answer.headers.emplace_back(std::move(*header.mutable_name()), std::move(*header.mutable_value()));
  }
  if (!course->asked.settle) return course->respond(std::move(answer));
  course->asked.settle(response.folded_offset(), [course, answer = std::move(answer)] { course->respond(answer); });
}

void Forwarder::WithoutOwner(const std::shared_ptr<Course>& course) {
  without_owner_->Increment();
  course->asked.without_owner();
}

}  // namespace bowerbird::server
