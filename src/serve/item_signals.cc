#include "serve/item_signals.h"

#include <string>

#include "base/hash.h"
#include "serve/show_signal.h"
#include "signal/definition.h"

namespace bowerbird::serve {

void RecordItemSignals(const state::ItemTable& items, v1::ServedRecord* record) {
  const signal::Set* const signals = items.signal_set();
  for (size_t slot = 0; signals != nullptr && slot < signals->size(); ++slot) {
    v1::ServedItemSignal* out = record->add_item_signals();
    out->set_name((*signals)[slot].signal().name);
    out->set_id((*signals)[slot].id());
  }
}

void RecordItemValues(const state::ItemTable& items, catalog::ItemKey item, int64_t now_us,
                      v1::ServedCandidate* candidate) {
  const state::ItemSignalValues* const values = items.Signals(item);
  if (values == nullptr) return;
  const signal::Set& signals = *items.signal_set();
  for (size_t slot = 0; slot < signals.size(); ++slot) {
    const std::string_view value = values->At(slot);
    v1::ServedItemValue* out = candidate->add_item_values();
    if (value.size() <= kServedValueBytesMax) {
      out->set_value(std::string(value));
    } else {
      out->set_hash(base::Hash64(value));
    }
    if (value.empty() || !signals[slot].signal().by.empty()) continue;
    const signal::SignalReading reading = signals[slot].Read(value, now_us);
    if (reading.keys.front().reading.number.has_value()) out->set_number(*reading.keys.front().reading.number);
  }
}

bool IsServedValue(const v1::ServedItemValue& served, std::string_view value) {
  if (value.size() <= kServedValueBytesMax) return served.hash() == 0 && served.value() == value;
  return served.value().empty() && served.hash() == base::Hash64(value);
}

v1::ItemSignalsResponse ShowItemSignals(const state::ItemTable& items, catalog::ItemKey item, std::string_view id,
                                        int64_t now_us) {
  v1::ItemSignalsResponse response;
  response.set_id(std::string(id));
  response.set_table_version(items.version());
  response.set_table_time_us(items.time_us());
  response.set_time_us(now_us);
  const signal::Set* const signals = items.signal_set();
  const state::ItemSignalValues* const values = items.Signals(item);
  for (size_t slot = 0; signals != nullptr && slot < signals->size(); ++slot) {
    ShowSignal((*signals)[slot], values == nullptr ? std::string_view() : values->At(slot), now_us,
               response.add_signals());
  }
  return response;
}

}  // namespace bowerbird::serve
