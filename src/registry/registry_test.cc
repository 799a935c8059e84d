#include "registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "store/file.h"

namespace bowerbird::registry {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FixedClock final : public base::Clock {
 public:
  int64_t NowUs() const override { return 1'793'000'000'000'000; }
};

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() { fs::remove_all(folder_); }
  ~RegistryTest() override { fs::remove_all(folder_); }

  static Contents Files(const std::string& a, const std::string& b) {
    Contents contents;
    contents.write = [=](const std::string& folder) -> absl::Status {
      std::ofstream(folder + "/a.bin") << a;
      std::ofstream(folder + "/b.bin") << b;
      return absl::OkStatus();
    };
    contents.metrics = {{"items", 2}};
    return contents;
  }
  std::string Publish(const std::string& a) {
    const auto version = registry_.Publish("snapshot", "default", Files(a, "b"));
    EXPECT_TRUE(version.ok()) << version.status();
    return version.value_or("");
  }
  std::vector<std::string> List() { return registry_.List("snapshot", "default").value(); }
  std::string VersionPath(const std::string& version, const std::string& file) {
    return folder_ + "/snapshot/default/" + version + "/" + file;
  }
  void FlipBit(const std::string& path, size_t bit) {
    std::string bytes = store::ReadFile(path).value();
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    std::ofstream(path, std::ios::binary) << bytes;
  }

