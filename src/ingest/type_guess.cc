#include "ingest/type_guess.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/numbers.h"
#include "expression/schema.h"
#include "ingest/mapping.h"

namespace bowerbird::ingest {
namespace {

/// What every item has: a config that declared one of these again would be refused.
constexpr std::string_view kBuiltInAttributes[] = {"id",        "domain",  "title",   "price",
                                                   "available", "created", "updated", "categories"};

}  // namespace

void TypeGuess::Add(const Row::Cell& cell) {
  if (!cell.present) return;
  seen_ = true;
  if (cell.is_list) {
    list_ = true;
    return;
  }
  double number = 0;
  if (!absl::SimpleAtod(cell.text, &number) || !std::isfinite(number)) number_ = false;
  if (cell.text != "true" && cell.text != "false") bool_ = false;
  // A plain number is a number, however much it looks like seconds since 1970.
  if (number_ || !ReadTimeUs(cell.text).ok()) time_ = false;
  if (cell.text.find('|') != std::string::npos) separated_ = true;
}

std::optional<expression::Type> TypeGuess::Get() const {
  if (!seen_) return std::nullopt;
  if (list_) return expression::Type::kStrings;
  if (bool_) return expression::Type::kBool;
  if (number_) return expression::Type::kNumber;
  if (time_) return expression::Type::kTime;
  return separated_ ? expression::Type::kStrings : expression::Type::kString;
}

bool DeclarableAttribute(std::string_view name) {
  return name.size() <= 64 && name.find('.') == name.npos && expression::IsAttributeName(name) &&
         std::find(std::begin(kBuiltInAttributes), std::end(kBuiltInAttributes), name) == std::end(kBuiltInAttributes);
}

}  // namespace bowerbird::ingest
