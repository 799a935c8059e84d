#include "lake/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/status_macros.h"

namespace bowerbird::lake {
namespace {

constexpr int kPollMs = 20;
constexpr size_t kErrorBytesMax = 4096;

class Descriptor {
 public:
  Descriptor() = default;
  ~Descriptor() { Reset(-1); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void Reset(int fd) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

absl::Status Failed(std::string_view what, int error) {
  return absl::UnavailableError(fmt::format("{}: {}", what, std::strerror(error)));
}

/// A file without a name: however long the input is, nobody waits for its reader.
absl::Status HoldInput(const std::string& input, Descriptor* file) {
  file->Reset(memfd_create("input", MFD_CLOEXEC));
  if (file->get() < 0) return Failed("memfd_create", errno);
  for (size_t done = 0; done < input.size();) {
    const ssize_t written = write(file->get(), input.data() + done, input.size() - done);
    if (written < 0) return Failed("write", errno);
    done += static_cast<size_t>(written);
  }
  lseek(file->get(), 0, SEEK_SET);
  return absl::OkStatus();
}

absl::Status MakePipe(Descriptor* reading, Descriptor* writing) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Failed("pipe", errno);
  reading->Reset(ends[0]);
  writing->Reset(ends[1]);
  return absl::OkStatus();
}

/// Killed with its group, and waited for, with its owner.
class Child {
 public:
  Child() = default;
  ~Child() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    (void)Wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  absl::Status Start(const ChildOptions& options, int input, int output, int errors) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    // Signals as a new process has them: a server blocks some.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::vector<char*> arguments;
    for (const std::string& argument : options.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    char* const nothing[] = {nullptr};
    const int error = posix_spawnp(&pid_, arguments[0], &actions, &attributes, arguments.data(),
                                   options.environment ? environ : nothing);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error == 0) return absl::OkStatus();
    pid_ = 0;
    return Failed(options.arguments[0], error);
  }
  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
};

/// Reads what is there; true at the end.
absl::StatusOr<bool> ReadSome(int fd, std::string* out) {
  char buffer[64 << 10];
  const ssize_t bytes = read(fd, buffer, sizeof(buffer));
  if (bytes < 0) return errno == EINTR ? absl::StatusOr<bool>(false) : Failed("read", errno);
  out->append(buffer, static_cast<size_t>(bytes));
  return bytes == 0;
}

absl::Status ReadToEnd(int output, int errors, const ChildOptions& options, ChildResult* result) {
  const int64_t deadline_us = base::MonotonicUs() + static_cast<int64_t>(options.seconds * 1e6);
  pollfd waited[2] = {{output, POLLIN, 0}, {errors, POLLIN, 0}};
  while (waited[0].fd >= 0 || waited[1].fd >= 0) {
    if (poll(waited, 2, kPollMs) < 0 && errno != EINTR) return Failed("poll", errno);
    for (pollfd& one : waited) {
      if (one.fd < 0 || one.revents == 0) continue;
      ASSIGN_OR_RETURN(const bool ended, ReadSome(one.fd, &one == waited ? &result->output : &result->errors));
      if (ended) one.fd = -1;
      one.revents = 0;
    }
    if (result->errors.size() > kErrorBytesMax) result->errors.erase(0, result->errors.size() - kErrorBytesMax);
    if (result->output.size() > options.output_bytes_max) {
      return absl::ResourceExhaustedError(
          fmt::format("the result is larger than the limit of {} bytes", options.output_bytes_max));
    }
    if (options.cancelled && options.cancelled()) return absl::CancelledError("it was cancelled");
    if (base::MonotonicUs() >= deadline_us) {
      return absl::DeadlineExceededError(
          fmt::format("it ran for longer than the limit of {:g} seconds", options.seconds));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChildResult> RunChild(const ChildOptions& options) {
  Descriptor input, output, child_output, errors, child_errors;
  RETURN_IF_ERROR(HoldInput(options.input, &input));
  RETURN_IF_ERROR(MakePipe(&output, &child_output));
  RETURN_IF_ERROR(MakePipe(&errors, &child_errors));
  Child child;
  RETURN_IF_ERROR(child.Start(options, input.get(), child_output.get(), child_errors.get()));
  child_output.Reset(-1);
  child_errors.Reset(-1);
  ChildResult result;
  RETURN_IF_ERROR(ReadToEnd(output.get(), errors.get(), options, &result));
  result.status = child.Wait();
  return result;
}

}  // namespace bowerbird::lake
