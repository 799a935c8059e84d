#include "lake/value_columns.h"

#include <google/protobuf/unknown_field_set.h>

#include <utility>

namespace bowerbird::lake {
namespace {

enum Member : uint8_t { kBoolValue, kNumberValue, kStringValue, kTimeValue, kStringsValue };

bool HasUnknownFields(const google::protobuf::Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

bool AppendValue(const v1::Value& value, Column* column) {
  using Case = v1::Value::KindCase;
  const Case kind = value.kind_case();
  kind == Case::kBoolValue ? column->child(kBoolValue).Bool(value.bool_value()) : column->child(kBoolValue).Null();
  kind == Case::kNumberValue ? column->child(kNumberValue).Double(value.number_value())
                             : column->child(kNumberValue).Null();
  kind == Case::kStringValue ? column->child(kStringValue).Text(value.string_value())
                             : column->child(kStringValue).Null();
  kind == Case::kTimeUs ? column->child(kTimeValue).Int64(value.time_us()) : column->child(kTimeValue).Null();
  Column& strings = column->child(kStringsValue);
  if (kind == Case::kStrings) {
    for (const std::string& text : value.strings().values()) strings.child(0).Text(text);
    strings.EndList();
  } else {
    strings.Null();
  }
  column->EndStruct();
  return !HasUnknownFields(value) && (kind != Case::kStrings || !HasUnknownFields(value.strings()));
}

void ReadValue(const ColumnView& column, int64_t row, v1::Value* value) {
  if (const ColumnView member = column.child(kBoolValue); !member.IsNull(row)) value->set_bool_value(member.Bool(row));
  if (const ColumnView member = column.child(kNumberValue); !member.IsNull(row))
    value->set_number_value(member.Double(row));
  if (const ColumnView member = column.child(kStringValue); !member.IsNull(row))
    value->set_string_value(std::string(member.Text(row)));
  if (const ColumnView member = column.child(kTimeValue); !member.IsNull(row)) value->set_time_us(member.Int64(row));
  if (const ColumnView member = column.child(kStringsValue); !member.IsNull(row)) {
    v1::StringList* strings = value->mutable_strings();
    for (int64_t i = member.ListFirst(row); i < member.ListLast(row); ++i)
      strings->add_values(std::string(member.element().Text(i)));
  }
}

}  // namespace

Field AttributesField(std::string name) {
  return MapOf(std::move(name), Struct("value", {{"bool_value", Kind::kBool, true, {}},
                                                 {"number_value", Kind::kDouble, true, {}},
                                                 {"string_value", Kind::kText, true, {}},
                                                 {"time_value", Kind::kTime, true, {}},
                                                 List("strings_value", {"element", Kind::kText, true, {}})}));
}

bool AppendAttributes(const Attributes& attributes, Column* column) {
  if (attributes.empty()) {
    column->Null();
    return true;
  }
  bool whole = true;
  for (const auto& [name, value] : attributes) {
    column->child(0).Text(name);
    whole = AppendValue(value, &column->child(1)) && whole;
  }
  column->EndList();
  return whole;
}

void ReadAttributes(const ColumnView& column, int64_t row, Attributes* attributes) {
  if (column.IsNull(row)) return;
  for (int64_t i = column.ListFirst(row); i < column.ListLast(row); ++i)
    ReadValue(column.value(), i, &(*attributes)[std::string(column.key().Text(i))]);
}

}  // namespace bowerbird::lake
