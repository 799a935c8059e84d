// Any bytes: the manifest of a table whose own text is read as the same again, or refused as damaged or of a newer
// program; and no path in it leads out of the table's folder.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/check.h"
#include "lake/manifest.h"

namespace {

void CheckPath(const std::string& path) {
  const std::filesystem::path below(path);
  BOWERBIRD_CHECK(!path.empty() && below.is_relative());
  for (const std::filesystem::path& step : below) BOWERBIRD_CHECK(step != "..");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bowerbird::lake::Manifest;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Manifest> manifest = Manifest::FromJson(bytes, "manifest.json");
  if (!manifest.ok()) {
    BOWERBIRD_CHECK(absl::IsDataLoss(manifest.status()) || absl::IsFailedPrecondition(manifest.status()));
    return 0;
  }
  for (const auto& part : manifest->parts) CheckPath(part.path);
  for (const auto& part : manifest->retired) CheckPath(part.path);
  const std::string text = manifest->ToJson();
  const absl::StatusOr<Manifest> again = Manifest::FromJson(text, "manifest.json");
  BOWERBIRD_CHECK(again.ok() && again->ToJson() == text);
  return 0;
}
