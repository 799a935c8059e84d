#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "bowerbird/v1/serving.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "bowerbird/v1/value.pb.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "expression/row.h"
#include "expression/schema.h"
#include "features/tables.h"
#include "state/user_state.h"

namespace bowerbird::experiment::live {

/// What is known of whoever asks, by what targeting names: read when it is asked for, and once. What the request says
/// goes before what is stored.
class Subject final : public expression::Row {
 public:
  struct Known {
    const config::Config* config = nullptr;
    const expression::Schema* schema = nullptr;  ///< assignment::TargetingSchema of the config
    const catalog::Catalog* catalog = nullptr;
    std::shared_ptr<const features::TableSet> features;  ///< null: there are none
    catalog::KeyHasher hasher{base::HashSeed{}};
    int64_t now_us = 0;
  };
  /// All of it outlives the subject. `state` may be null, and `user` empty: nothing is stored then.
  Subject(Known known, std::string_view user, const state::UserState* state);

  void SetContext(const v1::Context& context, std::string_view surface);
  /// What targeting does not name is left out. InvalidArgument with the field "attributes.NAME": of another type than
  /// declared; with `lenient` it is left out.
  absl::Status SetAttributes(const google::protobuf::Map<std::string, v1::Value>& attributes, bool lenient);

  expression::ValueView Get(uint32_t attribute) const override;

 private:
  const Known known_;
  const std::string_view user_;
  const state::UserState* const state_;
  std::vector<expression::Value> said_;  ///< by the schema's index; empty: nothing was
  std::string_view surface_;
  const v1::Context* context_ = nullptr;
  mutable std::optional<std::vector<std::string_view>> segments_;
  mutable std::optional<v1::User> stored_;
  mutable expression::Value held_;  ///< what the last view points to
};

}  // namespace bowerbird::experiment::live
