// Messages of a client are outside bytes: whatever they are, the answer is one JSON-RPC message or none.
#include <simdjson.h>

#include <cstdint>
#include <cstdlib>

#include "mcp/session.h"

namespace {

class Echo final : public bowerbird::mcp::Toolbox {
 public:
  std::span<const bowerbird::mcp::Tool> tools() const override { return tools_; }
  absl::StatusOr<std::string> Call(const bowerbird::mcp::Tool&, const bowerbird::mcp::Arguments& arguments) override {
    return arguments.Json();
  }
  absl::StatusOr<std::vector<bowerbird::mcp::Resource>> Resources() override {
    return std::vector<bowerbird::mcp::Resource>();
  }
  absl::StatusOr<std::string> Read(std::string_view uri) override { return std::string(uri); }

 private:
  using Type = bowerbird::mcp::ParameterType;
  std::vector<bowerbird::mcp::Tool> tools_ = {{"echo",
                                               "Echo",
                                               "Says what it was given.",
                                               {{"text", Type::kText, "", true, 0, 100},
                                                {"count", Type::kInteger, "", false, 1, 10},
                                                {"share", Type::kNumber, "", false, 0, 1},
                                                {"flag", Type::kFlag, ""}}}};
};

void Check(std::string_view message, std::string_view revision) {
  Echo echo;
  bowerbird::mcp::Session session({"0", "", std::string(revision)}, &echo);
  const auto answer = session.Handle(message);
  if (!answer.has_value()) return;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(*answer).get(root) != simdjson::SUCCESS) std::abort();
  if (root.is_array()) return;
  if (root["jsonrpc"].get_string().value_unsafe() != "2.0" || root["id"].error() != simdjson::SUCCESS) std::abort();
  if ((root["result"].error() == simdjson::SUCCESS) == (root["error"].error() == simdjson::SUCCESS)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  Check(message, bowerbird::mcp::kUnnamedRevision);
  Check(message, bowerbird::mcp::kNewestRevision);
  (void)bowerbird::mcp::ErrorFor(message, bowerbird::mcp::ErrorCode::kInternal, "away");
  return 0;
}
