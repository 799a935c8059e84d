#include "experiment/assignment/targeting.h"

#include <fmt/format.h>

#include <utility>

#include "catalog/problem.h"

namespace bowerbird::experiment::assignment {

std::string_view FieldName(Field field) {
  switch (field) {
    case Field::kSegments:
      return "segments";
    case Field::kLocale:
      return "request.locale";
    case Field::kDevice:
      return "request.device";
    case Field::kPlace:
      return "request.place";
    case Field::kSurface:
      return "request.surface";
    case Field::kFirstAttribute:
      break;
  }
  return "";
}

expression::Schema TargetingSchema(const config::Config& config) {
  expression::Schema schema;
  for (uint32_t i = 0; i < static_cast<uint32_t>(Field::kFirstAttribute); ++i) {
    const auto field = static_cast<Field>(i);
    const auto type = field == Field::kSegments ? expression::Type::kStrings : expression::Type::kString;
    schema.Add(FieldName(field), type).IgnoreError();
  }
  // One of a name that is taken above is left out.
  for (const config::Attribute& attribute : config.user_attributes) {
    schema.Add(attribute.name, attribute.type).IgnoreError();
  }
  return schema;
}

absl::StatusOr<std::shared_ptr<const expression::Program>> CompileTargeting(std::string_view text,
                                                                            const expression::Schema& schema) {
  expression::CompileError error;
  auto program = expression::Program::Compile(text, schema, &error);
  if (program != nullptr) return program;
  return catalog::ToStatus({"invalid_argument", "targeting",
                            fmt::format("found {} at {} of \"{}\"; expected {}", error.found, error.position,
                                        text.substr(0, 256), error.expected)});
}

}  // namespace bowerbird::experiment::assignment
