#include "config/duplicates.h"

#include <algorithm>
#include <optional>

namespace bowerbird::config {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return "";
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// The name inside [..] or [[..]] when the line is a header, and not an element of a list of lists.
std::optional<std::string_view> HeaderName(std::string_view line) {
  std::string_view rest = Trim(line);
  if (rest.empty() || rest[0] != '[') return std::nullopt;
  const size_t close = rest.find(']');
  if (close == rest.npos) return std::nullopt;
  const bool array = rest.starts_with("[[");
  std::string_view after = rest.substr(close + 1);
  if (array && after.starts_with("]")) after.remove_prefix(1);
  after = Trim(after);
  if (!after.empty() && after[0] != '#') return std::nullopt;
  const size_t open = array ? 2 : 1;
  return Trim(rest.substr(open, close - std::min(open, close)));
}

/// Follows the brackets and triple quotes of a value over its lines.
class ValueEnd {
 public:
  /// True while the value goes on behind `line`.
  bool Continues(std::string_view line) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (!quotes_.empty()) {
        if (line[i] == '\\' && quotes_[0] == '"') {
          ++i;
        } else if (line.substr(i).starts_with(quotes_)) {
          i += quotes_.size() - 1;
          quotes_ = "";
        }
      } else if (line[i] == '#') {
        break;
      } else if (line[i] == '"' || line[i] == '\'') {
        const std::string_view three = line[i] == '"' ? "\"\"\"" : "'''";
        quotes_ = line.substr(i).starts_with(three) ? three : three.substr(0, 1);
        i += quotes_.size() - 1;
      } else if (line[i] == '[' || line[i] == '{') {
        ++depth_;
      } else if (line[i] == ']' || line[i] == '}') {
        --depth_;
      }
    }
    if (quotes_.size() == 1) quotes_ = "";  // a plain string ends with its line
    return depth_ > 0 || !quotes_.empty();
  }

 private:
  int depth_ = 0;
  std::string_view quotes_;
};

}  // namespace

MaskableText::MaskableText(std::string_view text) {
  while (true) {
    const size_t end = text.find('\n');
    lines_.emplace_back(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
}

std::string MaskableText::TableAbove(uint32_t line) const {
  for (size_t i = std::min<size_t>(line, lines_.size()); i > 0; --i) {
    if (const auto name = HeaderName(lines_[i - 1])) return std::string(*name);
  }
  return "";
}

Masked MaskableText::MaskTable(uint32_t line) {
  if (line == 0 || line > lines_.size()) return {};
  Masked masked{TableAbove(line), ""};
  size_t i = line - 1;
  do {
    lines_[i++].clear();
  } while (i < lines_.size() && !HeaderName(lines_[i]));
  return masked;
}

Masked MaskableText::MaskKey(uint32_t line) {
  if (line == 0 || line > lines_.size()) return {};
  const std::string& first = lines_[line - 1];
  Masked masked{TableAbove(line), std::string(Trim(first.substr(0, first.find('='))))};
  ValueEnd end;
  bool continues = true;
  for (size_t i = line - 1; continues && i < lines_.size(); ++i) {
    continues = end.Continues(lines_[i]);
    lines_[i].clear();
  }
  return masked;
}

std::string MaskableText::Text() const {
  std::string text;
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (i > 0) text += '\n';
    text += lines_[i];
  }
  return text;
}

}  // namespace bowerbird::config
