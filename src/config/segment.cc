#include <fmt/format.h>

#include "config/sections.h"

namespace bowerbird::config {
namespace {

constexpr size_t kNamesMax = 1000;
constexpr size_t kNameBytesMax = 256;

}  // namespace

void ReadSegment(TableReader* root, Draft* draft) {
  TableReader table = root->Table("segment");
  if (!table.CheckCount(kNamesMax)) return;
  for (const NameAt& name : table.Keys()) {
    SegmentName segment{.event = name.text};
    table.Text(name.text, 0, 64, &segment.type);
    if (name.text.empty() || name.text.size() > kNameBytesMax) {
      draft->problems->Add(name.line, name.path, fmt::format("a name of {} bytes", name.text.size()),
                           fmt::format("an event name of 1 to {} bytes", kNameBytesMax));
      continue;
    }
    // Who becomes whom is said by identify and alias calls, which name both.
    if (segment.type == "identify") {
      table.Refuse(name.text, "\"identify\"", "another event type: identify and alias calls make it by themselves");
    } else if (!segment.type.empty()) {
      CheckEventType({segment.type, table.LineOf(name.text), name.path}, *draft);
    }
    draft->config.segment.push_back(std::move(segment));
  }
}

}  // namespace bowerbird::config
