// Any bytes: compile or be refused with a position inside the text; what compiles says the same over rows and over
// columns.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "expression/expression.h"
#include "expression/table_for_test.h"

namespace bowerbird::expression {
namespace {

constexpr int64_t kNowUs = 1'793'000'000'000'000;

struct Table {
  Schema schema;
  std::vector<std::vector<Value>> rows;
  std::unique_ptr<TestColumns> columns;

  Table() {
    const auto add = [&](const char* name, Type type) { BOWERBIRD_CHECK(schema.Add(name, type).ok()); };
    add("price", Type::kNumber);
    add("available", Type::kBool);
    add("color", Type::kString);
    add("created", Type::kTime);
    add("tags", Type::kStrings);
    schema.OpenBelow("item.features.", "TABLE.COLUMN");
    for (int r = 0; r < 70; ++r) {
      std::vector<Value> row(5);
      if (r % 7 != 0) row[0] = static_cast<double>(r - 20);
      if (r % 5 != 0) row[1] = r % 2 == 0;
      if (r % 3 != 0) row[2] = std::string(1, static_cast<char>('a' + r % 4));
      if (r % 4 != 0) row[3] = TimeUs{kNowUs - r * int64_t{43'200'000'000}};
      if (r % 6 != 0) row[4] = std::vector<std::string>{std::string(1, static_cast<char>('a' + r % 3)), "b"};
      rows.push_back(std::move(row));
    }
    columns = std::make_unique<TestColumns>(schema, rows);
  }
};

}  // namespace
}  // namespace bowerbird::expression

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::expression;
  static const Table* table = new Table();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CompileError error;
  const std::shared_ptr<const Program> program = Program::Compile(text, table->schema, &error);
  if (program == nullptr) {
    BOWERBIRD_CHECK(error.position >= 1 && error.position <= size + 1);
    BOWERBIRD_CHECK(!error.found.empty() && !error.expected.empty());
    return 0;
  }
  BOWERBIRD_CHECK(program->text() == text);
  const auto rows = static_cast<uint32_t>(table->rows.size());
  uint64_t bitmap[2];
  program->EvaluateColumns(*table->columns, 0, rows, kNowUs, bitmap);
  for (uint32_t r = 0; r < 128; ++r) {
    const bool expected = r < rows && program->Evaluate(TestRow(table->rows[r]), kNowUs);
    BOWERBIRD_CHECK(((bitmap[r / 64] >> (r % 64)) & 1) == (expected ? 1 : 0));
  }
  return 0;
}
