#include <filesystem>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "state/adopt_signals.h"
#include "state/open_store.h"
#include "state/state.h"
#include "state/state_store.h"

namespace bowerbird::state {
namespace {

constexpr size_t kDifferencesMax = 20;

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<uint8_t>(c));
  return text;
}

absl::Status CompareStores(const StateStore& stored, const StateStore& replayed, VerifyReport* report) {
  for (size_t column = 0; column < StateStore::kColumns; ++column) {
    const auto visit = [&](std::string_view key, const std::string_view* a, const std::string_view* b) {
      ++report->keys;
      report->users += column == StateStore::kUsers && key.size() == 8;
      report->items += column == StateStore::kItems;
      if (a != nullptr && b != nullptr && *a == *b) return;
      ++report->difference_count;
      if (report->differences.size() >= kDifferencesMax) return;
      const auto side = [](const std::string_view* value) {
        return value == nullptr ? std::string("nothing") : fmt::format("{} bytes", value->size());
      };
      std::string at;
      if (a != nullptr && b != nullptr) {
        const auto [first, _] = std::mismatch(a->begin(), a->end(), b->begin(), b->end());
        at = fmt::format(", from byte {} on", first - a->begin());
      }
      report->differences.push_back(fmt::format("{} {}: stored {}, by replay {}{}", StateStore::ColumnName(column),
                                                Hex(key), side(a), side(b), at));
    };
    RETURN_IF_ERROR(StateStore::Compare(stored, replayed, static_cast<StateStore::Column>(column), visit));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VerifyReport> VerifyByReplay(const std::string& dir, const std::string& scratch_dir,
                                            std::shared_ptr<const config::Config> config, log::EventLog* log,
                                            const base::Clock* clock, const StateStores* handed_in,
                                            const PartitionRange& owned) {
  const StateStores& stores = handed_in != nullptr ? *handed_in : RocksStateStores();
  if (!stores.Exists(dir)) {
    return absl::NotFoundError(fmt::format("state verify: no state in {}", dir));
  }
  if (const absl::Status back = CheckLogReachesBack(*log); !back.ok())
    return absl::Status(back.code(), fmt::format("state verify: {}", std::string(back.message())));
  const FoldPolicy policy(*config);
  const StateStore::Options store_options{policy.user_layout(), policy.item_layout()};
  const uint32_t partitions = log->PartitionCount(log::Topic::kEvents);
  ASSIGN_OR_RETURN(const auto stored, stores.Open(dir, store_options));
  RETURN_IF_ERROR(CheckFormat(*stored, policy, partitions, owned));
  ASSIGN_OR_RETURN(const std::string signals, stored->LoadFormat(kSignalsFormat));
  if (const std::string expected = SignalsLine(*config); signals != expected) {
    return absl::FailedPreconditionError(
        fmt::format("state: signals found \"{}\"; expected \"{}\"", signals, expected));
  }

  VerifyReport report;
  const std::string replay_dir = (std::filesystem::path(scratch_dir) / "state_replay").string();
  RETURN_IF_ERROR(stores.Destroy(replay_dir));
  {
    State::Options options;
    options.threads = std::max(1u, std::thread::hardware_concurrency());
    options.publish = false;
    options.stores = &stores;
    options.owned = owned;
    ASSIGN_OR_RETURN(options.end_offsets, stored->LoadOffsets(partitions));
    ASSIGN_OR_RETURN(const auto state, State::Open(replay_dir, config, log, clock, options));
    RETURN_IF_ERROR(state->CatchUp());
    RETURN_IF_ERROR(state->Flush());
    report.events = state->counters().folded;
  }
  {
    ASSIGN_OR_RETURN(const auto replayed, stores.Open(replay_dir, store_options));
    RETURN_IF_ERROR(CompareStores(*stored, *replayed, &report));
  }
  RETURN_IF_ERROR(stores.Destroy(replay_dir));
  return report;
}

}  // namespace bowerbird::state
