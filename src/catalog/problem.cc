#include "catalog/problem.h"

#include <fmt/format.h>

#include <cctype>

namespace bowerbird::catalog {

absl::Status ToStatus(const Problem& problem, absl::StatusCode code) {
  absl::Status status(code,
                      problem.field.empty() ? problem.detail : fmt::format("{}: {}", problem.field, problem.detail));
  status.SetPayload(kCodePayload, absl::Cord(problem.code));
  if (!problem.field.empty()) status.SetPayload(kFieldPayload, absl::Cord(problem.field));
  return status;
}

Problem FromStatus(const absl::Status& status) {
  Problem problem;
  problem.detail = std::string(status.message());
  if (const auto field = status.GetPayload(kFieldPayload)) {
    problem.field = std::string(*field);
    // ToStatus put the field in front of the detail.
    if (problem.detail.starts_with(problem.field + ": ")) problem.detail.erase(0, problem.field.size() + 2);
  }
  if (const auto code = status.GetPayload(kCodePayload)) {
    problem.code = std::string(*code);
  } else {
    for (const char c : absl::StatusCodeToString(status.code())) {
      problem.code.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
  }
  return problem;
}

}  // namespace bowerbird::catalog
