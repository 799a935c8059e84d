// Any bytes: a manifest whose own text is read as the same again, or refused as damaged or of another version.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "registry/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::registry;
  const auto manifest = ParseManifest(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!manifest.ok()) {
    BOWERBIRD_CHECK(absl::IsDataLoss(manifest.status()) || absl::IsFailedPrecondition(manifest.status()));
    return 0;
  }
  const auto text = FormatManifest(*manifest);
  BOWERBIRD_CHECK(text.ok());
  const auto again = ParseManifest(*text);
  BOWERBIRD_CHECK(again.ok() && again->files == manifest->files && again->version == manifest->version);
  return 0;
}
