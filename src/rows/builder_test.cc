#include "rows/builder.h"

#include <gmock/gmock.h>

#include <limits>
#include <random>

#include "rows/leaks.h"
#include "rows/rows_for_test.h"
#include "state/past_fold.h"
#include "store/file.h"

namespace bowerbird::rows {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// Labels are of click, view and buy, in this order.

TEST_F(RowsTest, AnItemWithoutAnImpressionHasNoLabel) {
  const auto page = Serve("ann", {"a", "b", "c"});
  Wait(kTestSecondUs);
  AppendEvent(OnPage(page, "impression", 1));
  AppendEvent(OnPage(page, "impression", 2));
  Wait(kTestSecondUs);
  AppendEvent(OnPage(page, "click", 2));
  AppendEvent(OnPage(page, "click", 3));  // never seen, if the impressions are right
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  const SetInfo set = Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "000"), Pair("r0/b", "100"), Pair("r0/c", "---")));
  EXPECT_EQ(set.by_impressions, 1u);
  EXPECT_TRUE(set.closed);
  EXPECT_EQ(set.objectives[0].stats.positives, 1u);
  EXPECT_EQ(set.objectives[0].stats.nulls, 1u);
}

TEST_F(RowsTest, ALabelIsNullUntilItsWindowHasClosed) {
  const auto page = Serve("ann", {"a"});
  AppendEvent(OnPage(page, "impression", 1));
  Wait(kTestHourUs);
  AppendEvent(EventOf("bob", "click", "z"));
  Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "00-")));
  Wait(kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  EXPECT_FALSE(Build().closed) << "the day's last request may still be waited for";
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "000")));
}

TEST_F(RowsTest, WhatComesAfterItsWindowDoesNotCount) {
  const auto page = Serve("ann", {"a", "b"});
  AppendEvent(OnPage(page, "impression", 1));
  AppendEvent(OnPage(page, "impression", 2));
  Wait(kTestHourUs);
  AppendEvent(OnPage(page, "click", 1));
  v1::Event late = OnPage(page, "click", 2);  // happened in time, but the log had it too late
  late.set_event_time_us(page.time_us() + kTestSecondUs);
  AppendEvent(late);
  AppendEvent(OnPage(page, "purchase", 2));
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "000"), Pair("r0/b", "001")));
}

TEST_F(RowsTest, WhoIsMarkedBeforeTheWindowsCloseIsInNoRow) {
  const auto mark = [&](const std::string& user, const std::string& reason, int64_t from_us, int64_t until_us) {
    v1::Event event = EventOf(user, "", "");
    event.mutable_mark()->set_reason(reason);
    event.mutable_mark()->set_from_us(from_us);
    event.mutable_mark()->set_until_us(until_us);
    AppendEvent(event);
  };
  mark("before", "by_hand", 0, 0);
  mark("unmarked", "by_hand", 0, 0);
  mark("unmarked", "unmarked", 0, 0);
  const int64_t now_us = clock_.NowUs();
  for (const char* user : {"before", "unmarked", "soon", "later", "person"}) {
    AppendEvent(OnPage(Serve(user, {"a"}), "impression", 1));
  }
  Wait(kTestHourUs);
  mark("soon", "rate", now_us + kTestSecondUs, now_us + kTestDayUs);
  Wait(2 * kTestDayUs);
  mark("later", "by_hand", 0, 0);
  AppendEvent(EventOf("bob", "click", "z"));
  const SetInfo set = Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r1/a", "000"), Pair("r3/a", "000"), Pair("r4/a", "000")))
      << "what is said after the windows have closed changes no row";
  EXPECT_THAT(set.refused, ElementsAre(Pair("marked_user", 2)));
  EXPECT_EQ(set.rows, 3u);
}

TEST_F(RowsTest, ADeclaredAgentsEventsMakeNoLabel) {
  const auto page = Serve("ann", {"a"});
  AppendEvent(OnPage(page, "impression", 1));
  v1::Event crawled = OnPage(page, "click", 1);
  crawled.set_agent("bot/");
  AppendEvent(crawled);
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "000")));
}

