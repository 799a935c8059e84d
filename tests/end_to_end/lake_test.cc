#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "end_to_end/program.h"

namespace bowerbird::end_to_end {
namespace {

using testing::HasSubstr;

constexpr char kForever[] =
    R"({"sql": "select count(*) from range(1000000) a(i), range(1000000) b(j) where i * j % 7 = 3"})";

std::string Event(const std::string& client_id) {
  return R"({"events": [{"type": "click", "user": "u", "item": "i", "client_id": ")" + client_id + R"("}]})";
}

TEST(LakeTest, AQuerySeesWhatWasAcknowledgedBeforeIt) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  {
    const RunningServer server(folder.path());
    server::HttpClient client = server.Client();
    for (int i = 1; i <= 3; ++i) {
      ASSERT_EQ(client.Call("POST", "/v1/events", Event(std::to_string(i)))->status, 200);
      const auto answer =
          client.Call("POST", "/v1/sql", R"({"sql": "select type, count(*) as n from events group by 1"})");
      ASSERT_EQ(answer->status, 200) << answer->body;
      EXPECT_EQ(At(answer->body, "/rows/0/1"), std::to_string(i));
      EXPECT_EQ(At(answer->body, "/columns/1/name"), "n");
    }
    const auto csv = client.Call("POST", "/v1/sql",
                                 R"({"sql": "select user_key is null as k from events limit 1", "format": "csv"})");
    EXPECT_EQ(csv->body, "\"k\"\nfalse\n");
    // The command asks the server that owns the folder.
    EXPECT_THAT(RunProgram({"lake", "sql", "select count(*) as events from events", "--dir", folder.path()}).output,
                HasSubstr("events\n     3\n"));
    EXPECT_THAT(RunProgram({"lake", "verify", "--dir", folder.path()}).output, HasSubstr("every file is whole"));
    EXPECT_THAT(client.Call("GET", "/metrics", "")->body, HasSubstr("bowerbird_lake_rows"));
  }
  // And opens the folder where there is none.
  EXPECT_THAT(RunProgram({"lake", "sql", "select count(*) as n from events", "--csv", "--dir", folder.path()}).output,
              HasSubstr("\"n\"\n3\n"));
  EXPECT_THAT(RunProgram({"lake", "status", "--dir", folder.path()}).output, HasSubstr("events"));
}

TEST(LakeTest, WhatIsRefusedIsSaid) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  std::ofstream(folder.path() + "/apps/default/bowerbird.toml", std::ios::app)
      << "\n[lake]\nsql_time_max = \"500ms\"\nsql_rows_max = 5\n";
  const RunningServer server(folder.path());
  server::HttpClient client = server.Client();
  const auto code = [&](const std::string& body) {
    const auto answer = client.Call("POST", "/v1/sql", body);
    return std::to_string(answer->status) + " " + At(answer->body, "/code");
  };
  EXPECT_EQ(code(R"({"sql": "drop view events"})"), "400 invalid_argument");
  EXPECT_EQ(code(R"j({"sql": "select * from read_text('/etc/passwd')"})j"), "400 invalid_argument");
  EXPECT_EQ(code(R"j({"sql": "select * from range(6)"})j"), "400 limit_exceeded");
  EXPECT_EQ(code(kForever), "504 deadline_exceeded");
  EXPECT_EQ(code(R"({"sql": 1})"), "400 wrong_type");
  EXPECT_EQ(code(R"({"sql": "select 1", "write": true})"), "400 unknown_field");
  EXPECT_EQ(code("{}"), "400 missing_field");
  EXPECT_EQ(code(R"({"sql": "select 1"})"), "200 ");
  const Outcome key =
      RunProgram({"keys", "create", "--name", "k", "--scopes", "collect,serve", "--dir", folder.path()});
  ASSERT_EQ(key.exit_status, 0);
  EXPECT_NE(RunProgram({"lake", "sql", "delete from events", "--dir", folder.path()}).exit_status, 0);
  EXPECT_NE(RunProgram({"job", "run", "none", "--dir", folder.path()}).exit_status, 0);
}

