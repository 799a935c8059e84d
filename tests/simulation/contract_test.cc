// The simulation's disks in memory keep the contracts of the real ones.
#include "contract/event_log_contract.h"
#include "contract/state_store_contract.h"
#include "simulation/memory_log.h"
#include "simulation/memory_state_store.h"

namespace bowerbird {
namespace {

class LogInMemory final : public log::ContractLog {
 public:
  absl::StatusOr<std::unique_ptr<log::EventLog>> Open(const base::Clock* clock) override {
    return std::make_unique<simulation::MemoryLog>(&disk_, clock, 3);
  }

 private:
  simulation::LogDisk disk_;
};

class StoresInMemory final : public state::ContractStores {
 public:
  const state::StateStores& stores() const override { return stores_; }
  std::string dir() const override { return "state"; }

 private:
  simulation::MemoryStateStores stores_;
};

}  // namespace

namespace log {
INSTANTIATE_TEST_SUITE_P(MemoryLog, EventLogContract,
                         testing::Values(ContractSubject{"memory", [] { return std::make_unique<LogInMemory>(); }}),
                         [](const auto& info) { return info.param.name; });
}  // namespace log
namespace state {
INSTANTIATE_TEST_SUITE_P(Memory, StateStoreContract,
                         testing::Values(StateStoreSubject{"memory",
                                                           [] { return std::make_unique<StoresInMemory>(); }}),
                         [](const auto& info) { return info.param.name; });
}  // namespace state
}  // namespace bowerbird
