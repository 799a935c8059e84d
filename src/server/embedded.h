#pragma once

#include <string_view>

namespace bowerbird::server {

/// Texts that the binary carries, made at build time.
std::string_view OpenApiText();
std::string_view DemoIndexText();
std::string_view DemoScriptText();
std::string_view DemoStyleText();

}  // namespace bowerbird::server
