#include "experiment/live/subject.h"

#include <fmt/format.h>

#include <utility>

#include "catalog/problem.h"
#include "experiment/assignment/targeting.h"
#include "features/values.h"
#include "serve/segments.h"

namespace bowerbird::experiment::live {
namespace {

using assignment::Field;
using expression::Type;
using expression::Value;
using expression::ValueView;

/// The value as the type that was declared; monostate: it is of another.
Value As(Type type, const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kBoolValue:
      if (type == Type::kBool) return value.bool_value();
      break;
    case v1::Value::kNumberValue:
      if (type == Type::kNumber) return value.number_value();
      break;
    case v1::Value::kStringValue:
      if (type == Type::kString) return value.string_value();
      if (type == Type::kStrings) return std::vector<std::string>{value.string_value()};
      break;
    case v1::Value::kTimeUs:
      if (type == Type::kTime) return expression::TimeUs{value.time_us()};
      break;
    case v1::Value::kStrings:
      if (type == Type::kStrings)
        return std::vector<std::string>(value.strings().values().begin(), value.strings().values().end());
      break;
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return {};
}

ValueView TextOrAbsent(std::string_view text) { return text.empty() ? ValueView() : ValueView(text); }

}  // namespace

Subject::Subject(Known known, std::string_view user, const state::UserState* state)
    : known_(std::move(known)), user_(user), state_(state) {}

void Subject::SetContext(const v1::Context& context, std::string_view surface) {
  context_ = &context;
  surface_ = surface;
}

absl::Status Subject::SetAttributes(const google::protobuf::Map<std::string, v1::Value>& attributes, bool lenient) {
  for (const auto& [name, value] : attributes) {
    const std::optional<uint32_t> attribute = known_.schema->Find(name);
    if (!attribute.has_value()) continue;
    const Type type = known_.schema->type(*attribute);
    Value converted = As(type, value);
    if (std::holds_alternative<std::monostate>(converted)) {
      if (lenient) continue;
      return catalog::ToStatus({"wrong_type", "attributes." + name,
                                fmt::format("found a value of another type; expected {}", expression::TypeName(type))});
    }
    said_.resize(known_.schema->size());
    said_[*attribute] = std::move(converted);
  }
  return absl::OkStatus();
}

ValueView Subject::Get(uint32_t attribute) const {
  if (attribute < said_.size() && !std::holds_alternative<std::monostate>(said_[attribute]))
    return expression::View(said_[attribute]);
  switch (static_cast<Field>(attribute)) {
    case Field::kSegments:
      if (state_ == nullptr) return {};
      if (!segments_.has_value()) {
        features::Values values(known_.features, known_.hasher);
        if (known_.features != nullptr) values.SetUser(user_);
        segments_ =
            serve::SegmentsOf(*known_.config, *state_, known_.now_us, known_.features == nullptr ? nullptr : &values);
      }
      return std::span<const std::string_view>(*segments_);
    case Field::kLocale:
      return context_ == nullptr ? ValueView() : TextOrAbsent(context_->locale());
    case Field::kDevice:
      return context_ == nullptr ? ValueView() : TextOrAbsent(context_->device());
    case Field::kPlace:
      return context_ == nullptr ? ValueView() : TextOrAbsent(context_->place());
    case Field::kSurface:
      return TextOrAbsent(surface_);
    default:
      break;
  }
  if (user_.empty()) return {};
  if (!stored_.has_value()) {
    auto stored = known_.catalog->GetUser(user_);
    stored_ = stored.ok() ? *std::move(stored) : v1::User();
  }
  const auto found = stored_->attributes().find(std::string(known_.schema->name(attribute)));
  if (found == stored_->attributes().end()) return {};
  held_ = As(known_.schema->type(attribute), found->second);
  return expression::View(held_);
}

}  // namespace bowerbird::experiment::live
