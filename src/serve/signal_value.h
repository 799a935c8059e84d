#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "expression/row.h"
#include "signal/definition.h"

namespace bowerbird::serve {

/// What signals of a user or an item are to expressions. What nobody counted is 0 for a count, a decayed sum and a
/// distinct count, the prior for a ratio that has one, and absent for everything else.
///
/// Threads  one. Cost: one reading of the value a call.
class SignalValue {
 public:
  /// What the view points to holds until the next call. `key`: config::SignalField's.
  expression::ValueView Get(const signal::Definition& definition, std::string_view value, std::string_view key,
                            int64_t as_of_us);

 private:
  expression::ValueView Show(const config::Signal& signal, signal::Reading* reading);

  std::vector<std::string> texts_;
};

}  // namespace bowerbird::serve
