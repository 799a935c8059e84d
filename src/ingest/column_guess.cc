#include "ingest/column_guess.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "ingest/type_guess.h"

namespace bowerbird::ingest {
namespace {

using Column = TableGuess::Column;

/// The share of values that must fit what a column is taken for; the rest become rejected rows, named one by one.
constexpr double kFits = 0.9;
/// The share of an item's rows that must agree on what describes it.
constexpr double kAgrees = 0.98;
constexpr size_t kActionsMax = 40;
constexpr size_t kRatingStepsMax = 21;
constexpr size_t kAttributesMax = 40;
constexpr double kIdBytesMax = 64;
/// Stands in for the field of a column that is not what its name says.
constexpr char kRefused[] = "-";

const std::vector<std::string_view>& EventFields() {
  static const std::vector<std::string_view> kFields = {"user",      "item",    "time",       "type",  "value",
                                                        "client_id", "surface", "collection", "query", "dwell_ms"};
  return kFields;
}
const std::vector<std::string_view>& ItemFields() {
  static const std::vector<std::string_view> kFields = {"title", "description", "categories",  "image_url",
                                                        "url",   "price",       "created_time"};
  return kFields;
}

/// Within a name, they say whose ids a column holds.
const std::vector<std::string_view> kUserWords = {"user",   "customer", "visitor", "member", "client",
                                                  "person", "account",  "buyer",   "reader", "listener"};
const std::vector<std::string_view> kItemWords = {"item", "product", "movie", "film",   "article",
                                                  "song", "track",   "book",  "video",  "post",
                                                  "game", "place",   "venue", "recipe", "sku"};

/// Seconds, milliseconds or microseconds between 1985 and 2100, or a written date.
bool LooksLikeTime(const std::string& text) {
  double number = 0;
  if (!absl::SimpleAtod(text, &number)) return ReadTimeUs(text).ok();
  for (const double unit : {1.0, 1e3, 1e6}) {
    if (number >= 4.7e8 * unit && number <= 4.1e9 * unit) return true;
  }
  return false;
}

struct Stats {
  size_t present = 0, numbers = 0, whole = 0, times = 0, urls = 0, spaced = 0, bytes = 0;
  double least = 0, most = 0;
  base::StringMap<size_t> distinct;
  TypeGuess type;

  void Add(const Row::Cell& cell) {
    if (!cell.present) return;
    type.Add(cell);
    double number = 0;
    if (absl::SimpleAtod(cell.text, &number) && std::isfinite(number)) {
      least = numbers == 0 ? number : std::min(least, number);
      most = numbers == 0 ? number : std::max(most, number);
      ++numbers;
      if (number == std::floor(number)) ++whole;
    }
    if (LooksLikeTime(cell.text)) ++times;
    if (cell.text.starts_with("http://") || cell.text.starts_with("https://")) ++urls;
    if (cell.text.find(' ') != std::string::npos) ++spaced;
    bytes += cell.text.size();
    ++present;
    ++distinct[cell.text];
  }
  bool Mostly(size_t count) const {
    return present > 0 && static_cast<double>(count) >= kFits * static_cast<double>(present);
  }
  double bytes_mean() const { return present == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(present); }
};

class Guesser {
 public:
  explicit Guesser(std::vector<std::string> names) : names_(std::move(names)), stats_(names_.size()) {
    for (const std::string& name : names_) guess_.columns.push_back({.name = name});
  }

  absl::Status TakeMap(std::string_view text) {
    for (const auto& part : absl::StrSplit(std::string(text), ',', absl::SkipWhitespace())) {
      const std::pair<std::string, std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
      const auto names_field = [&](const std::vector<std::string_view>& fields) {
        return std::find(fields.begin(), fields.end(), pair.first) != fields.end();
      };
      const bool of_item = names_field(ItemFields());
      if (!of_item && !names_field(EventFields())) {
        return absl::InvalidArgumentError(fmt::format("--map: found field '{}'; expected one of {}, {}", pair.first,
                                                      fmt::join(EventFields(), ", "), fmt::join(ItemFields(), ", ")));
      }
      const auto it = std::find(names_.begin(), names_.end(), pair.second);
      if (it == names_.end()) {
        return absl::InvalidArgumentError(
            fmt::format("--map: found column '{}'; the file has {}", pair.second, fmt::join(names_, ", ")));
      }
      Set(static_cast<size_t>(it - names_.begin()), of_item ? "item." + pair.first : pair.first, "as --map says");
    }
    return absl::OkStatus();
  }

