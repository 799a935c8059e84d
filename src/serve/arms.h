#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/serving.pb.h"
#include "config/config.h"
#include "serve/pipeline.h"
#include "state/user_state.h"

namespace bowerbird::serve {

/// What an arm is chosen by.
struct ArmsQuestion {
  std::string_view user;  ///< the id that is answered; not empty
  const state::UserState* state = nullptr;
  std::string_view surface;
  const v1::Context* context = nullptr;
  int64_t now_us = 0;
};

/// What a request is answered from.
struct Recipe {
  std::shared_ptr<const config::Config> config;  ///< null: the one in force
  std::optional<RankerChoice> ranker;            ///< nothing: the promoted one
};

/// The arms that the user is in, of the experiments that change the surface, and what they make of the request.
struct Arms {
  Recipe recipe;
  std::vector<v1::ServedArm> served;
  /// What the request would be answered from in another arm of an experiment that exposes by the answer: served[arm] is
  /// exposed where one of its others shows something else.
  struct Other {
    size_t arm = 0;
    Recipe recipe;
  };
  std::vector<Other> others;

  /// A page that is to be drafted out of several rankings; served[arm] is exposed where any team placed an item.
  struct Interleaved {
    size_t arm = 0;
    /// By arm of the experiment; the first is `recipe`, the control's.
    struct Ranking {
      std::string arm;
      Recipe recipe;
    };
    std::vector<Ranking> rankings;
  };
  std::optional<Interleaved> interleaved;
};

}  // namespace bowerbird::serve
