// Any bytes: a manifest whose own text is read as the same again, or refused as damaged or of another version. They are
// tried as they are, and with the checksum that ends a manifest put behind them, so that what it guards is reached too.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"
#include "fmt/format.h"
#include "registry/manifest.h"

namespace {

void Read(std::string_view bytes) {
  using namespace bowerbird::registry;
  const auto manifest = ParseManifest(bytes);
  if (!manifest.ok()) {
    BOWERBIRD_CHECK(absl::IsDataLoss(manifest.status()) || absl::IsFailedPrecondition(manifest.status()));
    return;
  }
  const auto text = FormatManifest(*manifest);
  BOWERBIRD_CHECK(text.ok());
  const auto again = ParseManifest(*text);
  BOWERBIRD_CHECK(again.ok() && again->files == manifest->files && again->version == manifest->version);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Read(bytes);
  Read(fmt::format("{},\"xxh3\":\"{:016x}\"}}\n", bytes, bowerbird::base::Hash64(bytes)));
  return 0;
}
