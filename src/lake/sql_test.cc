#include "lake/sql.h"

#include <simdjson.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "bowerbird/v1/item.pb.h"
#include "gmock/gmock.h"
#include "lake/lake_for_test.h"

namespace bowerbird::lake {
namespace {

using testing::HasSubstr;

class SqlTest : public LakeTest {
 protected:
  SqlTest() {
    for (int i = 0; i < 30; ++i) {
      AppendEvent(static_cast<uint32_t>(i % 2), fmt::format("u{}", i % 5), fmt::format("{}", i),
                  i % 3 == 0 ? "save" : "click");
    }
    EXPECT_TRUE(lake_->CatchUp().ok());
  }
  absl::StatusOr<SqlAnswer> Ask(std::string sql, SqlLimits limits = {}, std::function<bool()> cancelled = nullptr) {
    SqlQuery query;
    query.sql = std::move(sql);
    query.limits = limits;
    query.cancelled = std::move(cancelled);
    const auto files = lake_->Files();
    if (!files.ok()) return files.status();
    return RunSql(*files, query);
  }
  /// The rows as JSON.
  std::string Rows(std::string sql) {
    const auto answer = Ask(sql);
    EXPECT_TRUE(answer.ok()) << sql << ": " << answer.status();
    if (!answer.ok()) return "";
    const size_t rows = answer->body.find("\"rows\":");
    return answer->body.substr(rows + 7, answer->body.size() - rows - 8);
  }
};

TEST_F(SqlTest, AnswersOverTheViews) {
  EXPECT_EQ(Rows("select type, count(*) from events group by 1 order by 1"), R"([["click",20],["save",10]])");
  EXPECT_EQ(Rows("FROM events SELECT count(DISTINCT user_key IS NULL), min(date), max(hour);"),
            R"([[1,"2026-01-05",8]])");
  EXPECT_EQ(Rows("select count(*) from served"), "[[0]]") << "a table without a file has its columns";
  EXPECT_EQ(
      Rows("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 4), EVENTS_OF AS (FROM events) "
           "SELECT (SELECT sum(n) FROM t), (SELECT count(*) FROM events_of)"),
      "[[10,30]]");
  EXPECT_EQ(Rows("select sum(i) from range(10) r(i), unnest([1, 2]) u(j)"), "[[90]]");
}

TEST_F(SqlTest, EveryKindOfValueHasAForm) {
  EXPECT_EQ(Rows("select true, -1::tinyint, 18446744073709551615::ubigint, -170141183460469231731687303715884105728, "
                 "12.50::decimal(9, 2), -0.05::decimal(4, 2), 1.5::float, 'nan'::double, null, '\xc3\xa9\"'"),
            "[[true,-1,18446744073709551615,-170141183460469231731687303715884105728,12.50,-0.05,1.5,null,null,"
            "\"\xc3\xa9\\\"\"]]");
  EXPECT_EQ(Rows("select date '1969-12-31', time '01:02:03.5', timestamp '2026-01-02 03:04:05', "
                 "timestamptz '2026-01-02 03:04:05.25+01', '\\xAA'::blob, "
                 "'0d9e2a1c-0000-4000-8000-000000000001'::uuid, interval 1 day, 'infinity'::timestamp"),
            R"([["1969-12-31","01:02:03.500000","2026-01-02T03:04:05","2026-01-02T02:04:05.250000Z","aa",)"
            R"("0d9e2a1c-0000-4000-8000-000000000001","0 months 1 days 0 us","infinity"]])");
  EXPECT_EQ(Rows("select [1, null], {'a': 1, 'b': ['\\x00'::blob]}, map {'k': 1.5}, map {1: 'x'}, [1, 2]::int[2], "
                 "'a'::enum('a', 'b')"),
            R"([[[1,null],{"a":1,"b":["00"]},{"k":1.5},[[1,"x"]],[1,2],"a"]])");
  SqlQuery query;
  query.sql = "select 'a,b' as x, '' as y, null as z, 'q\"' as w, [1] as l, 1 as \"n\"\"m\"";
  query.form = SqlForm::kCsv;
  EXPECT_EQ(RunSql(*lake_->Files(), query)->body,
            "\"x\",\"y\",\"z\",\"w\",\"l\",\"n\"\"m\"\n\"a,b\",\"\",,\"q\"\"\",[1],1\n");
}

TEST_F(SqlTest, AttributesAreMapsOfTypedValues) {
  v1::Event event;
  event.set_user("u");
  event.set_type("rating");
  (*event.mutable_attributes())["stars"].set_number_value(4.5);
  (*event.mutable_attributes())["tags"].mutable_strings()->add_values("a");
  Append(log::Topic::kEvents, 0, "u", event.SerializeAsString());
  ASSERT_TRUE(lake_->CatchUp().ok());
  EXPECT_EQ(Rows("select attributes['stars'].number_value, attributes['tags'].strings_value, attributes['none'] "
                 "from events where type = 'rating'"),
            R"([[4.5,["a"],null]])");
}

TEST_F(SqlTest, ItemsAreTheirLatestState) {
  const auto write = [&](const std::string& id, double price) {
    v1::CatalogRecord record;
    record.mutable_item()->set_id(id);
    record.mutable_item()->set_price(price);
    Append(log::Topic::kCatalog, 0, id, record.SerializeAsString());
  };
  write("a", 1);
  write("b", 2);
  write("a", 3);
  write("c", 4);
  v1::CatalogRecord gone;
  gone.set_deleted("c");
  Append(log::Topic::kCatalog, 0, "c", gone.SerializeAsString());
  ASSERT_TRUE(lake_->CatchUp().ok());
  EXPECT_EQ(Rows("select id, price from items order by id"), R"([["a",3],["b",2]])");
  EXPECT_EQ(Rows("select count(*) from item_changes"), "[[5]]");
}

TEST_F(SqlTest, ADamagedFileIsLeftOutAndSaid) {
  AppendEvent(0, "u", "more");
  ASSERT_TRUE(lake_->CatchUp().ok());
  const auto damaged = [&] {
    uint64_t count = 0;
    const auto tables = lake_->Status();
    for (const TableStatus& table : *tables) count += table.damaged;
    return count;
  };
  const std::string path = Parts("events").at(0);
  std::filesystem::copy_file(path, dir_ + "/whole");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_EQ(damaged(), 0u) << "nobody has read it";
  EXPECT_EQ(Ask("select count(*) from events")->damaged.size(), 1u) << "cut short";
  EXPECT_EQ(damaged(), 1u);
  std::filesystem::copy_file(dir_ + "/whole", path, std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(Rows("select count(*) from events"), "[[31]]");
  EXPECT_EQ(damaged(), 0u);
  std::ofstream(path, std::ios::app) << "x";
  Reopen();
  const auto answer = Ask("select count(*) from events");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(answer->body, HasSubstr("[[1]]"));
  ASSERT_EQ(answer->damaged.size(), 1u);
  EXPECT_THAT(answer->damaged[0], HasSubstr(path));
}

/// What must be refused, whatever is asked around it.
class RefusedTest : public SqlTest, public testing::WithParamInterface<const char*> {};

TEST_P(RefusedTest, IsRefusedAndLeavesNoTrace) {
  const std::string secret = dir_ + "/secret.csv", target = dir_ + "/written";
  std::ofstream(secret) << "a,b\n1,TOP SECRET\n";
  std::string sql = GetParam();
  const auto replace = [&](const std::string& word, const std::string& with) {
    for (size_t at; (at = sql.find(word)) != std::string::npos;) sql.replace(at, word.size(), with);
  };
  replace("$SECRET", secret);
  replace("$TARGET", target);
  replace("$PART", Parts("events").at(0));
  replace("$LAKE", lake_->folder());
  const uint64_t size = std::filesystem::file_size(Parts("events").at(0));
  const auto answer = Ask(sql);
  EXPECT_FALSE(answer.ok()) << sql << "\n" << answer->body;
  EXPECT_FALSE(absl::IsInternal(answer.status())) << answer.status();
  EXPECT_THAT(std::string(answer.status().message()), testing::Not(HasSubstr("TOP SECRET")));
  EXPECT_FALSE(std::filesystem::exists(target));
  EXPECT_EQ(std::filesystem::file_size(Parts("events").at(0)), size);
  EXPECT_EQ(Rows("select count(*) from events"), "[[30]]");
}

INSTANTIATE_TEST_SUITE_P(
    Writes, RefusedTest,
    testing::Values("INSERT INTO events (type) VALUES ('x')", "DELETE FROM events", "UPDATE events SET type = 'x'",
                    "CREATE TABLE t (a int)", "CREATE TEMP TABLE t AS SELECT 1", "DROP VIEW events",
                    "CREATE OR REPLACE VIEW events AS SELECT 1", "ALTER VIEW events RENAME TO e", "TRUNCATE events",
                    "CREATE MACRO f() AS 1", "CREATE SEQUENCE s", "VACUUM", "CHECKPOINT", "BEGIN", "COMMIT",
                    "SELECT 1; DROP VIEW events", "SELECT 1; SELECT 2", "", ";", "--", "SELECT 1 INTO t",
                    "WITH t AS (DELETE FROM events RETURNING *) SELECT * FROM t", "PREPARE p AS SELECT 1", "EXECUTE p",
                    "MERGE INTO events USING events AS e ON true WHEN MATCHED THEN DELETE"));
INSTANTIATE_TEST_SUITE_P(
    Files, RefusedTest,
    testing::Values("COPY events TO '$TARGET'", "COPY (SELECT 1) TO '$TARGET' (FORMAT parquet)",
                    "COPY (SELECT 1) TO '$PART' (FORMAT parquet)", "EXPORT DATABASE '$TARGET'",
                    "IMPORT DATABASE '$LAKE'", "ATTACH '$TARGET' AS t", "ATTACH ':memory:' AS t",
                    "SELECT * FROM read_csv('$SECRET')", "SELECT * FROM '$SECRET'", "SELECT * FROM \"$SECRET\"",
                    "SELECT * FROM read_text('$SECRET')", "SELECT * FROM read_blob('$SECRET')",
                    "SELECT * FROM read_parquet('$PART')", "SELECT * FROM '$PART'", "SELECT * FROM glob('/etc/*')",
                    "SELECT * FROM glob('$LAKE/*')", "SELECT * FROM parquet_metadata('$PART')",
                    "SELECT * FROM parquet_kv_metadata('$PART')", "SELECT * FROM sniff_csv('$SECRET')",
                    "SELECT * FROM read_json('$SECRET')", "SELECT * FROM read_ndjson_objects('$SECRET')",
                    "SELECT (SELECT max(content) FROM read_text('$SECRET'))",
                    "SELECT * FROM events WHERE type IN (SELECT content FROM read_text('$SECRET'))",
                    "WITH t AS (SELECT * FROM read_text('$SECRET')) SELECT * FROM t",
                    "SELECT * FROM query('SELECT * FROM read_text(''$SECRET'')')",
                    "SELECT * FROM query_table(['$SECRET'])", "SELECT * FROM read_csv('https://example.com/a.csv')",
                    "SELECT * FROM events POSITIONAL JOIN read_text('$SECRET')",
                    "SELECT * FROM events, LATERAL (SELECT * FROM read_text('$SECRET'))",
                    "PIVOT read_text('$SECRET') ON size", "SUMMARIZE SELECT * FROM read_text('$SECRET')",
                    "DESCRIBE SELECT * FROM read_text('$SECRET')", "SHOW TABLES FROM '$SECRET'",
                    "FROM events UNION ALL BY NAME FROM read_text('$SECRET')",
                    "SELECT 1 FROM events ORDER BY (SELECT count(*) FROM read_text('$SECRET'))",
                    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))"));
INSTANTIATE_TEST_SUITE_P(
    Settings, RefusedTest,
    testing::Values("SET enable_external_access = true", "SET memory_limit = '100GB'", "RESET lock_configuration",
                    "SET lock_configuration = false", "SET threads = 64", "SET temp_directory = '$TARGET'",
                    "SET allowed_directories = ['/']", "SET VARIABLE a = 1", "PRAGMA enable_profiling",
                    "PRAGMA memory_limit = '100GB'", "PRAGMA database_list", "INSTALL httpfs", "LOAD httpfs",
                    "LOAD '$TARGET'", "FORCE INSTALL httpfs", "UPDATE EXTENSIONS", "CALL enable_logging()",
                    "SELECT * FROM enable_logging(storage = 'file', storage_path = '$TARGET')",
                    "SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_secrets()",
                    "SELECT * FROM duckdb_extensions()", "SELECT current_setting('home_directory')",
                    "SELECT getenv('HOME')", "SELECT * FROM pragma_database_size()", "CREATE SECRET s (TYPE s3)",
                    "SELECT * FROM information_schema.tables", "SELECT * FROM pg_catalog.pg_class",
                    "SELECT * FROM sqlite_master", "SELECT * FROM system.information_schema.tables", "USE memory",
                    "DETACH memory", "EXPLAIN ANALYZE SELECT * FROM read_text('$SECRET')"));
INSTANTIATE_TEST_SUITE_P(Text, RefusedTest,
                         testing::Values("SELEC 1", "SELECT", "SELECT * FROM nothing", "SELECT nothing FROM events",
                                         "'", "\"", "/*", "$$", "SELECT 'a", "\xff\xfe", "SELECT '\xff'",
                                         "SELECT error('stop')", "SELECT 1/", "(((((((((", "SELECT ?", "SELECT $1",
                                         "SELECT 'x'::int", "SELECT * FROM events WHERE"));

TEST_F(SqlTest, TextOfAnyShapeIsAnsweredOrRefusedAndNeverACrash) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  static constexpr const char* kWords[] = {"SELECT",   "FROM",  "events", "(",     ")",     "*",        ",",  "'a'",
                                           "1",        "WHERE", "type",   "=",     "--",    "/*",       ";",  "[",
                                           "]",        "{",     "}",      "UNION", "WITH",  "t",        "AS", "\xff",
                                           "GROUP BY", "1e308", "-",      "::",    "LIMIT", "range(3)", "\0"};
  for (int i = 0; i < 40; ++i) {
    std::string sql;
    for (uint64_t n = random() % 30; n > 0; --n) sql += std::string(kWords[random() % std::size(kWords)]) + " ";
    const auto answer = Ask(sql);
    if (!answer.ok()) {
      EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << sql << ": " << answer.status();
    }
  }
  std::string nul = "SELECT 1";
  nul += '\0';
  nul += "; DROP VIEW events";
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(nul).status()));
}

