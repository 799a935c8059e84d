#include "config/patch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/status_macros.h"
#include "config/problem_list.h"
#include "config/problems.h"
#include "config/toml_text.h"
#include "config/toml_value.h"

namespace bowerbird::config {
namespace {

using Kind = TomlValue::Kind;

constexpr std::array<std::string_view, 2> kParts = {"surfaces", "generators"};

absl::StatusOr<TomlValue> ReadToml(std::string_view text, std::string_view what) {
  Problems problems(what);
  TomlDocument document = ParseToml(text, &problems);
  if (document.complete && problems.size() == 0) return std::move(document.root);
  return absl::InvalidArgumentError(ProblemList(problems.Take()));
}

bool IsListOfTables(const TomlValue& value) {
  return value.kind == Kind::kArray && !value.elements.empty() &&
         std::ranges::all_of(value.elements, [](const TomlValue& one) { return one.kind == Kind::kTable; });
}

void Merge(const TomlValue& change, TomlValue* into);

void MergeMember(const TomlMember& change, TomlValue* table) {
  const auto found = std::ranges::find(table->members, change.key, &TomlMember::key);
  if (found == table->members.end()) {
    table->members.push_back(change);
  } else {
    Merge(change.value, &found->value);
  }
}

/// A table of the list by its name; a new one comes last.
void MergeIntoList(const TomlValue& change, TomlValue* list) {
  for (const TomlMember& member : change.members) {
    const auto found = std::ranges::find_if(list->elements, [&](const TomlValue& element) {
      const TomlMember* name = element.Find("name");
      return name != nullptr && name->value.text == member.key;
    });
    if (found != list->elements.end()) {
      Merge(member.value, &*found);
      continue;
    }
    TomlValue& added = list->elements.emplace_back(member.value);
    if (added.kind == Kind::kTable && added.Find("name") == nullptr) {
      TomlValue name;
      name.kind = Kind::kString;
      name.text = member.key;
      added.members.insert(added.members.begin(), {"name", 0, std::move(name)});
    }
  }
}

void Merge(const TomlValue& change, TomlValue* into) {
  if (change.kind == Kind::kTable && into->kind == Kind::kTable) {
    for (const TomlMember& member : change.members) MergeMember(member, into);
  } else if (change.kind == Kind::kTable && IsListOfTables(*into)) {
    MergeIntoList(change, into);
  } else {
    *into = change;
  }
}

const TomlValue* FindIn(const TomlValue& table, std::string_view key) {
  const TomlMember* member = table.kind == Kind::kTable ? table.Find(key) : nullptr;
  return member == nullptr ? nullptr : &member->value;
}

bool Lists(const TomlValue& array, std::string_view name) {
  return std::ranges::any_of(array.elements, [&](const TomlValue& element) { return element.text == name; });
}

/// A surface's weights of generators that it has no more go with them: they would be refused, and a change can only
/// add.
void DropWeights(const TomlValue& before, TomlValue* after) {
  const TomlValue* surfaces_before = FindIn(before, "surfaces");
  const auto surfaces = std::ranges::find(after->members, "surfaces", &TomlMember::key);
  if (surfaces_before == nullptr || surfaces == after->members.end()) return;
  for (TomlMember& surface : surfaces->value.members) {
    const TomlValue* was = FindIn(*surfaces_before, surface.key);
    const TomlValue* had = was == nullptr ? nullptr : FindIn(*was, "generators");
    const TomlValue* has = FindIn(surface.value, "generators");
    const TomlValue* weighed = was == nullptr ? nullptr : FindIn(*was, "weights");
    if (had == nullptr || has == nullptr || weighed == nullptr) continue;
    const auto weights = std::ranges::find(surface.value.members, "weights", &TomlMember::key);
    if (weights == surface.value.members.end()) continue;
    std::erase_if(weights->value.members, [&](const TomlMember& weight) {
      const TomlValue* unchanged = FindIn(*weighed, weight.key);
      return Lists(*had, weight.key) && !Lists(*has, weight.key) && unchanged != nullptr &&
             unchanged->number == weight.value.number;
    });
  }
}

absl::Status Refuse(size_t change, std::string_view part, std::string_view detail) {
  return absl::InvalidArgumentError(fmt::format("changes[{}].{}: {}", change, part, detail));
}

/// The change as a tree with one leaf.
absl::StatusOr<TomlValue> ReadChange(size_t index, const Change& change) {
  // What follows a line's end would be another key's.
  if (change.path.find_first_of("\n\r=#") != change.path.npos)
    return Refuse(index, "path", "found a line's end, '=' or '#'; expected keys joined by dots");
  const auto value = ReadToml("value = " + change.value, "value");
  if (!value.ok() || value->members.size() != 1)
    return Refuse(index, "value",
                  fmt::format("found {}; expected one value as TOML writes it, such as 0.4 or \"text\"",
                              Quote(change.value.substr(0, 64))));
  auto tree = ReadToml(fmt::format("{} = {}", change.path, change.value), "path");
  if (!tree.ok() || tree->members.size() != 1)
    return Refuse(index, "path", fmt::format("found {}; expected keys joined by dots", Quote(change.path)));
  const TomlMember& part = tree->members[0];
  if (std::ranges::find(kParts, part.key) == kParts.end() || part.value.kind != Kind::kTable) {
    return Refuse(index, "path",
                  fmt::format("found {}; expected a key below surfaces or generators, such as surfaces.home.diversity",
                              Quote(change.path)));
  }
  return *std::move(tree);
}

std::string_view SeenName(SeenPolicy policy) {
  switch (policy) {
    case SeenPolicy::kExclude:
      return "exclude";
    case SeenPolicy::kDemote:
      return "demote";
    case SeenPolicy::kAllow:
      return "allow";
  }
  return "";
}

std::string TextOf(const std::shared_ptr<const expression::Program>& program) {
  return program == nullptr ? "" : program->text();
}

class Lines {
 public:
  explicit Lines(std::string prefix) : prefix_(std::move(prefix)) {}
  template <typename T>
  void Add(std::string_view key, const T& value) {
    lines_.push_back(fmt::format("{}.{} = {}", prefix_, key, value));
  }
  void SetPrefix(std::string prefix) { prefix_ = std::move(prefix); }
  std::vector<std::string> Take() { return std::move(lines_); }

