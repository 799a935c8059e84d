#include "kafka/broker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/hash.h"
#include "fmt/format.h"

namespace bowerbird::kafka_test {

static std::unique_ptr<Brokers> one;

Brokers::Brokers(int count, int port)
    : folder_(fmt::format("{}/bowerbird_kafka_{}_{}", std::filesystem::temp_directory_path().string(), getpid(), port)),
      port_(port) {
  if (!Run(fmt::format("start --brokers {}", count))) return;
  for (int i = 0; i < count; ++i) addresses_ += fmt::format("{}127.0.0.1:{}", i == 0 ? "" : ",", port_ + 2 * i);
}

Brokers::~Brokers() { Run("wipe"); }

bool Brokers::Run(const std::string& command) const {
  const std::string line = fmt::format("KAFKA_DATA={} KAFKA_PORT={} {}/tools/kafka.sh {} >/dev/null", folder_, port_,
                                       BOWERBIRD_SOURCE_DIR, command);
  return std::system(line.c_str()) == 0;  // NOLINT(cert-env33-c): our own script
}

Brokers& Brokers::One() {
  if (one == nullptr) one = std::make_unique<Brokers>(1, 29092);
  return *one;
}

std::string FreshPrefix() { return fmt::format("t{}.", base::HexEncode(base::RandomBytes(6))); }

}  // namespace bowerbird::kafka_test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // Ended before main returns: the brokers' processes must not outlive it.
  const bool can_start = !bowerbird::kafka_test::Brokers::One().addresses().empty();
  int result = 77;
  if (can_start) {
    result = RUN_ALL_TESTS();
  } else {
    std::fprintf(stderr, "skipped: no Kafka broker could be started (tools/kafka.sh start)\n");
  }
  bowerbird::kafka_test::one = nullptr;
  return result;
}
