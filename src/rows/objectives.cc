#include "rows/objectives.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "expression/row.h"

namespace bowerbird::rows {
namespace {

class EventRow final : public expression::Row {
 public:
  EventRow(const std::vector<signal::EventField>& fields, const signal::Input& input)
      : fields_(fields), input_(input) {}
  expression::ValueView Get(uint32_t attribute) const override { return fields_[attribute].Get(input_, &strings_); }

 private:
  const std::vector<signal::EventField>& fields_;
  const signal::Input& input_;
  mutable std::vector<std::string_view> strings_;
};

}  // namespace

Objectives::Objectives(const config::Config& config, std::vector<config::EventObjective> objectives)
    : all_(std::move(objectives)), where_fields_(all_.size()) {
  for (uint32_t i = 0; i < all_.size(); ++i) {
    window_us_max_ = std::max(window_us_max_, all_[i].window_us);
    for (const std::string& type : all_[i].on) by_type_[type].push_back(i);
    for (const std::string& field : all_[i].where_fields) where_fields_[i].emplace_back(config, all_[i].on, field);
  }
}

uint64_t Objectives::Matching(const v1::Event& event, int64_t time_us, double strength) const {
  const auto of_type = by_type_.find(event.type());
  if (of_type == by_type_.end()) return 0;
  const signal::Input input{&event, time_us, strength};
  uint64_t matching = 0;
  for (const uint32_t i : of_type->second) {
    const expression::Program* where = all_[i].where.get();
    if (where == nullptr || where->Evaluate(EventRow(where_fields_[i], input), time_us)) matching |= uint64_t{1} << i;
  }
  return matching;
}

}  // namespace bowerbird::rows
