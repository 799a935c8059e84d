#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "index/snapshot.h"
#include "index/snapshot_format.h"

namespace bowerbird::index {

/// The checks between a file's bytes and a Snapshot: after them no accessor can leave the bytes. Errors are Snapshot's.
class SnapshotReader {
 public:
  /// `bytes` start at a multiple of kSectionAlignment.
  explicit SnapshotReader(std::string_view bytes) : bytes_(bytes) {}
  absl::Status ReadInto(Snapshot* snapshot);

 private:
  using SectionId = std::pair<SectionKind, uint32_t>;

  absl::Status ReadTable(Snapshot* snapshot);
  absl::Status ReadMeta(Snapshot* snapshot);
  absl::Status ReadItems(Snapshot* snapshot);
  absl::Status ReadCategories(Snapshot* snapshot);
  absl::Status ReadModel(Snapshot* snapshot);
  absl::Status ReadRegression(Snapshot* snapshot);
  absl::Status ReadNeighbors(Snapshot* snapshot);
  absl::Status ReadColumns(Snapshot* snapshot);
  absl::Status ReadColumn(uint32_t index, expression::Type type, std::string_view name, Snapshot* snapshot);

  /// DataLoss with the section's name.
  static absl::Status Wrong(SectionKind kind, uint32_t index, std::string_view what);
  absl::StatusOr<std::string_view> Bytes(SectionKind kind, uint32_t index = 0) const;
  /// A whole number of T.
  template <typename T>
  absl::StatusOr<std::span<const T>> Values(SectionKind kind, uint32_t index = 0) const;
  /// Exactly `count` of T.
  template <typename T>
  absl::StatusOr<std::span<const T>> Values(SectionKind kind, uint32_t index, uint64_t count) const;
  /// `count` + 1 ascending values, the last at most `end`.
  template <typename T>
  absl::StatusOr<std::span<const T>> Offsets(SectionKind kind, uint32_t index, uint64_t count, uint64_t end) const;
  absl::StatusOr<std::span<const uint64_t>> Bitmap(SectionKind kind, uint32_t index = 0) const;
  absl::StatusOr<std::span<const Ordinal>> Ordinals(SectionKind kind, uint64_t count) const;
  /// As many texts as there are offsets, less one.
  absl::StatusOr<MappedTexts> Texts(SectionKind offsets_kind, SectionKind bytes_kind, uint32_t index = 0) const;

  const std::string_view bytes_;
  std::map<SectionId, std::string_view> sections_;
  uint64_t items_ = 0;
};

}  // namespace bowerbird::index
