// What an App does as one node of several.
#include <utility>

#include "app/app.h"
#include "base/status_macros.h"
#include "state/user_record.h"

namespace bowerbird::app {
namespace {

/// How long the follower of the catalog waits for news before it looks again, which bounds how late Stop is.
constexpr int64_t kFollowUs = 50'000;
/// Hides of one user that are told with a request; those before are folded by far.
constexpr size_t kHidesMax = 64;

v1::LogPosition ToProto(const collect::LastAcknowledged::Position& position) {
  v1::LogPosition proto;
  proto.set_partition(position.partition);
  proto.set_offset(position.offset);
  return proto;
}

}  // namespace

absl::Status App::OpenSecrets() {
  const std::string path = folder_ + "/secret";
  if (node_.alone()) {
    ASSIGN_OR_RETURN(secrets_, Secrets::LoadOrCreate(path));
  } else {
    ASSIGN_OR_RETURN(secrets_, SharedSecrets(path, cluster_.secrets, options_.name, *log_));
  }
  // A log in the folder has the folder's secret.
  if (!log_->in_folder()) RETURN_IF_ERROR(CheckSecrets(secrets_, !node_.alone(), log_.get()));
  hasher_ = catalog::KeyHasher(secrets_.hash_seed);
  fingerprint_ = secrets_.Fingerprint();
  return absl::OkStatus();
}

bool App::Owns(catalog::UserKey user) const {
  if (node_.alone()) return true;
  const uint32_t partitions = log_->PartitionCount(log::Topic::kEvents);
  return node_.OwnerOf(catalog::PartitionOf(user, partitions), partitions) == node_.index;
}

uint32_t App::OwnerOf(std::string_view user) const {
  if (node_.alone()) return node_.index;
  const uint32_t partitions = log_->PartitionCount(log::Topic::kEvents);
  return node_.OwnerOf(catalog::PartitionOf(hasher_.User(user), partitions), partitions);
}

std::string App::BecomesElsewhere(std::string_view user) const {
  if (node_.alone()) return "";
  const auto answering = AnsweringUser(hasher_.User(user), user);
  // The walk ends where it cannot go on: at a user who has become nobody, or one of another node.
  if (!answering.ok() || (*answering)->becomes.empty()) return "";
  return Owns(hasher_.User((*answering)->becomes)) ? "" : (*answering)->becomes;
}

v1::Acknowledged App::AcknowledgedOf(std::string_view user) const {
  v1::Acknowledged acknowledged;
  const catalog::UserKey key = hasher_.User(user);
  if (const auto last = last_acknowledged_->Get(key)) *acknowledged.mutable_last() = ToProto(*last);
  if (const auto becoming = becomings_->Get(key)) *acknowledged.mutable_becoming() = ToProto(*becoming);
  std::vector<collect::HideOverlay::Hide> hides = hide_overlay_->Unfolded(key, 0);
  const size_t first = hides.size() > kHidesMax ? hides.size() - kHidesMax : 0;
  for (size_t i = first; i < hides.size(); ++i) {
    v1::AcknowledgedHide* hide = acknowledged.add_hides();
    hide->set_item(std::move(hides[i].item));
    hide->set_item_key(hides[i].key.value);
    hide->set_offset(hides[i].offset);
  }
  return acknowledged;
}

void App::Learn(std::string_view user, const v1::Acknowledged& acknowledged) {
  const catalog::UserKey key = hasher_.User(user);
  const auto set = [&](const v1::LogPosition& position, collect::LastAcknowledged* table) {
    if (position.partition() < log_->PartitionCount(log::Topic::kEvents)) {
      table->Set(key, {position.partition(), position.offset()});
    }
  };
  if (acknowledged.has_last()) set(acknowledged.last(), last_acknowledged_.get());
  if (acknowledged.has_becoming()) set(acknowledged.becoming(), becomings_.get());
  const log::Offset folded = FoldedOf(user);
  for (const v1::AcknowledgedHide& hide : acknowledged.hides()) {
    if (hide.offset() >= folded) {
      hide_overlay_->Add(key, hide.item(), catalog::ItemKey(hide.item_key()), hide.offset());
    }
  }
}

void App::ForgetFolded(std::string_view user, log::Offset folded) {
  hide_overlay_->Unfolded(hasher_.User(user), folded);
}

log::Offset App::FoldedOf(std::string_view user) const {
  return state_->FoldedOffset(catalog::PartitionOf(hasher_.User(user), log_->PartitionCount(log::Topic::kEvents)));
}

void App::FollowLoop() {
  std::string last_problem;
  while (!stop_.HasBeenNotified()) {
    const log::Offset seen = catalog_->applied_offset();
    log_->WaitForAppend(log::Topic::kCatalog, {&seen, 1}, kFollowUs);
    const absl::Status applied = catalog_intake_->CatchUp();
    const std::string problem(applied.message());
    // The same trouble is told once.
    if (!applied.ok() && problem != last_problem) Warn("catalog: " + problem);
    last_problem = problem;
    if (!applied.ok()) stop_.WaitForNotificationWithTimeout(absl::Microseconds(kFollowUs));
  }
}

}  // namespace bowerbird::app
