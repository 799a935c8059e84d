#include "state/item_signal_input.h"

#include <algorithm>

#include "base/hash.h"
#include "state/user_op.h"

namespace bowerbird::state {
namespace {

/// Another one of the same user on each item, and not to be traced back without the app's secret: what one user did
/// cannot be gathered by it. Of two users of an item they are equal once in four billion times.
uint32_t UserPrint(const v1::Event& event) {
  if (event.has_redacted()) return event.redacted().user_print();
  const auto print = static_cast<uint32_t>(base::CombineHash(event.user_key(), event.item_key()) >> 32);
  return std::max(print, 1u);
}

int64_t ClampTime(int64_t time_us) { return std::clamp<int64_t>(time_us, 0, kTimeUsMax); }

}  // namespace

ItemSignalInput::ItemSignalInput(const v1::Event& event, double strength) {
  input_.event = &event;
  input_.strength = strength;
  // Of a clock ahead of ours, the time of arrival.
  input_.time_us = ClampTime(event.event_time_us());
  if (event.receive_time_us() > 0) input_.time_us = std::min(input_.time_us, ClampTime(event.receive_time_us()));
  const uint32_t print = UserPrint(event);
  if (print == 0) return;
  constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < print_.size(); ++i) print_[i] = kDigits[print >> (28 - 4 * i) & 15];
  input_.user_print = {print_.data(), print_.size()};
}

void KeepForItemSignals(const signal::Set& signals, const v1::Event& event, v1::Event* left) {
  if (event.item().empty()) return;
  for (const uint32_t slot : signals.CountingSlots(event.type())) {
    signals[slot].Keep(event, left);
    if (signals[slot].reads_user()) left->mutable_redacted()->set_user_print(UserPrint(event));
    if (event.receive_time_us() > 0 && event.receive_time_us() < event.event_time_us()) {
      left->set_receive_time_us(event.receive_time_us());
    }
  }
}

}  // namespace bowerbird::state
