#include "experiment/live/exposures.h"

#include <utility>
#include <vector>

#include "base/hash.h"

namespace bowerbird::experiment::live {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;

uint64_t PrintOf(const v1::Exposure& exposure) {
  uint64_t print = base::Hash64(exposure.experiment());
  for (const std::string* part : {&exposure.arm(), &exposure.unit(), &exposure.unit_id()})
    print = base::CombineHash(print, base::Hash64(*part));
  return base::CombineHash(print, static_cast<uint64_t>(exposure.time_us() / kDayUs));
}

}  // namespace

bool Exposures::IsFirst(uint64_t print) {
  const absl::MutexLock lock(&mutex_);
  if (older_.contains(print) || !newer_.insert(print).second) return false;
  if (newer_.size() >= kRememberedMax / 2) older_ = std::exchange(newer_, {});
  return true;
}

bool Exposures::Write(const v1::Exposure& exposure, uint32_t partition) {
  if (!IsFirst(PrintOf(exposure))) return false;
  std::vector<log::AppendRecord> batch(1);
  batch[0].topic = log::Topic::kExposures;
  batch[0].partition = partition;
  batch[0].key = exposure.user().empty() ? exposure.unit_id() : exposure.user();
  exposure.SerializeToString(&batch[0].value);
  ++written_;
  log_->AppendAsync(std::move(batch), [this](const absl::StatusOr<std::vector<log::Offset>>& offsets) {
    if (!offsets.ok()) ++failed_;
  });
  return true;
}

}  // namespace bowerbird::experiment::live
