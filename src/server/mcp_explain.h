#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/serving.pb.h"
#include "bowerbird/v1/user.pb.h"

namespace bowerbird::server {

/// How users and what they wrote are named to the reader: as they are, or masked (lake/mask.h).
struct Naming {
  bool masked = true;
  std::function<std::string(std::string_view id)> user;
  std::function<std::string(std::string_view text)> text;
};

/// An answer of the past, for a reader: what it was computed from, and of each item that was shown where it came from
/// and what it scored. `title` gives an item's, empty where it has none any more.
std::string ExplainServed(const v1::ServedRecord& record, const Naming& naming,
                          const std::function<std::string(const std::string& item)>& title);

/// A user, for a reader. `counts` is a JSON array of rows [type, count, first, last] of what the user did. Where users
/// are masked, attributes, what other teams loaded and what signals hold beside numbers stay out.
std::string ExplainProfile(const v1::ProfileResponse& profile, const v1::User* attributes, std::string_view counts,
                           const Naming& naming);

}  // namespace bowerbird::server
