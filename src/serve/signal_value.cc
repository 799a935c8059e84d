#include "serve/signal_value.h"

#include <optional>
#include <span>
#include <utility>

namespace bowerbird::serve {
namespace {

using expression::ValueView;

/// What a signal says of whom nothing was counted.
std::optional<double> NothingCounted(const config::Signal& signal) {
  if (signal.kind == "ratio") return signal.prior_weight > 0 ? std::optional(signal.prior) : std::nullopt;
  if (signal.kind == "count" || signal.kind == "decayed_sum" || signal.kind == "distinct") return 0.0;
  return std::nullopt;
}

}  // namespace

ValueView SignalValue::Get(const signal::Definition& definition, std::string_view value, std::string_view key,
                           int64_t as_of_us) {
  signal::SignalReading reading = definition.Read(value, as_of_us);
  const bool keyed = !definition.signal().by.empty();
  if (keyed && key.empty()) {
    texts_.clear();
    for (signal::KeyReading& of_key : reading.keys) texts_.push_back(std::move(of_key.key));
    return std::span<const std::string>(texts_);
  }
  for (signal::KeyReading& of_key : reading.keys) {
    if (keyed && of_key.key != key) continue;
    return Show(definition.signal(), &of_key.reading);
  }
  signal::Reading nothing;
  nothing.number = NothingCounted(definition.signal());
  return Show(definition.signal(), &nothing);
}

ValueView SignalValue::Show(const config::Signal& signal, signal::Reading* reading) {
  if (signal.kind != "last_n" && signal.kind != "top_k") {
    return reading->number.has_value() ? ValueView(*reading->number) : ValueView();
  }
  texts_.clear();
  for (signal::Reading::Item& item : reading->items) texts_.push_back(std::move(item.value));
  return std::span<const std::string>(texts_);
}

}  // namespace bowerbird::serve
