// Stored bytes of a signal, damaged: DataLoss, or a value that can be folded, merged and read. The first byte picks the
// signal.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/config.h"
#include "signal/definition.h"
#include "signal/six_and_twenty_for_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird;
  static const signal::Set set(
      *config::Parse("[items.attributes]\ncreator = \"string\"\n" + signal::SixAndTwenty(), "fuzz").config);
  if (size == 0) return 0;
  const signal::Definition& definition = set[data[0] % set.size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const absl::Status fit = definition.Check(bytes); !fit.ok()) {
    BOWERBIRD_CHECK(absl::IsDataLoss(fit));
    return 0;
  }
  constexpr int64_t kNowUs = 1'800'000'000'000'000;
  std::string value(bytes);
  v1::Event event;
  event.set_type(definition.signal().on.front());
  event.set_item("i");
  event.set_surface("home");
  event.add_item_categories("c");
  (*event.mutable_item_attributes())["creator"].set_string_value("ann");
  for (const int64_t time_us : {kNowUs, int64_t{0}, 2 * kNowUs}) {
    definition.Fold({&event, time_us, 1}, &value);
    definition.Merge(bytes, &value);
    (void)definition.Read(value, time_us);
  }
  return 0;
}
