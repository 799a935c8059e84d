#include "mcp/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mcp/arguments.h"

namespace bowerbird::mcp {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kRevisions[] = {kNewestRevision, kUnnamedRevision};

std::string ErrorText(std::string_view id, ErrorCode code, std::string_view message) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("jsonrpc").String("2.0").Key("id").Raw(id).Key("error").BeginObject();
  json.Key("code").Int(static_cast<int>(code)).Key("message").String(message).EndObject().EndObject();
  return text;
}

/// The request's id as JSON: a string or a whole number. Empty: another thing.
std::string IdText(const dom::element& id) {
  return id.is_string() || id.is_int64() || id.is_uint64() ? simdjson::minify(id) : std::string();
}

/// Room for a message and its nesting. False: it cannot be read.
bool Parse(std::string_view message, dom::parser* parser, dom::element* root) {
  // What the parser holds beside the text grows with it: an allocation of its own, so that depth has its own bound.
  if (parser->allocate(std::max<size_t>(message.size(), 64), Session::kDepthMax) != simdjson::SUCCESS) return false;
  return parser->parse(message.data(), message.size()).get(*root) == simdjson::SUCCESS;
}

}  // namespace

bool SpeaksRevision(std::string_view revision) {
  return std::find(std::begin(kRevisions), std::end(kRevisions), revision) != std::end(kRevisions);
}

std::optional<std::string> Session::Handle(std::string_view message) {
  if (message.size() > kMessageBytesMax) {
    return ErrorText("null", ErrorCode::kInvalidRequest,
                     fmt::format("the message has {} bytes; expected at most {}", message.size(), kMessageBytesMax));
  }
  dom::parser parser;
  dom::element root;
  if (!Parse(message, &parser, &root))
    return ErrorText("null", ErrorCode::kParse, "the message is not JSON, or nested too deeply");
  dom::array batch;
  if (root.get(batch) == simdjson::SUCCESS) return HandleBatch(batch);
  return HandleOne(root);
}

std::optional<std::string> Session::HandleBatch(dom::array messages) {
  if (revision() != kUnnamedRevision)
    return ErrorText("null", ErrorCode::kInvalidRequest, "found a batch; revision 2025-06-18 has none");
  size_t count = 0;
  std::string answers;
  for (const dom::element message : messages) {
    if (++count > kBatchMax) {
      return ErrorText("null", ErrorCode::kInvalidRequest,
                       fmt::format("found a batch of more than {} messages", kBatchMax));
    }
    if (const std::optional<std::string> answer = HandleOne(message)) answers += (answers.empty() ? "" : ",") + *answer;
  }
  if (count == 0) return ErrorText("null", ErrorCode::kInvalidRequest, "found an empty batch");
  if (answers.empty()) return std::nullopt;
  return "[" + answers + "]";
}

std::optional<std::string> Session::HandleOne(dom::element message) {
  dom::object object;
  std::string_view version, method;
  if (message.get(object) || object["jsonrpc"].get(version) || version != "2.0")
    return ErrorText("null", ErrorCode::kInvalidRequest, "expected an object with \"jsonrpc\": \"2.0\"");
  dom::element id, params_element;
  const bool has_id = object["id"].get(id) == simdjson::SUCCESS;
  const std::string id_text = has_id ? IdText(id) : std::string();
  if (object["method"].get(method) != simdjson::SUCCESS) {
    dom::element answered;
    const bool answers =
        object["result"].get(answered) == simdjson::SUCCESS || object["error"].get(answered) == simdjson::SUCCESS;
    if (answers) return std::nullopt;
    return ErrorText(id_text.empty() ? "null" : id_text, ErrorCode::kInvalidRequest, "method: expected a string");
  }
  if (!has_id) return std::nullopt;  // a notification: nothing here waits for one
  if (id_text.empty()) return ErrorText("null", ErrorCode::kInvalidRequest, "id: expected a string or a whole number");
  dom::object params;
  const bool has_params = object["params"].get(params_element) == simdjson::SUCCESS;
  dom::parser empty_parser;
  if (!has_params) params = empty_parser.parse(std::string_view("{}")).get_object().value_unsafe();
  if (has_params && params_element.get(params) != simdjson::SUCCESS)
    return ErrorText(id_text, ErrorCode::kInvalidParams, "params: expected an object");

  std::string result;
  base::JsonWriter json(&result);
  if (const std::optional<Failure> failure = Answer(method, params, &json))
    return ErrorText(id_text, failure->code, failure->message);
  std::string text;
  base::JsonWriter(&text)
      .BeginObject()
      .Key("jsonrpc")
      .String("2.0")
      .Key("id")
      .Raw(id_text)
      .Key("result")
      .Raw(result)
      .EndObject();
  return text;
}

