#pragma once

#include <string_view>

namespace bowerbird::server {

/// Texts that the binary carries, made at build time.
std::string_view OpenApiText();
std::string_view DemoIndexText();
/// A module or style sheet of the demo page by its file's name, such as "app.js"; empty for an unknown one.
std::string_view DemoAssetText(std::string_view name);

}  // namespace bowerbird::server
