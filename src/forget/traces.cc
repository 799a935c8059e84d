#include "forget/traces.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/status_macros.h"
#include "bowerbird/v1/event.pb.h"
#include "catalog/store_format.h"
#include "forget/forgotten.h"
#include "state/state_store.h"

namespace bowerbird::forget {
namespace {

using catalog::UserKey;
using log::Topic;
namespace fs = std::filesystem;

constexpr size_t kReadRecords = 1024;
constexpr size_t kReadBytes = 4u << 20;
constexpr size_t kFileBytes = 4u << 20;

class Search {
 public:
  Search(const Stores& stores, const std::string& id) : stores_(stores), id_(id), key_(stores.hasher.User(id)) {}

  absl::StatusOr<Traces> Run() {
    traces_.fields_only = id_.size() < kTextBytesMin;
    RETURN_IF_ERROR(Log());
    RETURN_IF_ERROR(State());
    RETURN_IF_ERROR(Catalog());
    RETURN_IF_ERROR(Lake());
    Files();
    traces_.found.assign(found_.begin(), found_.end());
    traces_.kept.assign(kept_.begin(), kept_.end());
    return std::move(traces_);
  }

 private:
  bool Named(std::string_view key, std::string_view value) const { return key == id_ || Names(value, id_); }

  void LookAt(Topic topic, const log::Record& record) {
    const std::string place = fmt::format("log {}", log::TopicName(topic));
    if (Named(record.key, record.value)) {
      ++found_[place];
      return;
    }
    if (topic != Topic::kEvents || !HoldsKey(record.value)) return;
    v1::Event event;
    if (!event.ParseFromString(record.value)) return;
    const bool of_user = event.user_key() == key_.value && !event.has_forget();
    ++(of_user ? found_ : kept_)[place];
  }

  bool HoldsKey(std::string_view value) const {
    return value.find(std::string_view(reinterpret_cast<const char*>(&key_.value), sizeof(key_.value))) !=
           std::string_view::npos;
  }

  absl::Status Log() {
    for (const Topic topic : log::kAllTopics) {
      for (uint32_t p = 0; p < stores_.log->PartitionCount(topic); ++p) {
        ASSIGN_OR_RETURN(log::Offset at, stores_.log->BeginOffset(topic, p));
        ASSIGN_OR_RETURN(const log::Offset end, stores_.log->EndOffset(topic, p));
        while (at < end) {
          ASSIGN_OR_RETURN(const log::ReadResult read, stores_.log->Read(topic, p, at, kReadRecords, kReadBytes));
          for (const log::Record& record : read.records) LookAt(topic, record);
          if (read.next_offset <= at) break;
          at = read.next_offset;
        }
      }
    }
    return stores_.log->VisitStored([&](Topic topic, std::string_view key, std::string_view value) {
      if (Named(key, value)) ++found_[fmt::format("log store {}", log::TopicName(topic))];
    });
  }

  absl::Status State() {
    const std::string user = state::UserKeyBytes(key_), signals = state::SignalPrefix(key_);
    return stores_.state->VisitStored([&](std::string_view column, std::string_view key, std::string_view value) {
      if (value.empty()) return;
      const std::string place = fmt::format("state {}", column);
      if (Names(value, id_) || (column == "signals" && key.starts_with(signals)) ||
          (column == "users" && key.size() > user.size() && key.starts_with(user))) {
        ++found_[place];
      } else if (column == "users" && key == user) {
        ++kept_[place];
      }
    });
  }

  absl::Status Catalog() {
    const std::string user = catalog::UserStoreKey(key_);
    return stores_.catalog->VisitStored([&](std::string_view key, std::string_view value) {
      if (!value.empty() && (key == user || Named(key, value))) ++found_["catalog store"];
    });
  }

  absl::Status Lake() {
    if (!fs::exists(stores_.lake->folder())) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto tables,
                     stores_.lake->RowsNaming(
                         id_, [&](const log::Record& row) { return Named(row.key, row.value); }, &traces_.problems));
    for (const auto& [table, rows] : tables) found_[fmt::format("lake {}", table)] += rows;
    return absl::OkStatus();
  }

  /// Files as they are. Of a short id only those that are text: other bytes hold it by chance.
  void Files() {
    std::error_code error;
    for (fs::recursive_directory_iterator at(stores_.folder, error), end; !error && at != end; at.increment(error)) {
      if (at->is_regular_file()) LookAtFile(at->path(), fs::relative(at->path(), stores_.folder, error).string());
    }
    LookAtFile(stores_.audit_log, "audit.log");
  }

  void LookAtFile(const fs::path& path, const std::string& name) {
    const std::string extension = path.extension().string();
    const bool text = extension == ".tsv" || extension == ".json" || extension == ".toml" || name == "audit.log";
    if (traces_.fields_only && !text) return;
    std::ifstream file(path, std::ios::binary);
    if (!file) return;  // gone meanwhile, as stores' files go
    // Pieces that overlap by what an id and its quotes may have.
    std::string piece;
    const size_t overlap = 6 * id_.size() + 8;
    uint64_t count = 0;
    while (file) {
      const size_t kept = std::min(piece.size(), overlap);
      piece.erase(0, piece.size() - kept);
      const size_t before = piece.size();
      piece.resize(before + kFileBytes);
      file.read(piece.data() + before, kFileBytes);
      piece.resize(before + static_cast<size_t>(file.gcount()));
      count += Names(piece, id_);
    }
    if (count > 0) found_[fmt::format("file {}", name)] += count;
  }

  const Stores& stores_;
  const std::string id_;
  const UserKey key_;
  Traces traces_;
  std::map<std::string, uint64_t> found_, kept_;
};

}  // namespace

absl::StatusOr<Traces> FindTraces(const Stores& stores, const std::string& id) { return Search(stores, id).Run(); }

}  // namespace bowerbird::forget
