#include "forget/text_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "absl/strings/ascii.h"
#include "base/json_writer.h"
#include "base/status_macros.h"
#include "store/file.h"

namespace bowerbird::forget {
namespace {

bool IsWordByte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return absl::ascii_isalnum(value) || byte == '_' || byte == '-' || value >= 0x80;
}

/// The part of a line in which ids may stand: [first, last).
std::pair<size_t, size_t> PartOf(std::string_view line, LineForm form) {
  if (form == LineForm::kRejectedRow) return {std::min(line.find('\t'), line.size()), line.size()};
  constexpr std::string_view kBefore = "\"detail\":\"", kAfter = "\",\"status\":";
  const size_t first = line.find(kBefore), last = line.rfind(kAfter);
  if (first == std::string_view::npos || last == std::string_view::npos || last < first + kBefore.size()) return {0, 0};
  return {first + kBefore.size(), last};
}

/// As it is, and as JSON writes it, without the quotes.
std::vector<std::string> FormsOf(const std::string& id) {
  std::string quoted;
  base::JsonWriter(&quoted).String(id);
  std::vector<std::string> forms = {id};
  if (quoted = quoted.substr(1, quoted.size() - 2); quoted != id) forms.push_back(std::move(quoted));
  return forms;
}

void Mask(std::string_view id, size_t first, size_t last, std::string* text, std::vector<size_t>* masked) {
  for (size_t at = text->find(id, first); at != std::string::npos && at + id.size() <= last;
       at = text->find(id, at + 1)) {
    const bool word = (at == first || !IsWordByte((*text)[at - 1])) &&
                      (at + id.size() == last || !IsWordByte((*text)[at + id.size()]));
    if (!word) continue;
    std::fill_n(text->begin() + static_cast<ptrdiff_t>(at), id.size(), '*');
    masked->push_back(at);
  }
}

}  // namespace

absl::StatusOr<uint64_t> MaskIds(const std::string& path, LineForm form, std::span<const std::string> ids) {
  if (!std::filesystem::exists(path)) return 0;
  ASSIGN_OR_RETURN(const std::string before, store::ReadFile(path));
  std::string text = before;
  std::vector<size_t> masked;
  for (size_t line = 0; line < text.size();) {
    const size_t end = std::min(text.find('\n', line), text.size());
    const auto [first, last] = PartOf(std::string_view(text).substr(line, end - line), form);
    for (const std::string& id : ids) {
      for (const std::string& form_of_id : FormsOf(id)) Mask(form_of_id, line + first, line + last, &text, &masked);
    }
    line = end + 1;
  }
  if (masked.empty()) return 0;
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const auto failed = [&] { return absl::UnavailableError(fmt::format("{}: {}", path, std::strerror(errno))); };
  if (file < 0) return failed();
  absl::Status status;
  for (size_t at = 0; at < text.size() && status.ok();) {
    if (text[at] == before[at]) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && text[end] != before[end]) ++end;
    const ssize_t written = pwrite(file, text.data() + at, end - at, static_cast<off_t>(at));
    if (written != static_cast<ssize_t>(end - at)) status = failed();
    at = end;
  }
  if (status.ok() && fsync(file) != 0) status = failed();
  close(file);
  RETURN_IF_ERROR(status);
  return masked.size();
}

}  // namespace bowerbird::forget
