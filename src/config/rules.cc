#include "config/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/signal_fields.h"

namespace bowerbird::config {
namespace {

constexpr size_t kRulesMax = 100;
constexpr std::pair<std::string_view, Rule::Kind> kKinds[] = {
    {"boost", Rule::Kind::kBoost}, {"bury", Rule::Kind::kBury}, {"pin", Rule::Kind::kPin}};

bool ReadExpressionText(TableReader* table, std::string_view key, std::string* text) {
  if (!table->Has(key)) {
    table->Take(key);
    return false;
  }
  table->Text(key, 1, expression::Program::kTextBytesMax, text);
  return !text->empty();
}

void RefuseExpression(TableReader* table, std::string_view key, const std::string& text,
                      const expression::CompileError& error, const Draft& draft) {
  const bool on_broken = std::ranges::any_of(draft.broken_attributes,
                                             [&](const std::string& name) { return text.find(name) != text.npos; });
  if (on_broken) return;
  table->Refuse(key, fmt::format("{} at {} of {}", error.found, error.position, Quote(text)), error.expected);
}

void ReadWhen(TableReader* table, const Draft& draft, Rule* rule) {
  std::string text;
  if (!ReadExpressionText(table, "when", &text)) return;
  expression::CompileError error;
  rule->when = CompileOverItemSignals(draft.config, draft.item_schema, text, &rule->when_signals, &error);
  if (rule->when == nullptr) RefuseExpression(table, "when", text, error, draft);
}

void ReadScoring(TableReader* table, const Draft& draft, Rule* rule) {
  const bool boost = rule->kind == Rule::Kind::kBoost;
  const Interval factors = boost ? Interval::AboveTo(1, 1000) : Interval::FromBelow(0, 1);
  table->Require("when", "an expression over item attributes, such as \"price < 20\"");
  ReadWhen(table, draft, rule);
  table->Require("factor", factors.ToString());
  table->Number("factor", factors, &rule->factor);
  table->RefuseUnknown(boost ? "a boost" : "a bury");
}

void ReadPin(TableReader* table, const Draft& draft, Rule* rule) {
  table->Require("item", "an item's id");
  table->Text("item", 1, draft.config.collect.id_bytes_max, &rule->item);
  table->Require("position", "an integer from 1 to 1000");
  table->Integer("position", 1, 1000, &rule->position);
  table->RefuseUnknown("a pin");
}

Rule ReadRule(TableReader* table, const Draft& draft) {
  Rule rule;
  table->Require("name", "a name, by which an explanation calls the rule");
  table->Text("name", 1, 64, &rule.name);
  if (!rule.name.empty() && !IsName(rule.name)) {
    table->Refuse("name", Quote(rule.name), "1 to 64 letters, digits, '_', '-' or '.'");
  }
  table->Require("kind", "\"boost\", \"bury\" or \"pin\"");
  if (!table->Choice<Rule::Kind>("kind", kKinds, &rule.kind)) return rule;
  if (rule.kind == Rule::Kind::kPin) {
    ReadPin(table, draft, &rule);
  } else {
    ReadScoring(table, draft, &rule);
  }
  return rule;
}

}  // namespace

std::shared_ptr<const expression::Program> ReadExpression(TableReader* table, std::string_view key,
                                                          const Draft& draft) {
  std::string text;
  if (!ReadExpressionText(table, key, &text)) return nullptr;
  expression::CompileError error;
  std::shared_ptr<const expression::Program> program = expression::Program::Compile(text, draft.item_schema, &error);
  if (program == nullptr) RefuseExpression(table, key, text, error, draft);
  return program;
}

std::vector<Rule> ReadRules(TableReader* surface, Draft* draft) {
  std::vector<Rule> rules;
  base::StringSet names;
  std::set<uint32_t> positions;
  for (TableReader& table : surface->TableList("rules")) {
    Rule rule = ReadRule(&table, *draft);
    if (!rule.name.empty() && !names.insert(rule.name).second) {
      table.Refuse("name", "a second " + Quote(rule.name), "each rule of a surface under its own name");
    }
    if (rule.position > 0 && !positions.insert(rule.position).second) {
      table.Refuse("position", fmt::format("a second pin at position {}", rule.position), "at most one pin a position");
    }
    rules.push_back(std::move(rule));
  }
  if (rules.size() > kRulesMax) {
    surface->Refuse("rules", fmt::format("{} rules", rules.size()), fmt::format("at most {}", kRulesMax));
  }
  return rules;
}

}  // namespace bowerbird::config
