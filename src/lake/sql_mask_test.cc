// What a query can learn of a user when users are masked: nothing that it was not told, whatever it does.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "bowerbird/v1/served.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "gmock/gmock.h"
#include "lake/lake_for_test.h"
#include "lake/mask.h"
#include "lake/sql.h"

namespace bowerbird::lake {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr base::HashSeed kSeed = {1, 2, 3};

class SqlMaskTest : public LakeTest {
 protected:
  SqlMaskTest() {
    for (const char* user : {"ann@example.com", "bob@example.com", "ann@example.com"}) {
      v1::Event event;
      event.set_user(user);
      event.set_type("search");
      event.set_item("lamp");
      event.set_value(3);
      event.set_query("gift for Carol");
      (*event.mutable_attributes())["note"].set_string_value("call Dave");
      (*event.mutable_attributes())["tags"].mutable_strings()->add_values("Erin");
      (*event.mutable_attributes())["stars"].set_number_value(4);
      Append(log::Topic::kEvents, 0, user, event.SerializeAsString());
    }
    Append(log::Topic::kEvents, 0, "ann@example.com", "\xff what does not decode, of ann@example.com");
    v1::UserRecord user;
    user.mutable_user()->set_id("ann@example.com");
    (*user.mutable_user()->mutable_attributes())["city"].set_string_value("Fredville");
    (*user.mutable_user()->mutable_attributes())["age"].set_number_value(41);
    Append(log::Topic::kUsers, 0, "ann@example.com", user.SerializeAsString());
    v1::ServedRecord served;
    served.set_request_id("r1");
    served.mutable_request()->set_user("ann@example.com");
    served.mutable_request()->set_surface("home");
    served.mutable_draft()->set_experiment("shared");
    served.add_candidates()->set_item("lamp");
    served.mutable_candidates(0)->set_position(1);
    served.mutable_candidates(0)->set_team("green");
    Append(log::Topic::kServed, 0, "ann@example.com", served.SerializeAsString());
    EXPECT_TRUE(lake_->CatchUp().ok());
  }
  absl::StatusOr<SqlAnswer> Ask(const std::string& sql, bool masked = true) {
    SqlQuery query;
    query.sql = sql;
    if (masked) query.mask = kSeed;
    return RunSql(*lake_->Files(), query);
  }
  std::string Rows(const std::string& sql) {
    const auto answer = Ask(sql);
    EXPECT_TRUE(answer.ok()) << sql << ": " << answer.status();
    if (!answer.ok()) return "";
    const size_t rows = answer->body.find("\"rows\":");
    return answer->body.substr(rows + 7, answer->body.size() - rows - 8);
  }
};

TEST_F(SqlMaskTest, UsersCanBeCountedAndJoinedButNotNamed) {
  const std::string ann = MaskedUser(kSeed, "ann@example.com");
  EXPECT_TRUE(IsMaskedUser(ann)) << ann;
  EXPECT_EQ(Rows("select \"user\", count(*) from events where type is not null group by 1 order by 2 desc limit 1"),
            fmt::format(R"([["{}",2]])", ann));
  EXPECT_EQ(Rows("select count(*) from events e join users u on e.user = u.id join served s on s.user = u.id"),
            "[[2]]");
  EXPECT_EQ(Rows(fmt::format("select count(*) from events where \"user\" = '{}'", ann)), "[[2]]");
  EXPECT_EQ(Rows("select count(*) from events where \"user\" = 'ann@example.com'"), "[[0]]");
  EXPECT_EQ(Rows("select interleaved_by, drafted from served where interleaved_by = 'shared'"),
            R"([["shared",[{"item":"lamp","arm":"green"}]]])");
  EXPECT_EQ(Rows("select type, item, sum(value), max(attributes['stars'].number_value) from events where type is not "
                 "null group by all"),
            R"([["search","lamp",9,4]])")
      << "what names nobody stays";
}

TEST_F(SqlMaskTest, NoQueryShowsWhatIsMasked) {
  const std::vector<std::string> queries = {"select * from events",
                                            "select * from users",
                                            "select * from user_changes",
                                            "select * from served",
                                            "select substr(\"user\", 1, 20), query, attributes from events",
                                            "select to_json(e) from events e",
                                            "select string_agg(e::varchar, ' ') from events e",
                                            "select min(\"user\"), max(\"user\"), histogram(\"user\") from events",
                                            "select stats(\"user\") from events",
                                            "with events as (select * from events) select * from events",
                                            "select key::varchar, raw::varchar, merge from events",
                                            "select record::varchar, key::varchar from served",
                                            "select map_values(attributes) from user_changes",
                                            "select columns(*)::varchar from events",
                                            "select * from (from events) union all by name (from users)",
                                            "select unnest(map_entries(attributes), recursive := true) from events"};
  for (const std::string& sql : queries) {
    const auto answer = Ask(sql);
    if (!answer.ok()) continue;  // refused is shown neither
    for (const char* secret : {"ann@", "bob@", "Carol", "Dave", "Erin", "Fredville", ":41"})
      EXPECT_THAT(answer->body, Not(HasSubstr(secret))) << sql;
  }
  EXPECT_THAT(Ask("select * from events", false)->body, HasSubstr("ann@example.com"));
}

TEST_F(SqlMaskTest, ErrorsDoNotShowItEither) {
  for (const char* sql : {"select cast(\"user\" as integer) from events", "select error(\"user\") from events",
                          "select attributes['note'].string_value::date from events"}) {
    const auto answer = Ask(sql);
    ASSERT_FALSE(answer.ok()) << sql;
    EXPECT_THAT(std::string(answer.status().message()), Not(HasSubstr("ann@"))) << sql;
    EXPECT_THAT(std::string(answer.status().message()), Not(HasSubstr("Dave"))) << sql;
  }
}

TEST_F(SqlMaskTest, NobodyCanTryIdsOut) {
  for (const char* sql :
       {"select bowerbird_mask('user', 'ann@example.com')", "select BOWERBIRD_MASK('user', 'x')",
        "select \"bowerbird_mask\"('user', 'x')", "select 'user'.bowerbird_mask('x')",
        "select list_transform(['x'], lambda s: bowerbird_mask('user', s))", "select main.bowerbird_mask('user', 'x')",
        "select json_serialize_plan('select bowerbird_mask(''user'', ''x'')', optimize := true)"}) {
    EXPECT_FALSE(Ask(sql).ok()) << sql;
  }
}

TEST_F(SqlMaskTest, AnExpressionsNameOpensNothingOutsideOfItsScope) {
  for (const std::string& name :
       std::vector<std::string>{"duckdb_views", "DUCKDB_Columns", "pg_views", "sqlite_master", "pragma_database_list",
                                "x.parquet", lake_->Files()->front().paths.front()}) {
    const std::string sql = fmt::format("select * from (with \"{}\" as (select 1) select 1), \"{}\"", name, name);
    EXPECT_FALSE(Ask(sql).ok()) << sql;
    EXPECT_FALSE(Ask(sql, false).ok()) << sql;
  }
  EXPECT_EQ(Rows("with zähler as (select 1 as n), t_2 as (select n + 1 as n from zähler) select n from t_2"), "[[2]]");
}

TEST_F(SqlMaskTest, ACutAnswerSaysSo) {
  SqlQuery query;
  query.sql = "select i from range(10) r(i) order by i";
  query.limits.rows = 3;
  query.cut = true;
  EXPECT_THAT(RunSql(*lake_->Files(), query)->body, HasSubstr(R"("rows":[[0],[1],[2]],"truncated":true})"));
  query.limits.rows = 10;
  EXPECT_THAT(RunSql(*lake_->Files(), query)->body, HasSubstr(R"([9]],"truncated":false})"));
  query.sql = "select repeat('x', 100) from range(100000)";
  query.limits = {.rows = 1'000'000, .result_bytes = 1000};
  const std::string body = RunSql(*lake_->Files(), query)->body;
  EXPECT_LT(body.size(), 1100u);
  EXPECT_THAT(body, HasSubstr("\"truncated\":true}"));
}

TEST(MaskTest, IsOfTheSeedAndOfWhatItIs) {
  constexpr base::HashSeed kOther = {9};
  EXPECT_EQ(MaskedUser(kSeed, "ann"), MaskedUser(kSeed, "ann"));
  EXPECT_NE(MaskedUser(kSeed, "ann"), MaskedUser(kOther, "ann"));
  EXPECT_NE(MaskedUser(kSeed, "ann").substr(5), MaskedText(kSeed, "ann").substr(5));
  EXPECT_EQ(MaskedUser(kSeed, ""), "");
  EXPECT_FALSE(IsMaskedUser("user_0123456789abcdeg"));
  EXPECT_FALSE(IsMaskedUser("user_0123"));
  EXPECT_FALSE(IsMaskedUser("ann"));
}

}  // namespace
}  // namespace bowerbird::lake
