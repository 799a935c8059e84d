#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace bowerbird::collect {

/// Tells programs that say in their User-Agent that they are no person's.
///
/// Threads  immutable.
/// Cost     the agents' number times the text's length, of which the first kBytesMax are looked at.
class DeclaredAgents {
 public:
  static constexpr size_t kBytesMax = 1024;

  explicit DeclaredAgents(const config::Traffic& traffic);
  /// The first of traffic.agents that is part of the text, in any case; empty: none is, or the rules are off.
  std::string_view Find(std::string_view user_agent) const;

 private:
  std::vector<std::string> agents_;
};

}  // namespace bowerbird::collect
