#include "lake/parquet_file.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/status_macros.h"
#include "lake/program_folder.h"

namespace bowerbird::lake {
namespace {

absl::StatusOr<ParquetFiles*> Load() {
  ASSIGN_OR_RETURN(const std::string file, BesideProgram("libbowerbird_lake.so"));
  // Bound to itself first: Arrow carries other versions of libraries that this program uses.
  void* plugin = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  void* symbol = plugin == nullptr ? nullptr : dlsym(plugin, "bowerbird_parquet_files");
  if (symbol == nullptr) return absl::UnavailableError(fmt::format("{}: {}", file, dlerror()));
  return reinterpret_cast<ParquetFiles* (*)()>(symbol)();
}

}  // namespace

absl::StatusOr<ParquetFiles*> LoadParquetFiles() {
  static const absl::StatusOr<ParquetFiles*> files = Load();
  return files;
}

absl::StatusOr<std::unique_ptr<ParquetWriter>> CreateParquet(const std::string& path, std::span<const Field> fields) {
  ASSIGN_OR_RETURN(ParquetFiles * files, LoadParquetFiles());
  std::vector<std::string> ascending;
  for (const Field& field : fields) {
    if (field.kind == Kind::kInt64 || field.kind == Kind::kTime) ascending.push_back(field.name);
  }
  ArrowSchema schema = ExportSchema(fields);
  return files->Create(path, &schema, ascending);
}

absl::StatusOr<std::unique_ptr<ParquetReader>> OpenParquet(const std::string& path, std::span<const Field> fields) {
  ASSIGN_OR_RETURN(ParquetFiles * files, LoadParquetFiles());
  ArrowSchema schema = ExportSchema(fields);
  return files->Open(path, &schema);
}

absl::StatusOr<ForeignParquet> OpenForeignParquet(const std::string& path) {
  ASSIGN_OR_RETURN(ParquetFiles * files, LoadParquetFiles());
  return files->OpenForeign(path);
}

}  // namespace bowerbird::lake
