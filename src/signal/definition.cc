#include "signal/definition.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <forward_list>
#include <limits>
#include <utility>
#include <variant>

#include "base/byte_codec.h"
#include "base/check.h"
#include "base/hash.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "signal/cell_table.h"
#include "signal/window_counts.h"

namespace bowerbird::signal {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
/// Newest times beyond are not those of an event.
constexpr uint64_t kSecondsMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / kSecondUs - 1;

Kind KindOf(std::string_view name) {
  constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"last_n", Kind::kLastN},        {"count", Kind::kCount}, {"decayed_sum", Kind::kDecayedSum},
      {"ratio", Kind::kRatio},         {"top_k", Kind::kTopK},  {"distinct", Kind::kDistinct},
      {"time_since", Kind::kTimeSince}};
  for (const auto& [known, kind] : kKinds) {
    if (known == name) return kind;
  }
  BOWERBIRD_CHECK(false);
  return Kind::kCount;
}

Shape ShapeOf(const config::Signal& signal) {
  Shape shape;
  shape.kind = KindOf(signal.kind);
  shape.counter.bucket_us = signal.window_us > 0 ? BucketWidthUs(signal.window_us) : 0;
  shape.counter.half_life_us = signal.half_life_us;
  shape.window_us = signal.window_us;
  shape.n = signal.n;
  shape.prior = signal.prior;
  shape.prior_weight = signal.prior_weight;
  return shape;
}

std::string Sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return fmt::format("{}", fmt::join(names, ","));
}

std::string MeaningOf(const config::Signal& signal) {
  std::string meaning = fmt::format("1 {} {} on={} of={}{} by={}", signal.kind, signal.per_item ? "item" : "user",
                                    Sorted(signal.on), signal.of, Sorted(signal.of_types), signal.by);
  const auto add = [&](std::string_view key, auto value) {
    if (value != 0) fmt::format_to(std::back_inserter(meaning), " {}={}", key, value);
  };
  add("window_us", signal.window_us);
  add("half_life_us", signal.half_life_us);
  add("top", signal.top);
  add("n", signal.n);
  add("prior", signal.prior);
  add("prior_weight", signal.prior_weight);
  if (signal.where != nullptr) meaning += " where=" + signal.where->text();
  return meaning;
}

/// The texts of one field of one event.
class Texts {
 public:
  void Read(const EventField& field, const Input& input) {
    const expression::ValueView value = field.Get(input, &strings_);
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      Add(*text);
    } else if (const auto* views = std::get_if<std::span<const std::string_view>>(&value)) {
      for (const std::string_view view : *views) Add(view);
    } else if (const auto* number = std::get_if<double>(&value)) {
      if (std::isfinite(*number)) Add(Keep(fmt::format("{}", *number)));
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      Add(*flag ? "true" : "false");
    } else if (const auto* time = std::get_if<expression::TimeUs>(&value)) {
      Add(Keep(fmt::format("{}", time->value)));
    }
  }
  std::span<const std::string_view> all() const { return {texts_.data(), count_}; }

 private:
  std::string_view Keep(std::string text) { return kept_.emplace_front(std::move(text)); }
  void Add(std::string_view text) {
    if (text.empty() || count_ == texts_.size()) return;
    if (text.size() > Definition::kTextBytesMax) {
      const std::string hash = fmt::format("~{:016x}", base::Hash64(text));
      text = Keep(std::string(text.substr(0, Definition::kTextBytesMax - hash.size())) + hash);
    }
    if (std::ranges::find(all(), text) != all().end()) return;
    texts_[count_++] = text;
  }

  std::array<std::string_view, Definition::kValuesMax> texts_;
  size_t count_ = 0;
  std::vector<std::string_view> strings_;
  std::forward_list<std::string> kept_;
};

