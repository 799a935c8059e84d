#include "ingest/movielens.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/status_macros.h"
#include "ingest/starter.h"

namespace bowerbird::ingest {
namespace {

namespace fs = std::filesystem;
constexpr size_t kTagsMax = 32;

/// `stem` with one of the endings that the files come with; empty when there is none.
std::string FindFile(const std::string& folder, const std::string& stem) {
  for (const char* form : {".csv", ".dat"}) {
    for (const char* packed : {"", ".zst", ".gz"}) {
      const fs::path path = fs::path(folder) / (stem + form + packed);
      if (fs::exists(path)) return path.string();
    }
  }
  return "";
}

absl::StatusOr<std::unique_ptr<RowSource>> OpenTable(const std::string& path, std::vector<std::string> columns) {
  const bool old_form = path.find(".dat") != std::string::npos;
  return old_form ? OpenCsv(path, "::", std::move(columns)) : OpenCsv(path, ",");
}

/// Film id -> its tags, lower case, the most used first.
absl::StatusOr<std::map<std::string, std::vector<std::string>>> ReadTags(const std::string& path) {
  std::map<std::string, std::map<std::string, uint32_t>> counts;
  ASSIGN_OR_RETURN(auto source, OpenTable(path, {"userId", "movieId", "tag", "timestamp"}));
  Row row;
  while (true) {
    ASSIGN_OR_RETURN(const bool any, source->Next(&row));
    if (!any) break;
    if (!row.error.empty()) continue;
    const std::string tag(absl::StripAsciiWhitespace(absl::AsciiStrToLower(row.cells[2].text)));
    if (!tag.empty() && tag.size() <= 100) ++counts[row.cells[1].text][tag];
  }
  std::map<std::string, std::vector<std::string>> tags;
  for (const auto& [film, count] : counts) {
    std::vector<std::pair<uint32_t, std::string>> sorted;
    for (const auto& [tag, n] : count) sorted.emplace_back(n, tag);
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    sorted.resize(std::min(sorted.size(), kTagsMax));
    for (auto& [n, tag] : sorted) tags[film].push_back(std::move(tag));
  }
  return tags;
}

/// The films with the year taken out of the title and the tags laid beside, as one table.
class FilmSource final : public RowSource {
 public:
  FilmSource(std::unique_ptr<RowSource> films, std::map<std::string, std::vector<std::string>> tags)
      : films_(std::move(films)), tags_(std::move(tags)) {}
  const std::vector<std::string>& columns() const override { return columns_; }
  double progress() const override { return films_->progress(); }

  absl::Status Rewind() override { return films_->Rewind(); }

  absl::StatusOr<bool> Next(Row* row) override {
    ASSIGN_OR_RETURN(const bool any, films_->Next(row));
    if (!any || !row->error.empty()) return any;
    row->cells.resize(columns_.size());
    const std::string& title = row->cells[1].text;
    Row::Cell& year = row->cells[3];
    year = {};
    // "Toy Story (1995)": the year stays in the title that people know, and becomes an attribute beside it.
    const std::string_view trimmed = title;
    const size_t open = trimmed.rfind('(');
    if (open != std::string_view::npos && open + 5 < trimmed.size() && trimmed[open + 5] == ')' &&
        std::all_of(trimmed.begin() + static_cast<ptrdiff_t>(open) + 1,
                    trimmed.begin() + static_cast<ptrdiff_t>(open) + 5,
                    [](unsigned char c) { return std::isdigit(c) != 0; })) {
      year.present = true;
      year.text = trimmed.substr(open + 1, 4);
    }
    if (row->cells[2].text == "(no genres listed)") row->cells[2] = {};
    Row::Cell& tags = row->cells[4];
    tags = {};
    if (const auto it = tags_.find(row->cells[0].text); it != tags_.end()) {
      tags.present = tags.is_list = true;
      tags.list = it->second;
    }
    return true;
  }

 private:
  const std::unique_ptr<RowSource> films_;
  const std::map<std::string, std::vector<std::string>> tags_;
  const std::vector<std::string> columns_{"movieId", "title", "genres", "year", "tags"};
};

}  // namespace

absl::StatusOr<MovieLensReport> ImportMovieLens(
    const std::string& folder, Sink& sink, const std::string& checkpoint_folder, const std::string& rejects_folder,
    uint32_t batch_rows, const std::function<void(const std::string&, double, uint64_t)>& progress) {
  const std::string films_path = FindFile(folder, "movies"), ratings_path = FindFile(folder, "ratings"),
                    tags_path = FindFile(folder, "tags");
  if (films_path.empty() || ratings_path.empty()) {
    return absl::NotFoundError(
        fmt::format("{}: found no {}; expected movies and ratings as .csv or .dat, plain, .gz or .zst", folder,
                    films_path.empty() ? "movies" : "ratings"));
  }
  std::map<std::string, std::vector<std::string>> tags;
  if (!tags_path.empty()) {
    ASSIGN_OR_RETURN(tags, ReadTags(tags_path));
  }
  const auto options = [&](const std::string& path, const std::string& what) {
    ImportOptions made;
    made.name = fs::absolute(path).string();
    made.checkpoint_path = (fs::path(checkpoint_folder) / ("movielens_" + what)).string();
    made.rejects_path = (fs::path(rejects_folder) / ("movielens_" + what + "_rejected.tsv")).string();
    made.batch_rows = batch_rows;
    if (progress) made.progress = [progress, what](double share, uint64_t rows) { progress(what, share, rows); };
    return made;
  };
  MovieLensReport report;
  ASSIGN_OR_RETURN(auto films, OpenTable(films_path, {"movieId", "title", "genres"}));
  FilmSource film_source(std::move(films), std::move(tags));
  ASSIGN_OR_RETURN(const Mapping film_mapping,
                   MakeMapping(Kind::kItems, film_source.columns(), "", MovieLensDeclarations().item_attributes, ""));
  ASSIGN_OR_RETURN(report.items, Import(film_source, film_mapping, sink, options(films_path, "items")));

  ASSIGN_OR_RETURN(auto ratings, OpenTable(ratings_path, {"userId", "movieId", "rating", "timestamp"}));
  ASSIGN_OR_RETURN(Mapping rating_mapping, MakeMapping(Kind::kEvents, ratings->columns(), "", {}, "rating"));
  rating_mapping.client_id_seed = "movielens";
  ASSIGN_OR_RETURN(report.ratings, Import(*ratings, rating_mapping, sink, options(ratings_path, "ratings")));
  return report;
}

}  // namespace bowerbird::ingest
