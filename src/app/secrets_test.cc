#include "app/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "bowerbird/v1/item.pb.h"
#include "catalog/keys.h"
#include "simulation/memory_log.h"

namespace bowerbird::app {
namespace {

class SecretsTest : public testing::Test {
 protected:
  SecretsTest() {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  Secrets Make(const std::string& name) { return *Secrets::LoadOrCreate(dir_ + "/" + name); }
  void PutItem(const Secrets& secrets) {
    v1::CatalogRecord record;
    record.set_item_key(catalog::KeyHasher(secrets.hash_seed).Item("lamp").value);
    record.mutable_item()->set_id("lamp");
    ASSERT_TRUE(log_.Append({{log::Topic::kCatalog, 0, "lamp", record.SerializeAsString()}}).ok());
  }

  const std::string dir_ = testing::TempDir() + "bowerbird_secrets_test";
  simulation::LogDisk disk_;
  simulation::MemoryLog log_{&disk_, &base::SystemClock::Get(), 4};
};

TEST_F(SecretsTest, OneFingerprintASecret) {
  const Secrets one = Make("one"), other = Make("other");
  EXPECT_EQ(one.Fingerprint(), Make("one").Fingerprint());
  EXPECT_NE(one.Fingerprint(), other.Fingerprint());
  EXPECT_EQ(one.Fingerprint().size(), 32);
}

TEST_F(SecretsTest, TheFirstToClaimALogIsRight) {
  const Secrets one = Make("one"), other = Make("other");
  EXPECT_TRUE(CheckSecrets(other, false, &log_).ok()) << "who does not claim may look at an empty log";
  EXPECT_TRUE(CheckSecrets(one, true, &log_).ok());
  EXPECT_TRUE(CheckSecrets(one, true, &log_).ok());
  for (const bool claim : {true, false}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(CheckSecrets(other, claim, &log_)));
  }
}

TEST_F(SecretsTest, AnItemTellsWhoseLogItIs) {
  const Secrets one = Make("one"), other = Make("other");
  PutItem(one);
  EXPECT_TRUE(CheckSecrets(one, true, &log_).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckSecrets(other, true, &log_)));
}

TEST_F(SecretsTest, NodesThatStartTogetherShareOneSecret) {
  const std::string shared = dir_ + "/shared";
  std::vector<std::string> fingerprints(8);
  std::vector<std::thread> nodes;
  for (size_t node = 0; node < fingerprints.size(); ++node) {
    std::filesystem::create_directories(dir_ + "/" + std::to_string(node));
    nodes.emplace_back([&, node] {
      const auto secrets = SharedSecrets(dir_ + "/" + std::to_string(node) + "/secret", shared, "shop", log_);
      fingerprints[node] = secrets.ok() ? secrets->Fingerprint() : std::string(secrets.status().message());
    });
  }
  for (std::thread& node : nodes) node.join();
  EXPECT_THAT(fingerprints, testing::Each(fingerprints[0]));
  EXPECT_EQ(fingerprints[0].size(), 32);
}

TEST_F(SecretsTest, ANodeWithoutASecretMakesNoneForALogThatOthersBegan) {
  EXPECT_TRUE(SharedSecrets(dir_ + "/first", "", "shop", log_).ok());
  PutItem(Make("first"));
  const auto second = SharedSecrets(dir_ + "/second", "", "shop", log_);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/second"));
}

}  // namespace
}  // namespace bowerbird::app
