#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_client.h"

namespace bowerbird::end_to_end {

/// What one run of the binary left.
struct Outcome {
  int exit_status = -1;
  std::string output;  ///< standard output and standard error, as they came
};
/// Runs `bowerbird ARGS...` to its end.
Outcome RunProgram(const std::vector<std::string>& args);

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// `bowerbird serve` on a free port, killed with its owner if it still runs.
class RunningServer {
 public:
  /// Fails the test when the server does not come up.
  explicit RunningServer(const std::string& dir, std::vector<std::string> more_args = {});
  ~RunningServer();
  uint16_t port() const { return port_; }
  server::HttpClient Client() const;
  /// Sends `signal` and waits for the end; the exit status, or -signal.
  int Stop(int signal);
  bool alive() const;
  void Signal(int signal) const;

 private:
  pid_t pid_ = 0;
  int output_ = -1;
  uint16_t port_ = 0;
};

/// The text at a JSON pointer such as "/items/0/id": a string as it is, anything else as JSON. "" when there is none.
std::string At(const std::string& json, std::string_view pointer);
/// The last line of an output that is a JSON object; "" when there is none.
std::string JsonLine(const std::string& output);
/// The "id" of each element of "items".
std::vector<std::string> ItemIds(const std::string& answer);

/// Writes `bytes` to a file of the folder and returns its path.
std::string WriteFile(const std::string& folder, const std::string& name, const std::string& bytes);

/// Makes a folder with a starter config, `items` items in three categories and events of `users` users, each fond of
/// one category; trains and indexes.
void MakeSmallWorld(const std::string& dir, uint32_t items, uint32_t users);

}  // namespace bowerbird::end_to_end
