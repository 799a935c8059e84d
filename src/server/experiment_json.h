#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bowerbird/v1/experiment.pb.h"
#include "bowerbird/v1/experiment_service.pb.h"
#include "bowerbird/v1/value.pb.h"

namespace bowerbird::server {

/// The JSON of experiments, read and written by the protos' descriptors: they are small, and asked for rarely. Field
/// names as in the protos, enums by name in small letters, Values plain, 64-bit numbers as numbers.
///
/// Errors   InvalidArgument with code and field (catalog::Problem): not JSON, an unknown or repeated field, a wrong
///          type. Bounds   nesting at most 16.

/// Lays the fields that are present over `experiment`. What only the server says is refused, and so is another id than
/// `experiment` has, if it has one.
absl::Status ParseExperiment(std::string_view json, v1::Experiment* experiment);
absl::StatusOr<v1::AssignRequest> ParseAssign(std::string_view json);
/// Any other small message.
absl::Status ParseSmall(std::string_view json, google::protobuf::Message* message);

/// Every field, with its default where it is not set.
void WriteMessage(const google::protobuf::Message& message, std::string* out);
void WriteValue(const v1::Value& value, std::string* out);

/// OFREP's body: the targeting key, and the other fields of the context that are booleans, numbers, strings or lists of
/// strings.
struct OfrepContext {
  std::string targeting_key;
  google::protobuf::Map<std::string, v1::Value> attributes;
};
/// InvalidArgument: not OFREP's JSON, or a context that is no object; a targeting key that is missing is left empty.
absl::StatusOr<OfrepContext> ParseOfrep(std::string_view json);

}  // namespace bowerbird::server
