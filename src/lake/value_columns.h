#pragma once

#include <google/protobuf/map.h>

#include <string>

#include "bowerbird/v1/value.pb.h"
#include "lake/columns.h"

namespace bowerbird::lake {

using Attributes = google::protobuf::Map<std::string, v1::Value>;

/// A map of attributes: name -> a struct with one member set, the one of the value's type.
Field AttributesField(std::string name);
/// Null when there are none. False: a value has a field that this program does not know, which the column lacks.
bool AppendAttributes(const Attributes& attributes, Column* column);
void ReadAttributes(const ColumnView& column, int64_t row, Attributes* attributes);

/// A list of texts; null when there are none.
template <typename Texts>
void AppendTexts(const Texts& texts, Column* column) {
  if (texts.empty()) return column->Null();
  for (const auto& text : texts) column->child(0).Text(text);
  column->EndList();
}

}  // namespace bowerbird::lake
