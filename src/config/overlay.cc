#include "config/overlay.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "config/problem_list.h"
#include "config/problems.h"
#include "config/toml_text.h"
#include "config/toml_value.h"

namespace bowerbird::config {
namespace {

using Kind = TomlValue::Kind;

absl::StatusOr<TomlValue> Read(std::string_view text, std::string_view file) {
  Problems problems(file);
  TomlDocument document = ParseToml(text, &problems);
  if (problems.size() > 0) return absl::InvalidArgumentError(ProblemList(problems.Take()));
  return std::move(document.root);
}

bool Equal(const TomlValue& a, const TomlValue& b) {
  const bool numbers =
      (a.kind == Kind::kInteger || a.kind == Kind::kFloat) && (b.kind == Kind::kInteger || b.kind == Kind::kFloat);
  if (numbers) return a.number == b.number;
  if (a.kind != b.kind) return false;
  if (a.kind == Kind::kTable) {
    return a.members.size() == b.members.size() && std::ranges::all_of(a.members, [&](const TomlMember& member) {
             const TomlMember* other = b.Find(member.key);
             return other != nullptr && Equal(member.value, other->value);
           });
  }
  return a.text == b.text && a.boolean == b.boolean &&
         std::equal(a.elements.begin(), a.elements.end(), b.elements.begin(), b.elements.end(), Equal);
}

void Lay(const TomlValue& patch, std::string_view path, TomlValue* onto, std::vector<std::string>* changed) {
  for (const TomlMember& member : patch.members) {
    const std::string at = JoinPath(path, member.key);
    const auto found = std::ranges::find(onto->members, member.key, &TomlMember::key);
    if (member.value.kind == Kind::kTable) {
      TomlMember* table =
          found == onto->members.end() ? &onto->members.emplace_back(TomlMember{member.key, 0, {}}) : &*found;
      if (found == onto->members.end() && member.value.members.empty()) changed->push_back(at);
      if (table->value.kind != Kind::kTable) table->value = {};
      Lay(member.value, at, &table->value, changed);
      continue;
    }
    if (found != onto->members.end() && Equal(found->value, member.value)) continue;
    changed->push_back(at);
    if (found == onto->members.end()) {
      onto->members.push_back(member);
    } else {
      found->value = member.value;
    }
  }
}

}  // namespace

absl::StatusOr<OverlaidText> Overlay(std::string_view text, std::string_view patch, std::string_view patch_file) {
  ASSIGN_OR_RETURN(TomlValue patched, Read(text, "bowerbird.toml"));
  ASSIGN_OR_RETURN(const TomlValue changes, Read(patch, patch_file));
  OverlaidText result;
  Lay(changes, "", &patched, &result.changed);
  ASSIGN_OR_RETURN(result.text, TomlText(patched));
  return result;
}

}  // namespace bowerbird::config