std::optional<Session::Failure> Session::Answer(std::string_view method, dom::object params, base::JsonWriter* json) {
  if (method == "initialize") return Initialize(params, json);
  if (method == "ping") {
    json->BeginObject().EndObject();
    return std::nullopt;
  }
  if (method == "tools/list") return ListTools(params, json);
  if (method == "tools/call") return CallTool(params, json);
  if (method == "resources/list") return ListResources(params, json);
  if (method == "resources/read") return ReadResource(params, json);
  if (method == "resources/templates/list") {
    json->BeginObject().Key("resourceTemplates").BeginArray().EndArray().EndObject();
    return std::nullopt;
  }
  return Failure{ErrorCode::kMethodNotFound, fmt::format("found method '{}'; expected initialize, ping, tools/list, "
                                                         "tools/call, resources/list or resources/read",
                                                         method.substr(0, 80))};
}

std::optional<Session::Failure> Session::Initialize(dom::object params, base::JsonWriter* json) {
  std::string_view wanted;
  if (params["protocolVersion"].get(wanted) != simdjson::SUCCESS)
    return Failure{ErrorCode::kInvalidParams, "protocolVersion: expected a string such as \"2025-06-18\""};
  options_.revision = SpeaksRevision(wanted) ? wanted : kNewestRevision;
  json->BeginObject().Key("protocolVersion").String(options_.revision);
  json->Key("capabilities").BeginObject().Key("tools").BeginObject().EndObject();
  json->Key("resources").BeginObject().EndObject().EndObject();
  json->Key("serverInfo").BeginObject().Key("name").String("bowerbird").Key("title").String("Bowerbird");
  json->Key("version").String(options_.version).EndObject();
  json->Key("instructions").String(options_.instructions).EndObject();
  return std::nullopt;
}

std::optional<Session::Failure> Session::ListTools(dom::object params, base::JsonWriter* json) {
  if (params["cursor"].error() == simdjson::SUCCESS)
    return Failure{ErrorCode::kInvalidParams, "cursor: expected none: the list has one page"};
  json->BeginObject().Key("tools").BeginArray();
  for (const Tool& tool : toolbox_->tools()) {
    json->BeginObject().Key("name").String(tool.name).Key("title").String(tool.title);
    json->Key("description").String(tool.description).Key("inputSchema");
    WriteSchema(tool, json);
    json->Key("annotations").BeginObject().Key("readOnlyHint").Bool(true).Key("destructiveHint").Bool(false);
    json->Key("idempotentHint").Bool(true).Key("openWorldHint").Bool(false).EndObject().EndObject();
  }
  json->EndArray().EndObject();
  return std::nullopt;
}