TEST_F(RowsTest, APredicateOverTheEventDecides) {
  const auto page = Serve("ann", {"a", "b"});
  v1::Event glance = OnPage(page, "impression", 1), look = OnPage(page, "impression", 2);
  glance.set_dwell_ms(9'999);
  look.set_dwell_ms(10'000);
  AppendEvent(glance);
  AppendEvent(look);
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "000"), Pair("r0/b", "010")));
}

TEST_F(RowsTest, WithoutImpressionsTheLastPositionActedOnBoundsWhatWasSeen) {
  const auto page = Serve("ann", {"a", "b", "c"});
  Serve("ann", {"d", "e"});  // nothing at all was said of this one
  Wait(kTestSecondUs);
  AppendEvent(OnPage(page, "click", 2));
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  const SetInfo set = Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "000"), Pair("r0/b", "100"), Pair("r0/c", "---"), Pair("r1/d", "---"),
                                    Pair("r1/e", "---")));
  EXPECT_EQ(set.by_last_position, 1u);
  EXPECT_EQ(set.by_nothing, 1u);
  EXPECT_THAT(set.ToJson(), HasSubstr("\"by_last_position\":1"));
}

TEST_F(RowsTest, AnEventWithoutARequestIdBelongsToTheLastImpressionOfItsItem) {
  const auto first = Serve("ann", {"a"});
  AppendEvent(OnPage(first, "impression", 1));
  Wait(kTestSecondUs);
  const auto second = Serve("ann", {"a"});
  AppendEvent(OnPage(second, "impression", 1));
  Wait(kTestSecondUs);
  const auto third = Serve("ann", {"a"});  // shown again, not seen
  AppendEvent(OnPage(Serve("ann", {"b"}), "impression", 1));
  Wait(kTestSecondUs);
  AppendEvent(EventOf("ann", "click", "a"));
  AppendEvent(EventOf("bob", "click", "a"));  // somebody else
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  Build();
  EXPECT_THAT(Labels(),
              ElementsAre(Pair("r0/a", "000"), Pair("r1/a", "100"), Pair("r2/a", "---"), Pair("r3/b", "000")));
}

TEST_F(RowsTest, ARepeatCountsOnceAsInTheFold) {
  const auto page = Serve("ann", {"a", "b"});
  for (const uint32_t position : {1u, 2u}) AppendEvent(OnPage(page, "impression", position));
  AppendEvent(OnPage(page, "click", 1, "c1"));
  const v1::Event retried = OnPage(page, "click", 1, "c1");
  AppendEvent(retried);
  v1::Event forged = OnPage(page, "click", 2, "c1");  // the same client id: a repeat, whatever it says
  AppendEvent(forged);
  const auto next = Serve("ann", {"c"});
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "100"), Pair("r0/b", "000"), Pair("r1/c", "---")));
}

TEST_F(RowsTest, WhatAUserDoesAfterAnAnonymousIdBecameThemBelongsToItsRequests) {
  // In partitions of their own.
  std::string ann = "ann0";
  for (int i = 1; PartitionOf(ann) == PartitionOf("anon"); ++i) ann = fmt::format("ann{}", i);
  const auto page = Serve("anon", {"a", "b", "c"});
  for (const uint32_t position : {1u, 2u, 3u}) AppendEvent(OnPage(page, "impression", position));
  Wait(kTestSecondUs);
  v1::Event before = EventOf(ann, "purchase", "c");  // not the same person yet, as far as anybody knew
  before.set_request_id(page.request_id());
  AppendEvent(before);
  Wait(kTestSecondUs);
  v1::Event becomes = EventOf("anon", "identify", "");
  becomes.set_becomes(ann);
  becomes.set_becomes_key(hasher_.User(ann).value);
  AppendEvent(becomes);
  Wait(kTestSecondUs);
  v1::Event named = EventOf(ann, "purchase", "a");
  named.set_request_id(page.request_id());
  AppendEvent(named);
  AppendEvent(EventOf(ann, "click", "b"));
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  Build();
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "001"), Pair("r0/b", "100"), Pair("r0/c", "000")));
}

