#include "experiment/ope/open_bandit.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string>

#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::experiment::ope {

namespace {

constexpr std::array<std::string_view, 4> kColumns = {"item_id", "position", "click", "propensity_score"};

absl::Status BadLine(std::string_view name, size_t line, std::string_view found, std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{}:{}: found '{}'; expected {}", name, line, found.substr(0, 60), expected));
}

void Split(std::string_view line, std::vector<std::string_view>* fields) {
  fields->clear();
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(',', begin), line.size());
    fields->push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
}

template <typename Number>
std::optional<Number> Parse(std::string_view text) {
  Number value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Where the columns that are read lie, and how many there are in all.
struct Header {
  std::array<size_t, kColumns.size()> places = {};
  size_t fields = 0;
};

absl::StatusOr<Header> ReadHeader(std::string_view name, std::string_view line) {
  std::vector<std::string_view> fields;
  Split(line, &fields);
  Header header{.fields = fields.size()};
  for (size_t column = 0; column < kColumns.size(); ++column) {
    const auto found = std::find(fields.begin(), fields.end(), kColumns[column]);
    if (found == fields.end()) {
      return BadLine(name, 1, line, fmt::format("a header with {}", fmt::join(kColumns, ", ")));
    }
    header.places[column] = static_cast<size_t>(found - fields.begin());
  }
  return header;
}

absl::StatusOr<OpenBanditRow> ReadRow(std::string_view name, size_t number, const Header& header,
                                      const std::vector<std::string_view>& fields) {
  const auto field = [&](size_t column) { return fields[header.places[column]]; };
  const auto item = Parse<uint64_t>(field(0));
  if (!item) return BadLine(name, number, field(0), "an item_id, a whole number");
  const auto position = Parse<uint32_t>(field(1));
  if (!position || *position == 0 || *position > kPositionsMax)
    return BadLine(name, number, field(1), fmt::format("a position from 1 to {}", kPositionsMax));
  const auto click = Parse<double>(field(2));
  if (!click || (*click != 0 && *click != 1)) return BadLine(name, number, field(2), "a click, 0 or 1");
  const auto propensity = Parse<double>(field(3));
  if (!propensity || !(*propensity > 0 && *propensity <= 1))
    return BadLine(name, number, field(3), "a propensity_score above 0 and at most 1");
  return OpenBanditRow{*item, *position - 1, *click, *propensity};
}

}  // namespace

absl::StatusOr<std::vector<OpenBanditRow>> ReadOpenBandit(std::string_view name, std::string_view text) {
  std::vector<OpenBanditRow> rows;
  std::vector<std::string_view> fields;
  std::optional<Header> header;
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    begin = end + 1;
    ++number;
    if (!header) {
      ASSIGN_OR_RETURN(header, ReadHeader(name, line));
      continue;
    }
    Split(line, &fields);
    if (fields.size() != header->fields) {
      return BadLine(name, number, line,
                     fmt::format("{} fields as in the header, not {}", header->fields, fields.size()));
    }
    ASSIGN_OR_RETURN(const OpenBanditRow row, ReadRow(name, number, *header, fields));
    rows.push_back(row);
  }
  if (rows.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}:{}: the file ends; expected {}", name, number + 1, header ? "rows" : "a header and rows"));
  }
  return rows;
}

ShownShares ShownShares::Of(std::span<const OpenBanditRow> rows) {
  std::map<std::pair<uint32_t, uint64_t>, double> counts;
  std::map<uint32_t, double> positions;
  for (const OpenBanditRow& row : rows) {
    ++counts[{row.position, row.item}];
    ++positions[row.position];
  }
  ShownShares result;
  if (!positions.empty()) result.by_position_.resize(positions.rbegin()->first + 1);
  for (const auto& [at, count] : counts) {
    const double share = count / positions[at.first];
    result.by_position_[at.first].push_back({at.second, share});
    result.share_[at] = share;
  }
  return result;
}

double ShownShares::At(uint32_t position, uint64_t item) const {
  const auto found = share_.find({position, item});
  return found == share_.end() ? 0 : found->second;
}

std::span<const ItemShare> ShownShares::Shares(uint32_t position) const {
  return position < by_position_.size() ? std::span<const ItemShare>(by_position_[position])
                                        : std::span<const ItemShare>();
}

std::vector<LoggedSlate> SlatesFor(std::span<const OpenBanditRow> log, const ShownShares& target) {
  const ShownShares logged = ShownShares::Of(log);
  std::map<uint32_t, double> on_support;
  for (const OpenBanditRow& row : log) {
    const auto [entry, first] = on_support.try_emplace(row.position, 0);
    if (!first) continue;
    for (const ItemShare& share : target.Shares(row.position)) {
      if (logged.At(row.position, share.item) > 0) entry->second += share.probability;
    }
    entry->second = std::min(entry->second, 1.0);
  }
  std::vector<LoggedSlate> slates;
  for (const OpenBanditRow& row : log) {
    const double share = target.At(row.position, row.item);
    slates.push_back({.request = fmt::format("row {}", slates.size() + 1),
                      .positions = {{.position = row.position,
                                     .item = row.item,
                                     .logged = {row.propensity, row.propensity},
                                     .target = {share, share},
                                     .target_on_support = on_support[row.position],
                                     .reward = row.click}}});
  }
  return slates;
}

}  // namespace bowerbird::experiment::ope
