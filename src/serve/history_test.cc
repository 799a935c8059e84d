#include "serve/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/request_for_test.h"

namespace bowerbird::serve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() {
    std::vector<std::pair<std::string, uint32_t>> actions;
    for (uint32_t i = 0; i < 5'000; ++i) actions.emplace_back(i % 10 == 0 ? "save" : "click", i % 30);
    shop_.user = shop_.catalog.User(actions);
    for (uint32_t i = 0; i < shop_.user.actions.size(); ++i) shop_.user.actions[i].time_s = 1'000 + i;
  }
  absl::StatusOr<v1::HistoryResponse> Ask(const std::string& text) const {
    v1::HistoryRequest request;
    BOWERBIRD_CHECK(google::protobuf::TextFormat::ParseFromString(text, &request));
    return BuildHistory(*shop_.catalog.config, *shop_.catalog.View(), request,
                        [&](uint64_t before, const auto& visit) -> absl::StatusOr<uint64_t> {
                          const std::vector<state::Action>& all = shop_.user.actions;
                          uint64_t ordinal = before == 0 ? all.size() : std::min<uint64_t>(before, all.size());
                          while (ordinal-- > 0) {
                            if (!visit(ordinal, all[ordinal])) break;
                          }
                          return all.size();
                        });
  }
  /// The seconds of all actions, page by page.
  std::vector<int64_t> AllPages(const std::string& text) const {
    std::vector<int64_t> times;
    uint64_t before = 0;
    do {
      const auto page = Ask(fmt::format("{} before: {}", text, before));
      EXPECT_TRUE(page.ok()) << page.status();
      for (const v1::ProfileAction& action : page->actions()) times.push_back(action.time_us() / 1'000'000);
      before = page->next();
    } while (before != 0);
    return times;
  }
  RequestForTest shop_;
};

TEST_F(HistoryTest, GoesBackFromTheNewest) {
  const auto page = *Ask("limit: 2");
  EXPECT_EQ(page.total(), 5'000u);
  EXPECT_EQ(page.next(), 4'998u);
  ASSERT_EQ(page.actions_size(), 2);
  EXPECT_EQ(page.actions(0).time_us(), 5'999'000'000);
  EXPECT_EQ(page.actions(0).type(), "click");
  EXPECT_EQ(page.actions(0).item(), "item-00019");
  EXPECT_EQ(AllPages("limit: 1000").size(), 5'000u);
}

TEST_F(HistoryTest, FindsByTimeTypeAndCategory) {
  EXPECT_THAT(AllPages("from_us: 1500000000 to_us: 1503000000"), ElementsAre(1502, 1501, 1500));
  EXPECT_EQ(AllPages("type: 'save' limit: 7").size(), 500u);
  std::string category;
  index::ItemHandle item;
  const auto view = shop_.catalog.View();
  ASSERT_TRUE(view->Find(shop_.catalog.Key(3), &item));
  category = view->CategoryName(view->Categories(item)[0]);
  const std::vector<int64_t> times = AllPages(fmt::format("category: '{}'", category));
  EXPECT_GT(times.size(), 100u);
  EXPECT_LT(times.size(), 5'000u);
  EXPECT_THAT(AllPages("category: 'nothing'"), IsEmpty());
}

TEST_F(HistoryTest, RefusesWhatCannotBeMeant) {
  for (const char* text : {"type: 'nothing'", "limit: 1001", "from_us: 5 to_us: 5", "from_us: -1", "to_us: -1"}) {
    EXPECT_EQ(Ask(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace bowerbird::serve
