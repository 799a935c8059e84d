#include "server/mcp_explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json_writer.h"
#include "base/time_text.h"
#include "collect/item_json.h"

namespace bowerbird::server {
namespace {

using base::JsonWriter;

constexpr int kInterests = 15, kActions = 25, kItems = 25;

std::string Time(int64_t time_us) { return time_us == 0 ? std::string() : base::FormatTimeUs(time_us); }

void WriteSources(const v1::ServedCandidate& candidate, JsonWriter* json) {
  json->Key("sources").BeginArray();
  for (const v1::Source& source : candidate.sources()) {
    json->BeginObject().Key("generator").String(source.generator()).Key("rank").Uint(source.rank());
    json->Key("score").Float(source.score());
    if (!source.because().empty()) json->Key("because").String(source.because());
    json->EndObject();
  }
  json->EndArray();
}

void WriteShown(const v1::ServedRecord& record, const v1::ServedCandidate& candidate, const std::string& title,
                JsonWriter* json) {
  json->BeginObject().Key("item").String(candidate.item()).Key("title").String(title);
  json->Key("position").Uint(candidate.position()).Key("rank_score").Float(candidate.rank_score());
  json->Key("final_score").Float(candidate.final_score()).Key("propensity").Double(candidate.propensity());
  if (!candidate.team().empty()) json->Key("placed_by_arm").String(candidate.team());
  WriteSources(candidate, json);
  json->Key("rules").BeginArray();
  for (const std::string& rule : candidate.rules()) json->String(rule);
  json->EndArray().Key("features").BeginObject();
  for (int i = 0; i < std::min(candidate.features_size(), record.feature_names_size()); ++i) {
    if (!std::isnan(candidate.features(i))) json->Key(record.feature_names(i)).Float(candidate.features(i));
  }
  json->EndObject().EndObject();
}

/// Where what was shown came from, in a sentence.
std::string Summary(const v1::ServedRecord& record, size_t shown) {
  std::map<std::string, int> first;
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    if (candidate.position() > 0 && candidate.sources_size() > 0) ++first[candidate.sources(0).generator()];
  }
  std::string from;
  for (const auto& [generator, count] : first)
    from += fmt::format("{}{} by {}", from.empty() ? "" : ", ", count, generator);
  std::string text = fmt::format("{} items were shown on surface {}{}{}.", shown, record.request().surface(),
                                 from.empty() ? "" : ": ", from);
  text += record.ranker().empty() ? " The score was the recipe's."
                                  : fmt::format(" Ranker {} gave the scores.", record.ranker());
  if (record.explored()) text += " The order was drawn at random on purpose.";
  if (record.has_draft()) {
    text += fmt::format(
        " Experiment {} drafted the order out of the rankings of its arms; scores and features are the control's.",
        record.draft().experiment());
  }
  if (record.degraded_size() > 0) text += fmt::format(" The answer took {} fallbacks.", record.degraded_size());
  if (record.redacted()) text += " The user was forgotten since: little is left of it.";
  return text;
}

void WriteInterests(const google::protobuf::RepeatedPtrField<v1::Interest>& interests, JsonWriter* json) {
  json->BeginArray();
  for (int i = 0; i < std::min(kInterests, interests.size()); ++i) {
    json->BeginObject().Key("category").String(interests[i].category()).Key("share").Double(interests[i].share());
    json->Key("weight").Double(interests[i].weight()).EndObject();
  }
  json->EndArray();
}

void WriteSignal(const v1::ProfileSignal& signal, bool masked, JsonWriter* json) {
  json->BeginObject().Key("name").String(signal.name()).Key("kind").String(signal.kind());
  if (signal.has_number()) json->Key("number").Double(signal.number());
  json->Key("values").Int(signal.items_size()).Key("keys").Int(signal.keys_size());
  if (!masked && signal.keys_size() > 0) {
    json->Key("strongest").BeginArray();
    for (int i = 0; i < std::min(kInterests, signal.keys_size()); ++i) json->String(signal.keys(i).key());
    json->EndArray();
  }
  if (!masked && signal.items_size() > 0) {
    json->Key("newest").BeginArray();
    for (int i = 0; i < std::min(kInterests, signal.items_size()); ++i) json->String(signal.items(i).value());
    json->EndArray();
  }
  json->EndObject();
}

std::string Summary(const v1::ProfileResponse& profile) {
  if (profile.events() == 0) return "Nothing that this user did is known.";
  std::string text = fmt::format("{} events from {} to {}; lifecycle {}.", profile.events(),
                                 Time(profile.first_time_us()), Time(profile.last_time_us()), profile.lifecycle());
  std::string interests;
  for (int i = 0; i < std::min(3, profile.interests_size()); ++i)
    interests += fmt::format("{}{} ({:.0f}%)", i == 0 ? "" : ", ", profile.interests(i).category(),
                             100 * profile.interests(i).share());
  if (!interests.empty()) text += fmt::format(" Most interested in {}.", interests);
  if (profile.marked()) text += " The traffic is marked: signals, training and metrics leave it out.";
  return text;
}

void WriteActions(const v1::ProfileResponse& profile, JsonWriter* json) {
  json->Key("newest_actions").BeginArray();
  for (int i = 0; i < std::min(kActions, profile.sequence_size()); ++i) {
    const v1::ProfileAction& action = profile.sequence(i);
    json->BeginObject().Key("type").String(action.type()).Key("item").String(action.item());
    json->Key("time").String(Time(action.time_us())).Key("surface").String(action.surface()).EndObject();
  }
  json->EndArray().Key("hidden_items").BeginArray();
  for (int i = 0; i < std::min(kItems, profile.hidden_size()); ++i) json->String(profile.hidden(i));
  json->EndArray();
}

}  // namespace

