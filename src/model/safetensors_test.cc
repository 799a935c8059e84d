#include "model/safetensors.h"

#include <cstring>
#include <string>
#include <vector>

#include "base/vector_math.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bowerbird::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string File(std::string header, std::string data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

std::string Sample() {
  SafetensorsWriter writer;
  const std::vector<float> factors = {1, 2, 3, 4, 5, 6};
  const std::vector<uint16_t> halves = {base::ToBf16(0.5f), base::ToBf16(-2.0f), base::ToBf16(8.0f)};
  writer.AddBf16("halves", std::vector<uint64_t>{3}, halves);
  writer.AddF32("factors \"quoted\"", std::vector<uint64_t>{2, 3}, factors);
  writer.AddF32("empty", std::vector<uint64_t>{0, 7}, {});
  writer.SetMetadata("unobserved_weight", "0.01");
  return writer.Finish();
}

TEST(SafetensorsTest, ReadsWhatWasWritten) {
  const std::string file = Sample();
  auto read = Safetensors::Parse(file);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->tensors().size(), 3u);
  EXPECT_EQ(read->metadata().at("unobserved_weight"), "0.01");
  EXPECT_THAT(read->ReadF32("factors \"quoted\"", std::vector<uint64_t>{2, 3}).value(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(read->ReadF32("halves", std::vector<uint64_t>{3}).value(), ElementsAre(0.5f, -2.0f, 8.0f));
  EXPECT_THAT(read->ReadBf16("halves", std::vector<uint64_t>{3}).value().size(), 3u);
  EXPECT_TRUE(read->ReadF32("empty", std::vector<uint64_t>{0, 7}).value().empty());
}

TEST(SafetensorsTest, SaysWhichTensorDoesNotFit) {
  const std::string file = Sample();
  auto read = Safetensors::Parse(file);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->ReadF32("none", {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(read->ReadF32("halves", std::vector<uint64_t>{4}).status().message()),
              HasSubstr("shape is [3]; expected [4]"));
  EXPECT_THAT(std::string(read->ReadBf16("empty", std::vector<uint64_t>{0, 7}).status().message()),
              HasSubstr("expected BF16"));
}

TEST(SafetensorsTest, TensorsStartAligned) {
  const std::string file = Sample();
  auto read = Safetensors::Parse(file);
  ASSERT_TRUE(read.ok());
  for (const auto& [name, tensor] : read->tensors()) {
    EXPECT_EQ((tensor.bytes.data() - file.data()) % (tensor.type == TensorType::kF32 ? 4 : 2), 0) << name;
  }
}

TEST(SafetensorsTest, EveryTruncationIsRefusedAndNoFlippedBitCrashes) {
  const std::string file = Sample();
  for (size_t size = 0; size < file.size(); ++size) EXPECT_FALSE(Safetensors::Parse(file.substr(0, size)).ok()) << size;
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    if (auto read = Safetensors::Parse(flipped); read.ok()) {
      for (const auto& [name, tensor] : read->tensors()) EXPECT_TRUE(read->ReadF32(name, tensor.shape).ok());
    }
  }
}

struct BadFile {
  std::string name, header, data, problem;
};

class SafetensorsRefusesTest : public testing::TestWithParam<BadFile> {};

TEST_P(SafetensorsRefusesTest, AndSaysWhy) {
  const auto read = Safetensors::Parse(File(GetParam().header, GetParam().data));
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    All, SafetensorsRefusesTest,
    testing::Values(
        BadFile{"not_json", "{nonsense", "", "not a JSON object"}, BadFile{"array", "[]", "", "not a JSON object"},
        BadFile{"type", R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", "12345678",
                "expected F32 or BF16"},
        BadFile{"no_type", R"({"a":{"shape":[1],"data_offsets":[0,4]}})", "1234", "dtype"},
        BadFile{"not_an_object", R"({"a":3})", "", "dtype"},
        BadFile{"negative", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234", "not a size"},
        BadFile{"overflow", R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "",
                "overflows"},
        BadFile{"wrap", R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", "1234",
                "expected 4611686018427387905 values"},
        BadFile{"deep", R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", "1234",
                "over 8 dimensions"},
        BadFile{"backwards", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "1234", "expected within"},
        BadFile{"outside", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234", "expected within"},
        BadFile{"size", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234", "expected 2 values"},
        BadFile{
            "overlap",
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
            "1234", "overlaps"},
        BadFile{"hole", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "12345678", "leaves a hole"},
        BadFile{"rest", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "123456", "2 bytes after"},
        BadFile{
            "twice",
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
            "12345678", "twice"},
        BadFile{"three_offsets", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}})", "1234",
                "pair of offsets"},
        BadFile{"metadata", R"({"__metadata__":{"a":1}})", "", "not a string"}),
    [](const auto& info) { return info.param.name; });

TEST(SafetensorsTest, RefusesALengthThatLies) {
  std::string file = Sample();
  const uint64_t huge = ~uint64_t{0};
  std::memcpy(file.data(), &huge, 8);
  EXPECT_THAT(std::string(Safetensors::Parse(file).status().message()), HasSubstr("header's length"));
}

}  // namespace
}  // namespace bowerbird::model
