// Random programs over random rows: the row path and the column path must say the same, for every range of rows.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "expression/expression.h"
#include "expression/table_for_test.h"

namespace bowerbird::expression {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;
constexpr int64_t kNowUs = 1'793'000'000'000'000;

Schema TwoOfEachType() {
  Schema schema;
  for (const char* prefix : {"a", "b"}) {
    EXPECT_TRUE(schema.Add(fmt::format("{}_bool", prefix), Type::kBool).ok());
    EXPECT_TRUE(schema.Add(fmt::format("{}_number", prefix), Type::kNumber).ok());
    EXPECT_TRUE(schema.Add(fmt::format("{}_string", prefix), Type::kString).ok());
    EXPECT_TRUE(schema.Add(fmt::format("{}_time", prefix), Type::kTime).ok());
    EXPECT_TRUE(schema.Add(fmt::format("{}_strings", prefix), Type::kStrings).ok());
  }
  return schema;
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : rng_(seed) {}

  uint64_t Below(uint64_t bound) { return rng_.Below(bound); }
  std::string Word(uint64_t distinct) { return fmt::format("w{}", rng_.Below(distinct)); }

  Value RandomValue(Type type, uint64_t words) {
    if (rng_.Bernoulli(0.2)) return std::monostate();
    switch (type) {
      case Type::kBool:
        return rng_.Bernoulli(0.5);
      case Type::kNumber:
        return static_cast<double>(rng_.Below(9)) - 4;
      case Type::kString:
        return Word(words);
      case Type::kTime:
        return TimeUs{kNowUs + (static_cast<int64_t>(rng_.Below(9)) - 6) * kDayUs};
      case Type::kStrings: {
        std::vector<std::string> set;
        for (uint64_t i = rng_.Below(4); i > 0; --i) set.push_back(Word(words));
        return set;
      }
    }
    return std::monostate();
  }

  std::string Expression(const Schema& schema, int depth) {
    const uint64_t choice = depth == 0 ? 0 : rng_.Below(6);
    if (choice == 1) return "not (" + Expression(schema, depth - 1) + ")";
    if (choice < 4) return Term(schema);
    std::string text = "(" + Expression(schema, depth - 1);
    for (uint64_t i = 1 + rng_.Below(3); i > 0; --i) {
      text += (choice == 4 ? " and " : " or ") + Expression(schema, depth - 1);
    }
    return text + ")";
  }

 private:
  std::string Pick(std::initializer_list<const char*> choices) {
    return *(choices.begin() + rng_.Below(choices.size()));
  }
  std::string Number() { return std::to_string(static_cast<int>(rng_.Below(9)) - 4); }
  std::string Comparison() { return Pick({"==", "!=", "<", "<=", ">", ">="}); }
  std::string In() { return Pick({"in", "not in"}); }
  std::string Words() {
    std::string list = fmt::format("[\"{}\"", Word(6));
    for (uint64_t i = rng_.Below(5); i > 0; --i) list += fmt::format(", \"{}\"", Word(6));
    return list + "]";
  }

  std::string Term(const Schema& schema) {
    const auto attribute = static_cast<uint32_t>(rng_.Below(schema.size()));
    const std::string name(schema.name(attribute));
    switch (schema.type(attribute)) {
      case Type::kBool:
        return Pick({"", "not "}) + name + Pick({"", " == true", " != true", " == false"});
      case Type::kNumber:
        if (rng_.Bernoulli(0.5)) return fmt::format("{} {} {}", name, Comparison(), Number());
        if (rng_.Bernoulli(0.5)) return fmt::format("{} {} [{}, {}]", name, In(), Number(), Number());
        return fmt::format("{} {} -{}..{}", name, In(), rng_.Below(4), rng_.Below(4));
      case Type::kString:
        if (rng_.Bernoulli(0.5)) return fmt::format("{} {} \"{}\"", name, Comparison(), Word(6));
        if (rng_.Bernoulli(0.5)) return fmt::format("{} {} {}", name, In(), Words());
        return fmt::format("{} contains \"{}\"", name, rng_.Below(9));
      case Type::kTime:
        if (rng_.Bernoulli(0.5)) return fmt::format("{} {} now - {}d", name, Comparison(), rng_.Below(6));
        return fmt::format("{} {} now - {}d..now - {}d", name, In(), 3 + rng_.Below(3), rng_.Below(3));
      case Type::kStrings:
        if (rng_.Bernoulli(0.5)) return fmt::format("{} contains \"{}\"", name, Word(6));
        return fmt::format("{} {} {}", name, In(), Words());
    }
    return "true";
  }

  base::Rng rng_;
};

TEST(AgreementTest, RowsAndColumnsSayTheSame) {
  const Schema schema = TwoOfEachType();
  constexpr uint64_t kSeed = 20261121;
  Generator generator(kSeed);
  for (int table = 0; table < 12; ++table) {
    // Few words make small dictionaries, many make ones larger than the table; sizes around whole words and blocks.
    const uint64_t words = table % 2 == 0 ? 5 : 4000;
    const size_t sizes[] = {1, 63, 64, 65, 300, 1023, 1024, 1025, 2500, 2, 130, 3000};
    std::vector<std::vector<Value>> rows(sizes[table]);
    for (auto& row : rows) {
      for (uint32_t a = 0; a < schema.size(); ++a) row.push_back(generator.RandomValue(schema.type(a), words));
    }
    const TestColumns columns(schema, rows);
    for (int round = 0; round < 400; ++round) {
      const std::string text = generator.Expression(schema, 3);
      const auto program = Program::Compile(text, schema);
      ASSERT_TRUE(program.ok()) << program.status() << " in " << text;
      const auto begin = static_cast<uint32_t>(generator.Below(2) == 0 ? 0 : generator.Below(rows.size()));
      const auto end = static_cast<uint32_t>(begin + generator.Below(rows.size() - begin + 1));
      std::vector<uint64_t> bitmap((end - begin + 63) / 64, 0xDEADBEEFDEADBEEF);
      (*program)->EvaluateColumns(columns, begin, end, kNowUs, bitmap);
      for (uint32_t i = 0; i < bitmap.size() * 64; ++i) {
        const bool expected = begin + i < end && (*program)->Evaluate(TestRow(rows[begin + i]), kNowUs);
        ASSERT_EQ((bitmap[i / 64] >> (i % 64)) & 1, expected ? 1u : 0u)
            << "seed " << kSeed << ", row " << begin + i << " of [" << begin << ", " << end << "): " << text;
      }
    }
  }
}

}  // namespace
}  // namespace bowerbird::expression
