#include "expression/evaluate_columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "base/check.h"

namespace bowerbird::expression {
namespace {

/// Rows are taken in blocks, so that the bitmaps of every open level stay in the first-level cache and an `and` whose
/// left side is empty, or an `or` whose left side is full, skips the rest of the block.
constexpr uint32_t kBlockWords = 16;
constexpr uint32_t kBlockRows = kBlockWords * 64;
/// The bits of one block; those past its last row are 0.
using Bits = std::array<uint64_t, kBlockWords>;

struct Block {
  uint32_t first;  ///< row
  uint32_t rows;   ///< 1 .. kBlockRows
  uint32_t words() const { return (rows + 63) / 64; }
  /// Of word w: how many of its bits are rows.
  uint32_t WordRows(uint32_t w) const { return std::min<uint32_t>(64, rows - w * 64); }
  uint64_t WordMask(uint32_t w) const { return ~uint64_t{0} >> (64 - WordRows(w)); }
};

/// The 64 bits from `bit` on; 0 past the end of the words.
uint64_t BitsFrom(std::span<const uint64_t> words, size_t bit) {
  const size_t word = bit / 64;
  const size_t shift = bit % 64;
  uint64_t bits = word < words.size() ? words[word] >> shift : 0;
  if (shift != 0 && word + 1 < words.size()) bits |= words[word + 1] << (64 - shift);
  return bits;
}

/// Which codes of a dictionary a literal means.
struct CodeTest {
  enum class Kind : uint8_t { kNone, kOne, kSet, kByText } kind = Kind::kNone;
  uint32_t one = 0;
  std::vector<uint64_t> set;  ///< bitmap over codes

  bool InSet(uint32_t code) const { return (set[code / 64] >> (code % 64)) & 1; }
};

/// A node with its column and its literal resolved for one call.
struct Bound {
  const Node* node = nullptr;
  ColumnView column;
  bool absent = false;  ///< the column does not cover the rows: no row has a value
  CodeTest codes;
  int64_t low = 0, high = 0;  ///< TimeRange, now resolved
  std::vector<Bound> terms;   ///< of Negation (one) and Group
};

CodeTest LookUp(const std::vector<std::string>& texts, const Dictionary& dictionary) {
  CodeTest test;
  for (const std::string& text : texts) {
    const std::optional<uint32_t> code = dictionary.Find(text);
    if (!code) continue;
    if (test.kind == CodeTest::Kind::kNone) {
      test.kind = CodeTest::Kind::kOne;
      test.one = *code;
      continue;
    }
    if (test.kind == CodeTest::Kind::kOne) {
      test.kind = CodeTest::Kind::kSet;
      test.set.assign(dictionary.size() / 64 + 1, 0);
      test.set[test.one / 64] |= uint64_t{1} << (test.one % 64);
    }
    test.set[*code / 64] |= uint64_t{1} << (*code % 64);
  }
  return test;
}

/// For tests of the text itself: of each distinct text once if there are fewer of them than rows, else of each row's.
template <typename T>
CodeTest TestTexts(const T& node, const Dictionary& dictionary, uint32_t rows) {
  CodeTest test;
  test.kind = CodeTest::Kind::kByText;
  if (dictionary.size() > rows) return test;
  test.kind = CodeTest::Kind::kSet;
  test.set.assign(dictionary.size() / 64 + 1, 0);
  for (uint32_t code = 0; code < dictionary.size(); ++code) {
    if (node.Matches(dictionary.Text(code))) test.set[code / 64] |= uint64_t{1} << (code % 64);
  }
  return test;
}

class Binder {
 public:
  Binder(const Columns& columns, uint32_t begin, uint32_t end, int64_t now_us)
      : columns_(columns), begin_(begin), end_(end), now_us_(now_us) {}

  Bound Bind(const Node& node) const {
    Bound bound;
    bound.node = &node;
    std::visit([&](const auto& what) { Fill(what, &bound); }, node.what);
    return bound;
  }

