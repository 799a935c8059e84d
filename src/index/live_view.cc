#include <algorithm>
#include <cmath>
#include <string>
#include <variant>

#include "catalog/item_rules.h"
#include "index/live_index.h"

namespace bowerbird::index {
namespace {

using expression::ColumnView;
using expression::ValueView;

bool Bit(std::span<const uint64_t> words, uint32_t row) { return (words[row / 64] >> (row % 64)) & 1; }

/// The columns that one filter reads.
class ViewColumns final : public expression::Columns {
 public:
  ViewColumns(const std::vector<ColumnView>& columns, const expression::Program& filter, const OpenValues* open)
      : columns_(columns), filter_(filter), open_(open) {}
  ColumnView Column(uint32_t attribute) const override {
    if (attribute < filter_.open_begin()) return columns_[attribute];
    return open_ == nullptr ? ColumnView() : open_->Column(filter_.open()[attribute - filter_.open_begin()]);
  }

 private:
  const std::vector<ColumnView>& columns_;
  const expression::Program& filter_;
  const OpenValues* const open_;
};

/// An item's attributes, and what a filter names beyond them.
class OpenRow final : public expression::Row {
 public:
  OpenRow(const expression::Row& row, const ItemHandle& item, const expression::Program& filter, const OpenValues* open)
      : row_(row), item_(item), filter_(filter), open_(open) {}

  ValueView Get(uint32_t attribute) const override {
    if (attribute < filter_.open_begin()) return row_.Get(attribute);
    if (open_ == nullptr) return {};
    const double number = open_->Of(item_, filter_.open()[attribute - filter_.open_begin()]);
    return std::isnan(number) ? ValueView() : ValueView(number);
  }

 private:
  const expression::Row& row_;
  const ItemHandle& item_;
  const expression::Program& filter_;
  const OpenValues* const open_;
};

/// A row with the attributes of another one behind its own.
class JoinedRow final : public expression::Row {
 public:
  JoinedRow(const expression::Row& own, uint32_t own_size, const expression::Row& beyond)
      : own_(own), own_size_(own_size), beyond_(beyond) {}
  ValueView Get(uint32_t attribute) const override {
    return attribute < own_size_ ? own_.Get(attribute) : beyond_.Get(attribute - own_size_);
  }

 private:
  const expression::Row& own_;
  const uint32_t own_size_;
  const expression::Row& beyond_;
};

/// One row of the columns. Says the same as they do for every program.
class ColumnsRow final : public expression::Row {
 public:
  ColumnsRow(const std::vector<ColumnView>& columns, uint32_t row) : columns_(columns), row_(row) {}

  ValueView Get(uint32_t attribute) const override {
    const ColumnView& column = columns_[attribute];
    if (!column.present.empty() && !Bit(column.present, row_)) return {};
    using expression::Type;
    switch (column.type) {
      case Type::kBool:
        return column.bools.empty() ? ValueView() : ValueView(Bit(column.bools, row_));
      case Type::kNumber:
        return column.numbers.empty() ? ValueView() : ValueView(column.numbers[row_]);
      case Type::kTime:
        return column.times.empty() ? ValueView() : ValueView(expression::TimeUs{column.times[row_]});
      case Type::kString:
        if (column.codes.empty() || column.codes[row_] >= column.dictionary->size()) return {};
        return column.dictionary->Text(column.codes[row_]);
      case Type::kStrings:
        if (column.offsets.empty()) return {};
        set_.clear();
        for (uint32_t at = column.offsets[row_]; at < column.offsets[row_ + 1]; ++at) {
          if (column.codes[at] < column.dictionary->size()) set_.push_back(column.dictionary->Text(column.codes[at]));
        }
        return std::span<const std::string_view>(set_);
    }
    return {};
  }

