// Files of rows are outside bytes: no CSV or JSON lines may crash a reader or the mapping.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "ingest/mapping.h"
#include "ingest/row_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  char path[] = "/tmp/bowerbird_row_source_fuzz_XXXXXX";
  const int file = mkstemp(path);
  if (file < 0) return 0;
  const bool written = write(file, data, size) == static_cast<ssize_t>(size);
  close(file);
  using namespace bowerbird::ingest;
  for (const bool json : {false, true}) {
    auto source = json ? OpenJsonLines(path) : OpenCsv(path, ",");
    if (!written || !source.ok()) continue;
    for (const Kind kind : {Kind::kEvents, Kind::kItems}) {
      const auto mapping = MakeMapping(kind, (*source)->columns(), "", {}, kind == Kind::kEvents ? "click" : "");
      Row row;
      while (true) {
        const auto any = (*source)->Next(&row);
        if (!any.ok() || !*any) break;
        std::string out;
        if (mapping.ok()) (void)RowToJson(row, (*source)->columns(), *mapping, &out);
      }
    }
  }
  unlink(path);
  return 0;
}
