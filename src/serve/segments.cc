#include "serve/segments.h"

#include <cmath>
#include <string_view>

#include "expression/row.h"
#include "serve/lifecycle.h"
#include "serve/signal_value.h"
#include "signal/definition.h"

namespace bowerbird::serve {
namespace {

using config::SegmentField;
using expression::TimeUs;
using expression::ValueView;

class UserRow final : public expression::Row {
 public:
  UserRow(const config::UserSegment& segment, const state::UserState& user, int64_t now_us, features::Values* tables)
      : segment_(segment), user_(user), now_us_(now_us), tables_(tables) {}

  ValueView Get(uint32_t attribute) const override {
    if (attribute >= segment_.where->open_begin()) return OfTables(attribute - segment_.where->open_begin());
    const SegmentField& field = segment_.fields[attribute];
    switch (field.kind) {
      case SegmentField::Kind::kLifecycle:
        return LifecycleOf(user_, now_us_);
      case SegmentField::Kind::kEvents:
        return static_cast<double>(user_.events);
      case SegmentField::Kind::kFirstTime:
        return TimeUs{user_.first_time_us};
      case SegmentField::Kind::kLastTime:
        return TimeUs{user_.last_time_us};
      case SegmentField::Kind::kSignal:
        return Signal(field.signal);
    }
    return {};
  }

 private:
  ValueView OfTables(uint32_t open) const {
    if (tables_ == nullptr) return {};
    const expression::OpenNumber& number = segment_.where->open()[open];
    const double value = tables_->Of(tables_->Name(number.name, number.other), catalog::ItemKey(), "");
    return std::isnan(value) ? ValueView() : ValueView(value);
  }

  ValueView Signal(const config::SignalField& field) const {
    size_t slot = 0;
    const size_t slots = user_.signal_set == nullptr ? 0 : user_.signal_set->size();
    while (slot < slots && (*user_.signal_set)[slot].signal().name != field.signal) ++slot;
    if (slot == slots) return {};
    const std::string_view value = user_.signals == nullptr ? std::string_view() : (*user_.signals)[slot];
    return signal_.Get((*user_.signal_set)[slot], value, field.key, now_us_);
  }

  const config::UserSegment& segment_;
  const state::UserState& user_;
  const int64_t now_us_;
  features::Values* const tables_;
  mutable SignalValue signal_;
};

}  // namespace

bool InSegment(const config::UserSegment& segment, const state::UserState& user, int64_t now_us,
               features::Values* tables) {
  return user.events > 0 && segment.where->Evaluate(UserRow(segment, user, now_us, tables), now_us);
}

std::vector<std::string_view> SegmentsOf(const config::Config& config, const state::UserState& user, int64_t now_us,
                                         features::Values* tables) {
  std::vector<std::string_view> names;
  for (const config::UserSegment& segment : config.user_segments) {
    if (InSegment(segment, user, now_us, tables)) names.emplace_back(segment.name);
  }
  return names;
}

}  // namespace bowerbird::serve
