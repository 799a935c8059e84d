#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bowerbird/v1/experiment.pb.h"
#include "config/config.h"
#include "expression/row.h"

namespace bowerbird::experiment::assignment {

/// A draft that passes every check: two arms of equal weight, all of its layer.
inline v1::Experiment Draft(std::string_view id, std::string_view layer = "", double traffic = 1) {
  v1::Experiment experiment;
  experiment.set_id(std::string(id));
  experiment.set_layer(std::string(layer));
  experiment.set_unit("user");
  experiment.set_trigger("recipe");
  experiment.set_traffic(traffic);
  experiment.set_salt("salt of " + std::string(id));
  for (const char* name : {"control", "treatment"}) {
    v1::ExperimentArm* arm = experiment.add_arms();
    arm->set_name(name);
    arm->set_weight(1);
  }
  return experiment;
}

/// A row of which nothing is known.
class NobodyRow final : public expression::Row {
 public:
  expression::ValueView Get(uint32_t) const override { return {}; }
};

/// Users with a plan and an age.
inline config::Config ConfigForTest() {
  config::Config config;
  config.user_attributes.push_back({.name = "plan", .type = expression::Type::kString});
  config.user_attributes.push_back({.name = "age", .type = expression::Type::kNumber});
  return config;
}

}  // namespace bowerbird::experiment::assignment
