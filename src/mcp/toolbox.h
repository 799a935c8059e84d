#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

/// The Model Context Protocol: what a program that talks for a language model may ask of this one. The protocol is here
/// (session.h); what the tools do is behind Toolbox.
namespace bowerbird::mcp {

enum class ParameterType : uint8_t { kText, kInteger, kNumber, kFlag };

/// One argument of a tool: its JSON schema is written from it, and what a client sends is checked against it.
struct Parameter {
  std::string name;
  ParameterType type = ParameterType::kText;
  std::string description;
  bool required = false;
  double min = -1e308, max = 1e308;  ///< of numbers; of a text, `max` bytes
};

struct Tool {
  std::string name, title, description;
  std::vector<Parameter> parameters;
};

/// The arguments of one call, checked against the tool's parameters.
class Arguments {
 public:
  using Value = std::variant<std::string, int64_t, double, bool>;
  void Set(const std::string& name, Value value) { values_[name] = std::move(value); }
  bool Has(const std::string& name) const { return values_.contains(name); }
  /// What was given, or `fallback`. Of a parameter of this type.
  std::string Text(const std::string& name, std::string fallback = "") const { return Get(name, std::move(fallback)); }
  int64_t Integer(const std::string& name, int64_t fallback) const { return Get(name, fallback); }
  double Number(const std::string& name, double fallback) const { return Get(name, fallback); }
  bool Flag(const std::string& name, bool fallback) const { return Get(name, fallback); }
  /// As one JSON object, keys in order: the same arguments give the same text.
  std::string Json() const;

 private:
  template <typename T>
  T Get(const std::string& name, T fallback) const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : std::get<T>(found->second);
  }
  std::map<std::string, Value> values_;
};

struct Resource {
  std::string uri, name, description, mime_type;
};

/// What a session offers.
///
/// Threads  as the session: one.
class Toolbox {
 public:
  virtual ~Toolbox() = default;
  virtual std::span<const Tool> tools() const = 0;
  /// The text for the model. An error's message is for the model, too: it says what would be accepted.
  virtual absl::StatusOr<std::string> Call(const Tool& tool, const Arguments& arguments) = 0;
  virtual absl::StatusOr<std::vector<Resource>> Resources() = 0;
  /// NotFound: no such resource.
  virtual absl::StatusOr<std::string> Read(std::string_view uri) = 0;
};

}  // namespace bowerbird::mcp
