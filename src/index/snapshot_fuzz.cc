// Any bytes: read as a snapshot or refused. They are tried as they are, and with every checksum made to fit, so that
// the checks behind the checksums are reached too. What is read is then used as a request would.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "catalog/item_rules.h"
#include "index/exact.h"
#include "index/live_index.h"
#include "index/sample_for_test.h"
#include "index/snapshot.h"

namespace bowerbird::index {
namespace {

struct alignas(kSectionAlignment) Line {
  char bytes[kSectionAlignment];
};

void MakeChecksumsFit(std::span<char> file) {
  const std::string_view bytes(file.data(), file.size());
  SnapshotHeader header;
  if (file.size() < sizeof(header)) return;
  std::memcpy(&header, file.data(), sizeof(header));
  header.file_size = file.size();
  if (header.table_offset <= file.size()) {
    const uint64_t entries =
        std::min<uint64_t>(header.section_count, (file.size() - header.table_offset) / sizeof(SectionEntry));
    for (uint64_t i = 0; i < entries; ++i) {
      char* at = file.data() + header.table_offset + i * sizeof(SectionEntry);
      SectionEntry entry;
      std::memcpy(&entry, at, sizeof(entry));
      if (entry.offset > file.size() || entry.size > file.size() - entry.offset) continue;
      entry.checksum = base::Hash64(bytes.substr(entry.offset, entry.size));
      std::memcpy(at, &entry, sizeof(entry));
    }
    header.table_checksum =
        base::Hash64(bytes.substr(header.table_offset, header.section_count * sizeof(SectionEntry)));
  }
  std::memcpy(file.data(), &header, sizeof(header));
  header.header_checksum = base::Hash64(bytes.substr(0, offsetof(SnapshotHeader, header_checksum)));
  std::memcpy(file.data(), &header, sizeof(header));
}

void UseItem(const LiveView& view, const ItemHandle& item, const expression::Program& filter, bool in_bitmap) {
  std::vector<float> scratch;
  const size_t dim = view.snapshot()->dim();
  BOWERBIRD_CHECK(view.Factor(item, &scratch).size() == dim);
  const bool matches = view.Eligible(item) && view.Matches(item, filter, kSampleTimeUs);
  BOWERBIRD_CHECK(matches == in_bitmap);
  (void)view.Id(item).size();
  (void)view.CreatedUs(item);
  (void)view.FactorTrained(item);
  (void)view.Document(item);
  for (const uint64_t category : view.Categories(item)) (void)view.snapshot()->CategoryName(category).size();
}

void Use(std::shared_ptr<const Snapshot> snapshot) {
  static const std::shared_ptr<const config::Config> config = SampleConfig();
  static const auto filter =
      expression::Program::Compile(
          "not (price < 3 and fragile) or tags contains \"tag-1\" or color == \"color-2\" or title contains \"of\" or "
          "season > now - 9d",
          config->ItemSchema())
          .value();
  LiveIndex live(config);
  BOWERBIRD_CHECK(live.SwapSnapshot(snapshot).ok());
  const auto view = live.View();
  const std::vector<uint64_t> words = view->EligibleOrdinals(filter.get(), kSampleTimeUs);
  for (uint32_t i = 0; i < snapshot->size(); ++i) {
    ItemHandle item;
    BOWERBIRD_CHECK(view->Find(snapshot->Key(Ordinal(i)), &item) && item.ordinal == Ordinal(i));
    UseItem(*view, item, *filter, (words[i / 64] >> (i % 64)) & 1);
    const Neighbors neighbors = snapshot->CoOccurring(Ordinal(i));
    for (size_t n = 0; n < neighbors.size(); ++n) (void)snapshot->Id(neighbors.items[n]).size();
  }
  for (const Ordinal ordinal : snapshot->by_popularity()) (void)snapshot->Id(ordinal).size();
  for (const Ordinal ordinal : snapshot->by_created()) (void)snapshot->Id(ordinal).size();
  if (snapshot->dim() == 0) return;
  const std::vector<float> query(snapshot->dim(), 0.5f);
  BOWERBIRD_CHECK(TopInnerProducts(snapshot->factors(), query, words, 5).size() <= snapshot->size());
  (void)TopCosines(snapshot->factors(), snapshot->inverse_norms(), query, words, 5);
  v1::Item item;
  item.set_id("new");
  item.set_title("a new thing");
  const Change change = {snapshot->catalog_offset(), catalog::ItemKey(1), &item};
  // Refused only where the snapshot has that key.
  (void)live.Apply(std::span(&change, 1));
}

void TryRead(std::span<const char> bytes) {
  auto snapshot = Snapshot::Read({bytes.data(), bytes.size()}, "fuzz");
  if (snapshot.ok()) {
    Use(*std::move(snapshot));
  } else {
    BOWERBIRD_CHECK(!snapshot.status().message().empty());
  }
}

}  // namespace
}  // namespace bowerbird::index

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bowerbird::index;
  std::vector<Line> lines(size / sizeof(Line) + 1);
  if (size > 0) std::memcpy(lines.data(), data, size);
  const std::span<char> bytes(lines[0].bytes, size);
  TryRead(bytes);
  MakeChecksumsFit(bytes);
  TryRead(bytes);
  return 0;
}
