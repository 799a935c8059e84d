// Profiles over gRPC, one by one, in batches and on a stream; the clients on the same cores.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "bench/load.h"
#include "bench/pipeline/events.h"
#include "bowerbird/v1/understanding.grpc.pb.h"
#include "fmt/format.h"

namespace bowerbird::bench {
namespace {

constexpr int kClients = 4, kBatch = 100, kAhead = 8;

struct Measured {
  std::vector<double> call_ms;
  uint64_t profiles = 0, errors = 0;
  double seconds = 0;
};

double PercentileMs(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

/// `client` asks until the time is over and notes each call.
Measured Run(double seconds, const std::function<void(int client, int64_t until_us, Measured* measured)>& client) {
  std::vector<Measured> each(kClients);
  const int64_t start_us = base::MonotonicUs(), until_us = start_us + static_cast<int64_t>(seconds * 1e6);
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i)
    threads.emplace_back([&, i] { client(i, until_us, &each[static_cast<size_t>(i)]); });
  for (std::thread& thread : threads) thread.join();
  Measured all;
  all.seconds = static_cast<double>(base::MonotonicUs() - start_us) * 1e-6;
  for (const Measured& one : each) {
    all.call_ms.insert(all.call_ms.end(), one.call_ms.begin(), one.call_ms.end());
    all.profiles += one.profiles;
    all.errors += one.errors;
  }
  return all;
}

void Write(const char* name, const Measured& measured, base::JsonWriter* json) {
  json->Key(name).BeginObject().Key("clients").Int(kClients).Key("calls").Uint(measured.call_ms.size());
  json->Key("profiles").Uint(measured.profiles).Key("errors").Uint(measured.errors);
  json->Key("profiles_per_second").Double(static_cast<double>(measured.profiles) / measured.seconds);
  json->Key("p50_ms").Double(PercentileMs(measured.call_ms, 0.5));
  json->Key("p99_ms").Double(PercentileMs(measured.call_ms, 0.99)).EndObject();
}

}  // namespace

void GrpcProfileRow(uint16_t port, uint64_t users, double seconds, base::JsonWriter* json) {
  const auto stub = [&] {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::UserUnderstanding::NewStub(
        grpc::CreateCustomChannel(fmt::format("127.0.0.1:{}", port), grpc::InsecureChannelCredentials(), arguments));
  };
  const auto user = [&](base::Rng* rng) { return fmt::format("user-{}", rng->Below(users)); };
  json->Key("grpc").BeginObject();
  Write("unary",
        Run(seconds,
            [&](int client, int64_t until_us, Measured* measured) {
              base::Rng rng(static_cast<uint64_t>(client) + 1);
              const auto calls = stub();
              for (int64_t now_us = base::MonotonicUs(); now_us < until_us;) {
                grpc::ClientContext context;
                v1::GetProfileRequest request;
                request.set_id(user(&rng));
                v1::ProfileResponse profile;
                const bool fine = calls->GetProfile(&context, request, &profile).ok() && profile.events() > 0;
                ++(fine ? measured->profiles : measured->errors);
                const int64_t end_us = base::MonotonicUs();
                measured->call_ms.push_back(static_cast<double>(end_us - now_us) * 1e-3);
                now_us = end_us;
              }
            }),
        json);
  for (const auto& [name, parts] : {std::pair{"batch", ""}, std::pair{"batch_of_signals", "signals"}}) {
    Write(name,
          Run(seconds,
              [&, parts = std::string(parts)](int client, int64_t until_us, Measured* measured) {
                base::Rng rng(static_cast<uint64_t>(client) + 1);
                const auto calls = stub();
                for (int64_t now_us = base::MonotonicUs(); now_us < until_us;) {
                  grpc::ClientContext context;
                  v1::BatchGetProfilesRequest request;
                  for (int i = 0; i < kBatch; ++i) request.add_ids(user(&rng));
                  if (!parts.empty()) request.add_parts(parts);
                  v1::BatchGetProfilesResponse profiles;
                  if (!calls->BatchGetProfiles(&context, request, &profiles).ok()) ++measured->errors;
                  for (const v1::ProfileResult& result : profiles.results()) {
                    ++(result.profile().events() > 0 ? measured->profiles : measured->errors);
                  }
                  const int64_t end_us = base::MonotonicUs();
                  measured->call_ms.push_back(static_cast<double>(end_us - now_us) * 1e-3);
                  now_us = end_us;
                }
              }),
          json);
  }
  // As many ids ahead as the server reads; the time of each from its write to its answer.
  Write("stream",
        Run(seconds,
            [&](int client, int64_t until_us, Measured* measured) {
              base::Rng rng(static_cast<uint64_t>(client) + 1);
              const auto calls = stub();
              grpc::ClientContext context;
              const auto stream = calls->StreamProfiles(&context);
              std::deque<int64_t> sent_us;
              const auto send = [&] {
                v1::StreamProfilesRequest request;
                request.set_id(user(&rng));
                sent_us.push_back(base::MonotonicUs());
                return stream->Write(request);
              };
              for (int i = 0; i < kAhead; ++i) send();
              v1::ProfileResult result;
              while (!sent_us.empty() && stream->Read(&result)) {
                ++(result.profile().events() > 0 ? measured->profiles : measured->errors);
                const int64_t now_us = base::MonotonicUs();
                measured->call_ms.push_back(static_cast<double>(now_us - sent_us.front()) * 1e-3);
                sent_us.pop_front();
                if (now_us < until_us) send();
              }
              stream->WritesDone();
              if (!stream->Finish().ok()) ++measured->errors;
            }),
        json);
  json->EndObject();
}

}  // namespace bowerbird::bench
