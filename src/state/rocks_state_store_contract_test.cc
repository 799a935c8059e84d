#include "contract/state_store_contract.h"
#include "state/events_for_test.h"

namespace bowerbird::state {
namespace {

class OnDisk final : public ContractStores {
 public:
  const StateStores& stores() const override { return RocksStateStores(); }
  std::string dir() const override { return folder_ / "state"; }

 private:
  const TempFolder folder_{"state_store_contract"};
};

INSTANTIATE_TEST_SUITE_P(Rocks, StateStoreContract,
                         testing::Values(StateStoreSubject{"rocks", [] { return std::make_unique<OnDisk>(); }}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bowerbird::state
