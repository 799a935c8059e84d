#include "index/section_writer.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::index {

absl::StatusOr<std::unique_ptr<SectionWriter>> SectionWriter::Create(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr) {
    return absl::UnavailableError(fmt::format("create {}: {}", path, std::generic_category().message(errno)));
  }
  return std::unique_ptr<SectionWriter>(new SectionWriter(path, file));
}

SectionWriter::SectionWriter(std::string path, std::FILE* file)
    : path_(std::move(path)), file_(file), hash_(XXH3_createState()) {
  BOWERBIRD_CHECK(hash_ != nullptr);
  std::setvbuf(file_, nullptr, _IOFBF, 1u << 20);
  // The header's place; it is filled at the end, so that a file cut short is no snapshot.
  WriteBytes(std::string(sizeof(SnapshotHeader), '\0'));
}

SectionWriter::~SectionWriter() {
  if (file_ != nullptr) std::fclose(file_);
  XXH3_freeState(hash_);
}

void SectionWriter::WriteBytes(std::string_view bytes) {
  if (bytes.empty()) return;  // its pointer may be null, which fwrite does not take
  if (error_ == 0 && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) error_ = errno;
  at_ += bytes.size();
}

void SectionWriter::Pad() {
  const size_t over = at_ % kSectionAlignment;
  if (over != 0) WriteBytes(std::string(kSectionAlignment - over, '\0'));
}

void SectionWriter::Begin(SectionKind kind, uint32_t index) {
  Pad();
  sections_.push_back({static_cast<uint32_t>(kind), index, at_, 0, 0});
  XXH3_64bits_reset(hash_);
}

void SectionWriter::Append(std::string_view bytes) {
  XXH3_64bits_update(hash_, bytes.data(), bytes.size());
  WriteBytes(bytes);
}

void SectionWriter::End() {
  sections_.back().size = at_ - sections_.back().offset;
  sections_.back().checksum = XXH3_64bits_digest(hash_);
}

absl::Status SectionWriter::Failed() const {
  return absl::UnavailableError(fmt::format("write {}: {}", path_, std::generic_category().message(error_)));
}

absl::Status SectionWriter::Flush() {
  if (error_ == 0 && std::fflush(file_) != 0) error_ = errno;
  return error_ == 0 ? absl::OkStatus() : Failed();
}

absl::StatusOr<uint64_t> SectionWriter::Finish() {
  BOWERBIRD_CHECK(sections_.size() <= kSectionsMax);
  Pad();
  const std::string_view table(reinterpret_cast<const char*>(sections_.data()),
                               sections_.size() * sizeof(SectionEntry));
  SnapshotHeader header = {};
  std::memcpy(header.magic, kSnapshotMagic, sizeof(header.magic));
  header.format = kSnapshotFormat;
  header.section_count = static_cast<uint32_t>(sections_.size());
  header.table_offset = at_;
  header.table_checksum = base::Hash64(table);
  WriteBytes(table);
  header.file_size = at_;
  const std::string_view bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  header.header_checksum = base::Hash64(bytes.substr(0, offsetof(SnapshotHeader, header_checksum)));
  RETURN_IF_ERROR(Flush());
  const uint64_t size = at_;
  if (std::fseek(file_, 0, SEEK_SET) != 0) error_ = errno;
  WriteBytes(bytes);
  // A failed write may show only when the file is closed.
  if (std::fclose(std::exchange(file_, nullptr)) != 0 && error_ == 0) error_ = errno;
  if (error_ != 0) return Failed();
  return size;
}

}  // namespace bowerbird::index
