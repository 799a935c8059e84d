#include "rows/set_info.h"

#include <simdjson.h>

#include "base/json_writer.h"
#include "fmt/format.h"

namespace bowerbird::rows {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kCorrections[] = {"none", "weights", "offset"};

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(fmt::format("set.json: found no {}; expected what `rows build` writes", what));
}

/// Reads members of an object; the first one that is not there is remembered.
class Members {
 public:
  explicit Members(dom::element object) : object_(object) {}
  void Read(const char* name, std::string* out) {
    std::string_view text;
    if (object_[name].get(text)) return Miss(name);
    *out = text;
  }
  void Read(const char* name, uint64_t* out) {
    if (object_[name].get(*out)) Miss(name);
  }
  void Read(const char* name, int64_t* out) {
    if (object_[name].get(*out)) Miss(name);
  }
  void Read(const char* name, double* out) {
    if (object_[name].get(*out)) Miss(name);
  }
  void Read(const char* name, bool* out) {
    if (object_[name].get(*out)) Miss(name);
  }
  template <typename Visit>
  void ForEach(const char* name, const Visit& visit) {
    dom::array elements;
    if (object_[name].get(elements)) return Miss(name);
    for (const dom::element element : elements) visit(element);
  }
  void Miss(std::string_view name) {
    if (missing_.empty()) missing_ = name;
  }
  const std::string& missing() const { return missing_; }

 private:
  dom::element object_;
  std::string missing_;
};

}  // namespace

std::string_view CorrectionName(Correction correction) { return kCorrections[static_cast<size_t>(correction)]; }

std::string SetInfo::ToJson() const {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("format").Uint(kFormat).Key("day").String(day).Key("as_of_us").Int(as_of_us);
  json.Key("closed").Bool(closed).Key("config_version").String(config_version);
  json.Key("negatives").Double(negatives).Key("correction").String(CorrectionName(correction));
  json.Key("log_odds_offset").Double(log_odds_offset);
  json.Key("rows").Uint(rows).Key("candidates").Uint(candidates).Key("shown").Uint(shown);
  json.Key("negatives_left_out").Uint(negatives_left_out);
  json.Key("by_impressions").Uint(by_impressions).Key("by_last_position").Uint(by_last_position);
  json.Key("by_nothing").Uint(by_nothing).Key("signals_of_other_meaning").Uint(signals_of_other_meaning);
  json.Key("gone_features").Uint(features_gone);
  json.Key("refused").BeginObject();
  for (const auto& [reason, count] : refused) json.Key(reason).Uint(count);
  json.EndObject().Key("objectives").BeginArray();
  for (const ObjectiveInfo& objective : objectives) {
    json.BeginObject().Key("name").String(objective.name).Key("on").String(objective.on);
    json.Key("window_us").Int(objective.window_us).Key("weight").Double(objective.weight);
    json.Key("nulls").Uint(objective.stats.nulls).Key("labels").Uint(objective.stats.labels);
    json.Key("positives").Uint(objective.stats.positives).EndObject();
  }
  json.EndArray().Key("features").BeginArray();
  for (const auto& [name, stats] : feature_stats) {
    json.BeginObject().Key("name").String(name).Key("nulls").Uint(stats.nulls).Key("counts").BeginArray();
    for (const uint64_t count : stats.counts) json.Uint(count);
    json.EndArray().EndObject();
  }
  json.EndArray().Key("parts").BeginArray();
  for (const auto& [path, checksum] : parts)
    json.BeginObject().Key("path").String(path).Key("checksum").String(checksum).EndObject();
  json.EndArray().EndObject();
  return text;
}

absl::StatusOr<SetInfo> SetInfo::FromJson(std::string_view text) {
  dom::parser parser;
  dom::element root;
  uint64_t format = 0;
  if (parser.parse(text.data(), text.size()).get(root) || root["format"].get(format)) return Damaged("format");
  if (format > kFormat)
    return absl::FailedPreconditionError(
        fmt::format("set.json: found format {}; expected at most {}", format, kFormat));
  SetInfo info;
  Members members(root);
  std::string correction;
  members.Read("day", &info.day);
  members.Read("as_of_us", &info.as_of_us);
  members.Read("closed", &info.closed);
  members.Read("config_version", &info.config_version);
  members.Read("negatives", &info.negatives);
  members.Read("correction", &correction);
  members.Read("log_odds_offset", &info.log_odds_offset);
  members.Read("rows", &info.rows);
  members.Read("candidates", &info.candidates);
  members.Read("shown", &info.shown);
  members.Read("negatives_left_out", &info.negatives_left_out);
  members.Read("by_impressions", &info.by_impressions);
  members.Read("by_last_position", &info.by_last_position);
  members.Read("by_nothing", &info.by_nothing);
  members.Read("signals_of_other_meaning", &info.signals_of_other_meaning);
  // Sets of programs that knew of no tables do not say it.
  if (root["gone_features"].get(info.features_gone)) info.features_gone = 0;
  dom::object refused;
  if (root["refused"].get(refused)) return Damaged("refused");
  for (const auto [reason, count] : refused) {
    uint64_t rows = 0;
    if (count.get(rows)) return Damaged("refused");
    info.refused[std::string(reason)] = rows;
  }
  members.ForEach("objectives", [&](dom::element element) {
    ObjectiveInfo& objective = info.objectives.emplace_back();
    Members each(element);
    each.Read("name", &objective.name);
    each.Read("on", &objective.on);
    each.Read("window_us", &objective.window_us);
    each.Read("weight", &objective.weight);
    each.Read("nulls", &objective.stats.nulls);
    each.Read("labels", &objective.stats.labels);
    each.Read("positives", &objective.stats.positives);
    if (!each.missing().empty()) members.Miss(each.missing());
  });
  members.ForEach("features", [&](dom::element element) {
    auto& [name, stats] = info.feature_stats.emplace_back();
    Members each(element);
    each.Read("name", &name);
    each.Read("nulls", &stats.nulls);
    size_t bin = 0;
    each.ForEach("counts", [&](dom::element count) {
      if (bin >= FeatureStats::kBins || count.get(stats.counts[bin])) each.Miss("counts");
      ++bin;
    });
    if (bin != FeatureStats::kBins) each.Miss("counts");
    if (!each.missing().empty()) members.Miss(each.missing());
    info.features.push_back(name);
  });
  members.ForEach("parts", [&](dom::element element) {
    auto& [path, checksum] = info.parts.emplace_back();
    Members each(element);
    each.Read("path", &path);
    each.Read("checksum", &checksum);
    if (!each.missing().empty()) members.Miss(each.missing());
  });
  if (!members.missing().empty()) return Damaged(members.missing());
  size_t at = 0;
  while (at < std::size(kCorrections) && kCorrections[at] != correction) ++at;
  if (at == std::size(kCorrections)) return Damaged("correction");
  info.correction = static_cast<Correction>(at);
  if ((info.correction == Correction::kOffset) != (info.log_odds_offset != 0)) {
    return absl::InvalidArgumentError(fmt::format(
        "set.json: found the correction \"{}\" with a log-odds offset of {}; expected weights or an offset, "
        "never both",
        correction, info.log_odds_offset));
  }
  return info;
}

}  // namespace bowerbird::rows