TEST(LakeTest, AQueryEndsWhenItsClientGoes) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  std::ofstream(folder.path() + "/apps/default/bowerbird.toml", std::ios::app) << "\n[lake]\nsql_time_max = \"1h\"\n";
  const RunningServer server(folder.path());
  // One query after another: the last one is answered only because those before it ended.
  for (int i = 0; i < 3; ++i) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const std::string request = "POST /v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                                std::to_string(std::string_view(kForever).size()) + "\r\n\r\n" + kForever;
    ASSERT_EQ(write(client, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    close(client);
  }
  EXPECT_EQ(server.Client().Call("POST", "/v1/sql", R"({"sql": "select 1"})")->status, 200);
}

TEST(LakeTest, AFileThatIsCutShortIsNamedCountedAndLeftOut) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  const RunningServer server(folder.path());
  server::HttpClient client = server.Client();
  const auto count = [&] { return client.Call("POST", "/v1/sql", R"({"sql": "select count(*) from events"})")->body; };
  ASSERT_EQ(client.Call("POST", "/v1/events", Event("1"))->status, 200);
  EXPECT_EQ(At(count(), "/rows/0/0"), "1");
  EXPECT_THAT(client.Call("GET", "/metrics", "")->body,
              HasSubstr("bowerbird_lake_damaged_files{app=\"default\",table=\"events\"} 0"));
  std::string path;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() + "/apps/default/lake/events")) {
    if (entry.path().extension() == ".parquet") path = entry.path();
  }
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  ASSERT_EQ(client.Call("POST", "/v1/events", Event("2"))->status, 200) << "who writes goes on";
  const std::string answer = count();
  EXPECT_EQ(At(answer, "/rows/0/0"), "1") << "the other event's file";
  EXPECT_THAT(At(answer, "/damaged/0"), HasSubstr(std::filesystem::path(path).filename().string()));
  EXPECT_THAT(client.Call("GET", "/metrics", "")->body,
              HasSubstr("bowerbird_lake_damaged_files{app=\"default\",table=\"events\"} 1"));
  const Outcome command = RunProgram({"lake", "sql", "select count(*) from events", "--dir", folder.path()});
  EXPECT_EQ(command.exit_status, 0);
  EXPECT_THAT(command.output, HasSubstr("part-"));
  EXPECT_NE(RunProgram({"lake", "verify", "--dir", folder.path()}).exit_status, 0);
  EXPECT_EQ(client.Call("GET", "/readyz", "")->status, 200);
}

TEST(LakeTest, ABackupHasItsTables) {
  const TemporaryFolder folder, copy;
  const std::string to = copy.path() + "/backup", restored = copy.path() + "/restored";
  ASSERT_EQ(RunProgram({"init", "--dir", folder.path()}).exit_status, 0);
  {
    const RunningServer server(folder.path());
    server::HttpClient client = server.Client();
    ASSERT_EQ(client.Call("POST", "/v1/events", Event("1"))->status, 200);
    ASSERT_EQ(client.Call("POST", "/v1/sql", R"({"sql": "select 1"})")->status, 200);
    ASSERT_EQ(client.Call("POST", "/v1/events", Event("2"))->status, 200);
    const Outcome backup = RunProgram({"backup", folder.path(), to});
    ASSERT_EQ(backup.exit_status, 0) << backup.output;
  }
  const Outcome restore = RunProgram({"restore", to, restored});
  ASSERT_EQ(restore.exit_status, 0) << restore.output;
  // The table of one event goes on where the log of two says.
  EXPECT_THAT(RunProgram({"lake", "sql", "select count(*) as n from events", "--csv", "--dir", restored}).output,
              HasSubstr("\"n\"\n2\n"));
  EXPECT_THAT(RunProgram({"lake", "verify", "--dir", restored}).output, HasSubstr("every file is whole"));
}

}  // namespace
}  // namespace bowerbird::end_to_end