  absl::Status Read(RowSource& source, size_t rows_max) {
    Row row;
    while (rows_.size() < rows_max) {
      ASSIGN_OR_RETURN(const bool any, source.Next(&row));
      if (!any) break;
      if (!row.error.empty()) continue;
      for (size_t c = 0; c < names_.size(); ++c) stats_[c].Add(row.cells[c]);
      rows_.push_back(row.cells);
    }
    if (rows_.empty()) return absl::InvalidArgumentError("found no row that can be read; expected a table");
    return absl::OkStatus();
  }

  void EventFieldsByName() {
    std::vector<std::string> fields = Fields();
    for (bool again = true; again;) {
      again = false;
      const std::vector<std::string> before = fields;
      AssignByName(Kind::kEvents, names_, EventFields(), &fields);
      for (size_t c = 0; c < names_.size(); ++c) {
        if (fields[c] == before[c]) continue;
        if (const std::string problem = NotWhatItsNameSays(fields[c], c); !problem.empty()) {
          if (fields[c] != "client_id") guess_.columns[c].why = problem;
          fields[c] = kRefused;  // the next spelling of the field may find another column
          again = true;
        } else {
          Set(c, fields[c], "by its name");
        }
      }
    }
  }

  void EventFieldsByValues() {
    for (size_t c = 0; c < names_.size(); ++c) {
      if (!Free(c) || Has("time") || !NamesNothing(c)) continue;
      if (stats_[c].Mostly(stats_[c].times) && stats_[c].distinct.size() > 1) Set(c, "time", "its values are times");
    }
    for (size_t c = 0; c < names_.size(); ++c) {
      if (!Free(c) || Has("type") || !NamesNothing(c) || stats_[c].distinct.size() > kActionsMax) continue;
      const bool words = std::any_of(stats_[c].distinct.begin(), stats_[c].distinct.end(),
                                     [](const auto& value) { return MeaningOf(value.first).known; });
      if (words && stats_[c].numbers == 0) Set(c, "type", "its values are words for actions");
    }
    // A table without names: 1 to 5 behind user and item is what people thought of it.
    size_t before = 0;
    for (size_t c = 0; c < names_.size(); ++c) {
      const Stats& stats = stats_[c];
      const std::string& field = guess_.columns[c].field;
      if (before >= 2 && Free(c) && !Has("value") && names_[c].starts_with("column_") && stats.Mostly(stats.numbers) &&
          stats.distinct.size() > 1 && stats.distinct.size() <= kRatingStepsMax && stats.least >= 0 && stats.most <= 10)
        Set(c, "value", "its values are few numbers on a scale");
      if (field.empty() || field == "user" || field == "item") ++before;
    }
  }

  absl::Status UserAndItem() {
    for (const std::string_view field : {"user", "item"}) {
      if (Has(field)) continue;
      const auto candidate = Candidate(field);
      if (!candidate) {
        return absl::InvalidArgumentError(fmt::format("no column can be the {} among {}; say which is: --map {}=COLUMN",
                                                      field, fmt::join(names_, ", "), field));
      }
      Set(*candidate, std::string(field), "assumed: the first column of ids that is left");
    }
    return absl::OkStatus();
  }

  void ItemFieldsByName() {
    const std::vector<std::string> before = Fields();
    std::vector<std::string> fields = before;
    AssignByName(Kind::kItems, names_, ItemFields(), &fields);
    for (size_t c = 0; c < names_.size(); ++c) {
      if (!before[c].empty() || fields[c].empty()) continue;
      const bool number = fields[c] == "price", time = fields[c] == "created_time";
      if (!OfItem(c)) {
        guess_.columns[c].why = "differs between rows of one item";
      } else if ((!number || stats_[c].Mostly(stats_[c].numbers)) && (!time || stats_[c].Mostly(stats_[c].times))) {
        Set(c, "item." + fields[c], "by its name");
      }
    }
  }