  const std::string folder_ = testing::TempDir() + "registry_test_" +
                              testing::UnitTest::GetInstance()->current_test_info()->name() + std::to_string(getpid());
  FixedClock clock_;
  Registry registry_{folder_, &clock_};
};

TEST_F(RegistryTest, PublishesNumberedVersionsAndOpensThem) {
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_EQ(registry_.Newest("snapshot", "default").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Publish("one"), "000001");
  EXPECT_EQ(Publish("two"), "000002");
  EXPECT_THAT(List(), ElementsAre("000001", "000002"));

  const auto first = registry_.Open("snapshot", "default", "000001");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(store::ReadFile(first->Path("a.bin")).value(), "one");
  EXPECT_EQ(first->manifest.created_us, clock_.NowUs());
  EXPECT_EQ(first->manifest.files.size(), 2u);

  const auto newest = registry_.Newest("snapshot", "default");
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->artifact.manifest.version, "000002");
  EXPECT_THAT(newest->refused, IsEmpty());
  EXPECT_EQ(registry_.Open("snapshot", "default", "000003").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.Open("snapshot", "default", "../x").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RegistryTest, KeepsKindsAndNamesApart) {
  Publish("one");
  EXPECT_EQ(registry_.Publish("cf", "default", Files("x", "y")).value(), "000001");
  EXPECT_THAT(registry_.List("snapshot", "other").value(), IsEmpty());
  for (const char* bad : {"", "A", "a/b", "..", "a b"}) {
    EXPECT_EQ(registry_.Publish(bad, "default", Files("x", "y")).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(registry_.List("cf", bad).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(RegistryTest, TakesAFailedWriteBackWhole) {
  Publish("one");
  Contents failing = Files("two", "b");
  failing.write = [write = failing.write](const std::string& folder) {
    EXPECT_TRUE(write(folder).ok());
    return absl::UnavailableError("the disk is full");
  };
  EXPECT_EQ(registry_.Publish("snapshot", "default", failing).status().code(), absl::StatusCode::kUnavailable);
  Contents nested = Files("two", "b");
  nested.write = [](const std::string& folder) {
    fs::create_directory(folder + "/deeper");
    return absl::OkStatus();
  };
  EXPECT_EQ(registry_.Publish("snapshot", "default", nested).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(VersionPath("000002", "")));
  EXPECT_EQ(Publish("two"), "000002");
}

TEST_F(RegistryTest, AKillBetweenFilesAndManifestLeavesNoVersion) {
  Publish("one");
  const pid_t child = fork();
  if (child == 0) {
    Contents contents = Files("two", "b");
    contents.write = [write = contents.write](const std::string& folder) {
      (void)write(folder);
      ::kill(getpid(), SIGKILL);
      return absl::OkStatus();
    };
    (void)registry_.Publish("snapshot", "default", contents);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(fs::exists(VersionPath("000002", "a.bin")));

  EXPECT_THAT(List(), ElementsAre("000001"));
  EXPECT_EQ(registry_.Open("snapshot", "default", "000002").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.Newest("snapshot", "default")->artifact.manifest.version, "000001");
  EXPECT_EQ(Publish("three"), "000003") << "a number is never given twice";
  EXPECT_FALSE(fs::exists(VersionPath("000002", ""))) << "what the kill left is cleaned up";
}

TEST_F(RegistryTest, RefusesAFlippedBitByTheFilesNameAndGivesThePreviousVersion) {
  Publish("one");
  Publish("two");
  Publish("three");
  FlipBit(VersionPath("000003", "a.bin"), 5);
  FlipBit(VersionPath("000002", "manifest.json"), 100);

  const auto damaged = registry_.Open("snapshot", "default", "000003");
  EXPECT_EQ(damaged.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr("snapshot/default/000003: a.bin: found checksum"));

  const auto newest = registry_.Newest("snapshot", "default");
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->artifact.manifest.version, "000001");
  EXPECT_THAT(newest->refused, ElementsAre(HasSubstr("000003: a.bin"), HasSubstr("000002: manifest.json")));

  FlipBit(VersionPath("000001", "b.bin"), 0);
  const auto none = registry_.Newest("snapshot", "default");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("000001: b.bin"));
}

TEST_F(RegistryTest, RefusesTruncatedAndMissingFilesAndAForeignManifest) {
  Publish("one");
  Publish("two");
  fs::resize_file(VersionPath("000002", "a.bin"), 2);
  EXPECT_THAT(std::string(registry_.Open("snapshot", "default", "000002").status().message()),
              HasSubstr("a.bin: found 2 bytes; expected 3"));
  fs::remove(VersionPath("000002", "a.bin"));
  EXPECT_EQ(registry_.Open("snapshot", "default", "000002").status().code(), absl::StatusCode::kDataLoss);
  fs::copy_file(VersionPath("000001", "manifest.json"), VersionPath("000002", "manifest.json"),
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(std::string(registry_.Open("snapshot", "default", "000002").status().message()),
              HasSubstr("it says that it is of snapshot/default/000001"));
}

TEST_F(RegistryTest, PrunesTheOldestVersionsOnly) {
  for (const char* text : {"one", "two", "three", "four"}) Publish(text);
  EXPECT_EQ(registry_.Prune("snapshot", "default", 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(registry_.Prune("snapshot", "default", 9).value(), 0u);
  EXPECT_EQ(registry_.Prune("snapshot", "default", 2).value(), 2u);
  EXPECT_THAT(List(), ElementsAre("000003", "000004"));
  EXPECT_FALSE(fs::exists(VersionPath("000001", "")));
  EXPECT_EQ(Publish("five"), "000005");
}

TEST_F(RegistryTest, DescribesWhatItHasAndWhatItRemoved) {
  for (const char* text : {"one", "two", "three"}) Publish(text);
  const auto before = registry_.Describe("snapshot", "default", "000001");
  ASSERT_TRUE(before.ok()) << before.status();
  ASSERT_TRUE(registry_.Prune("snapshot", "default", 1).ok());
  EXPECT_THAT(List(), ElementsAre("000003"));
  for (const char* version : {"000001", "000002", "000003"}) {
    const auto described = registry_.Describe("snapshot", "default", version);
    ASSERT_TRUE(described.ok()) << described.status();
    EXPECT_EQ(described->version, version);
  }
  EXPECT_EQ(*FormatManifest(*registry_.Describe("snapshot", "default", "000001")), *FormatManifest(*before));
  for (const char* version : {"000004", "1", "../000003", ""})
    EXPECT_TRUE(absl::IsNotFound(registry_.Describe("snapshot", "default", version).status())) << version;
  EXPECT_EQ(Publish("four"), "000004");
}

TEST_F(RegistryTest, SortsVersionsByNumberBeyondSixDigits) {
  Publish("one");
  fs::rename(VersionPath("000001", ""), VersionPath("999999", ""));
  EXPECT_EQ(Publish("two"), "1000000");
  EXPECT_THAT(List(), ElementsAre("999999", "1000000"));
}

TEST_F(RegistryTest, ConcurrentPublishesGetNumbersOfTheirOwn) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(registry_.Publish("snapshot", "default", Files("x", "y")).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(List().size(), 20u);
  EXPECT_EQ(List().back(), "000020");
}

}  // namespace
}  // namespace bowerbird::registry
