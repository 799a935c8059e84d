#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/string_map.h"
#include "expression/expression.h"

/// bowerbird.toml as checked values. Everything here is immutable after Parse; times are microseconds; names refer to
/// things that exist, because Parse refuses a dangling one. docs/config.md lists every key with its default.
namespace bowerbird::config {

enum class Polarity : uint8_t { kPositive, kNegative, kNeutral };
/// Whether an event of a type names an item.
enum class ItemUse : uint8_t { kRequired, kOptional, kNone };

struct Attribute {
  std::string name;
  expression::Type type = expression::Type::kString;
  bool stamp =
      false;  ///< items only: copied into each event about the item at intake, so that replay sees what was true then
  bool embedding = false;  ///< items only: a vector given by the client (type ignored), `dim` values
  uint32_t dim = 0;
};

struct EventType {
  std::string name;
  uint32_t ordinal = 0;  ///< position in Config::event_types: dense, used in compact records together with `code`
  uint8_t code = 0;      ///< stable 1..255 id kept in state; declared order unless `code` is given
  double weight = 1.0;   ///< strength of the action in [0, 1000]; 0 = not used for learning
  Polarity polarity = Polarity::kPositive;
  ItemUse item = ItemUse::kRequired;
  /// The share of `weight` that an event's value earns: 0 at value_zero, 1 at value_one, linear between, clamped. Both
  /// 0: always 1.
  double value_zero = 0, value_one = 0;
  std::vector<Attribute> attributes;  ///< declared event attributes; an undeclared one is refused at intake
};

/// Built-in event types exist without being declared, with the codes 1 to 9 in this order, and may be redeclared to
/// change weight: impression (neutral, weight 0), click, closeup, save, hide (negative), purchase, search (no item),
/// notification_open, identify (no item). Declared ones get codes from 16 on, in order, unless given. The default
/// generators and surfaces (docs/config.md) exist in the same way.

struct Collect {
  int64_t age_us_max = 0;        ///< older events are late
  bool late_rejected = false;    ///< false: accepted and marked late
  int64_t future_us_max = 0;     ///< further ahead of the server's clock is a future event
  bool future_rejected = false;  ///< false: event time clamped to the receive time
  uint32_t batch_events_max = 1000;
  uint64_t body_bytes_max = 8u << 20;
  uint32_t id_bytes_max = 256;
  uint32_t attributes_max = 64;
  uint32_t attribute_bytes_max = 4096;
  uint32_t text_bytes_max = 65536;
};

struct Log {
  enum class Kind : uint8_t { kEmbedded, kKafka } kind = Kind::kEmbedded;
  int64_t retention_us = 0;                     ///< 0 keeps everything
  base::StringMap<int64_t> topic_retention_us;  ///< by topic, in the place of retention_us; 0 keeps everything
  // Of kind kafka.
  std::vector<std::string> brokers;  ///< "host:port"
  std::string topic_prefix;          ///< "" in the file: the app's name and a dot
  uint32_t replication = 0;          ///< of topics that are made; 0: as the brokers say
  bool events_in = true;             ///< other producers may write to PREFIXevents_in
  std::string password_file, key_password_file;
  std::vector<std::pair<std::string, std::string>> client;  ///< librdkafka's properties, by name
};

struct State {
  uint32_t sequence_max = 512;
  uint32_t dedupe_prints = 512;
  int64_t dedupe_window_us = 0;
  int64_t read_your_writes_us = 50'000;
  uint64_t cache_bytes = 256u << 20;
  int64_t flush_interval_us = 1'000'000;
  int64_t item_bucket_us = 3'600'000'000;      ///< width of an item counter's time bucket
  uint32_t item_buckets_max = 24 * 14;         ///< buckets kept an item
  int64_t item_table_interval_us = 2'000'000;  ///< how often the item table is published
  int64_t affinity_half_life_us = 0;           ///< of the per-user category counts
  uint32_t affinity_top = 32;
  std::string category_attribute;  ///< item attribute whose values are the categories; empty = none
};

/// A declared aggregation over a user's events; checked here, computed by the module signal.
struct Signal {
  std::string name;
  std::string kind;
  bool per_item = false;              ///< what everybody did with an item; else what a user did
  std::string of;                     ///< a field, or "1"; empty for kinds that count events
  std::string by;                     ///< a field; empty: one value for all events
  std::vector<std::string> on;        ///< event types that count
  std::vector<std::string> of_types;  ///< ratio: the event types that are counted against those of `on`
  int64_t half_life_us = 0, window_us = 0;
  uint32_t top = 0;  ///< with `by`: how many of its values are kept
  uint32_t n = 0;    ///< last_n, top_k: how many values are kept
  double prior = 0, prior_weight = 0;
  std::shared_ptr<const expression::Program> where;  ///< over `where_fields`; null: every event
  std::vector<std::string> where_fields;             ///< what the program's attributes are, by index
  std::string owner, description;
};

/// What an expression reads of a signal.
struct SignalField {
  std::string signal;  ///< its name
  std::string key;     ///< with `by`: which key; empty: the keys themselves, as a set
};

/// The attributes of an expression that are signals per item: those from `first` on.
struct ItemSignalFields {
  uint32_t first = 0;
  std::vector<SignalField> fields;  ///< none: it reads none
};

/// What a condition of a segment reads of a user, beside the numbers of tables that it names.
struct SegmentField {
  enum class Kind : uint8_t { kLifecycle, kEvents, kFirstTime, kLastTime, kSignal } kind = Kind::kEvents;
  SignalField signal;  ///< kSignal
};

/// A declared set of users: those of whom a condition over their signals holds.
struct UserSegment {
  std::string name;
  std::shared_ptr<const expression::Program> where;
  std::vector<SegmentField> fields;  ///< what the program's attributes are, by index
  std::string owner, description;
};

/// What names other teams' tables of numbers in a text, and what follows: a table and one of its columns.
inline constexpr std::string_view kUserFeatures = "user.features.", kItemFeatures = "item.features.";
inline constexpr std::string_view kFeatureForm = "TABLE.COLUMN";
/// Why a filter has no product of vectors: it is asked of every item, not of some hundred candidates.
inline constexpr std::string_view kNoProduct =
    "numbers: products of vectors are for rules and for the ranker's features";

/// A number of those tables that the ranker takes beside its own features.
struct RankFeature {
  std::string name;  ///< number.Text()
  expression::OpenNumber number;
  double weight = 0;  ///< in the hand-made sum; 0: a trained ranker's alone
};

enum class GeneratorKind : uint8_t { kIals, kCoOccurrence, kTrending, kFresh, kPopular, kSimilar, kNext };

struct Generator {
  std::string name;
  GeneratorKind kind = GeneratorKind::kIals;
  uint32_t count = 300;      ///< candidates returned at most
  int64_t half_life_us = 0;  ///< trending: decay of counts; co_occurrence, next: decay of the user's recent actions
  int64_t window_us = 0;     ///< trending, fresh: how far back
  uint32_t seeds = 50;       ///< co_occurrence, next: how many recent items start it
};

struct Objective {
  std::string name;
  std::string event;  ///< a declared event type
  int64_t window_us = 0;
  double weight = 1.0;
};

enum class SeenPolicy : uint8_t { kExclude, kDemote, kAllow };

struct Rule {
  enum class Kind : uint8_t { kBoost, kBury, kPin } kind = Kind::kBoost;
  std::string name;
  std::shared_ptr<const expression::Program> when;  ///< boost, bury: over item attributes and `when_signals`
  ItemSignalFields when_signals;
  double factor = 1.0;    ///< boost > 1; bury in [0, 1)
  std::string item;       ///< pin
  uint32_t position = 0;  ///< pin: from 1
};

struct Surface {
  std::string name;
  bool needs_item = false;              ///< related
  std::vector<std::string> generators;  ///< names in Config::generators
  base::StringMap<double> weights;  ///< generator name -> weight of its normalized score in the rank score; default 1
  uint32_t candidates_max = 2000;
  uint32_t ranked_max = 300;  ///< candidates that the first stage passes on to the ranker
  SeenPolicy seen = SeenPolicy::kExclude;
  int64_t seen_window_us = 0;  ///< 0: for as long as state remembers
  double seen_factor = 0.5;    ///< demote: score multiplier
  double explore = 0.01;       ///< share of requests that are randomized
  double temperature = 0.1;
  double diversity = 0.0;     ///< 0..1: penalty on the share of a category among the items above
  uint32_t category_cap = 0;  ///< most items of one category on a page; 0 = no cap
  std::shared_ptr<const expression::Program> filter;  ///< always applied; may be null
  std::vector<Rule> rules;
  std::vector<RankFeature> features;  ///< in the order of the file
};

struct Pipeline {
  int64_t interval_us = 0;  ///< train and index again this often while serving, when there is news; 0 = only by command
  uint32_t factors = 64;
  uint32_t epochs = 8;
  double regularization = 0.005;
  double unobserved_weight = 0.01;
  int64_t co_occurrence_half_life_us = 0;
  uint32_t snapshots_kept = 5;
  int64_t window_us = 0;  ///< train on what was appended within this time before now; 0: on the whole log
};

struct Served {
  double l2_sample = 0.01;      ///< share of requests whose ranked but unshown candidates are all logged
  double union_sample = 0.001;  ///< share of requests whose whole union is logged
};

/// The lake: Parquet tables of the log, and SQL over them.
struct Lake {
  bool enabled = true;                    ///< followed while serving; by command it can be used either way
  int64_t interval_us = 60'000'000;       ///< how often the tables are brought up to the log's end
  base::StringMap<int64_t> retention_us;  ///< by table; 0 or none: for ever
  int64_t sql_us_max = 30'000'000;
  uint64_t sql_rows_max = 100'000;
  uint64_t sql_bytes_max = 64u << 20;
  uint64_t sql_memory_bytes = uint64_t{1} << 30;
  uint32_t sql_threads = 2;
};

/// Users who were forgotten leave log, lake and files at the next turn of the job that redacts.
struct Forget {
  int64_t interval_us = 86'400'000'000;
};

/// Rules by which users are found to be no persons; what they do is kept, and left out of signals, training and
/// metrics.
struct Traffic {
  bool enabled = false;
  /// In lower case: parts of the User-Agent of programs that say what they are. Without "bot " ("CUBOT X18" is a
  /// phone) and without the libraries that a product's own backend sends with.
  std::vector<std::string> agents = {"bot/",        "bot;",          "bot)",       "+http",     "crawler",
                                     "spider",      "slurp",         "headless",   "phantomjs", "lighthouse",
                                     "externalhit", "mediapartners", "ia_archiver"};
  uint32_t rate = 300;  ///< more events of a user within rate_window are no person's; 0: no rule
  int64_t rate_window_us = 60'000'000;
  double entropy = 1.0;  ///< bits: gaps between actions that tell less are a machine's; 0: no rule
  uint32_t entropy_actions = 64;
  int64_t mark_us = 86'400'000'000;  ///< how long a mark lasts after its last reason
};

/// What holds for all experiments; they themselves live in the log.
struct Experiments {
  double holdout = 0;                       ///< share of users who are in no experiment
  int64_t check_interval_us = 600'000'000;  ///< how often guardrails are judged
};

/// [segment]: what an event name of Segment's track call becomes, before the built-in names.
struct SegmentName {
  std::string event;  ///< as the client sends it
  std::string type;   ///< a declared or built-in event type; empty: ignored
};

struct Config {
  std::string version;  ///< hash of the text: stamped into events and served records
  std::string app = "default";
  uint32_t partitions = 64;
  std::vector<EventType> event_types;
  std::vector<SegmentName> segment;
  std::vector<std::string> domains;  ///< first = default
  std::vector<Attribute> item_attributes, user_attributes;
  Collect collect;
  Log log;
  State state;
  std::vector<Signal> signals;
  std::vector<UserSegment> user_segments;
  std::vector<Generator> generators;
  std::vector<Objective> objectives;
  std::vector<Surface> surfaces;
  Pipeline pipeline;
  Served served;
  Lake lake;
  Forget forget;
  Traffic traffic;
  Experiments experiments;

