#include <cstdint>

#include "base/check.h"
#include "model/safetensors.h"

// Any bytes parse or are refused; what parses can be read in full.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto read = bowerbird::model::Safetensors::Parse({reinterpret_cast<const char*>(data), size});
  if (!read.ok()) return 0;
  for (const auto& [name, tensor] : read->tensors()) {
    const auto values = read->ReadF32(name, tensor.shape);
    BOWERBIRD_CHECK(values.ok() && values->size() == tensor.value_count);
  }
  return 0;
}
