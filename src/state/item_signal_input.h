#pragma once

#include <array>

#include "bowerbird/v1/event.pb.h"
#include "signal/definition.h"

namespace bowerbird::state {

/// A counted event as signals per item count it: the same of the event as it was and of what is left of it when its
/// user was forgotten. `event` must outlive it.
class ItemSignalInput {
 public:
  ItemSignalInput(const v1::Event& event, double strength);
  ItemSignalInput(const ItemSignalInput&) = delete;
  ItemSignalInput& operator=(const ItemSignalInput&) = delete;

  const signal::Input& input() const { return input_; }

 private:
  std::array<char, 8> print_;
  signal::Input input_;
};

/// Puts into `left`, what is to be left of an event whose user was forgotten, all that ItemSignalInput and `signals`
/// (per item) read of the event.
void KeepForItemSignals(const signal::Set& signals, const v1::Event& event, v1::Event* left);

}  // namespace bowerbird::state
