#pragma once

namespace bowerbird::base {

/// Makes the calling thread give way to the others of the machine: adds `steps` (0 to 19) to its nice value, where each
/// step is about a fifth less of a contended core, and asks for turns of 0.1 ms, so that who becomes ready (a kernel's
/// thread that ends an fsync, say) does not wait for the end of a long one. Where the system has no priorities of
/// threads, nothing happens.
void GiveWay(int steps);

}  // namespace bowerbird::base
