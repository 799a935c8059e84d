#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/string_map.h"
#include "bowerbird/v1/served.pb.h"
#include "catalog/keys.h"
#include "features/tables.h"
#include "features/values.h"
#include "rows/past_features.h"

namespace bowerbird::app {

/// What the kept versions of tables said when a request was answered, read by the code that serves.
///
/// Threads  one.
class PastTables final : public rows::PastFeatures {
 public:
  PastTables(std::shared_ptr<const features::TableSet> tables, const catalog::KeyHasher& hasher)
      : tables_(std::move(tables)), hasher_(hasher) {}

  bool IsOfTables(const std::string& name) const override;
  void Name(const std::vector<std::string>& names) override;
  void Begin(const v1::ServedRecord& record) override { Choose(record, /*others=*/true); }
  /// The same with those tables alone that the record names: what it was answered with.
  void BeginAsServed(const v1::ServedRecord& record) { Choose(record, /*others=*/false); }
  Value Of(size_t feature, const v1::ServedCandidate& item) override;

 private:
  void Choose(const v1::ServedRecord& record, bool others);
  void UseVersions(std::vector<const features::Version*> chosen);

  const std::shared_ptr<const features::TableSet> tables_;
  const catalog::KeyHasher hasher_;
  std::vector<features::NumberName> names_;
  base::StringSet gone_;                          ///< tables whose version of then is no longer kept
  std::vector<const features::Version*> chosen_;  ///< by table of tables_; null: none was read
  std::optional<features::Values> values_;        ///< over chosen_
  std::vector<uint32_t> numbers_;                 ///< of names_, in values_
};

/// What a comparison of served features of tables with the tables found.
struct TableSkew {
  uint64_t compared = 0;
  uint64_t gone = 0;  ///< the version is no longer kept: nobody can tell
  uint64_t differences = 0;
};

/// Reads what `record` was ranked with again, from the versions that it names; bit for bit. Each difference is told to
/// `on_difference`.
void CompareTables(const v1::ServedRecord& record, PastTables* tables, TableSkew* skew,
                   const std::function<void(const std::string&)>& on_difference);

}  // namespace bowerbird::app
