#include "config/table_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/string_map.h"
#include "base/time_text.h"

namespace bowerbird::config {

bool Interval::Has(double value) const {
  return (without_low ? value > low : value >= low) && (without_high ? value < high : value <= high);
}

std::string Interval::ToString() const {
  if (without_high) return fmt::format("a number {} {} and below {}", without_low ? "above" : "from", low, high);
  return without_low ? fmt::format("a number above {}, at most {}", low, high)
                     : fmt::format("a number from {} to {}", low, high);
}

uint32_t TableReader::LineOf(std::string_view key) const {
  const TomlMember* member = table_ == nullptr ? nullptr : table_->Find(key);
  return member == nullptr ? line_ : member->line;
}

const TomlMember* TableReader::Take(std::string_view key) {
  asked_.emplace_back(key);
  return table_ == nullptr ? nullptr : table_->Find(key);
}

void TableReader::Refuse(std::string_view key, std::string_view found, std::string_view expected) {
  problems_->Add(LineOf(key), PathOf(key), found, expected);
}

void TableReader::Require(std::string_view key, std::string_view expected) {
  if (!Has(key)) Refuse(key, "nothing", expected);
}

void TableReader::Bool(std::string_view key, bool* out) {
  const TomlMember* member = Take(key);
  if (member == nullptr) return;
  if (member->value.kind != TomlValue::Kind::kBool) return Refuse(key, Describe(member->value), "true or false");
  *out = member->value.boolean;
}

bool TableReader::ReadInteger(std::string_view key, int64_t min, int64_t max, int64_t* out) {
  const TomlMember* member = Take(key);
  if (member == nullptr) return false;
  if (member->value.kind != TomlValue::Kind::kInteger || member->value.integer < min || member->value.integer > max) {
    Refuse(key, Describe(member->value), fmt::format("an integer from {} to {}", min, max));
    return false;
  }
  *out = member->value.integer;
  return true;
}

void TableReader::Number(std::string_view key, Interval interval, double* out) {
  const TomlMember* member = Take(key);
  if (member == nullptr) return;
  const bool number = member->value.kind == TomlValue::Kind::kFloat || member->value.kind == TomlValue::Kind::kInteger;
  if (!number || !interval.Has(member->value.number)) return Refuse(key, Describe(member->value), interval.ToString());
  *out = member->value.number;
}

void TableReader::Duration(std::string_view key, int64_t min_us, int64_t max_us, int64_t* out) {
  const TomlMember* member = Take(key);
  if (member == nullptr) return;
  if (member->value.kind == TomlValue::Kind::kString) {
    const absl::StatusOr<int64_t> us = base::ParseDurationUs(member->value.text);
    if (us.ok() && *us >= min_us && *us <= max_us) {
      *out = *us;
      return;
    }
  }
  Refuse(key, Describe(member->value),
         fmt::format("a duration in quotes such as \"7d\" or \"50ms\", from \"{}\" to \"{}\"",
                     base::FormatDurationUs(min_us), base::FormatDurationUs(max_us)));
}

void TableReader::Text(std::string_view key, size_t bytes_min, size_t bytes_max, std::string* out) {
  const TomlMember* member = Take(key);
  if (member == nullptr) return;
  const TomlValue& value = member->value;
  if (value.kind != TomlValue::Kind::kString || value.text.size() < bytes_min || value.text.size() > bytes_max) {
    return Refuse(key, Describe(value), fmt::format("a string of {} to {} bytes", bytes_min, bytes_max));
  }
  *out = value.text;
}

bool TableReader::ReadChoice(std::string_view key, const std::vector<std::string_view>& names, size_t* index) {
  const TomlMember* member = Take(key);
  if (member == nullptr) return false;
  const TomlValue& value = member->value;
  if (value.kind == TomlValue::Kind::kString) {
    const auto found = std::ranges::find(names, value.text);
    *index = static_cast<size_t>(found - names.begin());
    if (found != names.end()) return true;
  }
  Refuse(key, Describe(value), OneOf("one of these strings", value.text, names));
  return false;
}

bool TableReader::Names(std::string_view key, std::vector<NameAt>* out) {
  const TomlMember* member = Take(key);
  if (member == nullptr) return false;
  if (member->value.kind != TomlValue::Kind::kArray) {
    Refuse(key, Describe(member->value), "a list of strings");
    return false;
  }
  base::StringSet seen;
  for (size_t i = 0; i < member->value.elements.size(); ++i) {
    const TomlValue& element = member->value.elements[i];
    const std::string path = fmt::format("{}[{}]", PathOf(key), i);
    if (element.kind != TomlValue::Kind::kString) {
      problems_->Add(element.line, path, Describe(element), "a string");
    } else if (!seen.insert(element.text).second) {
      problems_->Add(element.line, path, "a second " + Quote(element.text), "each name once");
    } else {
      out->push_back({element.text, element.line, path});
    }
  }
  return true;
}

TableReader TableReader::Table(std::string_view key) {
  const TomlMember* member = Take(key);
  const TomlValue* table = nullptr;
  if (member != nullptr && member->value.kind == TomlValue::Kind::kTable) {
    table = &member->value;
  } else if (member != nullptr) {
    Refuse(key, Describe(member->value), fmt::format("a table, [{}]", PathOf(key)));
  }
  return TableReader(table, PathOf(key), LineOf(key), problems_);
}

std::vector<NameAt> TableReader::Keys() const {
  std::vector<NameAt> keys;
  if (table_ == nullptr) return keys;
  for (const TomlMember& member : table_->members) keys.push_back({member.key, member.line, PathOf(member.key)});
  return keys;
}

bool TableReader::CheckCount(size_t count_max) {
  if (table_ == nullptr || table_->members.size() <= count_max) return true;
  problems_->Add(line_, path_, fmt::format("{} of them", table_->members.size()), fmt::format("at most {}", count_max));
  return false;
}

std::vector<std::pair<NameAt, TableReader>> TableReader::NamedTables(size_t count_max) {
  std::vector<std::pair<NameAt, TableReader>> tables;
  if (!CheckCount(count_max)) return tables;
  for (NameAt& name : Keys()) {
    TableReader table = Table(name.text);
    if (table.exists()) tables.emplace_back(std::move(name), std::move(table));
  }
  return tables;
}

std::vector<TableReader> TableReader::TableList(std::string_view key) {
  std::vector<TableReader> tables;
  const TomlMember* member = Take(key);
  if (member == nullptr) return tables;
  const TomlValue& value = member->value;
  const bool fits =
      value.kind == TomlValue::Kind::kArray && std::ranges::all_of(value.elements, [](const TomlValue& element) {
        return element.kind == TomlValue::Kind::kTable;
      });
  if (!fits) {
    Refuse(key, Describe(value), fmt::format("tables, [[{}]]", PathOf(key)));
    return tables;
  }
  for (size_t i = 0; i < value.elements.size(); ++i) {
    tables.emplace_back(&value.elements[i], fmt::format("{}[{}]", PathOf(key), i), value.elements[i].line, problems_);
  }
  return tables;
}

void TableReader::RefuseUnknown(std::string_view what) {
  if (table_ == nullptr) return;
  std::vector<std::string_view> known(asked_.begin(), asked_.end());
  std::ranges::sort(known);
  known.erase(std::unique(known.begin(), known.end()), known.end());
  for (const TomlMember& member : table_->members) {
    if (std::ranges::binary_search(known, std::string_view(member.key))) continue;
    problems_->Add(member.line, PathOf(member.key), "the unknown key " + Quote(member.key),
                   OneOf(fmt::format("a key of {}", what), member.key, known));
  }
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

bool CheckName(const NameAt& name, Problems* problems) {
  if (IsName(name.text)) return true;
  problems->Add(name.line, name.path, "the name " + Quote(name.text), "1 to 64 letters, digits, '_', '-' or '.'");
  return false;
}

}  // namespace bowerbird::config
