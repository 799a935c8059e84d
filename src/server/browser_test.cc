#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "server/credentials.h"
#include "server/in_flight.h"
#include "server/origins.h"

namespace bowerbird::server {
namespace {

HttpRequest RequestWith(std::string_view name, std::string value) {
  HttpRequest request;
  request.headers[name] = std::move(value);
  return request;
}

TEST(CredentialsTest, AKeyIsABearerOrTheNameOfBasic) {
  EXPECT_FALSE(SecretOf(HttpRequest()).has_value());
  EXPECT_EQ(SecretOf(RequestWith("authorization", "Bearer bb_1")), "bb_1");
  EXPECT_EQ(SecretOf(RequestWith("authorization", "bearer bb_1")), "bb_1");
  EXPECT_EQ(SecretOf(RequestWith("authorization", "Basic YmJfMTo=")), "bb_1");  // "bb_1:"
  // With a password, without a colon, no base64, another scheme: no key, and not an open door either.
  for (const char* header : {"Basic YmJfMTpw", "Basic YmJfMQ==", "Basic *", "Digest x", "", "Bearer"}) {
    EXPECT_EQ(SecretOf(RequestWith("authorization", header)), "") << header;
  }
}

TEST(CredentialsTest, AKeyElsewhereCountsWhereTheRouteSaysSo) {
  HttpRequest query;
  query.query["key"] = "bb_q";
  EXPECT_FALSE(ReadSecret(KeyPlace::kHeader, 100, &query).has_value());
  EXPECT_FALSE(SecretOf(query).has_value());
  EXPECT_FALSE(ReadSecret(KeyPlace::kQuery, 100, &query).has_value());
  EXPECT_EQ(SecretOf(query), "bb_q");
  // The header goes before it.
  HttpRequest both = RequestWith("authorization", "Bearer bb_h");
  both.query["key"] = "bb_q";
  EXPECT_FALSE(ReadSecret(KeyPlace::kQuery, 100, &both).has_value());
  EXPECT_EQ(SecretOf(both), "bb_h");
  HttpRequest body;
  body.body = R"({"batch":[],"writeKey":"bb_b"})";
  EXPECT_FALSE(ReadSecret(KeyPlace::kBody, 100, &body).has_value());
  EXPECT_EQ(SecretOf(body), "bb_b");
  HttpRequest damaged = RequestWith("content-encoding", "gzip");
  damaged.body = "{}";
  EXPECT_EQ(ReadSecret(KeyPlace::kBody, 100, &damaged)->status, 400);
}

TEST(OriginsTest, APageOfAnAllowedOriginMayCallRoutesForBrowsers) {
  const Origins origins({"https://shop.example"});
  HttpResponse problem;
  EXPECT_TRUE(origins.Check(HttpRequest(), &problem));
  const HttpRequest allowed = RequestWith("origin", "https://shop.example");
  EXPECT_TRUE(origins.Check(allowed, &problem));
  const HttpRequest other = RequestWith("origin", "https://shop.example.evil");
  EXPECT_FALSE(origins.Check(other, &problem));
  EXPECT_EQ(problem.status, 403);
  HttpResponse marked;
  origins.Mark(allowed, &marked);
  EXPECT_THAT(marked.headers, testing::Contains(testing::Pair("Access-Control-Allow-Origin", "https://shop.example")));
  Router::Route route;
  EXPECT_EQ(origins.Preflight(allowed, route).status, 403);
  route.browser = true;
  EXPECT_EQ(origins.Preflight(allowed, route).status, 200);
  EXPECT_EQ(origins.Preflight(other, route).status, 403);
  EXPECT_TRUE(Origins({"*"}).Check(other, &problem));

  // A page of our own, by a name of this machine; not by one of elsewhere that was made to lead here.
  const auto is_own = [](const char* origin, const char* host) {
    HttpRequest request = RequestWith("origin", origin);
    request.headers["host"] = host;
    return Origins::IsOwn(request);
  };
  EXPECT_TRUE(is_own("http://localhost:8080", "localhost:8080"));
  EXPECT_TRUE(is_own("http://127.0.0.1:8080", "127.0.0.1:8080"));
  EXPECT_TRUE(is_own("http://[::1]:8080", "[::1]:8080"));
  EXPECT_FALSE(is_own("http://evil.example:8080", "evil.example:8080"));
  EXPECT_FALSE(is_own("http://evil.example", "127.0.0.1:8080"));
  EXPECT_FALSE(is_own("null", "127.0.0.1:8080"));

  HttpRequest preflight = RequestWith("access-control-request-method", "POST");
  EXPECT_FALSE(TakePreflight(&preflight));
  preflight.method = "OPTIONS";
  EXPECT_TRUE(TakePreflight(&preflight));
  EXPECT_EQ(preflight.method, "POST");
}

TEST(InFlightTest, RefusesWhatDoesNotFitUntilSomethingIsAnswered) {
  Metrics metrics;
  InFlight in_flight(100, &metrics);
  std::vector<HttpResponse> answers;
  const Responder respond = [&](HttpResponse response) { answers.push_back(std::move(response)); };
  const Responder first = in_flight.Take(70, false, respond);
  const Responder second = in_flight.Take(30, false, respond);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(in_flight.Take(1, false, respond), nullptr);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status, 429);
  EXPECT_THAT(answers[0].headers, testing::Contains(testing::Pair("Retry-After", "1")));
  const Metrics* const all[] = {&metrics};
  EXPECT_THAT(Metrics::Text(all), testing::HasSubstr("bowerbird_collect_in_flight_bytes 100"));
  EXPECT_THAT(Metrics::Text(all), testing::HasSubstr("bowerbird_collect_refused_total 1"));
  first(HttpResponse());
  EXPECT_EQ(in_flight.bytes(), 30u);
  EXPECT_NE(in_flight.Take(70, false, respond), nullptr);
  // Nor while the log is behind.
  EXPECT_EQ(in_flight.Take(0, true, respond), nullptr);
  // A body larger than the whole bound goes in alone, or it never could.
  InFlight idle(100, &metrics);
  EXPECT_NE(idle.Take(1000, false, respond), nullptr);
}

}  // namespace
}  // namespace bowerbird::server
