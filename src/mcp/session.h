#pragma once

#include <simdjson.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/json_writer.h"
#include "mcp/toolbox.h"

namespace bowerbird::mcp {

inline constexpr std::string_view kNewestRevision = "2025-06-18";
/// The one that is meant where a client of HTTP names none.
inline constexpr std::string_view kUnnamedRevision = "2025-03-26";
/// Whether this program speaks a revision of the protocol.
bool SpeaksRevision(std::string_view revision);

/// JSON-RPC 2.0 as MCP has it.
enum class ErrorCode : int {
  kParse = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternal = -32603,
  kResourceNotFound = -32002,
};

/// One client's talk: a message in, a message out. It does not wait, read or write anything itself.
///
/// Data     a message is a JSON object; under revision 2025-03-26 also an array of them, at most kBatchMax.
/// Errors   as the protocol has them: a message that cannot be read gets an error with a null id; a tool that fails
///          gets a result with isError, whose text is the reason.
/// Bounds   kMessageBytesMax in, nested at most kDepthMax; kTextBytesMax of a tool's text out.
/// Threads  one.
class Session {
 public:
  static constexpr size_t kMessageBytesMax = 1u << 20, kTextBytesMax = 4u << 20, kDepthMax = 64, kBatchMax = 50;
  struct Options {
    std::string version;                                   ///< of this program
    std::string instructions;                              ///< for the model: what there is, and how to begin
    std::string revision = std::string(kUnnamedRevision);  ///< in force until `initialize` agrees on another
  };
  /// `toolbox` outlives it.
  Session(Options options, Toolbox* toolbox) : options_(std::move(options)), toolbox_(toolbox) {}

  /// The answer; nothing to a notification, or to an answer of the client's.
  std::optional<std::string> Handle(std::string_view message);
  const std::string& revision() const { return options_.revision; }

 private:
  struct Failure {
    ErrorCode code;
    std::string message;
  };
  std::optional<std::string> HandleOne(simdjson::dom::element message);
  std::optional<std::string> HandleBatch(simdjson::dom::array messages);
  /// Writes the result of a request.
  std::optional<Failure> Answer(std::string_view method, simdjson::dom::object params, base::JsonWriter* json);
  std::optional<Failure> Initialize(simdjson::dom::object params, base::JsonWriter* json);
  std::optional<Failure> ListTools(simdjson::dom::object params, base::JsonWriter* json);
  std::optional<Failure> CallTool(simdjson::dom::object params, base::JsonWriter* json);
  std::optional<Failure> ListResources(simdjson::dom::object params, base::JsonWriter* json);
  std::optional<Failure> ReadResource(simdjson::dom::object params, base::JsonWriter* json);

  Options options_;
  Toolbox* const toolbox_;
};

/// The answer to `message` where nothing but this can be said, such as that the server cannot be reached. Nothing where
/// the message asks for no answer.
std::optional<std::string> ErrorFor(std::string_view message, ErrorCode code, std::string_view detail);

}  // namespace bowerbird::mcp
