#pragma once

#include <span>
#include <string_view>

namespace bowerbird::lake {

/// The files of the folder jobs/, carried in the program.
struct JobText {
  std::string_view name, sql;
};
std::span<const JobText> JobTexts();
/// What stands for {{marked_users}} in a job.
std::string_view MarkedUsersText();
std::string_view SparkScriptText();

}  // namespace bowerbird::lake
