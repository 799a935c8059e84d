#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bowerbird::catalog {

/// What is wrong with one value that a client sent.
struct Problem {
  std::string code;    ///< stable, for programs: "missing_field", "wrong_type", "too_long", ...
  std::string field;   ///< "attributes.color"; with its place in a batch where there is one: "events[3].user"
  std::string detail;  ///< "found 10000 bytes; expected at most 256"
};

/// Names of the payloads in which a status carries a Problem's code and field to whoever answers the client.
inline constexpr char kCodePayload[] = "bowerbird/code";
inline constexpr char kFieldPayload[] = "bowerbird/field";

/// A status whose message is "FIELD: DETAIL" (or the detail alone) and whose payloads are the code and the field.
absl::Status ToStatus(const Problem& problem, absl::StatusCode code = absl::StatusCode::kInvalidArgument);
/// The problem that a status carries; without payloads, its message as the detail and its code's name in small letters.
Problem FromStatus(const absl::Status& status);

}  // namespace bowerbird::catalog
