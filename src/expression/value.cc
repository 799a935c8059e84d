#include "expression/value.h"

#include "base/check.h"
#include "expression/row.h"

namespace bowerbird::expression {

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kBool:
      return "bool";
    case Type::kNumber:
      return "number";
    case Type::kString:
      return "string";
    case Type::kTime:
      return "time";
    case Type::kStrings:
      return "strings";
  }
  BOWERBIRD_CHECK(false);
}

ValueView View(const Value& value) {
  struct Viewer {
    ValueView operator()(std::monostate) const { return std::monostate(); }
    ValueView operator()(bool v) const { return v; }
    ValueView operator()(double v) const { return v; }
    ValueView operator()(const std::string& v) const { return std::string_view(v); }
    ValueView operator()(TimeUs v) const { return v; }
    ValueView operator()(const std::vector<std::string>& v) const { return std::span<const std::string>(v); }
  };
  return std::visit(Viewer(), value);
}

}  // namespace bowerbird::expression
