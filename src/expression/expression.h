#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "expression/columns.h"
#include "expression/row.h"
#include "expression/schema.h"
#include "expression/value.h"

namespace bowerbird::expression {

/// What Compile found wrong, in parts, for callers that report it in their own form.
struct CompileError {
  uint32_t position = 0;  ///< byte of the text, from 1
  std::string found;
  std::string expected;
};

/// A number that a text names below an open prefix of its schema, or the inner product of two such vectors.
struct OpenNumber {
  std::string name;
  std::string other;  ///< of dot(name, other); empty: the number itself

  /// As a text says it, without spaces.
  std::string Text() const;
  friend bool operator==(const OpenNumber&, const OpenNumber&) = default;
};

/// Reads one open number, and nothing else. Nothing when it is refused; then `error` says why.
std::optional<OpenNumber> ParseOpenNumber(std::string_view text, const Schema& schema, CompileError* error);

struct Node;

/// A compiled condition over attributes, such as `price in 10..20 and not (tags contains "adult") and created > now -
/// 30d`. docs/expressions.md describes the language. Absent values: every comparison with one is false (`!=` too), and
/// `not` negates, also in `not in`; there is no third truth value. Row and column evaluation agree on every row.
///
/// Threads  immutable: any thread at once.
/// Bounds   texts of kTextBytesMax bytes, kDepthMax levels of parentheses and `not`, lists of kListMax; nothing
/// recurses deeper; kOpenMax open numbers.
class Program {
 public:
  static constexpr uint32_t kTextBytesMax = 4096;
  static constexpr uint32_t kDepthMax = 32;
  static constexpr uint32_t kListMax = 1000;
  static constexpr uint32_t kOpenMax = 32;

  /// InvalidArgument: "at POSITION: found X; expected Y". Any bytes may be given.
  static absl::StatusOr<std::shared_ptr<const Program>> Compile(std::string_view text, const Schema& schema);
  /// The same; null when the text is refused, and then `error` says why.
  static std::shared_ptr<const Program> Compile(std::string_view text, const Schema& schema, CompileError* error);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Cost: no allocation; stops at the first term that decides.
  bool Evaluate(const Row& row, int64_t now_us) const;

  /// Overwrites `bitmap` with one bit for each row of [begin, end): bit i % 64 of word i / 64 is row begin + i; the
  /// bits after the last row of the last word are 0. `bitmap` holds at least (end - begin + 63) / 64 words; begin <=
  /// end. Cost: expression_bench; some allocations a call, none a row. Several calls on neighbouring ranges, multiples
  /// of 64, may share one bitmap.
  void EvaluateColumns(const Columns& columns, uint32_t begin, uint32_t end, int64_t now_us,
                       std::span<uint64_t> bitmap) const;

  /// The schema indices in use, ascending, each once.
  std::span<const uint32_t> attributes() const { return attributes_; }
  /// What it names beyond the schema, each once: a row or columns are asked for open()[i] as attribute open_begin() +
  /// i.
  std::span<const OpenNumber> open() const { return open_; }
  uint32_t open_begin() const { return open_begin_; }
  const std::string& text() const { return text_; }

 private:
  Program(std::string text, std::unique_ptr<const Node> root, std::vector<OpenNumber> open, uint32_t open_begin);

  std::string text_;
  std::unique_ptr<const Node> root_;
  std::vector<uint32_t> attributes_;
  std::vector<OpenNumber> open_;
  uint32_t open_begin_ = 0;
};

}  // namespace bowerbird::expression
