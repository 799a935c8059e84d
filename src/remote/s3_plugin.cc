// What Arrow does for files in a bucket; s3_plugin.h says why it is a plugin.
#include "remote/s3_plugin.h"

#include <arrow/api.h>
#include <arrow/buffer.h>
#include <arrow/filesystem/s3fs.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <functional>
#include <utility>

namespace bowerbird::remote {
namespace {

namespace afs = arrow::fs;

constexpr int64_t kChunkBytes = 8 << 20;
constexpr double kConnectTimeoutS = 5, kRequestTimeoutS = 30;

absl::Status ToStatus(const std::string& name, const arrow::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = fmt::format("{}: {}", name, status.message());
  // Arrow knows a file that is not there by this alone.
  const bool missing = status.message().find("Path does not exist") != std::string::npos ||
                       status.message().find("NOT_FOUND") != std::string::npos ||
                       status.message().find("NoSuchKey") != std::string::npos;
  if (missing) return absl::NotFoundError(text);
  return status.IsInvalid() ? absl::InvalidArgumentError(text) : absl::UnavailableError(text);
}

/// Exceptions of the library become statuses.
absl::Status Guarded(const std::string& name, const std::function<arrow::Status()>& work) {
  try {
    return ToStatus(name, work());
  } catch (const std::exception& exception) {
    return absl::UnavailableError(fmt::format("{}: {}", name, exception.what()));
  }
}

class S3Files final : public RemoteFiles {
 public:
  S3Files(std::shared_ptr<afs::S3FileSystem> files, std::string root)
      : files_(std::move(files)), root_(std::move(root)) {}

  absl::Status Put(const std::string& path, const std::string& name) override {
    std::ifstream in(path, std::ios::binary);
    if (!in) return absl::NotFoundError(fmt::format("{}: it cannot be read", path));
    return Write(name, [&](arrow::io::OutputStream* out) -> arrow::Status {
      std::string chunk(kChunkBytes, '\0');
      while (in.read(chunk.data(), kChunkBytes), in.gcount() > 0) {
        ARROW_RETURN_NOT_OK(out->Write(chunk.data(), in.gcount()));
      }
      return in.bad() ? arrow::Status::IOError(path, ": it cannot be read") : arrow::Status::OK();
    });
  }

  absl::Status PutText(std::string_view text, const std::string& name) override {
    return Write(
        name, [&](arrow::io::OutputStream* out) { return out->Write(text.data(), static_cast<int64_t>(text.size())); });
  }

  absl::Status Get(const std::string& name, const std::string& path) const override {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    return Read(name, [&](const arrow::Buffer& chunk) {
      out.write(reinterpret_cast<const char*>(chunk.data()), chunk.size());
      out.flush();
      return out ? arrow::Status::OK() : arrow::Status::IOError(path, ": it cannot be written");
    });
  }

  absl::StatusOr<std::string> GetText(const std::string& name) const override {
    std::string text;
    absl::Status read = Read(name, [&](const arrow::Buffer& chunk) {
      text.append(reinterpret_cast<const char*>(chunk.data()), static_cast<size_t>(chunk.size()));
      return arrow::Status::OK();
    });
    if (!read.ok()) return read;
    return text;
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const override {
    std::vector<std::string> names;
    if (absl::Status fine = CheckName(folder); !fine.ok()) return fine;
    absl::Status listed = Guarded(folder, [&]() -> arrow::Status {
      afs::FileSelector selector;
      selector.base_dir = Full(folder);
      selector.allow_not_found = true;
      ARROW_ASSIGN_OR_RAISE(const std::vector<afs::FileInfo> found, files_->GetFileInfo(selector));
      for (const afs::FileInfo& info : found) names.push_back(info.base_name());
      return arrow::Status::OK();
    });
    if (!listed.ok()) return listed;
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status DeleteFolder(const std::string& folder) override {
    if (absl::Status fine = CheckName(folder); !fine.ok()) return fine;
    return Guarded(folder, [&]() -> arrow::Status {
      ARROW_RETURN_NOT_OK(files_->DeleteDirContents(Full(folder), /*missing_dir_ok=*/true));
      ARROW_ASSIGN_OR_RAISE(const afs::FileInfo info, files_->GetFileInfo(Full(folder)));
      return info.type() == afs::FileType::NotFound ? arrow::Status::OK() : files_->DeleteDir(Full(folder));
    });
  }

 private:
  std::string Full(const std::string& name) const { return root_ + "/" + name; }

  /// An object appears when its stream is closed, whole.
  absl::Status Write(const std::string& name, const std::function<arrow::Status(arrow::io::OutputStream*)>& write) {
    if (absl::Status fine = CheckName(name); !fine.ok()) return fine;
    return Guarded(name, [&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(const auto out, files_->OpenOutputStream(Full(name)));
      if (arrow::Status written = write(out.get()); !written.ok()) {
        const arrow::Status aborted = out->Abort();
        return aborted.ok() ? written : written.WithMessage(written.message(), "; ", aborted.message());
      }
      return out->Close();
    });
  }

  absl::Status Read(const std::string& name, const std::function<arrow::Status(const arrow::Buffer&)>& take) const {
    if (absl::Status fine = CheckName(name); !fine.ok()) return fine;
    return Guarded(name, [&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(const auto in, files_->OpenInputStream(Full(name)));
      while (true) {
        ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> chunk, in->Read(kChunkBytes));
        if (chunk->size() == 0) return in->Close();
        ARROW_RETURN_NOT_OK(take(*chunk));
      }
    });
  }

  const std::shared_ptr<afs::S3FileSystem> files_;
  const std::string root_;
};

class Door final : public S3Door {
 public:
  absl::StatusOr<std::unique_ptr<RemoteFiles>> Open(const std::string& uri) override {
    std::unique_ptr<RemoteFiles> opened;
    absl::Status status = Guarded("s3", [&]() -> arrow::Status {
      ARROW_RETURN_NOT_OK(afs::EnsureS3Initialized());
      std::string root;
      ARROW_ASSIGN_OR_RAISE(afs::S3Options options, afs::S3Options::FromUri(uri, &root));
      options.connect_timeout = kConnectTimeoutS;
      options.request_timeout = kRequestTimeoutS;
      // The folder of a name is made by its first file, and no object stands for it.
      options.check_directory_existence_before_creation = true;
      ARROW_ASSIGN_OR_RAISE(auto files, afs::S3FileSystem::Make(options));
      opened = std::make_unique<S3Files>(std::move(files), std::move(root));
      return arrow::Status::OK();
    });
    if (!status.ok()) return status;
    return opened;
  }
  void End() override { (void)afs::EnsureS3Finalized(); }
};

}  // namespace
}  // namespace bowerbird::remote

extern "C" __attribute__((visibility("default"))) bowerbird::remote::S3Door* bowerbird_s3_door();
extern "C" bowerbird::remote::S3Door* bowerbird_s3_door() {
  static bowerbird::remote::Door door;
  return &door;
}
