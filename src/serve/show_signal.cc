#include "serve/show_signal.h"

namespace bowerbird::serve {
namespace {

template <typename Message>
void SetReading(const signal::Reading& reading, Message* out) {
  if (reading.number.has_value()) out->set_number(*reading.number);
  for (const signal::Reading::Item& item : reading.items) {
    v1::SignalItem* to = out->add_items();
    to->set_value(item.value);
    to->set_count(item.number);
    to->set_time_us(item.time_us);
  }
}

}  // namespace

void ShowSignal(const signal::Definition& definition, std::string_view value, int64_t as_of_us,
                v1::ProfileSignal* out) {
  const config::Signal& declared = definition.signal();
  out->set_name(declared.name);
  out->set_kind(declared.kind);
  if (value.empty()) return;
  const signal::SignalReading reading = definition.Read(value, as_of_us);
  out->set_newest_us(reading.newest_us);
  for (const signal::KeyReading& key : reading.keys) {
    if (declared.by.empty()) {
      SetReading(key.reading, out);
      continue;
    }
    v1::SignalOfKey* of_key = out->add_keys();
    of_key->set_key(key.key);
    SetReading(key.reading, of_key);
  }
}

}  // namespace bowerbird::serve
