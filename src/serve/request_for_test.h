#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/text_format.h"
#include "retrieve/catalog_for_test.h"
#include "serve/pipeline.h"

namespace bowerbird::serve {

using retrieve::CatalogForTest;

/// A shop with a snapshot and one user, and requests against it.
struct RequestForTest {
  CatalogForTest catalog;
  state::UserState user;
  uint64_t seed = 1;
  int64_t now_us = CatalogForTest::kNowUs;
  Chain chain;
  std::vector<OverlayHide> overlay;

  explicit RequestForTest(CatalogForTest::Options options = {}) : catalog(options) {
    catalog.ApplyAll();
    catalog.BuildSnapshot();
    user = catalog.User({});
  }

  serve::Inputs Inputs() const {
    serve::Inputs inputs;
    inputs.config = catalog.config;
    inputs.view = catalog.View();
    inputs.user = std::make_shared<const state::UserState>(user);
    inputs.items = catalog.table;
    inputs.hasher = catalog.hasher;
    inputs.now_us = now_us;
    inputs.seed = seed;
    inputs.request_id = fmt::format("request-{}", seed);
    inputs.chain = chain;
    inputs.overlay_hidden = overlay;
    return inputs;
  }
  /// `text` is a v1::RecommendRequest in protobuf's text form.
  static v1::RecommendRequest Request(const std::string& text) {
    v1::RecommendRequest request;
    BOWERBIRD_CHECK(google::protobuf::TextFormat::ParseFromString(text, &request));
    return request;
  }
  absl::StatusOr<Answer> Try(const std::string& text) const { return Recommend(Inputs(), Request(text)); }
  Answer Ask(const std::string& text) const {
    absl::StatusOr<Answer> answer = Try(text);
    if (!answer.ok()) std::fprintf(stderr, "%s\n", std::string(answer.status().message()).c_str());
    BOWERBIRD_CHECK(answer.ok());
    return *std::move(answer);
  }
  static std::vector<std::string> Ids(const Answer& answer) {
    std::vector<std::string> ids;
    for (const AnswerItem& item : answer.items) ids.push_back(item.id);
    return ids;
  }
};

}  // namespace bowerbird::serve
