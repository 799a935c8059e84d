#include "cli/command_mcp.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "base/status_macros.h"
#include "cli/connection.h"
#include "mcp/session.h"

namespace bowerbird::cli {
namespace {

/// Reads one line without its end. False: the input has ended. Of a longer line than any message may be, what is beyond
/// is passed over; what is left is over the bound, too.
bool ReadLine(std::istream& in, std::string* line) {
  line->clear();
  for (int c = in.get(); c != std::char_traits<char>::eof(); c = in.get()) {
    if (c == '\n') return true;
    if (line->size() <= mcp::Session::kMessageBytesMax) line->push_back(static_cast<char>(c));
  }
  return !line->empty();
}

/// The server of the folder, which may end and start again between two messages.
class Server {
 public:
  explicit Server(const McpOptions& options) : options_(options) {}

  absl::StatusOr<server::HttpResponse> Send(const std::string& message) {
    absl::StatusOr<server::HttpResponse> response = Try(message);
    if (response.ok() || connection_ == nullptr) return response;
    connection_.reset();
    return Try(message);
  }

  absl::Status Connect() {
    ASSIGN_OR_RETURN(connection_, Connection::Open(options_.folder.dir, options_.folder.app));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<server::HttpResponse> Try(const std::string& message) {
    if (connection_ == nullptr) RETURN_IF_ERROR(Connect());
    return connection_->Call("POST", options_.unmasked ? "/mcp?mask=false" : "/mcp?mask=true", message);
  }

  const McpOptions options_;
  std::unique_ptr<Connection> connection_;
};

void Print(const std::string& message) {
  // A message is one line; JSON has no need of another.
  std::string line = message + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

absl::Status Mcp(const McpOptions& options) {
  Server server(options);
  RETURN_IF_ERROR(server.Connect());
  std::string line;
  while (ReadLine(std::cin, &line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const absl::StatusOr<server::HttpResponse> response = server.Send(line);
    if (response.ok() && response->status == 202) continue;
    if (response.ok() && response->status == 200) {
      Print(response->body);
      continue;
    }
    const std::string why = response.ok() ? response->body : std::string(response.status().message());
    if (const std::optional<std::string> error = mcp::ErrorFor(line, mcp::ErrorCode::kInternal, why)) Print(*error);
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