class EventRow final : public expression::Row {
 public:
  EventRow(const std::vector<EventField>& fields, const Input& input) : fields_(fields), input_(input) {}
  expression::ValueView Get(uint32_t attribute) const override { return fields_[attribute].Get(input_, &strings_); }

 private:
  const std::vector<EventField>& fields_;
  const Input& input_;
  mutable std::vector<std::string_view> strings_;
};

bool Has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// The newest time of a value, and its body.
struct Parts {
  uint64_t newest_s = 0;
  std::string_view body;
};
Parts Split(std::string_view value) {
  base::Reader in(value);
  Parts parts;
  if (value.empty()) return parts;
  parts.newest_s = in.Varint();
  parts.body = in.rest();
  return parts;
}
/// Leaves the body.
uint64_t TakeNewest(std::string* value) {
  const Parts parts = Split(*value);
  value->erase(0, value->size() - parts.body.size());
  return parts.newest_s;
}
void PutNewest(uint64_t newest_s, std::string* value) {
  std::string varint;
  base::PutVarint(newest_s, &varint);
  value->insert(0, varint);
}
/// By which what has to go is found: not before any counted event.
int64_t AsOf(uint64_t newest_s) { return static_cast<int64_t>(newest_s) * kSecondUs + kSecondUs - 1; }

}  // namespace

Definition::Definition(const config::Config& config, const config::Signal& signal)
    : signal_(signal), shape_(ShapeOf(signal)), meaning_(MeaningOf(signal)), id_(base::Hash64(meaning_)) {
  std::vector<std::string> types = signal.on;
  types.insert(types.end(), signal.of_types.begin(), signal.of_types.end());
  if (!signal.of.empty()) of_.emplace(config, types, signal.of);
  if (!signal.by.empty()) by_.emplace(config, types, signal.by);
  for (const std::string& field : signal.where_fields) where_fields_.emplace_back(config, types, field);
}

bool Definition::Counts(const Input& input) const {
  return signal_.where == nullptr || signal_.where->Evaluate(EventRow(where_fields_, input), input.time_us);
}

void Definition::Change(std::string_view key, absl::FunctionRef<void(std::string*)> change, int64_t as_of_us,
                        std::string* body) const {
  const auto strength = [&](std::string_view cell) { return CellStrength(shape_, cell, as_of_us); };
  ChangeCell(signal_.top, key, change, strength, body);
}

void Definition::AddToKeys(std::span<const std::string_view> keys, const Addend& addend, int64_t as_of_us,
                           std::string* body) const {
  if (!by_.has_value()) return AddToCell(shape_, addend, as_of_us, body);
  for (const std::string_view key : keys) {
    Change(
        key, [&](std::string* cell) { AddToCell(shape_, addend, as_of_us, cell); }, as_of_us, body);
  }
}

bool Definition::Fold(const Input& input, std::string* value) const {
  if (!Counts(input)) return false;
  Texts keys, values;
  if (by_.has_value()) {
    keys.Read(*by_, input);
    if (keys.all().empty()) return false;
  }
  Addend addend;
  addend.time_us = input.time_us;
  if (shape_.kind == Kind::kDecayedSum) {
    std::vector<std::string_view> unused;
    const expression::ValueView amount = of_->Get(input, &unused);
    const auto* number = std::get_if<double>(&amount);
    if (number == nullptr || !std::isfinite(*number)) return false;
    addend.amount = *number;
  } else if (of_.has_value()) {
    values.Read(*of_, input);
    if (values.all().empty()) return false;
  }
  if (shape_.kind == Kind::kRatio) {
    addend.counts_on = Has(signal_.on, input.event->type());
    addend.counts_of = Has(signal_.of_types, input.event->type());
  }
  const uint64_t newest_s = std::max(TakeNewest(value), static_cast<uint64_t>(input.time_us / kSecondUs));
  if (values.all().empty()) AddToKeys(keys.all(), addend, AsOf(newest_s), value);
  for (const std::string_view one : values.all()) {
    addend.value = one;
    AddToKeys(keys.all(), addend, AsOf(newest_s), value);
  }
  PutNewest(newest_s, value);
  return true;
}