TEST_F(SqlTest, DeepNestingIsRefused) {
  const auto nested = [](const std::string& open, const std::string& middle, const std::string& close, int depth) {
    std::string sql;
    for (int i = 0; i < depth; ++i) sql += open;
    sql += middle;
    for (int i = 0; i < depth; ++i) sql += close;
    return sql;
  };
  for (const int depth : {2'000, 200'000}) {
    EXPECT_FALSE(Ask("SELECT " + nested("(", "1", ")", depth) + " + 'x'").ok());
    EXPECT_FALSE(Ask("SELECT " + nested("abs(", "1", ")", depth)).ok());
    EXPECT_FALSE(Ask("SELECT " + nested("NOT ", "true", "", depth)).ok());
    EXPECT_FALSE(Ask(nested("SELECT * FROM (", "SELECT 1", ")", depth)).ok());
    EXPECT_FALSE(Ask("SELECT " + nested("[", "1", "]", depth)).ok());
    EXPECT_FALSE(Ask("SELECT 1" + nested(" UNION ALL SELECT 1", "", "", depth)).ok());
  }
  EXPECT_EQ(Rows("SELECT 1"), "[[1]]");
}

TEST_F(SqlTest, ACrossJoinOf1e12RowsIsCutOffByTime) {
  SqlLimits limits;
  limits.seconds = 1;
  const auto answer = Ask("SELECT count(*) FROM range(1000000) a(i), range(1000000) b(j) WHERE i * j % 7 = 3", limits);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded) << answer.status();
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("limit of 1 seconds"));
}