TEST_F(RowsTest, LeaksAreRefusedByName) {
  AppendEvent(EventOf("ann", "click", "x"));
  Serve("ann", {"a"}, "clean");
  v1::ServedRecord page = Page("ann", {"a"}, "offset");
  Wait(kTestHourUs);
  AppendEvent(EventOf("ann", "click", "y"));
  page.set_user_offset(*log_->EndOffset(log::Topic::kEvents, PartitionOf("ann")));
  Serve(page);

  page = Page("ann", {"a"}, "signal");
  const signal::Definition& clicks = (*signals_)[0];
  v1::Event later = EventOf("ann", "click", "y");
  std::string value;
  ASSERT_TRUE(clicks.Fold({&later, clock_.NowUs() + kTestHourUs, 1}, &value));
  v1::ServedSignal* signal = page.add_signals();
  signal->set_name("clicks");
  signal->set_id(clicks.id());
  signal->set_value(value);
  Serve(page);

  v1::ItemTableRecord table;
  table.set_version(7);
  table.set_time_us(clock_.NowUs() + kTestHourUs);
  Append(log::Topic::kItemTables, 0, table.SerializeAsString());
  page = Page("ann", {"a"}, "table");
  page.set_item_table(7);
  Serve(page);
  page.set_item_table(8);
  Serve(page);

  times_.snapshot = [&](std::string_view version) -> absl::StatusOr<int64_t> {
    if (version == "gone") return absl::NotFoundError("");
    return version == "later" ? clock_.NowUs() + 1 : clock_.NowUs() - 1;
  };
  times_.ranker = [&](std::string_view surface, std::string_view version) -> absl::StatusOr<int64_t> {
    EXPECT_EQ(surface, "home");
    return version == "later" ? clock_.NowUs() + 1 : clock_.NowUs() - 1;
  };
  for (const char* version : {"fine", "later", "gone"}) {
    page = Page("ann", {"a"}, version);
    page.set_snapshot(version);
    Serve(page);
  }
  for (const char* version : {"fine", "later"}) {
    page = Page("ann", {"a"}, fmt::format("ranker {}", version));
    page.set_ranker(version);
    Serve(page);
  }
  Append(log::Topic::kServed, 0, "\xff no record");
  const SetInfo set = Build();
  EXPECT_THAT(set.refused, ElementsAre(Pair("future_item_table", 1), Pair("future_offset", 1), Pair("future_ranker", 1),
                                       Pair("future_signal", 1), Pair("future_snapshot", 1), Pair("undecodable", 1),
                                       Pair("unknown_item_table", 1), Pair("unknown_snapshot", 1)));
  EXPECT_EQ(set.rows, 3u);
}

/// "user.features.t.n" of anybody and "item.features.t.n" of an item, by the time of the request.
class NumbersByTime final : public PastFeatures {
 public:
  bool IsOfTables(const std::string& name) const override { return name.find(".features.") != std::string::npos; }
  void Name(const std::vector<std::string>& names) override { names_ = names; }
  void Begin(const v1::ServedRecord& record) override { time_us_ = record.time_us(); }
  Value Of(size_t feature, const v1::ServedCandidate& item) override {
    if (time_us_ < gone_before_us) return {std::numeric_limits<float>::quiet_NaN(), true};
    if (item.item() == "nothing") return {std::numeric_limits<float>::quiet_NaN(), false};
    return {names_[feature].starts_with("user") ? 1.5f : static_cast<float>(item.item().size()), false};
  }
  int64_t gone_before_us = 0;

 private:
  std::vector<std::string> names_;
  int64_t time_us_ = 0;
};

