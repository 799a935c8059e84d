#pragma once

#include <string>

namespace bowerbird::kafka_test {

/// Apache Kafka on loopback, of this process alone: in a folder and on ports of its own, gone at the end.
class Brokers {
 public:
  /// Starts `count` brokers. brokers() is empty when they cannot be started here; what went wrong is on standard error.
  Brokers(int count, int port);
  ~Brokers();
  const std::string& addresses() const { return addresses_; }  ///< "host:port,host:port"
  void Stop(int id) const { Run("stop " + std::to_string(id)); }
  void Kill(int id) const { Run("kill " + std::to_string(id)); }
  void Resume(int id) const { Run("resume " + std::to_string(id)); }

  /// One broker, started at the first call.
  static Brokers& One();

 private:
  bool Run(const std::string& command) const;
  const std::string folder_;
  const int port_;
  std::string addresses_;
};

/// A topic prefix that no test has had.
std::string FreshPrefix();

}  // namespace bowerbird::kafka_test