TEST_F(SqlTest, ACancelledQueryEnds) {
  std::atomic<int> asked = 0;
  const auto answer = Ask("SELECT count(*) FROM range(1000000) a(i), range(1000000) b(j) WHERE i * j % 7 = 3", {},
                          [&] { return ++asked > 5; });
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kCancelled) << answer.status();
}

TEST_F(SqlTest, EachLimitNamesItself) {
  SqlLimits limits;
  limits.rows = 10;
  const auto rows = Ask("SELECT * FROM range(11)", limits);
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(rows.status().message()), HasSubstr("rows than the limit of 10"));
  EXPECT_TRUE(Ask("SELECT * FROM range(10)", limits).ok());
  limits = {};
  limits.result_bytes = 1000;
  const auto bytes = Ask("SELECT repeat('x', 2000)", limits);
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("limit of 1000 bytes"));
  limits = {};
  limits.memory_bytes = 64u << 20;
  for (const char* sql :
       {"SELECT count(*) FROM (SELECT DISTINCT i, i::varchar || 'xxxxxxxxxxxxxxxxxxxx' FROM range(20000000) r(i))",
        "SELECT length(repeat('x', 3000000000))", "SELECT list_sum(range(2000000000))",
        "SELECT list(i) FROM range(100000000) r(i)", "SELECT string_agg(i::varchar, ',') FROM range(100000000) r(i)"}) {
    const auto memory = Ask(sql, limits);
    EXPECT_FALSE(memory.ok()) << sql;
    EXPECT_FALSE(absl::IsInternal(memory.status())) << sql << ": " << memory.status();
  }
  EXPECT_EQ(Rows("SELECT 1"), "[[1]]");
}

TEST_F(SqlTest, QueriesRunBesideEachOtherAndBesideTheWriter) {
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 10; ++i) {
      AppendEvent(0, "w", fmt::format("w{}", i));
      EXPECT_TRUE(lake_->CatchUp().ok());
      EXPECT_TRUE(lake_->Maintain({}).ok());
    }
    done = true;
  });
  uint64_t seen = 0;
  while (!done) {
    const auto answer = Ask("SELECT count(*) FROM events");
    ASSERT_TRUE(answer.ok()) << answer.status();
    const size_t at = answer->body.find("[[") + 2;
    const uint64_t count = std::stoull(answer->body.substr(at));
    EXPECT_GE(count, std::max<uint64_t>(seen, 30));
    EXPECT_THAT(answer->damaged, testing::IsEmpty());
    seen = count;
  }
  writer.join();
  EXPECT_EQ(Rows("SELECT count(*) FROM events"), "[[40]]");
}

}  // namespace
}  // namespace bowerbird::lake
