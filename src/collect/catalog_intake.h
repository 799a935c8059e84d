#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/published.h"
#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/service.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "catalog/catalog.h"
#include "collect/item_json.h"
#include "config/config.h"
#include "log/event_log.h"

namespace bowerbird::collect {

/// One record of the catalog topic, as applied.
struct CatalogChange {
  log::Offset offset = 0;
  catalog::ItemKey key;
  const v1::Item* item = nullptr;  ///< null: deleted
};

/// Every write to the catalog and to users' attributes: checked, merged, appended to the log, then applied to the
/// catalog and told to the listener, all before the call returns. An item that was withdrawn or deleted is served by
/// nobody from then on.
///
/// Shared   other nodes may write to the same topics. What they wrote is applied in the order of the log, of two that
///          change one item at once the later one stands.
/// Threads  any thread at once; writes happen one after another.
/// Cost     one fsync of the log a call; Batch has one for up to kItemBatchMax changes.
/// Errors   InvalidArgument: the item is refused (catalog::FromStatus has code and field); NotFound: patch, delete,
/// withdraw of an unknown item;
///          FailedPrecondition: another id has the item's key, or a feed cannot go on; Unavailable: the log or the
///          store cannot write. When the log took a change and the store did not, the change is true and is applied
///          before the next write.
class CatalogIntake {
 public:
  /// Called in offset order, one call at a time, under the writer's lock; must not call back. Feed marks are not told.
  using Listener = std::function<void(std::span<const CatalogChange>)>;

  /// The log, the catalog and the clock must outlive it. `listener` may be null.
  CatalogIntake(std::shared_ptr<const config::Config> config, const catalog::KeyHasher& hasher, log::EventLog* log,
                catalog::Catalog* catalog, const base::Clock* clock, Listener listener);
  ~CatalogIntake();

  /// Checks what comes from now on by `config`.
  void SetConfig(std::shared_ptr<const config::Config> config) { config_.Set(std::move(config)); }

  /// Applies what the log has beyond the catalog's applied offsets, telling the listener. Once after Open, before
  /// anything else; and again whenever other nodes may have written.
  absl::Status CatchUp();

  /// Makes the item or replaces it whole. The first upsert's time is its created time unless one is given; a later one
  /// keeps it.
  absl::StatusOr<v1::Item> Put(v1::Item item);
  absl::StatusOr<v1::Item> Patch(const v1::Item& patch);
  absl::StatusOr<v1::Item> Withdraw(std::string_view id);
  absl::Status Delete(std::string_view id);
  /// Upserts, patches, deletes, withdrawals, in this order. A bad change gets a verdict, the others are applied. With
  /// `feed`, the items named in upsert and patch are marked as in that feed, refused ones too; `feed_end` withdraws all
  /// that are not.
  absl::StatusOr<v1::BatchItemsResponse> Batch(const ItemsBatch& batch);

  absl::StatusOr<v1::User> PutUser(v1::User user);
  /// Lays attributes over those that the users have, in order; one without a kind is taken away. A user that has them
  /// already costs no write. What became of each patch, as PutUser would say; Unavailable: of none.
  absl::StatusOr<std::vector<absl::Status>> PatchUsers(std::span<const v1::User> patches);
  /// Forgets the user's attributes.
  absl::Status DeleteUser(std::string_view id);
  /// Forgets the attributes of users, known or not, and appends `also` in the same batch: where that lies.
  absl::StatusOr<std::vector<log::Offset>> ForgetUsers(std::span<const std::string> ids,
                                                       std::vector<log::AppendRecord> also);

 private:
  class Transaction;
  absl::Status CatchUpLocked();
  /// Applies records of the catalog topic in order, and tells the listener what was applied.
  absl::Status ApplyAll(std::span<const log::Offset> offsets, std::span<const v1::CatalogRecord> records);
  /// True for the batch that ended its feed, sent once more. FailedPrecondition: the feed cannot go on.
  absl::StatusOr<bool> IsSentAgain(const ItemsBatch& batch) const;
  /// How many items the feed's end withdrew.
  absl::StatusOr<uint32_t> EndFeed(const std::string& token, uint64_t batch_hash, Transaction* transaction);
  absl::Status AppendUser(std::string_view id, v1::UserRecord record);

  base::Published<config::Config> config_;
  const catalog::KeyHasher hasher_;
  log::EventLog* const log_;
  catalog::Catalog* const catalog_;
  const base::Clock* const clock_;
  const Listener listener_;
  /// The writer's lock: held by every public member, and so by what they call.
  std::mutex mutex_;
  /// The log may hold records that the catalog has not applied.
  bool behind_ = false;
};

}  // namespace bowerbird::collect