  /// What is always the same for one item, and no field: the title, the category, attributes.
  void ItemFieldsByValues() {
    size_t items = 1;
    for (size_t c = 0; c < names_.size(); ++c) {
      if (guess_.columns[c].field == "item") items = stats_[c].distinct.size();
    }
    size_t attributes = 0;
    std::set<std::string> taken;
    for (size_t c = 0; c < names_.size(); ++c) {
      if (!Free(c) || !guess_.columns[c].why.empty()) continue;
      const Stats& stats = stats_[c];
      const auto type = stats.type.Get();
      if (!type) {
        guess_.columns[c].why = "empty";
        continue;
      }
      if (!OfItem(c)) {
        guess_.columns[c].why = "differs between rows of one item";
        continue;
      }
      if (stats.distinct.size() < 2) {
        guess_.columns[c].why = "the same in every row";
        continue;
      }
      const bool text = *type == expression::Type::kString || *type == expression::Type::kStrings;
      const bool one_each = static_cast<double>(stats.distinct.size()) >= 0.7 * static_cast<double>(items);
      if (text && !Has("item.title") && one_each && stats.urls == 0 && 4 * stats.spaced >= stats.present &&
          stats.bytes_mean() <= 120) {
        Set(c, "item.title", "one text an item");
        continue;
      }
      if (text && !Has("item.categories") && stats.urls == 0 && stats.distinct.size() * 5 <= items) {
        Set(c, "item.categories", "few texts, each of many items");
        continue;
      }
      const std::string name = PlainName(names_[c]);
      if (attributes < kAttributesMax && DeclarableAttribute(name) && taken.insert(name).second) {
        Set(c, "item.attributes." + name, "the same in all rows of an item");
        guess_.columns[c].type = *type;
        ++attributes;
      } else {
        guess_.columns[c].why = "no name for an attribute";
      }
    }
  }

  TableGuess Finish() {
    for (size_t c = 0; c < names_.size(); ++c) {
      const std::string& field = guess_.columns[c].field;
      if (field == "type") ReadActions(c);
      if (field == "value") guess_.value_scale = ScaleOf(stats_[c]);
      if (field == "item.categories") guess_.list_separator = SeparatorIn(stats_[c]);
    }
    if (!Has("type")) guess_.event_type = guess_.value_scale ? "rating" : "click";
    return std::move(guess_);
  }

 private:
  bool Has(std::string_view field) const { return guess_.Has(field); }
  bool Free(size_t c) const { return guess_.columns[c].field.empty(); }
  void Set(size_t c, std::string field, std::string why) {
    guess_.columns[c].field = std::move(field);
    guess_.columns[c].why = std::move(why);
  }
  std::vector<std::string> Fields() const {
    std::vector<std::string> fields;
    fields.reserve(guess_.columns.size());
    for (const Column& column : guess_.columns) {
      fields.push_back(column.field.starts_with("item.") ? column.field.substr(5) : column.field);
    }
    return fields;
  }
  /// Whether no common spelling of an item's field claims the column: a release date is no time of an action, an image
  /// no id. The spellings of the item's own id do not count.
  bool NamesNothing(size_t c) const {
    const std::string_view field = FieldByName(Kind::kItems, names_[c]);
    return field.empty() || field == "id";
  }

  std::string NotWhatItsNameSays(const std::string& field, size_t c) const {
    const Stats& stats = stats_[c];
    if (field == "time" && !stats.Mostly(stats.times)) {
      return fmt::format("its name says time, but '{}' is none that is understood", Example(c));
    }
    if (field == "dwell_ms" && !stats.Mostly(stats.whole)) return "not whole milliseconds";
    if (field == "client_id" && stats.distinct.size() < stats.present) return "its values repeat: no id of a row";
    if (field == "type" && stats.distinct.size() > kActionsMax) return "too many different values for actions";
    if (field == "value") {
      if (FieldByName(Kind::kItems, names_[c]) == "price") return "a price is no opinion";
      if (!stats.Mostly(stats.numbers)) return fmt::format("'{}' is no number", Example(c));
      if (!ScaleOf(stats))
        return fmt::format("numbers from {:g} to {:g} are no scale of ratings", stats.least, stats.most);
    }
    return "";
  }
  std::string Example(size_t c) const {
    for (const auto& cells : rows_) {
      if (cells[c].present) return cells[c].text.substr(0, 40);
    }
    return "";
  }

  /// What earns nothing and what earns all, on the scales that people use: -1 to 1, 0 to 1, stars to 5, to 10, to 100.
  static std::optional<std::pair<double, double>> ScaleOf(const Stats& stats) {
    if (stats.distinct.size() < 2 || stats.least < -1 || stats.most > 100) return std::nullopt;
    if (stats.most <= 1) return std::pair(0.0, 1.0);
    if (stats.least < 0) return std::nullopt;
    const double full = stats.most <= 5 ? 5 : stats.most <= 10 ? 10 : 100;
    return std::pair(0.4 * full, full);
  }