TEST_F(RowsTest, FeaturesOfTablesAreThoseOfTheRecordElseOfTheTime) {
  Configure(std::string(kConfig) + R"(
[surfaces.home.features]
"user.features.t.n" = 0
"item.features.t.n" = 0
)");
  NumbersByTime past;
  past_features_ = &past;
  times_.features = [](std::string_view, std::string_view) -> absl::StatusOr<int64_t> { return 5; };
  Serve("ann", {"a", "bb"}, "gone");
  Wait(kTestHourUs);
  past.gone_before_us = clock_.NowUs();
  Serve("ann", {"a", "bb", "nothing"}, "before the config named them");
  v1::ServedRecord page = Page("ann", {"a", "bb"}, "with its own");
  page.add_feature_names("item.features.t.n");
  page.mutable_candidates(0)->add_features(77);
  page.mutable_candidates(1)->add_features(std::numeric_limits<float>::quiet_NaN());
  v1::ServedTable* table = page.add_tables();
  table->set_name("t");
  table->set_version("000001");
  Serve(page);
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  const SetInfo set = Build();
  EXPECT_THAT(set.features, ElementsAre("ials", "quality", "item.features.t.n", "user.features.t.n"));
  EXPECT_EQ(set.features_gone, 4u);
  EXPECT_THAT(set.refused, IsEmpty());
  std::map<std::string, std::string> values;
  ReadTable(
      [&](const std::string& id, const lake::ColumnView& candidates, int64_t at) {
        std::string text;
        for (const size_t f : {size_t{2}, size_t{3}}) {
          const lake::ColumnView value = candidates.child(kFeatures).child(f);
          text += value.IsNull(at) ? "- " : fmt::format("{} ", value.Float(at));
        }
        values[fmt::format("{}/{}", id, candidates.child(kItem).Text(at))] = text;
      },
      set.features);
  EXPECT_THAT(
      values,
      ElementsAre(Pair("before the config named them/a", "1 1.5 "), Pair("before the config named them/bb", "2 1.5 "),
                  Pair("before the config named them/nothing", "- - "), Pair("gone/a", "- - "), Pair("gone/bb", "- - "),
                  Pair("with its own/a", "77 1.5 "), Pair("with its own/bb", "- 1.5 ")));
  const auto again = SetInfo::FromJson(set.ToJson());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->features_gone, 4u);
}

TEST_F(RowsTest, ATableThatWasLoadedAfterTheRequestIsALeak) {
  times_.features = [&](std::string_view table, std::string_view version) -> absl::StatusOr<int64_t> {
    EXPECT_EQ(table, "t");
    if (version == "gone") return absl::NotFoundError("");
    // Clocks of several nodes may differ by a little.
    return clock_.NowUs() + (version == "later" ? 2 : version == "about then" ? 1 : -1) * Leaks::kToleranceUs;
  };
  for (const char* version : {"fine", "about then", "later", "gone", "of tomorrow"}) {
    v1::ServedRecord page = Page("ann", {"a"}, version);
    v1::ServedTable* table = page.add_tables();
    table->set_name("t");
    table->set_version(version);
    table->set_as_of_us(version == std::string("of tomorrow") ? clock_.NowUs() + kTestDayUs : clock_.NowUs() - 1);
    Serve(page);
  }
  const SetInfo set = Build();
  EXPECT_THAT(set.refused, ElementsAre(Pair("future_features", 2), Pair("unknown_features", 1)));
  EXPECT_EQ(set.rows, 2u);
}

