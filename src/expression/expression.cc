#include "expression/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "expression/evaluate_columns.h"
#include "expression/evaluate_row.h"
#include "expression/node.h"
#include "expression/parser.h"

namespace bowerbird::expression {
namespace {

void CollectAttributes(const Node& node, std::vector<uint32_t>* attributes) {
  const auto collect = [&](const auto& what) {
    if constexpr (requires { what.attribute; }) {
      attributes->push_back(what.attribute);
    } else if constexpr (requires { what.terms; }) {
      for (const Node& term : what.terms) CollectAttributes(term, attributes);
    } else if constexpr (requires { what.term; }) {
      CollectAttributes(*what.term, attributes);
    }
  };
  std::visit(collect, node.what);
}

}  // namespace

std::string OpenNumber::Text() const { return other.empty() ? name : fmt::format("dot({},{})", name, other); }

Program::Program(std::string text, std::unique_ptr<const Node> root, std::vector<OpenNumber> open, uint32_t open_begin)
    : text_(std::move(text)), root_(std::move(root)), open_(std::move(open)), open_begin_(open_begin) {
  CollectAttributes(*root_, &attributes_);
  std::ranges::sort(attributes_);
  attributes_.erase(std::unique(attributes_.begin(), attributes_.end()), attributes_.end());
}

Program::~Program() = default;

std::shared_ptr<const Program> Program::Compile(std::string_view text, const Schema& schema, CompileError* error) {
  std::vector<OpenNumber> open;
  std::unique_ptr<const Node> root = Parse(text, schema, &open, error);
  if (root == nullptr) return nullptr;
  return std::shared_ptr<const Program>(
      new Program(std::string(text), std::move(root), std::move(open), schema.size()));
}

absl::StatusOr<std::shared_ptr<const Program>> Program::Compile(std::string_view text, const Schema& schema) {
  CompileError error;
  std::shared_ptr<const Program> program = Compile(text, schema, &error);
  if (program == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("at {}: found {}; expected {}", error.position, error.found, error.expected));
  }
  return program;
}

bool Program::Evaluate(const Row& row, int64_t now_us) const { return EvaluateRow(*root_, row, now_us); }

void Program::EvaluateColumns(const Columns& columns, uint32_t begin, uint32_t end, int64_t now_us,
                              std::span<uint64_t> bitmap) const {
  BOWERBIRD_CHECK(begin <= end && bitmap.size() >= (uint64_t{end} - begin + 63) / 64);
  EvaluateTree(*root_, columns, begin, end, now_us, bitmap);
}

}  // namespace bowerbird::expression