std::string ExplainServed(const v1::ServedRecord& record, const Naming& naming,
                          const std::function<std::string(const std::string& item)>& title) {
  size_t shown = 0;
  for (const v1::ServedCandidate& candidate : record.candidates()) shown += candidate.position() > 0 ? 1 : 0;
  std::string text;
  JsonWriter json(&text);
  json.BeginObject().Key("request_id").String(record.request_id()).Key("summary").String(Summary(record, shown));
  json.Key("kind").String(record.kind()).Key("time").String(Time(record.time_us()));
  json.Key("user").String(naming.user(record.request().user())).Key("surface").String(record.request().surface());
  if (!record.request().item().empty()) json.Key("related_to").String(record.request().item());
  if (!record.request().filter().empty()) json.Key("filter").String(naming.text(record.request().filter()));
  json.Key("page").Uint(record.page()).Key("explored").Bool(record.explored());
  json.Key("temperature").Double(record.temperature()).Key("degraded").BeginArray();
  for (const std::string& name : record.degraded()) json.String(name);
  json.EndArray().Key("generators_dropped").BeginArray();
  for (const std::string& name : record.generators_dropped()) json.String(name);
  json.EndArray().Key("computed_from").BeginObject().Key("config").String(record.config_version());
  json.Key("snapshot").String(record.snapshot()).Key("ranker").String(record.ranker());
  json.Key("item_table").Uint(record.item_table()).Key("user_offset").Uint(record.user_offset());
  json.Key("catalog_offset").Uint(record.catalog_offset()).EndObject();
  json.Key("candidates_logged").Int(record.candidates_size()).Key("shown").BeginArray();
  for (const v1::ServedCandidate& candidate : record.candidates()) {
    if (candidate.position() > 0) WriteShown(record, candidate, title(candidate.item()), &json);
  }
  json.EndArray().EndObject();
  return text;
}

std::string ExplainProfile(const v1::ProfileResponse& profile, const v1::User* attributes, std::string_view counts,
                           const Naming& naming) {
  std::string text;
  JsonWriter json(&text);
  json.BeginObject().Key("user").String(naming.user(profile.id())).Key("summary").String(Summary(profile));
  json.Key("events").Uint(profile.events()).Key("first_time").String(Time(profile.first_time_us()));
  json.Key("last_time").String(Time(profile.last_time_us())).Key("lifecycle").String(profile.lifecycle());
  json.Key("marked").Bool(profile.marked());
  if (profile.has_mark()) json.Key("mark_reason").String(profile.mark().reason());
  json.Key("segments").BeginArray();
  for (const std::string& segment : profile.segments()) json.String(segment);
  json.EndArray().Key("interests");
  WriteInterests(profile.interests(), &json);
  json.Key("recent_interests");
  WriteInterests(profile.short_interests(), &json);
  json.Key("did").Raw(counts).Key("signals").BeginArray();
  for (const v1::ProfileSignal& signal : profile.signals()) WriteSignal(signal, naming.masked, &json);
  json.EndArray().Key("collections").BeginArray();
  for (const v1::CollectionSummary& collection : profile.collections()) {
    json.BeginObject()
        .Key("name")
        .String(naming.text(collection.name()))
        .Key("items")
        .Uint(collection.items())
        .EndObject();
  }
  json.EndArray();
  WriteActions(profile, &json);
  if (!naming.masked) {
    json.Key("attributes").BeginObject();
    std::map<std::string, const v1::Value*> sorted;
    if (attributes != nullptr) {
      for (const auto& [name, value] : attributes->attributes()) sorted[name] = &value;
    }
    for (const auto& [name, value] : sorted) {
      json.Key(name);
      collect::WriteValue(*value, &json);
    }
    json.EndObject();
  }
  json.EndObject();
  return text;
}

}  // namespace bowerbird::server
