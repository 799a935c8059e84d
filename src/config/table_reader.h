#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/problems.h"
#include "config/toml_value.h"

namespace bowerbird::config {

/// A string of the file with the place it stands at.
struct NameAt {
  std::string text;
  uint32_t line = 0;
  std::string path;
};

/// The allowed values of a number. `Above` and `Below` leave their own bound out.
struct Interval {
  double low, high;
  bool without_low = false, without_high = false;

  static constexpr Interval Closed(double low, double high) { return {low, high}; }
  static constexpr Interval Share() { return {0, 1}; }
  static constexpr Interval AboveTo(double low, double high) { return {low, high, true, false}; }
  static constexpr Interval FromBelow(double low, double high) { return {low, high, false, true}; }
  bool Has(double value) const;
  std::string ToString() const;
};

inline constexpr int64_t kSecondUs = 1'000'000;
inline constexpr int64_t kMinuteUs = 60 * kSecondUs;
inline constexpr int64_t kHourUs = 60 * kMinuteUs;
inline constexpr int64_t kDayUs = 24 * kHourUs;
inline constexpr int64_t kDurationUsMax = 36'500 * kDayUs;

/// Reads one table key by key. A key that is not there leaves `out` as it is, which is how defaults work; one that does
/// not fit is reported and leaves `out` too. At the end, RefuseUnknown reports every key that nobody asked for.
class TableReader {
 public:
  /// `table` may be null: a table that is not in the file. `line` is where the table was named.
  TableReader(const TomlValue* table, std::string path, uint32_t line, Problems* problems)
      : table_(table), path_(std::move(path)), line_(line), problems_(problems) {}

  bool exists() const { return table_ != nullptr; }
  const std::string& path() const { return path_; }
  uint32_t line() const { return line_; }
  std::string PathOf(std::string_view key) const { return JoinPath(path_, key); }
  /// Does not count as asking for the key.
  bool Has(std::string_view key) const { return table_ != nullptr && table_->Find(key) != nullptr; }
  /// Of the key; of the table when it has no such key.
  uint32_t LineOf(std::string_view key) const;
  /// Asks for the key; null when absent.
  const TomlMember* Take(std::string_view key);

  void Bool(std::string_view key, bool* out);
  void Number(std::string_view key, Interval interval, double* out);
  /// A string like "7d" within [min, max].
  void Duration(std::string_view key, int64_t min_us, int64_t max_us, int64_t* out);
  /// A string of `bytes_min` to `bytes_max` bytes.
  void Text(std::string_view key, size_t bytes_min, size_t bytes_max, std::string* out);

  template <typename T>
  void Integer(std::string_view key, int64_t min, int64_t max, T* out) {
    int64_t value = 0;
    if (ReadInteger(key, min, max, &value)) *out = static_cast<T>(value);
  }
  /// One of the strings of `choices`. True when `out` was set.
  template <typename E>
  bool Choice(std::string_view key, std::span<const std::pair<std::string_view, E>> choices, E* out) {
    std::vector<std::string_view> names;
    for (const auto& choice : choices) names.push_back(choice.first);
    size_t index = 0;
    if (!ReadChoice(key, names, &index)) return false;
    *out = choices[index].second;
    return true;
  }

  /// A list of strings, each once; what is not one is reported and left out. False: the key is absent or no list.
  bool Names(std::string_view key, std::vector<NameAt>* out);
  /// The table under `key`; one that does not exist when the key is absent or no table.
  TableReader Table(std::string_view key);
  /// The names of all members, in the order of the file. Does not count as asking for them.
  std::vector<NameAt> Keys() const;
  /// Every member as a table of its own, with its name: [generators.NAME]. Asks for all keys. Nothing when there are
  /// more than `count_max`, which is reported.
  std::vector<std::pair<NameAt, TableReader>> NamedTables(size_t count_max);
  /// Reports a table with more members than that, so that no later step is slow on it. True when it is fine.
  bool CheckCount(size_t count_max);
  /// The tables of [[key]].
  std::vector<TableReader> TableList(std::string_view key);

  void Refuse(std::string_view key, std::string_view found, std::string_view expected);
  /// The key must be there.
  void Require(std::string_view key, std::string_view expected);
  /// Reports every key not asked for; `what` names the table in the message, such as "a surface".
  void RefuseUnknown(std::string_view what);

 private:
  bool ReadInteger(std::string_view key, int64_t min, int64_t max, int64_t* out);
  bool ReadChoice(std::string_view key, const std::vector<std::string_view>& names, size_t* index);

  const TomlValue* table_;
  std::string path_;
  uint32_t line_;
  Problems* problems_;
  std::vector<std::string> asked_;
};

/// Letters, digits, '_', '-' and '.', 1 to 64 bytes: names of event types, generators, objectives, surfaces, rules,
/// domains.
bool IsName(std::string_view text);
/// Reports `name` when IsName is false. True when it is fine.
bool CheckName(const NameAt& name, Problems* problems);

}  // namespace bowerbird::config
