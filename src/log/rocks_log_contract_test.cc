#include <filesystem>

#include "base/hash.h"
#include "contract/event_log_contract.h"
#include "log/rocks_log.h"

namespace bowerbird::log {
namespace {

class RocksContractLog final : public ContractLog {
 public:
  explicit RocksContractLog(uint64_t segment_bytes) : segment_bytes_(segment_bytes) {}
  ~RocksContractLog() override { std::filesystem::remove_all(dir_); }
  absl::StatusOr<std::unique_ptr<EventLog>> Open(const base::Clock* clock) override {
    RocksLogOptions options;
    options.user_partitions = 3;
    options.clock = clock;
    options.segment_bytes = segment_bytes_;
    return RocksLog::Open(dir_, options);
  }

 private:
  const uint64_t segment_bytes_;
  const std::string dir_ = testing::TempDir() + "rocks_log_contract_" + base::HexEncode(base::RandomBytes(6));
};

INSTANTIATE_TEST_SUITE_P(RocksLog, EventLogContract,
                         testing::Values(ContractSubject{"segments_of_64_mib",
                                                         [] { return std::make_unique<RocksContractLog>(64u << 20); }},
                                         ContractSubject{"segments_of_64_kib",
                                                         [] { return std::make_unique<RocksContractLog>(64u << 10); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bowerbird::log