 private:
  std::string prefix_;
  std::vector<std::string> lines_;
};

std::string RuleText(const Rule& rule) {
  return rule.kind == Rule::Kind::kPin
             ? fmt::format("pin {} at {}", rule.item, rule.position)
             : fmt::format("{} {} when {}", rule.kind == Rule::Kind::kBoost ? "boost" : "bury", rule.factor,
                           TextOf(rule.when));
}

}  // namespace

absl::StatusOr<std::string> Patched(std::string_view text, std::span<const Change> changes) {
  ASSIGN_OR_RETURN(const TomlValue before, ReadToml(text, "bowerbird.toml"));
  TomlValue root = before;
  for (size_t i = 0; i < changes.size(); ++i) {
    ASSIGN_OR_RETURN(const TomlValue change, ReadChange(i, changes[i]));
    Merge(change, &root);
  }
  DropWeights(before, &root);
  return TomlText(root);
}

std::vector<std::string> RecipeLines(const Config& config, std::string_view name) {
  const Surface* surface = config.FindSurface(name);
  if (surface == nullptr) return {};
  Lines lines(fmt::format("surfaces.{}", name));
  lines.Add("needs_item", surface->needs_item);
  std::string generators;
  for (const std::string& generator : surface->generators) generators += (generators.empty() ? "" : ", ") + generator;
  lines.Add("generators", generators);
  for (const std::string& generator : surface->generators) {
    const auto weight = surface->weights.find(generator);
    lines.Add("weights." + generator, weight == surface->weights.end() ? 1.0 : weight->second);
  }
  const std::map<std::string, double> weights(surface->weights.begin(), surface->weights.end());
  for (const auto& [feature, weight] : weights) {
    if (std::ranges::find(surface->generators, feature) == surface->generators.end())
      lines.Add("weights." + feature, weight);
  }
  lines.Add("candidates_max", surface->candidates_max);
  lines.Add("ranked_max", surface->ranked_max);
  lines.Add("seen", SeenName(surface->seen));
  lines.Add("seen_window_us", surface->seen_window_us);
  lines.Add("seen_factor", surface->seen_factor);
  lines.Add("explore", surface->explore);
  lines.Add("temperature", surface->temperature);
  lines.Add("diversity", surface->diversity);
  lines.Add("category_cap", surface->category_cap);
  lines.Add("filter", TextOf(surface->filter));
  for (const Rule& rule : surface->rules) lines.Add("rules." + rule.name, RuleText(rule));
  for (const RankFeature& feature : surface->features) lines.Add("features." + feature.name, feature.weight);
  for (const std::string& used : surface->generators) {
    const Generator* generator = config.FindGenerator(used);
    if (generator == nullptr) continue;
    lines.SetPrefix("generators." + used);
    lines.Add("kind", static_cast<int>(generator->kind));
    lines.Add("count", generator->count);
    lines.Add("half_life_us", generator->half_life_us);
    lines.Add("window_us", generator->window_us);
    lines.Add("seeds", generator->seeds);
  }
  return lines.Take();
}

}  // namespace bowerbird::config
