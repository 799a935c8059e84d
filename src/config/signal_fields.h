#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "expression/expression.h"
#include "expression/schema.h"

namespace bowerbird::config {

/// Lets an expression read the signals per user or per item as "signals.NAME", and of one with `by` each key that
/// `text` says as "signals.NAME.KEY". Appends to `fields` what the attributes that it adds are, in their order; a name
/// that the schema has already stays what it was.
void AddSignalFields(const Config& config, bool per_item, std::string_view text, expression::Schema* schema,
                     std::vector<SignalField>* fields);

/// Compiles an expression over item attributes, whose schema is `items`, and signals per item. Null with `error` filled
/// where it does not compile.
std::shared_ptr<const expression::Program> CompileOverItemSignals(const Config& config, const expression::Schema& items,
                                                                  std::string_view text, ItemSignalFields* signals,
                                                                  expression::CompileError* error);

}  // namespace bowerbird::config