  std::optional<size_t> Candidate(std::string_view field) const {
    const auto names_one = [&](size_t c, const std::vector<std::string_view>& words) {
      const std::string name = PlainName(names_[c]);
      return std::any_of(words.begin(), words.end(),
                         [&](std::string_view word) { return name.find(word) != name.npos; });
    };
    const bool user = field == "user";
    std::optional<size_t> first;
    for (size_t c = 0; c < names_.size(); ++c) {
      const Stats& stats = stats_[c];
      const bool fraction = stats.numbers > stats.whole;
      if (!Free(c) || !guess_.columns[c].why.empty() || !NamesNothing(c) || fraction || stats.urls > 0 ||
          stats.distinct.size() < 2 || stats.bytes_mean() > kIdBytesMax || names_one(c, user ? kItemWords : kUserWords))
        continue;
      if (names_one(c, user ? kUserWords : kItemWords)) return c;
      if (!first) first = c;
    }
    return first;
  }

  /// Whether the column says the same in (nearly) every row of an item, of the items with several rows.
  bool OfItem(size_t c) const {
    size_t item_column = 0;
    while (guess_.columns[item_column].field != "item") ++item_column;
    base::StringMap<const std::string*> first;
    size_t repeated = 0, agreed = 0;
    for (const auto& cells : rows_) {
      if (!cells[item_column].present || !cells[c].present) continue;
      const auto [it, is_new] = first.emplace(cells[item_column].text, &cells[c].text);
      if (is_new) continue;
      ++repeated;
      if (*it->second == cells[c].text) ++agreed;
    }
    return repeated == 0 ? !NamesNothing(c) : static_cast<double>(agreed) >= kAgrees * static_cast<double>(repeated);
  }

  void ReadActions(size_t c) {
    base::StringSet seen;
    for (const auto& cells : rows_) {
      if (!cells[c].present || seen.contains(cells[c].text)) continue;
      seen.insert(cells[c].text);
      guess_.actions.push_back(MeaningOf(cells[c].text));
    }
  }

  static std::string SeparatorIn(const Stats& stats) {
    std::string best = "|";
    size_t most = 0;
    for (const char* separator : {"|", ";", ", ", ","}) {
      size_t with = 0;
      for (const auto& [text, count] : stats.distinct) with += text.find(separator) != std::string::npos ? 1 : 0;
      if (with > most) {
        most = with;
        best = separator;
      }
    }
    return best;
  }

  const std::vector<std::string> names_;
  std::vector<Stats> stats_;
  std::vector<std::vector<Row::Cell>> rows_;
  TableGuess guess_;
};

}  // namespace

bool TableGuess::Has(std::string_view field) const {
  return std::any_of(columns.begin(), columns.end(), [&](const Column& column) { return column.field == field; });
}

Mapping TableGuess::EventMapping() const {
  Mapping mapping;
  mapping.kind = Kind::kEvents;
  mapping.event_type = event_type;
  for (const Column& column : columns) {
    Mapping::Column fed;
    if (!column.field.starts_with("item.")) fed.field = column.field;
    mapping.columns.push_back(std::move(fed));
  }
  return mapping;
}

Mapping TableGuess::ItemMapping() const {
  Mapping mapping;
  mapping.kind = Kind::kItems;
  mapping.list_separator = list_separator;
  for (const Column& column : columns) {
    Mapping::Column fed;
    fed.type = column.type;
    if (column.field == "item") fed.field = "id";
    if (column.field.starts_with("item.")) fed.field = column.field.substr(5);
    mapping.columns.push_back(std::move(fed));
  }
  return mapping;
}

absl::StatusOr<TableGuess> GuessColumns(RowSource& source, std::string_view map_text, size_t rows_max) {
  Guesser guesser(source.columns());
  RETURN_IF_ERROR(guesser.TakeMap(map_text));
  RETURN_IF_ERROR(guesser.Read(source, rows_max));
  guesser.EventFieldsByName();
  guesser.EventFieldsByValues();
  RETURN_IF_ERROR(guesser.UserAndItem());
  guesser.ItemFieldsByName();
  guesser.ItemFieldsByValues();
  return guesser.Finish();
}

NamedActions::NamedActions(RowSource* source, const TableGuess* guess) : source_(source) {
  for (size_t c = 0; c < guess->columns.size(); ++c) {
    if (guess->columns[c].field == "type") type_column_ = c;
  }
}

absl::StatusOr<bool> NamedActions::Next(Row* row) {
  ASSIGN_OR_RETURN(const bool any, source_->Next(row));
  if (any && row->error.empty() && type_column_) {
    Row::Cell& cell = row->cells[*type_column_];
    if (cell.present) cell.text = MeaningOf(cell.text).type;
  }
  return any;
}

}  // namespace bowerbird::ingest
