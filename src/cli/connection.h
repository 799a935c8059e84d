#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "app/app.h"
#include "server/http.h"
#include "server/http_client.h"

namespace bowerbird::cli {

/// The API of a folder, wherever it runs: in the server that owns DIR (by DIR/bowerbird.sock), else opened in this
/// process. A command works the same either way.
class Connection {
 public:
  /// Says on standard error which of the two it is. NotFound: the folder has no app.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& dir, const std::string& app);
  /// The API of the folder itself, for operators' calls: about no app. In this process, `open_apps` opens every app
  /// first; one that cannot be opened is listed as failed. NotFound: no such folder.
  static absl::StatusOr<std::unique_ptr<Connection>> OpenFolder(const std::string& dir, bool open_apps);
  /// The API at the other end of `client`.
  static std::unique_ptr<Connection> Over(server::HttpClient client);
  virtual ~Connection() = default;
  /// Whether a server answers, not this process.
  virtual bool remote() const = 0;
  /// An HTTP error is an answer; see Checked.
  virtual absl::StatusOr<server::HttpResponse> Call(std::string_view method, std::string_view target,
                                                    std::string_view body) = 0;
  /// The body of a 200; anything else as a status whose message is the problem's detail.
  absl::StatusOr<std::string> Checked(std::string_view method, std::string_view target, std::string_view body);
  /// The App when it is in this process; null when a server owns the folder.
  virtual app::App* local_app() { return nullptr; }
};

/// Opens the App of a folder that no server owns. FailedPrecondition, saying so, when one does: for commands that read
/// stores directly.
absl::StatusOr<std::unique_ptr<app::App>> OpenExclusively(const std::string& dir, const std::string& app, bool consume);

}  // namespace bowerbird::cli