TEST_F(RowsTest, TheSequenceIsWhatTheFoldHadForTheRequest) {
  std::mt19937_64 random(7);
  std::map<std::string, uint64_t> offsets;  // of requests, with their users
  for (int i = 0; i < 160; ++i) {
    Wait(static_cast<int64_t>(random() % 60) * kTestSecondUs);
    const std::string user = fmt::format("u{}", random() % 6), item = fmt::format("i{}", random() % 20);
    if (random() % 4 == 0) {
      const auto page = Serve(user, {item});
      offsets[page.request_id() + " " + user] = page.user_offset();
    } else {
      constexpr const char* kTypes[] = {"click", "save", "impression", "hide", "unhide", "purchase"};
      // Client ids come again.
      AppendEvent(EventOf(user, kTypes[random() % 6], item, fmt::format("c{}", random() % 120)));
    }
  }
  Build();
  const std::vector<lake::Field> fields = RowFields({"ials", "quality"}, {"click", "view", "buy"});
  size_t compared = 0;
  for (const std::string& path : Paths()) {
    const auto reader = lake::OpenParquet(path, fields);
    ArrowArray rows;
    while (*(*reader)->Next(&rows)) {
      const lake::ColumnView all(&rows), lists = all.child(kSequence);
      for (int64_t row = 0; row < rows.length; ++row) {
        const std::string user(all.child(kUser).Text(row));
        std::vector<log::Offset> until(kPartitions, 0);
        until[PartitionOf(user)] = offsets.at(std::string(all.child(kRequestId).Text(row)) + " " + user);
        const auto fold = state::PastFold::Open(state::RocksStateStores(), dir_ + "/fold", *config_,
                                                std::make_shared<const signal::Set>(*config_), log_.get(), until);
        ASSERT_TRUE(fold.ok()) << fold.status();
        ASSERT_TRUE((*fold)->FoldUntil(until).ok());
        const auto expected = (*fold)->Get(hasher_.User(user), user);
        ASSERT_TRUE(expected.ok());
        const int64_t first = lists.ListFirst(row);
        ASSERT_EQ(static_cast<size_t>(lists.ListLast(row) - first), (*expected)->actions.size());
        for (size_t i = 0; i < (*expected)->actions.size(); ++i) {
          const auto at = first + static_cast<int64_t>(i);
          const state::Action& action = (*expected)->actions[i];
          EXPECT_EQ(static_cast<uint64_t>(lists.element().child(0).Int64(at)), action.item.value);
          EXPECT_EQ(lists.element().child(1).Text(at), config_->FindEventTypeByCode(action.type)->name);
          ++compared;
        }
      }
      rows.release(&rows);
    }
  }
  EXPECT_GT(compared, 50u);
}

