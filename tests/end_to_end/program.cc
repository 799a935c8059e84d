#include "end_to_end/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <simdjson.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/clock.h"

namespace bowerbird::end_to_end {
namespace {

/// Starts the binary; `output` is the reading end of its standard output (and error, when asked).
pid_t Spawn(const std::vector<std::string>& args, bool with_errors, int* output) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::vector<char*> argv{const_cast<char*>(BOWERBIRD_BINARY)};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that dies takes its servers with it
    dup2(ends[1], STDOUT_FILENO);
    if (with_errors) dup2(ends[1], STDERR_FILENO);
    execv(BOWERBIRD_BINARY, argv.data());
    _exit(127);
  }
  close(ends[1]);
  *output = ends[0];
  return pid;
}

int ExitStatus(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

}  // namespace

Outcome RunProgram(const std::vector<std::string>& args) {
  Outcome outcome;
  int output = -1;
  const pid_t pid = Spawn(args, true, &output);
  char buffer[4096];
  for (ssize_t n; (n = read(output, buffer, sizeof(buffer))) > 0;)
    outcome.output.append(buffer, static_cast<size_t>(n));
  close(output);
  int status = 0;
  waitpid(pid, &status, 0);
  outcome.exit_status = ExitStatus(status);
  return outcome;
}

TemporaryFolder::TemporaryFolder() {
  path_ = (std::filesystem::temp_directory_path() / "bowerbird-test-XXXXXX").string();
  EXPECT_NE(mkdtemp(path_.data()), nullptr);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

RunningServer::RunningServer(const std::string& dir, std::vector<std::string> more_args) {
  std::vector<std::string> args{"serve", "--dir", dir, "--port", "0"};
  args.insert(args.end(), more_args.begin(), more_args.end());
  pid_ = Spawn(args, false, &output_);
  std::string line;
  const int64_t deadline_us = base::MonotonicUs() + 60'000'000;
  while (line.find('\n') == std::string::npos && base::MonotonicUs() < deadline_us) {
    pollfd wait{output_, POLLIN, 0};
    if (poll(&wait, 1, 1000) <= 0) continue;
    char buffer[256];
    const ssize_t n = read(output_, buffer, sizeof(buffer));
    if (n <= 0) break;
    line.append(buffer, static_cast<size_t>(n));
  }
  const size_t colon = line.rfind(':');
  if (!line.starts_with("listening on") || colon == std::string::npos) {
    ADD_FAILURE() << "the server did not come up: " << line;
    return;
  }
  port_ = static_cast<uint16_t>(std::strtoul(line.c_str() + colon + 1, nullptr, 10));
}

RunningServer::~RunningServer() {
  if (pid_ > 0) Stop(SIGKILL);
  if (output_ >= 0) close(output_);
}

server::HttpClient RunningServer::Client() const {
  auto client = server::HttpClient::Connect(fmt::format("127.0.0.1:{}", port_), 30'000'000);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

bool RunningServer::alive() const { return pid_ > 0 && kill(pid_, 0) == 0; }

void RunningServer::Signal(int signal) const { kill(pid_, signal); }

int RunningServer::Stop(int signal) {
  if (pid_ <= 0) return 0;
  kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  return ExitStatus(status);
}

std::string At(const std::string& json, std::string_view pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element document, value;
  if (parser.parse(json).get(document) || document.at_pointer(pointer).get(value)) return "";
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value);
}

std::string JsonLine(const std::string& output) {
  std::istringstream lines(output);
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('{')) found = line;
  }
  return found;
}

std::vector<std::string> ItemIds(const std::string& answer) {
  std::vector<std::string> ids;
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  simdjson::dom::array items;
  if (parser.parse(answer).get(document) || document["items"].get(items)) return ids;
  for (const simdjson::dom::element item : items) {
    std::string_view id;
    if (item["id"].get(id) == simdjson::SUCCESS) ids.emplace_back(id);
  }
  return ids;
}

std::string WriteFile(const std::string& folder, const std::string& name, const std::string& bytes) {
  const std::string path = folder + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

void MakeSmallWorld(const std::string& dir, uint32_t items, uint32_t users) {
  std::string item_rows = "id,title,category,price\n", event_rows = "user,item,time\n";
  for (uint32_t i = 0; i < items; ++i) item_rows += fmt::format("i{},Item {},c{},{}\n", i, i, i % 3, i);
  for (uint32_t u = 0; u < users; ++u) {
    for (uint32_t k = 0; k < 8; ++k) {
      event_rows +=
          fmt::format("u{},i{},{}\n", u, ((u * 5 + k * 7) % (items / 3)) * 3 + u % 3, 1'700'000'000 + u * 100 + k);
    }
  }
  Outcome outcome =
      RunProgram({"import", "csv", WriteFile(dir, "items.csv", item_rows), "--kind", "items", "--dir", dir + "/data"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  outcome = RunProgram(
      {"import", "csv", WriteFile(dir, "events.csv", event_rows), "--type", "click", "--dir", dir + "/data"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  outcome = RunProgram({"train", "cf", "--factors", "16", "--dir", dir + "/data"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
  outcome = RunProgram({"index", "build", "--dir", dir + "/data"});
  ASSERT_EQ(outcome.exit_status, 0) << outcome.output;
}

}  // namespace bowerbird::end_to_end