  const EventType* FindEventType(std::string_view name) const;
  const EventType* FindEventTypeByCode(uint8_t code) const;
  const Attribute* FindItemAttribute(std::string_view name) const;
  const Generator* FindGenerator(std::string_view name) const;
  const Surface* FindSurface(std::string_view name) const;
  /// The declared item attributes plus the built-in ones (see expression/schema notes in docs/config.md) as an
  /// expression schema, open below kUserFeatures and kItemFeatures.
  expression::Schema ItemSchema() const;
};

/// One finding about a config file. `line` counts from 1; 0 where no single line is at fault.
struct Problem {
  std::string file;
  uint32_t line = 0;
  std::string key;  ///< dotted path, "surfaces.home.generators[1]"
  std::string found;
  std::string expected;
  /// "FILE:LINE: KEY: found X; expected Y".
  std::string ToString() const;
};

struct ParseResult {
  std::shared_ptr<const Config> config;  ///< null exactly when there are problems
  std::vector<Problem> problems;         ///< all of them, by line
};

/// Checks the whole text at once. Never throws; any bytes are allowed. `file` is used in messages only.
ParseResult Parse(std::string_view text, std::string_view file);
/// NotFound, or InvalidArgument whose message lists every problem, one a line.
absl::StatusOr<std::shared_ptr<const Config>> Load(const std::string& path);
/// The starter config that `import` writes into an empty folder: commented, under 60 lines; Parse accepts it.
std::string StarterText();
/// Configs to begin with, by what is shown: "shop", "articles", "pins". Commented, under 40 lines; Parse accepts them.
std::vector<std::string> PresetNames();
/// InvalidArgument: an unknown name.
absl::StatusOr<std::string> PresetText(std::string_view name);

/// DIR/server.toml: what belongs to the process, not to an app.
struct ServerConfig {
  std::string listen = "127.0.0.1";
  uint16_t port = 8080;
  std::string grpc_listen = "127.0.0.1";
  std::optional<uint16_t> grpc_port;  ///< without: no gRPC
  uint32_t threads = 2;
  bool open_on_loopback = true;  ///< without a key every scope, but only for loopback clients
  int64_t drain_us = 10'000'000;
  int64_t request_us_max = 30'000'000;
  uint32_t connections_max = 4096;
  uint64_t intake_bytes_max = uint64_t{32} << 20;  ///< bodies of events that wait for the log; beyond: 429
  std::vector<std::string> allowed_origins;        ///< of web pages that may send events; "*": any
  std::string log_level = "info";
};
struct ServerParseResult {
  std::optional<ServerConfig> config;
  std::vector<Problem> problems;
};
ServerParseResult ParseServer(std::string_view text, std::string_view file);
std::string StarterServerText();

}  // namespace bowerbird::config
