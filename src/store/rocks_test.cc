#include "store/rocks.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <filesystem>

#include "base/hash.h"

namespace bowerbird::store {
namespace {

class RocksTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "store_rocks_test_" + base::HexEncode(base::RandomBytes(6)) + "/inner";
  }
  void TearDown() override { std::filesystem::remove_all(std::filesystem::path(folder_).parent_path()); }
  absl::StatusOr<std::unique_ptr<RocksStore>> Open(const std::vector<std::string>& names) {
    const RocksMemory memory = MakeRocksMemory(1 << 20, 4 << 20);
    std::vector<RocksStore::Column> columns;
    for (const std::string& name : names) columns.push_back({name, RocksColumnOptions(memory, 1 << 20)});
    return RocksStore::Open(folder_, RocksDbOptions(memory), columns);
  }
  std::string folder_;
};

TEST_F(RocksTest, KeepsColumnsApartAndReopens) {
  {
    auto store = Open({"users", "offsets"});
    ASSERT_TRUE(store.ok()) << store.status();
    rocksdb::DB& db = (*store)->db();
    ASSERT_TRUE(db.Put({}, (*store)->column(0), "k", "users").ok());
    ASSERT_TRUE(db.Put({}, (*store)->column(1), "k", "offsets").ok());
  }
  auto store = Open({"offsets", "users"});
  ASSERT_TRUE(store.ok()) << store.status();
  std::string value;
  ASSERT_TRUE((*store)->db().Get({}, (*store)->column(0), "k", &value).ok());
  EXPECT_EQ(value, "offsets");
}

TEST_F(RocksTest, SecondOpenerIsToldThatTheFolderIsInUse) {
  auto first = Open({"users"});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Open({"users"}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(RocksTest, RefusesAFolderWithAColumnThatIsNotNamed) {
  ASSERT_TRUE(Open({"users", "offsets"}).ok());
  const absl::Status status = Open({"users"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

TEST_F(RocksTest, AMarkOfDamageStaysUntilTheStoreIsDeleted) {
  ASSERT_TRUE(Open({"users"}).ok());
  rocksdb::Env* disk = rocksdb::Env::Default();
  EXPECT_FALSE(IsMarkedDamaged(disk, folder_));
  MarkDamaged(disk, folder_);
  EXPECT_TRUE(IsMarkedDamaged(disk, folder_));
  ASSERT_TRUE(Open({"users"}).ok()) << "opening is the caller's choice";
  ASSERT_TRUE(DeleteStore(disk, folder_).ok());
  EXPECT_FALSE(IsMarkedDamaged(disk, folder_));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  EXPECT_TRUE(DeleteStore(disk, folder_ + "/nothing").ok());
}

TEST(FromRocksTest, CodesSayWhatTheCallerCanDo) {
  using rocksdb::Status;
  EXPECT_TRUE(FromRocks(Status::OK(), "read").ok());
  EXPECT_EQ(FromRocks(Status::NotFound(), "read").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FromRocks(Status::Corruption("block"), "read").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(FromRocks(Status::IOError("fsync"), "write").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(FromRocks(Status::NoSpace("disk"), "write").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(FromRocks(Status::InvalidArgument("x"), "open").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FromRocks(Status::IOError("fsync"), "append events").message(), "append events: IO error: fsync");
}

}  // namespace
}  // namespace bowerbird::store
