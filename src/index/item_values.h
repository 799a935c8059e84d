#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bowerbird/v1/item.pb.h"
#include "config/config.h"
#include "expression/row.h"
#include "expression/schema.h"

namespace bowerbird::index {

/// An item's attributes as the expression language sees them. Points into the item, which must outlive it unmoved.
class ItemValues final : public expression::Row {
 public:
  expression::ValueView Get(uint32_t attribute) const override {
    return attribute < values_.size() ? values_[attribute] : expression::ValueView();
  }

 private:
  friend class ItemReader;
  std::vector<expression::ValueView> values_;  ///< by schema index
  std::vector<std::string_view> texts_;        ///< of the sets, one after another
};

/// Reads items by the item schema of a config: the declared attributes and the built-in ones. The one place that says
/// what an attribute's value is, so that a filter means the same over the snapshot's columns and over the delta's rows.
///
/// Threads  immutable.
class ItemReader {
 public:
  explicit ItemReader(const config::Config& config);

  const expression::Schema& schema() const { return schema_; }
  /// A value of another type than declared is absent.
  void Read(const v1::Item& item, ItemValues* values) const;

 private:
  enum class Source : uint8_t { kDeclared, kId, kDomain, kTitle, kCategories, kPrice, kAvailable, kCreated, kUpdated };
  /// Not for sets.
  expression::ValueView ReadOne(const v1::Item& item, uint32_t attribute) const;

  expression::Schema schema_;
  std::string default_domain_;
  std::vector<Source> sources_;  ///< by schema index
};

}  // namespace bowerbird::index
