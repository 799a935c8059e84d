#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "expression/value.h"
#include "ingest/action_words.h"
#include "ingest/mapping.h"
#include "ingest/row_source.h"

namespace bowerbird::ingest {

/// What a table of what people did is taken to say, and why: for a file that nobody described.
struct TableGuess {
  struct Column {
    std::string name;
    /// A field of events ("user", "item", "time", "type", "value", ...), or of the item that the row names
    /// ("item.title", "item.categories", "item.attributes.brand"); empty: not used.
    std::string field;
    expression::Type type = expression::Type::kString;  ///< of an attribute
    std::string why;                                    ///< "by its name", "values look like times", ...
  };
  std::vector<Column> columns;         ///< those of the source, in its order
  std::vector<ActionMeaning> actions;  ///< the words of the column "type", in the order of their first row
  std::string event_type;              ///< of every row where no column says: "rating" beside a rating, else "click"
  /// The value that teaches nothing and the one that teaches in full, by the scale that the ratings have.
  std::optional<std::pair<double, double>> value_scale;
  std::string list_separator = "|";  ///< between several categories or values of one cell

  bool Has(std::string_view field) const;
  /// The events' side of the table.
  Mapping EventMapping() const;
  /// The items' side: each row describes the item that it names.
  Mapping ItemMapping() const;
};

/// Reads up to `rows_max` rows. A field is given by `map_text` ("user=who,title=film"; fields of events, or of items
/// without "item."), else by a common spelling of the column's name, else by the values: times, words for actions,
/// numbers on a scale, ids. What is always the same for one item describes the item.
/// InvalidArgument: no column can be the user or the item, naming the columns and --map; a map that names none of them.
absl::StatusOr<TableGuess> GuessColumns(RowSource& source, std::string_view map_text, size_t rows_max);

/// `source` with the words for actions replaced by the names of their event types.
class NamedActions final : public RowSource {
 public:
  /// `source` and `guess` outlive it.
  NamedActions(RowSource* source, const TableGuess* guess);
  const std::vector<std::string>& columns() const override { return source_->columns(); }
  absl::StatusOr<bool> Next(Row* row) override;
  absl::Status Rewind() override { return source_->Rewind(); }
  double progress() const override { return source_->progress(); }

 private:
  RowSource* const source_;
  std::optional<size_t> type_column_;
};

}  // namespace bowerbird::ingest
