#include "config/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"

namespace bowerbird::config {
namespace {

TEST(ClusterTest, WithoutATableThereAreTheDefaults) {
  ASSERT_TRUE(ParseServer("[server]\nport = 1\n", "server.toml").config.has_value());
  EXPECT_EQ(ParseCluster("[server]\nport = 1\n"), Cluster());
}

TEST(ClusterTest, EveryKeyIsRead) {
  const Cluster cluster = ParseCluster(R"(
[cluster]
peers = ["node-0.shop:9090", "10.0.0.2:9090", "[::1]:9090"]
key_file = "peer.key"
ca_file = "ca.pem"
forward_max = "200ms"
in_flight_max = 7
ping = "1s"
item_counts = "5s"
secrets = "/s"
artifacts = "s3://bucket/a"
checkpoints = "/c"
checkpoint_interval = "1h"
checkpoints_kept = 2
)");
  EXPECT_THAT(cluster.peers, testing::ElementsAre("node-0.shop:9090", "10.0.0.2:9090", "[::1]:9090"));
  EXPECT_EQ(cluster.key_file, "peer.key");
  EXPECT_EQ(cluster.ca_file, "ca.pem");
  EXPECT_EQ(cluster.forward_us_max, 200'000);
  EXPECT_EQ(cluster.in_flight_max, 7u);
  EXPECT_EQ(cluster.ping_us, 1'000'000);
  EXPECT_EQ(cluster.item_counts_us, 5'000'000);
  EXPECT_EQ(cluster.secrets, "/s");
  EXPECT_EQ(cluster.artifacts, "s3://bucket/a");
  EXPECT_EQ(cluster.checkpoints, "/c");
  EXPECT_EQ(cluster.checkpoint_us, 3'600'000'000);
  EXPECT_EQ(cluster.checkpoints_kept, 2u);
}

class ClusterRefusesTest : public testing::TestWithParam<const char*> {};

TEST_P(ClusterRefusesTest, WithTheKeyAndWhatWouldDo) {
  const ServerParseResult result = ParseServer(std::string("[cluster]\n") + GetParam(), "server.toml");
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_THAT(result.problems[0].key, testing::StartsWith("cluster"));
  EXPECT_EQ(result.problems[0].line, 2u);
  EXPECT_FALSE(result.problems[0].expected.empty());
}

INSTANTIATE_TEST_SUITE_P(All, ClusterRefusesTest,
                         testing::Values("peers = [\"no port\"]\n", "peers = [\"host:\"]\n", "peers = [\"host:0\"]\n",
                                         "peers = [\"host:65536\"]\n", "peers = [\":9090\"]\n",
                                         "peers = [\"[host]:9090\"]\n", "peers = [\"a/b:9090\"]\n", "peers = 3\n",
                                         "ping = \"1ms\"\n", "in_flight_max = 0\n", "checkpoints_kept = 0\n",
                                         "forward_max = 5\n", "unknown = 1\n"));

}  // namespace
}  // namespace bowerbird::config