 private:
  const std::vector<ColumnView>& columns_;
  const uint32_t row_;
  mutable std::vector<std::string_view> set_;
};

}  // namespace

std::string_view LiveView::snapshot_version() const {
  return snapshot_ == nullptr ? std::string_view() : snapshot_->version();
}

bool LiveView::Find(catalog::ItemKey key, ItemHandle* handle) const {
  const Ordinal ordinal = snapshot_ == nullptr ? kNoOrdinal : snapshot_->Find(key);
  if (ordinal != kNoOrdinal && !changed_.Contains(ordinal)) {
    *handle = {key, ordinal, nullptr};
    return true;
  }
  const DeltaItem* item = levels_.Find(key);
  if (item == nullptr || item->deleted) return false;
  *handle = HandleOf(*item);
  return true;
}

bool LiveView::FindOrdinal(Ordinal ordinal, ItemHandle* handle) const {
  if (changed_.Contains(ordinal)) return Find(snapshot_->Key(ordinal), handle);
  *handle = {snapshot_->Key(ordinal), ordinal, nullptr};
  return true;
}

bool LiveView::Eligible(const ItemHandle& item) const {
  return item.delta != nullptr ? item.delta->eligible : snapshot_->Eligible(item.ordinal);
}

std::string_view LiveView::Id(const ItemHandle& item) const {
  return item.delta != nullptr ? std::string_view(item.delta->item.id()) : snapshot_->Id(item.ordinal);
}

std::string_view LiveView::CategoryName(uint64_t hash) const {
  if (snapshot_ != nullptr) {
    if (const std::string_view name = snapshot_->CategoryName(hash); !name.empty()) return name;
  }
  absl::call_once(lazy_->names_once, [this] {
    for (const ItemHandle& item : Delta()) {
      for (std::string& category : catalog::CategoriesOf(item.delta->item, *config_)) {
        const uint64_t key = catalog::CategoryHash(category);
        lazy_->names.try_emplace(key, std::move(category));
      }
    }
  });
  const auto found = lazy_->names.find(hash);
  return found == lazy_->names.end() ? std::string_view() : found->second;
}

std::span<const float> LiveView::Factor(const ItemHandle& item, std::vector<float>* scratch) const {
  if (snapshot_ == nullptr || snapshot_->dim() == 0) return {};
  if (item.delta != nullptr && !item.delta->factor_trained) return item.delta->factor;
  const std::span<const uint16_t> row = snapshot_->factors().Row(item.ordinal);
  scratch->resize(row.size());
  base::FromBf16(row, *scratch);
  return *scratch;
}

void LiveView::CopyFactor(const ItemHandle& item, std::span<float> out) const {
  if (item.delta != nullptr && !item.delta->factor_trained) {
    const std::vector<float>& factor = item.delta->factor;
    if (factor.empty()) {
      std::ranges::fill(out, 0.0f);
    } else {
      std::ranges::copy(factor, out.begin());
    }
    return;
  }
  base::FromBf16(snapshot_->factors().Row(item.ordinal), out);
}

bool LiveView::FactorTrained(const ItemHandle& item) const {
  if (item.delta != nullptr) return item.delta->factor_trained;
  return snapshot_->FactorTrained(item.ordinal);
}

v1::Item LiveView::Document(const ItemHandle& item) const {
  if (item.delta != nullptr) return item.delta->item;
  const std::string_view bytes = snapshot_->Document(item.ordinal);
  v1::Item document;
  if (!document.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    // Written by us and checked on load, so this does not happen; the id is better than nothing.
    document.Clear();
    document.set_id(std::string(snapshot_->Id(item.ordinal)));
  }
  return document;
}

bool LiveView::Matches(const ItemHandle& item, const expression::Program& filter, int64_t now_us,
                       const OpenValues* open) const {
  const auto evaluate = [&](const expression::Row& row) {
    return filter.open().empty() ? filter.Evaluate(row, now_us)
                                 : filter.Evaluate(OpenRow(row, item, filter, open), now_us);
  };
  if (item.delta != nullptr) return evaluate(item.delta->values);
  return evaluate(ColumnsRow(*columns_, item.ordinal.value));
}

bool LiveView::Matches(const ItemHandle& item, const expression::Program& filter, int64_t now_us, uint32_t first,
                       const expression::Row& more, const OpenValues* open) const {
  const auto matches = [&](const expression::Row& own) {
    const JoinedRow row(own, first, more);
    return filter.open().empty() ? filter.Evaluate(row, now_us)
                                 : filter.Evaluate(OpenRow(row, item, filter, open), now_us);
  };
  if (item.delta != nullptr) return matches(item.delta->values);
  return matches(ColumnsRow(*columns_, item.ordinal.value));
}

std::vector<uint64_t> LiveView::EligibleOrdinals(const expression::Program* filter, int64_t now_us,
                                                 const OpenValues* open) const {
  if (snapshot_ == nullptr) return {};
  const std::span<const uint64_t> eligible = snapshot_->eligible();
  std::vector<uint64_t> words(eligible.begin(), eligible.end());
  if (filter != nullptr) {
    filter->EvaluateColumns(ViewColumns(*columns_, *filter, open), 0, snapshot_->size(), now_us, words);
    for (size_t w = 0; w < words.size(); ++w) words[w] &= eligible[w];
  }
  changed_.RemoveFrom(words);
  return words;
}

const std::vector<ItemHandle>& LiveView::Delta() const {
  absl::call_once(lazy_->items_once, [this] {
    lazy_->items.reserve(delta_items_);
    levels_.ForEach([this](const DeltaLevels::Pointer& item) {
      if (!item->deleted) lazy_->items.push_back(HandleOf(*item));
    });
  });
  return lazy_->items;
}

uint64_t LiveView::size() const { return (snapshot_ == nullptr ? 0 : snapshot_->size()) + new_items_ - deleted_; }

}  // namespace bowerbird::index
