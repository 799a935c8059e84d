// Bodies of requests are outside bytes: none may crash the reader, and what it reads is bounded by the body.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/serve_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto recommend = bowerbird::server::ParseRecommend(body);
  if (recommend.ok() && recommend->ByteSizeLong() > 16 * size + 64) std::abort();
  const auto rank = bowerbird::server::ParseRank(body);
  if (rank.ok() && rank->ByteSizeLong() > 16 * size + 64) std::abort();
  return 0;
}
