#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/string_map.h"
#include "config/config.h"
#include "signal/cell.h"
#include "signal/event_field.h"

namespace bowerbird::signal {

/// A signal's key (none: "" of a signal without `by`) and what it says.
struct KeyReading {
  std::string key;
  Reading reading;
  bool operator==(const KeyReading&) const = default;
};
/// What a signal says of one user or item at some time.
struct SignalReading {
  int64_t newest_us = 0;         ///< the newest counted event, to the second; 0: none
  std::vector<KeyReading> keys;  ///< one without `by`; else the strongest first; empty: nothing counted
  bool operator==(const SignalReading&) const = default;
};

/// One declared signal: how events change a user's or an item's value of it, and what a value says. A value is bytes,
/// none where nothing was counted: varint the newest counted event's time in seconds, then a cell (cell.h), or with
/// `by` cells by key (cell_table.h).
///
/// Equal sequences of events give equal bytes, on every machine, wherever they are stored and read between.
///
/// Threads  immutable.
/// Bounds   kValuesMax values of one event, `top` keys, texts of kTextBytesMax bytes.
class Definition {
 public:
  static constexpr size_t kValuesMax = 8;  ///< of one event, of a field that is a set: the first ones count
  /// A longer text is cut, and ends in its hash.
  static constexpr size_t kTextBytesMax = 256;

  Definition(const config::Config& config, const config::Signal& signal);

  const config::Signal& signal() const { return signal_; }
  /// All that values and readings depend on, as text; and its hash, by which values are stored. Another name, owner or
  /// description is the same meaning.
  const std::string& meaning() const { return meaning_; }
  uint64_t id() const { return id_; }

  /// Counts an event of a type in `on` (or `of`). False: it has nothing to count, and the value stays.
  bool Fold(const Input& input, std::string* value) const;
  /// What another id's value, or that of what another partition folded of the item, and this one are together. Both
  /// have passed Check.
  void Merge(std::string_view other, std::string* value) const;
  /// DataLoss: not the bytes of such a value. Fold, Merge and Read take what passes.
  absl::Status Check(std::string_view value) const;
  SignalReading Read(std::string_view value, int64_t as_of_us) const;
  /// When the newest counted event was, to the second; 0 for an empty value.
  static int64_t NewestUs(std::string_view value);
  /// Puts the fields of `event` that Fold reads into `kept`, but for the time and who acted.
  void Keep(const v1::Event& event, v1::Event* kept) const;
  /// Whether Fold reads Input::user_print.
  bool reads_user() const { return of_.has_value() && of_->reads_user(); }

 private:
  bool Counts(const Input& input) const;
  void AddToKeys(std::span<const std::string_view> keys, const Addend& addend, int64_t as_of_us,
                 std::string* body) const;
  void Change(std::string_view key, absl::FunctionRef<void(std::string*)> change, int64_t as_of_us,
              std::string* body) const;

  config::Signal signal_;
  Shape shape_;
  std::optional<EventField> of_, by_;
  std::vector<EventField> where_fields_;
  std::string meaning_;
  uint64_t id_ = 0;
};

/// Of what a signal has a value each.
enum class Per : uint8_t { kUser, kItem };

/// The signals of a config, per user or per item.
///
/// Threads  immutable.
class Set {
 public:
  explicit Set(const config::Config& config, Per per = Per::kUser);

  bool empty() const { return definitions_.empty(); }
  size_t size() const { return definitions_.size(); }
  /// In the order of the config.
  const Definition& operator[](size_t slot) const { return definitions_[slot]; }
  const Definition* Find(std::string_view name) const;
  /// The slots of those that count events of a type, ascending.
  std::span<const uint32_t> CountingSlots(std::string_view type) const;
  std::optional<uint32_t> SlotOf(uint64_t id) const;

 private:
  std::vector<Definition> definitions_;
  base::StringMap<std::vector<uint32_t>> counting_;
};

}  // namespace bowerbird::signal
