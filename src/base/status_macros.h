#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define BOWERBIRD_CONCAT_INNER(a, b) a##b
#define BOWERBIRD_CONCAT(a, b) BOWERBIRD_CONCAT_INNER(a, b)

/// Returns from the enclosing function if `expression` (an absl::Status) is not OK.
#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

/// ASSIGN_OR_RETURN(auto x, F()): x from the StatusOr that F returned, or return its status.
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER(BOWERBIRD_CONCAT(status_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_INNER(temporary, target, expression) \
  auto temporary = (expression);                              \
  if (!temporary.ok()) return std::move(temporary).status();  \
  target = *std::move(temporary)
