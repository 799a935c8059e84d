// What a client may write into a request's target: found, refused, or not there; what is decoded is what its encoding
// says.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "server/http.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::server;
  static const Router router = [] {
    Router made;
    for (const char* pattern : {"/v1/events", "/v1/items/{id}", "/v1/items/{id}:withdraw", "/v1/items:batch",
                                "/v1/users/{id}/collections/{name}", "/v1/users/{id}/profile"}) {
      made.Add({"GET", pattern, "", nullptr});
      made.Add({"POST", pattern, "", nullptr});
    }
    return made;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool plus : {false, true}) {
    std::string decoded, again;
    if (!PercentDecode(text, plus, &decoded)) continue;
    BOWERBIRD_CHECK(decoded.size() <= text.size());
    BOWERBIRD_CHECK(PercentDecode(PercentEncode(decoded), plus, &again) && again == decoded);
  }
  for (const char* method : {"GET", "DELETE"}) {
    HttpRequest request;
    request.method = method;
    request.path = text;
    std::vector<std::string> allowed;
    HttpResponse problem;
    const Router::Route* route = router.Find(&request, &allowed, &problem);
    BOWERBIRD_CHECK(route != nullptr || (problem.status >= 400 && problem.status < 500));
    if (route != nullptr) {
      for (const auto& [name, value] : request.path_parameters) BOWERBIRD_CHECK(value.size() <= text.size());
    }
  }
  return 0;
}
