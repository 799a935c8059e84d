// Writes the OpenAPI 3.1 document of the API from the descriptor set of the protos (comments included).
// usage: openapi_gen DESCRIPTOR_SET VERSION OUTPUT.json
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "bowerbird/v1/http.pb.h"

namespace bowerbird::server {
namespace {

namespace pb = google::protobuf;
using base::JsonWriter;

std::string Comment(const pb::SourceLocation& location) {
  std::string text;
  for (const char c : location.leading_comments) text.push_back(c == '\n' ? ' ' : c);
  const auto first = text.find_first_not_of(' ');
  const auto last = text.find_last_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

template <typename Descriptor>
std::string CommentOf(const Descriptor* descriptor) {
  pb::SourceLocation location;
  return descriptor->GetSourceLocation(&location) ? Comment(location) : "";
}

/// What the server answers about itself: no message of the protos.
struct Document {
  const char *path, *id, *summary, *content_type, *type;
};
constexpr Document kDocuments[] = {
    {"/healthz", "Health", "Whether the process lives.", "application/json", "object"},
    {"/readyz", "Ready",
     "Whether it can serve and take events; 503 with a problem document where it cannot, and while it drains.",
     "application/json", "object"},
    {"/metrics", "Metrics", "Metrics for Prometheus.", "text/plain", "string"},
    {"/openapi.json", "OpenApi", "This document.", "application/json", "object"},
};

class Generator {
 public:
  Generator(const pb::DescriptorPool& pool, std::vector<std::string> files, std::string version)
      : pool_(pool), files_(std::move(files)), version_(std::move(version)) {}

  std::string Run() {
    std::string out;
    JsonWriter json(&out);
    json.BeginObject().Key("openapi").String("3.1.0");
    json.Key("info").BeginObject().Key("title").String("Bowerbird").Key("version").String(version_);
    json.Key("summary").String("Personalization and discovery: events in, feeds out.");
    json.Key("description")
        .String(
            "Bodies may be compressed: Content-Encoding gzip or zstd. A body over a limit, before or after unfolding, "
            "is answered by 413. A key goes as Authorization: Bearer KEY, or as the user's name of Basic with an empty "
            "password.");
    json.Key("license")
        .BeginObject()
        .Key("name")
        .String("Apache-2.0")
        .Key("identifier")
        .String("Apache-2.0")
        .EndObject()
        .EndObject();
    json.Key("paths").BeginObject();
    std::map<std::string, std::map<std::string, const pb::MethodDescriptor*>> paths;
    for (const std::string& file : files_) {
      const pb::FileDescriptor* descriptor = pool_.FindFileByName(file);
      for (int s = 0; s < descriptor->service_count(); ++s) {
        for (int m = 0; m < descriptor->service(s)->method_count(); ++m) {
          const pb::MethodDescriptor* method = descriptor->service(s)->method(m);
          const v1::HttpRule rule = method->options().GetExtension(v1::http);
          if (rule.path().empty()) continue;  // by gRPC only
          std::string verb = rule.method();
          std::transform(verb.begin(), verb.end(), verb.begin(), ::tolower);
          paths[rule.path()][verb] = method;
          for (const std::string& path : rule.also()) paths[path][verb] = method;
        }
      }
    }
    for (const auto& [path, methods] : paths) {
      json.Key(path).BeginObject();
      for (const auto& [verb, method] : methods) Operation(&json, path, verb, method);
      json.EndObject();
    }
    for (const Document& document : kDocuments) DocumentOperation(&json, document);
    json.EndObject();
    json.Key("components").BeginObject().Key("schemas").BeginObject();
    Problem(&json);
    std::set<std::string> done;
    while (!wanted_.empty()) {
      const pb::Descriptor* message = *wanted_.begin();
      wanted_.erase(wanted_.begin());
      if (done.insert(std::string(message->name())).second) Message(&json, message);
    }
    json.EndObject();
    ProblemResponse(&json);
    json.Key("securitySchemes").BeginObject().Key("key").BeginObject();
    json.Key("type").String("http").Key("scheme").String("bearer").EndObject().EndObject().EndObject();
    json.EndObject();
    return out;
  }

 private:
  struct ByName {
    bool operator()(const pb::Descriptor* a, const pb::Descriptor* b) const { return a->full_name() < b->full_name(); }
  };

  static bool InQuery(const pb::FieldDescriptor* field) { return field->options().GetExtension(v1::query); }

  static bool IsAttributes(const pb::FieldDescriptor* field) {
    return field->is_map() &&
           field->message_type()->FindFieldByName("value")->type() == pb::FieldDescriptor::TYPE_MESSAGE &&
           field->message_type()->FindFieldByName("value")->message_type()->name() == "Value";
  }

  void Reference(JsonWriter* json, const pb::Descriptor* message) {
    wanted_.insert(message);
    json->Key("$ref").String("#/components/schemas/" + std::string(message->name()));
  }

  void Scalar(JsonWriter* json, const pb::FieldDescriptor* field) {
    switch (field->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_BOOL:
        json->Key("type").String("boolean");
        break;
      case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      case pb::FieldDescriptor::CPPTYPE_FLOAT:
        json->Key("type").String("number");
        break;
      case pb::FieldDescriptor::CPPTYPE_UINT32:
        json->Key("type").String("integer").Key("minimum").Int(0).Key("maximum").Int(4294967295);
        break;
      case pb::FieldDescriptor::CPPTYPE_UINT64:
        json->Key("type").String("integer").Key("minimum").Int(0);
        break;
      case pb::FieldDescriptor::CPPTYPE_INT32:
      case pb::FieldDescriptor::CPPTYPE_INT64:
        json->Key("type").String("integer").Key("format").String("int64");
        break;
      case pb::FieldDescriptor::CPPTYPE_MESSAGE:
        if (field->message_type()->full_name() == "google.protobuf.Struct") {
          json->Key("type").String("object");
          break;
        }
        if (field->message_type()->full_name() == "google.protobuf.ListValue") {
          json->Key("type").String("array");
          break;
        }
        if (field->message_type()->full_name() == "bowerbird.v1.Value") {
          json->Key("type").BeginArray();
          for (const char* type : {"boolean", "number", "string", "array"}) json->String(type);
          json->EndArray();
          break;
        }
        Reference(json, field->message_type());
        break;
      default:
        json->Key("type").String("string");
    }
  }

  void FieldSchema(JsonWriter* json, const pb::FieldDescriptor* field) {
    json->BeginObject();
    const std::string comment = CommentOf(field);
    if (!comment.empty()) json->Key("description").String(comment);
    if (IsAttributes(field)) {
      json->Key("type").String("object").Key("additionalProperties").BeginObject().Key("type").BeginArray();
      for (const char* type : {"boolean", "number", "string", "array"}) json->String(type);
      json->EndArray().Key("items").BeginObject().Key("type").String("string").EndObject().EndObject();
    } else if (field->is_map()) {
      json->Key("type").String("object").Key("additionalProperties").BeginObject();
      Scalar(json, field->message_type()->FindFieldByName("value"));
      json->EndObject();
    } else if (field->is_repeated()) {
      json->Key("type").String("array").Key("items").BeginObject();
      Scalar(json, field);
      json->EndObject();
    } else {
      Scalar(json, field);
    }
    json->EndObject();
  }

  static void TimeAsText(JsonWriter* json, const char* name, const char* description) {
    json->Key(name).BeginObject().Key("type").String("string").Key("format").String("date-time");
    json->Key("description").String(description).EndObject();
  }

  void Message(JsonWriter* json, const pb::Descriptor* message) {
    json->Key(message->name()).BeginObject().Key("type").String("object");
    const std::string comment = CommentOf(message);
    if (!comment.empty()) json->Key("description").String(comment);
    json->Key("properties").BeginObject();
    for (int i = 0; i < message->field_count(); ++i) {
      // Fields that intake stamps are not part of the API: a client that sends them is refused.
      if (message->name() == "Event" && message->field(i)->number() >= 32) continue;
      if (InQuery(message->field(i))) continue;
      json->Key(message->field(i)->name());
      FieldSchema(json, message->field(i));
    }
    if (message->name() == "Event") TimeAsText(json, "time", "RFC 3339; instead of event_time_us.");
    if (message->name() == "Item")
      TimeAsText(json, "created_time", "RFC 3339; instead of created_time_us, in requests.");
    json->EndObject().EndObject();
  }

  static void Problem(JsonWriter* json) {
    json->Key("Problem").BeginObject().Key("type").String("object");
    json->Key("description").String("RFC 9457 problem document.").Key("properties").BeginObject();
    for (const char* name : {"type", "title", "code", "field", "detail"}) {
      json->Key(name).BeginObject().Key("type").String("string").EndObject();
    }
    json->Key("status").BeginObject().Key("type").String("integer").EndObject().EndObject();
    json->Key("required")
        .BeginArray()
        .String("type")
        .String("title")
        .String("status")
        .String("code")
        .EndArray()
        .EndObject();
  }

  static void ProblemContent(JsonWriter* json) {
    json->Key("application/problem+json").BeginObject().Key("schema").BeginObject();
    json->Key("$ref").String("#/components/schemas/Problem").EndObject().EndObject();
  }

  /// A status that is a message of another protocol, or a problem document where the request did not get that far.
  void FailureAnswer(JsonWriter* json, const char* status, const pb::Descriptor* failure) {
    json->Key(status).BeginObject().Key("description").String(CommentOf(failure)).Key("content").BeginObject();
    json->Key("application/json").BeginObject().Key("schema").BeginObject();
    Reference(json, failure);
    json->EndObject().EndObject();
    ProblemContent(json);
    json->EndObject().EndObject();
  }

  /// Every status that the server may answer instead, each a problem document, but for 400 and 404 of `failure`.
  void ProblemAnswers(JsonWriter* json, bool needs_key, const pb::Descriptor* failure = nullptr) {
    for (const char* status : {"400", "401", "403", "404", "409", "413", "415", "429", "431", "503", "504"}) {
      const std::string_view text = status;
      if (!needs_key && (text == "401" || text == "403")) continue;
      if (failure != nullptr && (text == "400" || text == "404")) {
        FailureAnswer(json, status, failure);
        continue;
      }
      json->Key(text).BeginObject().Key("$ref").String("#/components/responses/Problem").EndObject();
    }
  }
  static void ProblemResponse(JsonWriter* json) {
    json->Key("responses").BeginObject().Key("Problem").BeginObject();
    json->Key("description").String("What went wrong, and what would be accepted.");
    json->Key("content").BeginObject();
    ProblemContent(json);
    json->EndObject().EndObject().EndObject();
  }

  void DocumentOperation(JsonWriter* json, const Document& document) {
    json->Key(document.path).BeginObject().Key("get").BeginObject().Key("operationId").String(document.id);
    json->Key("tags").BeginArray().String("Operations").EndArray().Key("summary").String(document.summary);
    json->Key("responses").BeginObject().Key("200").BeginObject().Key("description").String("Done.").Key("content");
    json->BeginObject().Key(document.content_type).BeginObject().Key("schema").BeginObject().Key("type");
    json->String(document.type).EndObject().EndObject().EndObject().EndObject();
    ProblemAnswers(json, false);
    json->EndObject().EndObject().EndObject();
  }

  void PathParameter(JsonWriter* json, const pb::FieldDescriptor* field) {
    json->BeginObject().Key("name").String(field->name()).Key("in").String("path").Key("required").Bool(true);
    json->Key("schema").BeginObject().Key("type").String("string").Key("minLength").Int(1).Key("maxLength").Int(256);
    json->EndObject().EndObject();
  }

  void QueryParameter(JsonWriter* json, const pb::FieldDescriptor* field) {
    json->BeginObject().Key("name").String(field->name()).Key("in").String("query");
    const std::string comment = CommentOf(field);
    if (!comment.empty()) json->Key("description").String(comment);
    json->Key("schema").BeginObject();
    Scalar(json, field);
    json->EndObject().EndObject();
  }

  void Operation(JsonWriter* json, const std::string& path, const std::string& verb,
                 const pb::MethodDescriptor* method) {
    const v1::HttpRule rule = method->options().GetExtension(v1::http);
    json->Key(verb).BeginObject();
    // Another path of the same method is an operation of its own.
    std::string id(method->name());
    if (path != rule.path()) id += "_" + path.substr(path.rfind('/') + 1);
    json->Key("operationId").String(id).Key("tags").BeginArray().String(method->service()->name()).EndArray();
    const std::string comment = CommentOf(method);
    if (!comment.empty()) json->Key("summary").String(comment);
    const pb::Descriptor* input = method->input_type();
    bool has_parameters = false, has_path_parameters = false;
    for (int i = 0; i < input->field_count(); ++i) {
      const pb::FieldDescriptor* field = input->field(i);
      const bool in_path = rule.path().find("{" + std::string(field->name()) + "}") != std::string::npos;
      const bool in_query = InQuery(field);
      if (!in_path && !in_query) continue;
      if (!has_parameters) json->Key("parameters").BeginArray();
      has_parameters = true;
      has_path_parameters |= in_path;
      in_path ? PathParameter(json, field) : QueryParameter(json, field);
    }
    if (has_parameters) json->EndArray();
    const bool takes_body =
        verb == "put" || verb == "patch" || (verb == "post" && (!has_path_parameters || !rule.body().empty()));
    if (takes_body) {
      const pb::Descriptor* body = rule.body().empty() ? input : input->FindFieldByName(rule.body())->message_type();
      json->Key("requestBody").BeginObject().Key("required").Bool(true).Key("content").BeginObject();
      json->Key("application/json").BeginObject().Key("schema").BeginObject();
      Reference(json, body);
      json->EndObject().EndObject();
      if (rule.protobuf()) ProtobufContent(json, body);
      json->EndObject().EndObject();
    }
    json->Key("responses").BeginObject().Key("200").BeginObject().Key("description").String("Done.");
    json->Key("content").BeginObject().Key("application/json").BeginObject().Key("schema").BeginObject();
    Reference(json, method->output_type());
    json->EndObject().EndObject();
    if (rule.protobuf()) ProtobufContent(json, method->output_type());
    json->EndObject().EndObject();
    ProblemAnswers(json, !rule.scope().empty(),
                   rule.failure().empty() ? nullptr : method->file()->FindMessageTypeByName(rule.failure()));
    json->EndObject();
    if (!rule.scope().empty()) {
      json->Key("security")
          .BeginArray()
          .BeginObject()
          .Key("key")
          .BeginArray()
          .String(rule.scope())
          .EndArray()
          .EndObject()
          .EndArray();
    }
    json->EndObject();
  }

  /// The same message in bytes.
  static void ProtobufContent(JsonWriter* json, const pb::Descriptor* message) {
    json->Key("application/x-protobuf").BeginObject().Key("schema").BeginObject().Key("type").String("string");
    json->Key("format").String("binary").Key("description");
    json->String("The message " + std::string(message->full_name()) + " in protobuf.");
    json->EndObject().EndObject();
  }

  const pb::DescriptorPool& pool_;
  const std::vector<std::string> files_;
  const std::string version_;
  std::set<const pb::Descriptor*, ByName> wanted_;
};

int Main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: openapi_gen DESCRIPTOR_SET VERSION OUTPUT\n";
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  pb::FileDescriptorSet set;
  if (!set.ParseFromIstream(&in)) {
    std::cerr << argv[1] << " is not a descriptor set\n";
    return 1;
  }
  pb::DescriptorPool pool;
  std::vector<std::string> files;
  for (const pb::FileDescriptorProto& file : set.file()) {
    pool.BuildFile(file);
    files.push_back(file.name());
  }
  std::ofstream(argv[3]) << Generator(pool, files, argv[2]).Run();
  return 0;
}

}  // namespace
}  // namespace bowerbird::server

int main(int argc, char** argv) { return bowerbird::server::Main(argc, argv); }
