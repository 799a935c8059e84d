#include <fmt/format.h>

#include <string>
#include <utility>

#include "config/sections.h"
#include "config/signal_fields.h"

namespace bowerbird::config {
namespace {

using expression::Type;
using FieldKind = SegmentField::Kind;

constexpr size_t kSegmentsMax = 256;

/// What is known of every user, whatever is declared.
struct BuiltIn {
  std::string_view name;
  Type type;
  FieldKind kind;
};
constexpr BuiltIn kBuiltIns[] = {
    {"lifecycle", Type::kString, FieldKind::kLifecycle},
    {"events", Type::kNumber, FieldKind::kEvents},
    {"first_time", Type::kTime, FieldKind::kFirstTime},
    {"last_time", Type::kTime, FieldKind::kLastTime},
};

class FieldList {
 public:
  void AddAll(const Config& config, std::string_view text) {
    schema_.OpenBelow(std::string(kUserFeatures), std::string(kFeatureForm));
    for (const BuiltIn& one : kBuiltIns) {
      if (schema_.Add(one.name, one.type).ok()) fields_.push_back({one.kind, {}});
    }
    std::vector<SignalField> signals;
    AddSignalFields(config, /*per_item=*/false, text, &schema_, &signals);
    for (SignalField& signal : signals) fields_.push_back({FieldKind::kSignal, std::move(signal)});
  }
  const expression::Schema& schema() const { return schema_; }
  std::vector<SegmentField> Take() { return std::move(fields_); }

 private:
  expression::Schema schema_;
  std::vector<SegmentField> fields_;
};

void ReadUserSegment(TableReader table, Draft* draft, UserSegment* segment) {
  table.Text("owner", 1, 128, &segment->owner);
  table.Text("description", 1, 1024, &segment->description);
  table.Require("where", "a condition such as \"lifecycle == 'core' and events > 100\"");
  std::string text;
  table.Text("where", 1, expression::Program::kTextBytesMax, &text);
  if (!text.empty()) {
    FieldList fields;
    fields.AddAll(draft->config, text);
    expression::CompileError error;
    segment->where = expression::Program::Compile(text, fields.schema(), &error);
    segment->fields = fields.Take();
    if (segment->where == nullptr) {
      table.Refuse("where", fmt::format("{} at {} of {}", error.found, error.position, Quote(text)), error.expected);
    }
  }
  table.RefuseUnknown("a segment");
}

}  // namespace

void ReadUserSegments(TableReader* root, Draft* draft) {
  TableReader segments = root->Table("segments");
  for (auto& [name, table] : segments.NamedTables(kSegmentsMax)) {
    CheckName(name, draft->problems);
    UserSegment segment;
    segment.name = name.text;
    ReadUserSegment(std::move(table), draft, &segment);
    draft->config.user_segments.push_back(std::move(segment));
  }
}

}  // namespace bowerbird::config
