#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bowerbird/v1/served.pb.h"
#include "config/config.h"
#include "expression/expression.h"
#include "features/values.h"
#include "index/live_index.h"
#include "rank/ranker.h"
#include "serve/pipeline.h"

namespace bowerbird::serve {

/// What other teams' tables say within one request, of its user and of items: for its filters, its rules and the
/// ranker. The versions are those of inputs.features.
///
/// Threads  one.
class TableValues final : public index::OpenValues, public rank::AddedFeatures {
 public:
  /// `inputs` outlives it, all but its view at the time of the call, which does too. `user` is whom the answer is for;
  /// empty: nobody.
  TableValues(const Inputs& inputs, std::string_view user);

  /// Before the first condition is asked: what it names. Null is nothing.
  void Name(const expression::Program* condition);
  /// The ranker's features are those that the surface names, in its order, and then those that only the trained ranker
  /// asks for, which weigh 0 in the hand-made sum.
  void NameRankFeatures(const config::Surface& surface, const rank::Trained* trained);
  /// Notes which versions of which tables all of these were read from.
  void Record(v1::ServedRecord* record) const;

  double Of(const index::ItemHandle& item, const expression::OpenNumber& number) const override;
  expression::ColumnView Column(const expression::OpenNumber& number) const override;

  size_t size() const override { return ranked_.size(); }
  std::string_view name(size_t added) const override { return ranked_[added].name; }
  double weight(size_t added) const override { return ranked_[added].weight; }
  void Read(const index::ItemHandle& item, std::span<float> values) const override;

 private:
  struct Ranked {
    uint32_t number = 0;
    std::string name;
    double weight = 0;
  };

  const Inputs& inputs_;
  mutable features::Values values_;  ///< remembers rows
  std::vector<Ranked> ranked_;
  mutable std::deque<double> constants_;  ///< columns of one value; they stay where they are
  mutable std::vector<std::shared_ptr<const FeatureColumns::Numbers>> columns_;
};

}  // namespace bowerbird::serve
