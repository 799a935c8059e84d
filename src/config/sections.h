#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/string_map.h"
#include "config/config.h"
#include "config/objectives.h"
#include "config/problems.h"
#include "config/table_reader.h"

/// The sections of bowerbird.toml. Each function reads its tables from the root, lays them over the defaults that
/// `draft` holds, and reports what does not fit. Their order in Parse is that of reference: what is referred to is read
/// first.
namespace bowerbird::config {

struct Draft {
  Config config;
  Problems* problems;
  /// The declared item attributes that have a problem: an expression that names one is not judged, lest one slip be
  /// told twice.
  base::StringSet broken_attributes;
  expression::Schema item_schema;
  std::vector<EventObjective> objectives;  ///< as Config::objectives, in full
};

/// What holds without a file.
Config DefaultConfig();
Generator GeneratorDefaults(std::string_view name, GeneratorKind kind);

/// [log], of the app of this name.
void ReadLog(TableReader table, const std::string& app, Draft* draft);
/// [app] [collect] [log] [state] [pipeline] [served] [lake] [forget], but for state's category attribute, which is
/// [items]' business.
void ReadSettings(TableReader* root, Draft* draft);
void ReadEvents(TableReader* root, Draft* draft);
void ReadSegment(TableReader* root, Draft* draft);
/// [items] [items.attributes] [users.attributes]; makes draft->item_schema.
void ReadItemsAndUsers(TableReader* root, Draft* draft);
void ReadSignals(TableReader* root, Draft* draft);
/// [segments.NAME], over the signals.
void ReadUserSegments(TableReader* root, Draft* draft);
/// `where`: an expression over the fields of events of `types` and of their items. Null stays null without one, or with
/// one that is refused; `fields` are what the program's attributes are, by index.
void ReadEventWhere(TableReader* table, Draft* draft, std::span<const std::string> types,
                    std::shared_ptr<const expression::Program>* where, std::vector<std::string>* fields);
void ReadGenerators(TableReader* root, Draft* draft);
void ReadObjectives(TableReader* root, Draft* draft);
/// With their rules.
void ReadSurfaces(TableReader* root, Draft* draft);

struct BuiltInAttribute {
  std::string_view name;
  expression::Type type;
};
/// The item attributes that exist undeclared, in the order of the schema.
std::span<const BuiltInAttribute> BuiltInItemAttributes();

std::vector<std::string_view> EventTypeNames(const Config& config);
/// Reports `name` when it is no event type. True when it is one.
bool CheckEventType(const NameAt& name, const Draft& draft);

}  // namespace bowerbird::config