 private:
  void Fill(const Constant&, Bound*) const {}
  void Fill(const Negation& node, Bound* bound) const { bound->terms.push_back(Bind(*node.term)); }
  void Fill(const Group& node, Bound* bound) const {
    bound->terms.reserve(node.terms.size());
    for (const Node& term : node.terms) bound->terms.push_back(Bind(term));
  }
  void Fill(const BoolTest& node, Bound* bound) const {
    Take(node.attribute, Type::kBool, bound);
    bound->absent = bound->absent || bound->column.bools.size() < (uint64_t{end_} + 63) / 64;
  }
  void Fill(const NumberRange& node, Bound* bound) const { TakeNumbers(node.attribute, bound); }
  void Fill(const NumberList& node, Bound* bound) const { TakeNumbers(node.attribute, bound); }
  void Fill(const TimeRange& node, Bound* bound) const {
    Take(node.attribute, Type::kTime, bound);
    bound->absent = bound->absent || bound->column.times.size() < end_;
    bound->low = node.low.At(now_us_);
    bound->high = node.high.At(now_us_);
  }
  void Fill(const TextList& node, Bound* bound) const {
    if (TakeTexts(node.attribute, bound)) bound->codes = LookUp(node.texts, *bound->column.dictionary);
  }
  void Fill(const TextOrder& node, Bound* bound) const {
    if (TakeTexts(node.attribute, bound)) bound->codes = TestTexts(node, *bound->column.dictionary, end_ - begin_);
  }
  void Fill(const TextContains& node, Bound* bound) const {
    if (TakeTexts(node.attribute, bound)) bound->codes = TestTexts(node, *bound->column.dictionary, end_ - begin_);
  }
  void Fill(const SetContains& node, Bound* bound) const {
    Take(node.attribute, Type::kStrings, bound);
    const ColumnView& column = bound->column;
    if (column.offsets.size() <= end_ || column.dictionary == nullptr || column.offsets[end_] > column.codes.size() ||
        column.offsets[begin_] > column.offsets[end_]) {
      bound->absent = true;
    }
    if (!bound->absent) bound->codes = LookUp(node.texts, *column.dictionary);
  }

  void Take(uint32_t attribute, Type type, Bound* bound) const {
    bound->column = columns_.Column(attribute);
    bound->absent = bound->column.type != type;
  }
  void TakeNumbers(uint32_t attribute, Bound* bound) const {
    Take(attribute, Type::kNumber, bound);
    bound->absent = bound->absent || bound->column.numbers.size() < (bound->column.constant ? 1 : end_);
  }
  bool TakeTexts(uint32_t attribute, Bound* bound) const {
    Take(attribute, Type::kString, bound);
    bound->absent = bound->absent || bound->column.codes.size() < end_ || bound->column.dictionary == nullptr;
    return !bound->absent;
  }

  const Columns& columns_;
  uint32_t begin_, end_;
  int64_t now_us_;
};

/// out = one bit for each row of the block, test(row).
template <typename Test>
void EachRow(const Block& block, Bits* out, const Test& test) {
  for (uint32_t w = 0; w < block.words(); ++w) {
    const uint32_t first = block.first + w * 64;
    const uint32_t rows = block.WordRows(w);
    uint64_t bits = 0;
    // Full words apart: a constant count lets the compiler unroll.
    if (rows == 64) {
      for (uint32_t i = 0; i < 64; ++i) bits |= static_cast<uint64_t>(test(first + i)) << i;
    } else {
      for (uint32_t i = 0; i < rows; ++i) bits |= static_cast<uint64_t>(test(first + i)) << i;
    }
    (*out)[w] = bits;
  }
}

void KeepPresent(const Bound& bound, const Block& block, Bits* out) {
  if (bound.column.present.empty()) return;
  for (uint32_t w = 0; w < block.words(); ++w) (*out)[w] &= BitsFrom(bound.column.present, block.first + w * 64);
}

void EvaluateBlock(const Bound& bound, const Block& block, Bits* out);

struct BlockEvaluator {
  const Bound& bound;
  const Block& block;
  Bits* out;

  void operator()(const Constant& node) const { Fill(node.value); }
  void Fill(bool value) const {
    for (uint32_t w = 0; w < block.words(); ++w) (*out)[w] = value ? block.WordMask(w) : 0;
  }
  void operator()(const Negation&) const {
    EvaluateBlock(bound.terms[0], block, out);
    for (uint32_t w = 0; w < block.words(); ++w) (*out)[w] = ~(*out)[w] & block.WordMask(w);
  }
  void operator()(const Group& node) const {
    EvaluateBlock(bound.terms[0], block, out);
    Bits term;
    for (size_t t = 1; t < bound.terms.size() && !Decided(node.all); ++t) {
      EvaluateBlock(bound.terms[t], block, &term);
      for (uint32_t w = 0; w < block.words(); ++w) (*out)[w] = node.all ? (*out)[w] & term[w] : (*out)[w] | term[w];
    }
  }
  bool Decided(bool all) const {
    for (uint32_t w = 0; w < block.words(); ++w) {
      if ((*out)[w] != (all ? 0 : block.WordMask(w))) return false;
    }
    return true;
  }

