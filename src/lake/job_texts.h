#pragma once

#include <span>
#include <string_view>

namespace bowerbird::lake {

/// The files of the folder jobs/, carried in the program.
struct JobText {
  std::string_view name, sql;
};
std::span<const JobText> JobTexts();
std::string_view SparkScriptText();

}  // namespace bowerbird::lake