std::optional<Session::Failure> Session::CallTool(dom::object params, base::JsonWriter* json) {
  std::string_view name;
  if (params["name"].get(name) != simdjson::SUCCESS)
    return Failure{ErrorCode::kInvalidParams, "name: expected the name of a tool"};
  const std::span<const Tool> tools = toolbox_->tools();
  const auto tool = std::find_if(tools.begin(), tools.end(), [&](const Tool& one) { return one.name == name; });
  if (tool == tools.end()) {
    return Failure{ErrorCode::kInvalidParams,
                   fmt::format("name: found no tool '{}'; tools/list shows them", name.substr(0, 80))};
  }
  dom::element given;
  dom::object arguments;
  dom::parser empty_parser;
  if (params["arguments"].get(given) != simdjson::SUCCESS || given.is_null()) {
    arguments = empty_parser.parse(std::string_view("{}")).get_object().value_unsafe();
  } else if (given.get(arguments) != simdjson::SUCCESS) {
    return Failure{ErrorCode::kInvalidParams, "arguments: expected an object"};
  }
  const absl::StatusOr<Arguments> read = ReadArguments(*tool, arguments);
  if (!read.ok()) return Failure{ErrorCode::kInvalidParams, std::string(read.status().message())};
  absl::StatusOr<std::string> text = toolbox_->Call(*tool, *read);
  if (text.ok() && text->size() > kTextBytesMax) {
    text = absl::ResourceExhaustedError(
        fmt::format("the answer has {} bytes; expected at most {}: ask for less", text->size(), kTextBytesMax));
  }
  json->BeginObject().Key("content").BeginArray().BeginObject().Key("type").String("text").Key("text");
  json->String(text.ok() ? std::string_view(*text)
                         : std::string_view(text.status().message().data(), text.status().message().size()));
  json->EndObject().EndArray().Key("isError").Bool(!text.ok()).EndObject();
  return std::nullopt;
}

std::optional<Session::Failure> Session::ListResources(dom::object params, base::JsonWriter* json) {
  if (params["cursor"].error() == simdjson::SUCCESS)
    return Failure{ErrorCode::kInvalidParams, "cursor: expected none: the list has one page"};
  const absl::StatusOr<std::vector<Resource>> resources = toolbox_->Resources();
  if (!resources.ok()) return Failure{ErrorCode::kInternal, std::string(resources.status().message())};
  json->BeginObject().Key("resources").BeginArray();
  for (const Resource& resource : *resources) {
    json->BeginObject().Key("uri").String(resource.uri).Key("name").String(resource.name);
    json->Key("description").String(resource.description).Key("mimeType").String(resource.mime_type).EndObject();
  }
  json->EndArray().EndObject();
  return std::nullopt;
}

std::optional<Session::Failure> Session::ReadResource(dom::object params, base::JsonWriter* json) {
  std::string_view uri;
  if (params["uri"].get(uri) != simdjson::SUCCESS)
    return Failure{ErrorCode::kInvalidParams, "uri: expected that of a resource"};
  const absl::StatusOr<std::string> text = toolbox_->Read(uri);
  if (absl::IsNotFound(text.status()))
    return Failure{ErrorCode::kResourceNotFound, std::string(text.status().message())};
  if (!text.ok()) return Failure{ErrorCode::kInternal, std::string(text.status().message())};
  json->BeginObject().Key("contents").BeginArray().BeginObject().Key("uri").String(uri);
  json->Key("mimeType").String(text->starts_with('{') ? "application/json" : "text/markdown");
  json->Key("text").String(*text).EndObject().EndArray().EndObject();
  return std::nullopt;
}

std::optional<std::string> ErrorFor(std::string_view message, ErrorCode code, std::string_view detail) {
  dom::parser parser;
  dom::element root, id;
  if (message.size() > Session::kMessageBytesMax || !Parse(message, &parser, &root))
    return ErrorText("null", code, detail);
  if (root.is_array()) return ErrorText("null", code, detail);
  if (root["id"].get(id) != simdjson::SUCCESS) return std::nullopt;
  const std::string id_text = IdText(id);
  return ErrorText(id_text.empty() ? "null" : id_text, code, detail);
}

}  // namespace bowerbird::mcp