  void operator()(const BoolTest& node) const {
    for (uint32_t w = 0; w < block.words(); ++w) {
      const uint64_t bits = BitsFrom(bound.column.bools, block.first + w * 64);
      (*out)[w] = (node.value ? bits : ~bits) & block.WordMask(w);
    }
    KeepPresent(bound, block, out);
  }
  void operator()(const NumberRange& node) const {
    const double* numbers = bound.column.numbers.data();
    const double low = node.low, high = node.high;
    if (bound.column.constant) {
      const double number = numbers[0];
      Fill(node.outside ? number < low || number > high : number >= low && number <= high);
    } else if (node.outside) {
      EachRow(block, out, [=](uint32_t r) { return (numbers[r] < low) | (numbers[r] > high); });
    } else {
      EachRow(block, out, [=](uint32_t r) { return (numbers[r] >= low) & (numbers[r] <= high); });
    }
    KeepPresent(bound, block, out);
  }
  void operator()(const NumberList& node) const {
    const auto listed = [&](double number) {
      return !std::isnan(number) && std::binary_search(node.numbers.begin(), node.numbers.end(), number);
    };
    if (bound.column.constant) {
      Fill(listed(bound.column.numbers[0]));
    } else {
      EachRow(block, out, [&](uint32_t r) { return listed(bound.column.numbers[r]); });
    }
    KeepPresent(bound, block, out);
  }
  void operator()(const TimeRange& node) const {
    const int64_t* times = bound.column.times.data();
    const int64_t low = bound.low, high = bound.high;
    const bool outside = node.outside;
    EachRow(block, out, [=](uint32_t r) { return ((times[r] >= low) & (times[r] <= high)) != outside; });
    KeepPresent(bound, block, out);
  }
  template <typename T>
  auto ByText(const T& node) const {
    return [&](uint32_t code) { return node.Matches(bound.column.dictionary->Text(code)); };
  }
  void operator()(const TextList& node) const {
    Texts(node.outside, [](uint32_t) { return false; });
  }
  void operator()(const TextOrder& node) const { Texts(false, ByText(node)); }
  void operator()(const TextContains& node) const { Texts(false, ByText(node)); }
  void operator()(const SetContains&) const {
    if (bound.codes.kind == CodeTest::Kind::kOne) {
      Sets([one = bound.codes.one](uint32_t code) { return code == one; });
    } else if (bound.codes.kind == CodeTest::Kind::kSet) {
      const uint32_t size = bound.column.dictionary->size();
      Sets([&](uint32_t code) { return code < size && bound.codes.InSet(code); });
    } else {
      out->fill(0);
    }
  }

  template <typename Test>
  void Texts(bool outside, const Test& by_text) const {
    const uint32_t* codes = bound.column.codes.data();
    const uint32_t size = bound.column.dictionary->size();
    switch (bound.codes.kind) {
      case CodeTest::Kind::kNone:
        EachRow(block, out, [=](uint32_t r) { return (codes[r] < size) & outside; });
        break;
      case CodeTest::Kind::kOne:
        EachRow(block, out,
                [=, one = bound.codes.one](uint32_t r) { return (codes[r] < size) & ((codes[r] == one) != outside); });
        break;
      case CodeTest::Kind::kSet:
        EachRow(block, out, [&](uint32_t r) { return codes[r] < size && bound.codes.InSet(codes[r]) != outside; });
        break;
      case CodeTest::Kind::kByText:
        EachRow(block, out, [&](uint32_t r) { return codes[r] < size && by_text(codes[r]); });
        break;
    }
  }
  /// One pass over the codes of the block; the row is looked for only where one matches.
  template <typename Test>
  void Sets(const Test& test) const {
    out->fill(0);
    const uint32_t* offsets = bound.column.offsets.data() + block.first;
    uint32_t row = 0;
    const auto end = static_cast<uint32_t>(std::min<size_t>(offsets[block.rows], bound.column.codes.size()));
    for (uint32_t at = offsets[0]; at < end; ++at) {
      if (!test(bound.column.codes[at])) continue;
      while (row + 1 < block.rows && offsets[row + 1] <= at) ++row;
      (*out)[row / 64] |= uint64_t{1} << (row % 64);
    }
  }
};

void EvaluateBlock(const Bound& bound, const Block& block, Bits* out) {
  if (bound.absent) {
    out->fill(0);
    return;
  }
  std::visit(BlockEvaluator{bound, block, out}, bound.node->what);
}

}  // namespace

void EvaluateTree(const Node& root, const Columns& columns, uint32_t begin, uint32_t end, int64_t now_us,
                  std::span<uint64_t> bitmap) {
  if (begin == end) return;
  const Bound bound = Binder(columns, begin, end, now_us).Bind(root);
  Bits bits;
  for (uint32_t first = begin; first < end;) {
    const Block block = {first, std::min(kBlockRows, end - first)};
    EvaluateBlock(bound, block, &bits);
    std::copy_n(bits.begin(), block.words(), bitmap.begin() + (first - begin) / 64);
    first += block.rows;
  }
}

}  // namespace bowerbird::expression