void Definition::Merge(std::string_view other, std::string* value) const {
  if (other.empty()) return;
  const Parts more = Split(other);
  const uint64_t newest_s = std::max(TakeNewest(value), more.newest_s);
  const int64_t as_of_us = AsOf(newest_s);
  if (!by_.has_value()) {
    MergeCell(shape_, more.body, as_of_us, value);
  } else {
    ForEachCell(more.body, [&](std::string_view key, std::string_view added) {
      Change(
          key, [&](std::string* cell) { MergeCell(shape_, added, as_of_us, cell); }, as_of_us, value);
    });
  }
  PutNewest(newest_s, value);
}

absl::Status Definition::Check(std::string_view value) const {
  if (value.empty()) return absl::OkStatus();
  base::Reader in(value);
  const uint64_t newest_s = in.Varint();
  if (!in.ok() || newest_s > kSecondsMax) return absl::DataLossError("signal: damaged");
  if (!by_.has_value()) return CheckCell(shape_, in.rest());
  return CheckTable(signal_.top, in.rest(), [this](std::string_view cell) { return CheckCell(shape_, cell); });
}

int64_t Definition::NewestUs(std::string_view value) {
  return static_cast<int64_t>(std::min(Split(value).newest_s, kSecondsMax)) * kSecondUs;
}

SignalReading Definition::Read(std::string_view value, int64_t as_of_us) const {
  SignalReading reading;
  if (value.empty()) return reading;
  const Parts parts = Split(value);
  reading.newest_us = NewestUs(value);
  if (!by_.has_value()) {
    reading.keys.push_back({"", ReadCell(shape_, parts.body, as_of_us)});
    return reading;
  }
  std::vector<std::pair<double, KeyReading>> by_strength;
  ForEachCell(parts.body, [&](std::string_view key, std::string_view cell) {
    by_strength.emplace_back(CellStrength(shape_, cell, as_of_us),
                             KeyReading{std::string(key), ReadCell(shape_, cell, as_of_us)});
  });
  std::ranges::stable_sort(by_strength, [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [strength, key] : by_strength) reading.keys.push_back(std::move(key));
  return reading;
}

void Definition::Keep(const v1::Event& event, v1::Event* kept) const {
  if (of_.has_value()) of_->Keep(event, kept);
  if (by_.has_value()) by_->Keep(event, kept);
  if (signal_.where == nullptr) return;
  for (const uint32_t field : signal_.where->attributes()) where_fields_[field].Keep(event, kept);
}

Set::Set(const config::Config& config, Per per) {
  for (const config::Signal& signal : config.signals) {
    if (signal.per_item != (per == Per::kItem)) continue;
    const auto slot = static_cast<uint32_t>(definitions_.size());
    definitions_.emplace_back(config, signal);
    for (const std::vector<std::string>* types : {&signal.on, &signal.of_types}) {
      for (const std::string& type : *types) {
        std::vector<uint32_t>& slots = counting_[type];
        if (slots.empty() || slots.back() != slot) slots.push_back(slot);
      }
    }
  }
}

const Definition* Set::Find(std::string_view name) const {
  for (const Definition& definition : definitions_) {
    if (definition.signal().name == name) return &definition;
  }
  return nullptr;
}

std::optional<uint32_t> Set::SlotOf(uint64_t id) const {
  for (uint32_t slot = 0; slot < definitions_.size(); ++slot) {
    if (definitions_[slot].id() == id) return slot;
  }
  return std::nullopt;
}

std::span<const uint32_t> Set::CountingSlots(std::string_view type) const {
  const auto found = counting_.find(type);
  return found == counting_.end() ? std::span<const uint32_t>() : found->second;
}

}  // namespace bowerbird::signal
