#pragma once

#include <cstdio>
#include <cstdlib>

/// Stops the process on a broken invariant of our own code. Always on. Never for input: input gets a Status.
#define BOWERBIRD_CHECK(condition)                                                           \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: invariant broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
