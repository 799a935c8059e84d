#pragma once

#include <xxhash.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/snapshot_format.h"

namespace bowerbird::index {

/// Writes a file of sections, one after another, with a checksum each; the header and the table come last.
///
/// Threads  one at a time.
/// Errors   Unavailable, naming the path and what the system said; Finish reports what an earlier call met.
class SectionWriter {
 public:
  static absl::StatusOr<std::unique_ptr<SectionWriter>> Create(const std::string& path);
  ~SectionWriter();
  SectionWriter(const SectionWriter&) = delete;
  SectionWriter& operator=(const SectionWriter&) = delete;

  /// A section in pieces: Begin, Append any number of times, End. Each kind and index once.
  void Begin(SectionKind kind, uint32_t index = 0);
  void Append(std::string_view bytes);
  void End();

  template <typename T>
  void Write(SectionKind kind, uint32_t index, std::span<const T> values) {
    Begin(kind, index);
    Append({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    End();
  }
  void Write(SectionKind kind, uint32_t index, std::string_view bytes) { Write<char>(kind, index, bytes); }

  /// Whatever was written so far can be read from the path.
  absl::Status Flush();
  const std::vector<SectionEntry>& sections() const { return sections_; }
  /// Returns the size of the file, which is closed.
  absl::StatusOr<uint64_t> Finish();

 private:
  SectionWriter(std::string path, std::FILE* file);
  void WriteBytes(std::string_view bytes);
  void Pad();
  absl::Status Failed() const;

  const std::string path_;
  std::FILE* file_;
  XXH3_state_t* hash_;
  int error_ = 0;  ///< errno of the first failure
  uint64_t at_ = 0;
  std::vector<SectionEntry> sections_;
};

}  // namespace bowerbird::index
