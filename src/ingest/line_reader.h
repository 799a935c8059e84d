#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace bowerbird::ingest {

/// Reads a text file line by line; .zst and .gz are decompressed on the way, by the file's own magic bytes.
///
/// Threads  one.
/// Bounds   memory: one line and one buffer. A line over kLineBytesMax is cut there and reported as `truncated`.
/// Errors   NotFound; DataLoss: the compressed stream is broken (what was read before it stands).
class LineReader {
 public:
  static constexpr size_t kLineBytesMax = 4u << 20;
  static absl::StatusOr<LineReader> Open(const std::string& path);
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;
  ~LineReader();

  /// The next line without its end ("\n" or "\r\n"); false at the end of the file.
  absl::StatusOr<bool> Next(std::string* line, bool* truncated);
  /// Lines returned so far.
  uint64_t line_number() const;
  /// Bytes of the file consumed, and its size: for progress.
  uint64_t bytes_read() const;
  uint64_t bytes_total() const;

 private:
  struct Impl;
  explicit LineReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bowerbird::ingest
