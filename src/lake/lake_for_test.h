#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bowerbird/v1/event.pb.h"
#include "contract/manual_clock.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "lake/lake.h"
#include "simulation/memory_log.h"

namespace bowerbird::lake {

inline constexpr int64_t kTestHourUs = 3'600'000'000;
inline constexpr int64_t kTestStartUs = 491'000 * kTestHourUs;  // 2026-01-05T08:00:00Z

/// Sets about half of the fields, whichever the message has: a field that is added to it is tested without a change
/// here.
inline void FillRandomly(google::protobuf::Message* message, std::mt19937_64* random) {
  using google::protobuf::FieldDescriptor;
  const auto* reflection = message->GetReflection();
  const auto below = [&](uint64_t bound) { return (*random)() % bound; };
  const auto text = [&] {
    static constexpr const char* kPieces[] = {"a", "Z", "7", " ", "\"", "\\", "é", "日", "\n", "😀", "-"};
    std::string out;
    for (uint64_t i = below(8); i > 0; --i) out += kPieces[below(std::size(kPieces))];
    return out;
  };
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (below(2) == 0) continue;
    const uint64_t count = field->is_repeated() ? below(4) : 1;
    for (uint64_t n = 0; n < count; ++n) {
      const auto set = [&](auto setter, auto adder, auto value) {
        field->is_repeated() ? (reflection->*adder)(message, field, value)
                             : (reflection->*setter)(message, field, value);
      };
      using R = google::protobuf::Reflection;
      const uint64_t bits = (*random)() >> below(64);
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_BOOL:
          set(&R::SetBool, &R::AddBool, below(2) == 1);
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          set(&R::SetInt32, &R::AddInt32, static_cast<int32_t>(bits));
          break;
        case FieldDescriptor::CPPTYPE_INT64:
          set(&R::SetInt64, &R::AddInt64, static_cast<int64_t>(bits));
          break;
        case FieldDescriptor::CPPTYPE_UINT32:
          set(&R::SetUInt32, &R::AddUInt32, static_cast<uint32_t>(bits));
          break;
        case FieldDescriptor::CPPTYPE_UINT64:
          set(&R::SetUInt64, &R::AddUInt64, bits);
          break;
        case FieldDescriptor::CPPTYPE_FLOAT:
          set(&R::SetFloat, &R::AddFloat, static_cast<float>(below(1000)) / 8);
          break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
          set(&R::SetDouble, &R::AddDouble, below(8) == 0 ? -0.0 : static_cast<double>(bits) / 3);
          break;
        case FieldDescriptor::CPPTYPE_STRING:
          set(&R::SetString, &R::AddString,
              field->type() == FieldDescriptor::TYPE_BYTES ? std::string("\x00\xff\x01", 3) : text());
          break;
        case FieldDescriptor::CPPTYPE_MESSAGE:
          FillRandomly(field->is_repeated() ? reflection->AddMessage(message, field)
                                            : reflection->MutableMessage(message, field),
                       random);
          break;
        case FieldDescriptor::CPPTYPE_ENUM:
          break;
      }
    }
  }
}

/// A log of two partitions, a clock, and a lake over it that can be opened again.
class LakeTest : public testing::Test {
 protected:
  LakeTest() {
    std::filesystem::remove_all(dir_);
    clock_.Set(kTestStartUs);
    log_ = std::make_unique<simulation::MemoryLog>(&log_disk_, &clock_, 2);
    Reopen();
  }
  ~LakeTest() override {
    lake_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Reopen(OnStep on_step = nullptr) {
    Lake::Options options;
    options.folder = dir_ + "/lake";
    options.log = log_.get();
    options.clock = &clock_;
    options.on_step = std::move(on_step);
    lake_ = std::make_unique<Lake>(std::move(options));
  }
  void Append(log::Topic topic, uint32_t partition, std::string key, std::string value) {
    std::vector<log::AppendRecord> batch;
    batch.push_back({topic, partition, std::move(key), std::move(value)});
    ASSERT_TRUE(log_->Append(std::move(batch)).ok());
  }
  void AppendEvent(uint32_t partition, const std::string& user, const std::string& client_id,
                   const std::string& type = "click") {
    v1::Event event;
    event.set_type(type);
    event.set_user(user);
    event.set_item("item");
    event.set_client_id(client_id);
    event.set_event_time_us(clock_.NowUs());
    Append(log::Topic::kEvents, partition, user, event.SerializeAsString());
  }
  /// The records of a table as the lake has them, by partition and in its order.
  std::map<uint32_t, std::vector<log::Record>> Records(std::string_view table) {
    std::map<uint32_t, std::vector<log::Record>> records;
    for (uint32_t partition = 0; partition < 2; ++partition) {
      const absl::Status read = lake_->Read(table, partition, 0, UINT64_MAX, [&](const log::Record& record) {
        records[partition].push_back(record);
        return absl::OkStatus();
      });
      EXPECT_TRUE(read.ok()) << read;
    }
    return records;
  }
  std::map<uint32_t, std::vector<log::Record>> LogRecords(log::Topic topic) {
    std::map<uint32_t, std::vector<log::Record>> records;
    for (uint32_t partition = 0; partition < log_->PartitionCount(topic); ++partition) {
      auto read = log_->Read(topic, partition, *log_->BeginOffset(topic, partition), 100'000, 1u << 30);
      if (read.ok() && !read->records.empty()) records[partition] = std::move(read->records);
    }
    return records;
  }
  /// Paths of the files of a table that its manifest names.
  std::vector<std::string> Parts(std::string_view table) {
    std::vector<std::string> paths;
    const auto all = lake_->Files();
    EXPECT_TRUE(all.ok()) << all.status();
    for (const TableFiles& files : *all) {
      if (files.name == table) paths = files.paths;
    }
    return paths;
  }

  const std::string dir_ =
      (std::filesystem::temp_directory_path() / fmt::format("bowerbird_lake_test_{}", getpid())).string();
  log::ManualClock clock_;
  simulation::LogDisk log_disk_;
  std::unique_ptr<log::EventLog> log_;
  std::unique_ptr<Lake> lake_;
};

}  // namespace bowerbird::lake
