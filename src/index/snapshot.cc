#include "index/snapshot.h"

#include <algorithm>

#include "base/status_macros.h"
#include "fmt/format.h"
#include "index/snapshot_reader.h"

namespace bowerbird::index {
namespace {

absl::Status Named(const absl::Status& status, std::string_view file) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", file, std::string(status.message())));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Snapshot>> Snapshot::Open(const std::string& path, std::string_view version) {
  std::shared_ptr<Snapshot> snapshot(new Snapshot());
  ASSIGN_OR_RETURN(snapshot->file_, store::MappedFile::Open(path));
  snapshot->version_ = version;
  RETURN_IF_ERROR(Named(SnapshotReader(snapshot->file_.bytes()).ReadInto(snapshot.get()), path));
  return snapshot;
}

absl::StatusOr<std::shared_ptr<const Snapshot>> Snapshot::Read(std::string_view bytes, std::string_view version) {
  std::shared_ptr<Snapshot> snapshot(new Snapshot());
  snapshot->version_ = version;
  RETURN_IF_ERROR(Named(SnapshotReader(bytes).ReadInto(snapshot.get()), "snapshot"));
  return snapshot;
}

std::string_view Snapshot::CategoryName(uint64_t hash) const {
  const auto found = std::ranges::lower_bound(category_name_hashes_, hash);
  if (found == category_name_hashes_.end() || *found != hash) return {};
  return category_names_.Text(static_cast<uint32_t>(found - category_name_hashes_.begin()));
}

model::IalsObjective Snapshot::objective() const {
  return {meta_->unobserved_weight, meta_->regularization, meta_->frequency_exponent};
}

}  // namespace bowerbird::index
