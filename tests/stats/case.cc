#include "stats/case.h"

#include <string>

namespace bowerbird::experiment::stats {
namespace {

std::vector<double> NumbersOf(simdjson::dom::element element) {
  std::vector<double> numbers;
  const simdjson::dom::array array = element.get_array();
  for (const simdjson::dom::element number : array) numbers.push_back(number.get_double().value());
  return numbers;
}

}  // namespace

std::string_view Case::Text(std::string_view field) const { return fields_[field].get_string().value(); }

double Case::Number(std::string_view field) const { return fields_[field].get_double().value(); }

std::vector<double> Case::Numbers(std::string_view field) const { return NumbersOf(fields_[field].value()); }

std::vector<std::vector<double>> Case::Rows(std::string_view field) const {
  std::vector<std::vector<double>> rows;
  const simdjson::dom::array array = fields_[field].get_array();
  for (const simdjson::dom::element row : array) rows.push_back(NumbersOf(row));
  return rows;
}

BivariateMoments Case::BothOf(std::string_view name) const {
  const std::string prefix(name);
  return BivariateMoments::Of(Numbers(prefix + "_y"), Numbers(prefix + "_x"));
}

Proportion Case::ProportionOf(std::string_view field) const {
  const std::vector<double> counts = Numbers(field);
  return {static_cast<uint64_t>(counts.at(0)), static_cast<uint64_t>(counts.at(1))};
}

}  // namespace bowerbird::experiment::stats
