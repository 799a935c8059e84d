#pragma once

#include <optional>
#include <string_view>

#include "expression/value.h"
#include "ingest/row_source.h"

namespace bowerbird::ingest {

/// The narrowest type that every value seen so far fits.
class TypeGuess {
 public:
  void Add(const Row::Cell& cell);
  /// Nothing when no value was seen.
  std::optional<expression::Type> Get() const;

 private:
  bool seen_ = false, list_ = false, bool_ = true, number_ = true, time_ = true, separated_ = false;
};

/// Whether a config can declare an attribute of this name: one that expressions can say and no item has by itself.
bool DeclarableAttribute(std::string_view name);

}  // namespace bowerbird::ingest
