#include "ingest/starter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/status_macros.h"
#include "ingest/type_guess.h"

namespace bowerbird::ingest {
namespace {

/// Declared by one import at most: fewer than a config may hold, so that what people add still fits.
constexpr size_t kDeclaredMax = 200;

/// Whether a config may name an event type so without quotes.
bool ValidType(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

}  // namespace

absl::StatusOr<Declarations> Infer(Kind kind, RowSource& source, std::string_view map_text, std::string_view event_type,
                                   size_t rows_max) {
  Declarations found;
  ASSIGN_OR_RETURN(const Mapping mapping, MakeMapping(kind, source.columns(), map_text, {}, event_type));
  if (!event_type.empty()) found.event_types.insert(std::string(event_type));
  std::vector<TypeGuess> guesses(source.columns().size());
  Row row;
  for (size_t i = 0; i < rows_max; ++i) {
    ASSIGN_OR_RETURN(const bool any, source.Next(&row));
    if (!any) break;
    if (!row.error.empty()) continue;
    for (size_t c = 0; c < row.cells.size(); ++c) {
      if (mapping.columns[c].field == "type" && ValidType(row.cells[c].text) && found.event_types.size() < kDeclaredMax)
        found.event_types.insert(row.cells[c].text);
      if (mapping.columns[c].field.empty()) guesses[c].Add(row.cells[c]);
    }
  }
  if (kind == Kind::kItems) {
    for (size_t c = 0; c < guesses.size(); ++c) {
      const auto type = guesses[c].Get();
      if (type && mapping.columns[c].field.empty() && DeclarableAttribute(source.columns()[c]) &&
          found.item_attributes.size() < kDeclaredMax)
        found.item_attributes[source.columns()[c]] = *type;
    }
  }
  return found;
}

std::string AddDeclarations(std::string_view starter, const Declarations& declarations) {
  std::string text(starter);
  static constexpr std::string_view kBuiltIn[] = {"impression", "click",  "closeup",           "save",     "hide",
                                                  "purchase",   "search", "notification_open", "identify", "unhide"};
  std::string attributes;
  std::vector<std::pair<std::string, expression::Type>> sorted(declarations.item_attributes.begin(),
                                                               declarations.item_attributes.end());
  std::sort(sorted.begin(), sorted.end());
  constexpr std::string_view kHeader = "\n[items.attributes]\n";
  const size_t at = text.find(kHeader);
  std::string_view declared;
  if (at != std::string::npos) declared = std::string_view(text).substr(at + 1, text.find("\n[", at + 1) - at);
  for (const auto& [name, type] : sorted) {
    if (declared.find(fmt::format("\n{} =", name)) != std::string_view::npos) continue;
    fmt::format_to(std::back_inserter(attributes), "{} = \"{}\"\n", name, expression::TypeName(type));
  }
  if (at != std::string::npos) {
    text.insert(at + kHeader.size(), attributes);
  } else if (!attributes.empty()) {
    text += fmt::format("{}{}", kHeader, attributes);
  }
  for (const std::string& type : declarations.event_types) {
    const bool built_in = std::find(std::begin(kBuiltIn), std::end(kBuiltIn), type) != std::end(kBuiltIn);
    if (built_in || text.find(fmt::format("[events.{}]", type)) != std::string::npos) continue;
    text += fmt::format("\n[events.{}]\nweight = 1.0\nitem = \"optional\"\n", type);
  }
  return text;
}

Declarations MovieLensDeclarations() {
  Declarations declarations;
  declarations.item_attributes["year"] = expression::Type::kNumber;
  declarations.item_attributes["tags"] = expression::Type::kStrings;
  return declarations;
}

}  // namespace bowerbird::ingest
