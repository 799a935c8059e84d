#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json_writer.h"
#include "base/string_map.h"
#include "cli/connection.h"
#include "cli/demo_page.h"
#include "ingest/column_guess.h"
#include "ingest/importer.h"
#include "server/http_client.h"

namespace bowerbird::cli {

/// Someone whose page can be looked at.
struct Person {
  std::string id, name;
};

/// What a playground was filled with.
struct Filling {
  uint64_t rows = 0, events = 0, rejected = 0;
  std::string rejects_path;  ///< of the refused rows; empty where there cannot be any
  uint64_t items = 0;
  uint64_t users = 0;
  std::vector<Person> people;  ///< the first ones worth looking at, at most 40
};

/// Passes batches on, and remembers what a first page needs: what items are called, and who did how much.
///
/// Bounds   memory: one number a user, and the gallery.
class Tally final : public ingest::Sink {
 public:
  /// Both outlive it.
  Tally(ingest::Sink* sink, Gallery* gallery);
  ~Tally() override;
  absl::StatusOr<Result> Send(ingest::Kind kind, const std::vector<std::string>& objects) override;
  uint64_t users() const { return actions_.size(); }
  /// Users with a history to learn from that is not everything there is, the most telling first.
  std::vector<Person> People(size_t count) const;

 private:
  struct Parser;
  ingest::Sink* const sink_;
  Gallery* const gallery_;
  const std::unique_ptr<Parser> parser_;
  base::StringMap<uint32_t> actions_;  ///< by user
};

/// Where a playground's data comes from.
class PlaygroundSource {
 public:
  virtual ~PlaygroundSource() = default;
  /// bowerbird.toml for it.
  virtual std::string ConfigText() const = 0;
  /// Sends everything through the API at `address`. `folder` holds the files of rejected rows.
  virtual absl::StatusOr<Filling> Fill(const std::string& address, const std::string& folder, Gallery& gallery) = 0;
  /// What was understood of the input, for people: whole lines.
  virtual std::string Understood() const = 0;
  /// The same as members of the open JSON object.
  virtual void WriteUnderstood(base::JsonWriter& json) const = 0;
};

/// A table of what people did, with whatever it says of the items. Errors as ingest::TellCsvForm and GuessColumns.
absl::StatusOr<std::unique_ptr<PlaygroundSource>> PlaygroundOfCsv(const std::string& path, const std::string& map);
/// Errors come with Fill.
std::unique_ptr<PlaygroundSource> PlaygroundOfMovieLens(const std::string& folder);
/// A small simulated world, the same each time but for the clock.
absl::StatusOr<std::unique_ptr<PlaygroundSource>> PlaygroundOfWorld(int64_t now_us);

/// bowerbird.toml for a table that is understood so.
std::string TableConfigText(const ingest::TableGuess& guess);

}  // namespace bowerbird::cli