/// Days of people who look, act, send things again, identify, and are late.
class RandomRowsTest : public RowsTest {
 protected:
  /// Until `until_us`; what is appended depends on the state of `random` alone.
  void Live(int64_t until_us, std::mt19937_64* random) {
    const auto below = [&](uint64_t bound) { return (*random)() % bound; };
    while (clock_.NowUs() < until_us) {
      Wait(static_cast<int64_t>(below(600)) * kTestSecondUs);
      const std::string user = fmt::format("u{}", below(12));
      if (below(3) == 0) {
        std::vector<std::string> items;
        for (uint64_t i = 0, first = below(30); i < 6; ++i) items.push_back(fmt::format("i{}", first + i));
        v1::ServedRecord page = Serve(user, items);
        pages_.push_back(page);
        continue;
      }
      if (pages_.empty()) continue;
      const v1::ServedRecord& page = pages_[pages_.size() - 1 - below(std::min<uint64_t>(pages_.size(), 40))];
      constexpr const char* kTypes[] = {"impression", "impression", "impression", "click", "purchase", "hide"};
      v1::Event event = OnPage(page, kTypes[below(6)], static_cast<uint32_t>(1 + below(6)),
                               below(2) == 0 ? fmt::format("c{}", below(300)) : "");
      if (below(4) == 0) {
        event.clear_request_id();
        event.clear_position();
      }
      if (below(5) == 0)
        event.set_event_time_us(event.event_time_us() - static_cast<int64_t>(below(7 * 24)) * kTestHourUs);
      event.set_dwell_ms(static_cast<uint32_t>(below(20'000)));
      AppendEvent(event);
      if (below(50) == 0) {
        v1::Event becomes = EventOf(user, "identify", "");
        const std::string other = fmt::format("u{}", below(12));
        if (other == user) continue;
        becomes.set_becomes(other);
        becomes.set_becomes_key(hasher_.User(other).value);
        AppendEvent(becomes);
      }
    }
  }
  std::vector<v1::ServedRecord> pages_;
};

TEST_F(RandomRowsTest, EventsAppendedLaterChangeNoByteOfWhatHasClosed) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  Live(kTestStartUs + 3 * kTestDayUs, &random);
  const SetInfo before = Build(1);
  ASSERT_TRUE(before.closed);
  uint64_t positives = 0;
  for (const auto& objective : before.objectives) positives += objective.stats.positives;
  ASSERT_GT(positives, 0u);
  std::map<std::string, std::string> bytes;
  for (const std::string& path : Paths()) bytes[path.substr(0, path.rfind('/'))] = *store::ReadFile(path);

  // All of it at once, and in another lake.
  Live(kTestStartUs + 6 * kTestDayUs, &random);
  OpenLake(dir_ + "/lake2");
  const SetInfo after = Build(6);
  EXPECT_EQ(after.day, before.day);
  EXPECT_EQ(after.rows, before.rows);
  size_t same = 0;
  for (const std::string& path : Paths()) {
    std::string hour = path.substr(0, path.rfind('/'));
    hour.replace(hour.find("/lake2/"), 7, "/lake/");
    const auto former = bytes.find(hour);
    if (former == bytes.end()) continue;
    EXPECT_TRUE(*store::ReadFile(path) == former->second) << hour;
    ++same;
  }
  EXPECT_EQ(same, bytes.size());

  // Nor does it matter which days are made together.
  const auto all = Labels();
  OpenLake(dir_ + "/lake3");
  for (int day = 0; day < 6; ++day) {
    BuildOptions one = Days(1);
    one.from_us += day * kTestDayUs;
    one.to_us += day * kTestDayUs;
    const auto built = TryBuild(one);
    ASSERT_TRUE(built.ok()) << built.status();
  }
  EXPECT_TRUE(Labels() == all);
}

TEST_F(RandomRowsTest, TheLakeStandsInForWhatTheLogHasDropped) {
  std::mt19937_64 random(3);
  Live(kTestStartUs + 2 * kTestDayUs, &random);
  Build(1);
  const auto labels = Labels();
  ASSERT_TRUE(lake_->CatchUp().ok());
  for (uint32_t p = 0; p < kPartitions; ++p) {
    for (const log::Topic topic : {log::Topic::kEvents, log::Topic::kServed}) {
      const log::Offset end = *log_->EndOffset(topic, p);
      ASSERT_TRUE(log_->Truncate(topic, p, end / 2).ok());
    }
  }
  Build(1);
  EXPECT_EQ(Labels(), labels);
  OpenLake(dir_ + "/empty");
  EXPECT_THAT(std::string(TryBuild(Days(1)).status().message()), HasSubstr("have left the log"));
}

TEST_F(RowsTest, NegativesAreThinnedOutOnceByWeightsOrAnOffset) {
  for (int i = 0; i < 100; ++i) {
    const auto page = Serve("ann", {"a", "b", "c", "d"});
    for (const uint32_t position : {1u, 2u, 3u, 4u}) AppendEvent(OnPage(page, "impression", position));
    AppendEvent(OnPage(page, "click", 1));
    Wait(kTestSecondUs);
  }
  Wait(2 * kTestDayUs);
  AppendEvent(EventOf("bob", "click", "z"));
  BuildOptions options = Days(1);
  options.negatives = {0.25, Correction::kWeights};
  const auto built = TryBuild(options);
  ASSERT_TRUE(built.ok()) << built.status();
  const SetInfo& set = built->sets.front();
  EXPECT_EQ(set.correction, Correction::kWeights);
  EXPECT_EQ(set.log_odds_offset, 0);
  EXPECT_EQ(set.objectives[0].stats.positives, 100u);
  EXPECT_EQ(set.shown + set.negatives_left_out, 400u);
  EXPECT_NEAR(static_cast<double>(set.negatives_left_out), 225, 45);
  double weight = 0;
  for (const auto& [item, one] : Weights()) {
    EXPECT_EQ(one, item.ends_with("/a") ? 1 : 4) << item;
    weight += one;
  }
  EXPECT_NEAR(weight, 400, 180);
  const auto again = TryBuild(options);
  EXPECT_EQ(again->sets.front().ToJson(), [&] {
    SetInfo same = set;
    same.parts = again->sets.front().parts;
    return same.ToJson();
  }());

  options.negatives = {0.25, Correction::kOffset};
  EXPECT_THAT(std::string(TryBuild(options).status().message()), HasSubstr("expected \"weights\""));
  options.negatives = {0.25, Correction::kNone};
  EXPECT_TRUE(absl::IsInvalidArgument(TryBuild(options).status()));
  options.negatives = {1, Correction::kWeights};
  EXPECT_TRUE(absl::IsInvalidArgument(TryBuild(options).status()));

  std::string one_objective = kConfig;
  one_objective = one_objective.substr(0, one_objective.find("[objectives.view]"));
  Configure(one_objective);
  options.negatives = {0.25, Correction::kOffset};
  const auto offset = TryBuild(options);
  ASSERT_TRUE(offset.ok()) << offset.status();
  EXPECT_NEAR(offset->sets.front().log_odds_offset, std::log(0.25), 1e-12);
  for (const auto& [item, one] : Weights()) EXPECT_EQ(one, 1) << item;
}

TEST_F(RowsTest, DelayedPurchasesLeaveTheRateOfWhatHasClosedAsItWillBe) {
  Configure(R"(
[app]
partitions = 4
[objectives.buy]
on = ["purchase"]
window = "7d"
)");
  std::mt19937_64 random(1);
  // Twenty days of pages; one item in five is bought up to seven days later.
  std::multimap<int64_t, v1::Event> due;
  const auto buy_until = [&](int64_t until_us) {
    while (!due.empty() && due.begin()->first <= until_us) {
      clock_.Set(std::max(clock_.NowUs(), due.begin()->first));
      v1::Event event = due.begin()->second;
      event.set_event_time_us(clock_.NowUs());
      event.set_receive_time_us(clock_.NowUs());
      AppendEvent(event);
      due.erase(due.begin());
    }
    clock_.Set(std::max(clock_.NowUs(), until_us));
  };
  uint64_t bought = 0, seen = 0;
  for (int i = 0; i < 20 * 100; ++i) {
    buy_until(kTestStartUs + i * kTestDayUs / 100);
    const auto page = Serve(fmt::format("u{}", random() % 50), {"a", "b", "c", "d", "e"});
    for (uint32_t position = 1; position <= 5; ++position) {
      AppendEvent(OnPage(page, "impression", position));
      ++seen;
      if (random() % 5 != 0) continue;
      ++bought;
      due.emplace(clock_.NowUs() + static_cast<int64_t>(random() % (7 * 86'400)) * kTestSecondUs,
                  OnPage(page, "purchase", position));
    }
  }
  const auto rate_of = [&](const BuildResult& built) {
    LabelStats sum;
    for (const SetInfo& set : built.sets) {
      sum.labels += set.objectives[0].stats.labels;
      sum.nulls += set.objectives[0].stats.nulls;
      sum.positives += set.objectives[0].stats.positives;
    }
    return sum;
  };
  const auto early = TryBuild(Days(20));
  ASSERT_TRUE(early.ok()) << early.status();
  const LabelStats open = rate_of(*early);
  EXPECT_GT(open.nulls, 0u) << "the last week waits";
  buy_until(kTestStartUs + 28 * kTestDayUs);
  AppendEvent(EventOf("bob", "impression", "z"));
  const auto matured = TryBuild(Days(20));
  const LabelStats closed = rate_of(*matured);
  EXPECT_EQ(closed.nulls, 0u);
  EXPECT_EQ(closed.labels, seen);
  EXPECT_EQ(closed.positives, bought);
  EXPECT_NEAR(open.Rate(), closed.Rate(), 0.05 * closed.Rate());
}

TEST_F(RowsTest, DaysAndObjectivesAreChecked) {
  BuildOptions options = Days(1);
  options.from_us += 1;
  EXPECT_TRUE(absl::IsInvalidArgument(TryBuild(options).status()));
  options = Days(1);
  options.to_us = options.from_us;
  EXPECT_TRUE(absl::IsInvalidArgument(TryBuild(options).status()));
  Configure("[app]\npartitions = 4\n");
  EXPECT_THAT(std::string(TryBuild(Days(1)).status().message()), HasSubstr("[objectives.NAME]"));
}

TEST_F(RowsTest, ADayIsReplacedAndNoOther) {
  Serve("ann", {"a"});
  Wait(kTestDayUs);
  Serve("ann", {"b"});
  Build(2);
  EXPECT_EQ(result_.sets.size(), 2u);
  const auto paths = Paths();
  Build(1);
  EXPECT_EQ(Paths().size(), 2u);
  EXPECT_EQ(Paths()[1], paths[1]);
  EXPECT_THAT(Labels(), ElementsAre(Pair("r0/a", "---"), Pair("r1/b", "---")));
}

}  // namespace
}  // namespace bowerbird::rows
