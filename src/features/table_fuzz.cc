// Any bytes: refused as damaged, or a table in which every lookup ends within the file.
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "features/table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::features;
  std::vector<uint64_t> aligned((size + 7) / 8);
  if (size > 0) std::memcpy(aligned.data(), data, size);
  const auto table = Table::Over({reinterpret_cast<const char*>(aligned.data()), size});
  if (!table.ok()) {
    BOWERBIRD_CHECK(absl::IsDataLoss(table.status()));
    return 0;
  }
  double sum = 0;
  // Keys that may be there are words of the file itself.
  for (size_t i = 0; i + 1 < aligned.size() && i < 256; ++i) {
    const auto row = (*table)->Find({aligned[i], aligned[i + 1]});
    if (!row.has_value()) continue;
    for (size_t column = 0; column < (*table)->columns().size(); ++column) {
      sum += row->Number(column).value_or(0);
      for (const float value : row->Vector(column)) sum += value;
    }
  }
  volatile double used = sum;
  static_cast<void>(used);
  return 0;
}
