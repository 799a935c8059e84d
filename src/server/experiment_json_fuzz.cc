// Bodies of requests are outside bytes: none may crash the readers, and what was written is read again as it was.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/experiment_json.h"

namespace {

/// The definition as JSON, read and written once more.
std::string Again(const bowerbird::v1::Experiment& experiment) {
  std::string written, again;
  bowerbird::server::WriteMessage(experiment, &written);
  // The server's own fields are the last ones; a flag may have any name.
  const size_t end = written.rfind(",\"state\":");
  if (end == written.npos) std::abort();
  bowerbird::v1::Experiment read;
  if (!bowerbird::server::ParseExperiment(written.substr(0, end) + "}", &read).ok()) std::abort();
  bowerbird::server::WriteMessage(read, &again);
  return again;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  v1::Experiment experiment;
  if (server::ParseExperiment(body, &experiment).ok()) {
    const std::string once = Again(experiment);
    v1::Experiment read;
    // A number such as -0 has lost its sign by now.
    if (!server::ParseExperiment(once.substr(0, once.rfind(",\"state\":")) + "}", &read).ok()) std::abort();
    if (Again(read) != once) std::abort();
  }
  const auto assign = server::ParseAssign(body);
  if (assign.ok() && assign->ByteSizeLong() > 16 * size + 64) std::abort();
  const auto ofrep = server::ParseOfrep(body);
  if (ofrep.ok() && ofrep->targeting_key.size() > 3 * size) std::abort();
  return 0;
}
