// Bytes of a file that says it is an Open Bandit log: InvalidArgument, or rows that can be judged.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "experiment/ope/estimate.h"
#include "experiment/ope/open_bandit.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::experiment::ope;
  const auto rows = ReadOpenBandit("fuzz", {reinterpret_cast<const char*>(data), size});
  if (!rows.ok()) {
    BOWERBIRD_CHECK(absl::IsInvalidArgument(rows.status()));
    return 0;
  }
  const std::vector<LoggedSlate> slates = SlatesFor(*rows, ShownShares::Of(*rows));
  for (const Estimator estimator : {Estimator::kIps, Estimator::kSnips, Estimator::kRips}) {
    BOWERBIRD_CHECK(EstimateValue(slates, {}, {.estimator = estimator, .resamples = 2}).ok());
  }
  return 0;
}
