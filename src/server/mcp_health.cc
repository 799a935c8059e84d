#include "server/mcp_health.h"

#include <fmt/format.h>

#include "base/json_writer.h"

namespace bowerbird::server {
namespace {

constexpr double kLagSeconds = 10, kDegradedShare = 0.01, kDiskShare = 0.1;
constexpr double kGigabyte = 1e9;

class Judge {
 public:
  explicit Judge(const HealthFacts& facts) : facts_(facts) {}

  std::string Report() {
    if (!facts_.health.ok())
      Find("down", fmt::format("The app cannot serve: {}.", std::string(facts_.health.message())));
    JudgeState();
    JudgeServing();
    if (facts_.lake_enabled) JudgeLake();
    JudgeDisk();
    return Write();
  }

 private:
  /// Over all labels; a gauge that is not there is 0.
  double Sum(std::string_view name) const {
    double sum = 0;
    for (const app::Gauge& gauge : facts_.gauges) sum += gauge.name == name ? gauge.value : 0;
    return sum;
  }

  void Find(std::string_view severity, std::string what) {
    findings_.push_back({std::string(severity), std::move(what)});
  }

  void Any(std::string_view gauge, std::string_view what) {
    if (const double count = Sum(gauge); count > 0) Find("attention", fmt::format(fmt::runtime(what), count));
  }

  void JudgeState() {
    const double records = Sum("bowerbird_state_lag_records"), seconds = Sum("bowerbird_state_lag_seconds");
    if (records > 0 && seconds > kLagSeconds) {
      Find("attention",
           fmt::format("{:.0f} events are not folded yet, the oldest for {:.0f} s: answers do not know them.", records,
                       seconds));
    }
    Any("bowerbird_log_failures",
        "{:.0f} groups of records could not be made durable since the start: the disk or the brokers.");
    Any("bowerbird_state_dead_letters",
        "{:.0f} records could not be folded since the start; topic dead_letters has them with reasons.");
    Any("bowerbird_checkpoint_failures", "{:.0f} checkpoints of the state failed since the start.");
    Any("bowerbird_events_in_failures", "{:.0f} tries to take in other producers' records failed since the start.");
  }

  void JudgeServing() {
    if (facts_.snapshot.empty()) {
      Find("attention", "There is no snapshot: answers know no model and no index; `bowerbird index build` makes one.");
    }
    const double answers = Sum("bowerbird_serve_answers"), degraded = Sum("bowerbird_serve_degraded");
    if (answers > 0 && degraded / answers > kDegradedShare) {
      Find("attention",
           fmt::format("{:.1f}% of {:.0f} answers since the start used a fallback; column degraded of table "
                       "served says which.",
                       100 * degraded / answers, answers));
    }
    Any("bowerbird_serve_ranker_fallbacks",
        "{:.0f} answers were not ordered by the promoted ranker, which was to order them.");
    Any("bowerbird_serve_log_failures", "{:.0f} answers could not be written to the served log.");
  }

  void JudgeLake() {
    Any("bowerbird_lake_damaged_files",
        "{:.0f} files of the lake are damaged; queries leave them out. `bowerbird lake verify` names them.");
    Any("bowerbird_lake_missed_records",
        "The log dropped {:.0f} records before the lake had them: its tables lack them.");
  }

  void JudgeDisk() {
    if (facts_.disk_bytes == 0) return;
    const double share = static_cast<double>(facts_.disk_free_bytes) / static_cast<double>(facts_.disk_bytes);
    if (share >= kDiskShare && static_cast<double>(facts_.disk_free_bytes) >= kGigabyte) return;
    Find("attention", fmt::format("The disk has {:.1f} GB left, {:.0f}% of it.",
                                  static_cast<double>(facts_.disk_free_bytes) / kGigabyte, 100 * share));
  }

  std::string Write() const {
    bool down = false;
    for (const Finding& finding : findings_) down |= finding.severity == "down";
    std::string text;
    base::JsonWriter json(&text);
    json.BeginObject().Key("status").String(down ? "down" : findings_.empty() ? "ok" : "attention");
    std::string summary = "Everything that is watched is as it should be.";
    if (!findings_.empty()) {
      summary = findings_.front().what;
      if (findings_.size() > 1) summary += fmt::format(" And {} more.", findings_.size() - 1);
    }
    json.Key("summary").String(summary).Key("findings").BeginArray();
    for (const Finding& finding : findings_) {
      json.BeginObject().Key("severity").String(finding.severity).Key("what").String(finding.what).EndObject();
    }
    json.EndArray().Key("snapshot").String(facts_.snapshot);
    json.Key("numbers").BeginObject();
    json.Key("disk_free_bytes").Uint(facts_.disk_free_bytes).Key("disk_bytes").Uint(facts_.disk_bytes);
    for (const char* name : {"bowerbird_state_lag_records", "bowerbird_state_lag_seconds", "bowerbird_state_folded",
                             "bowerbird_state_duplicates", "bowerbird_state_dead_letters", "bowerbird_log_failures",
                             "bowerbird_serve_answers", "bowerbird_serve_degraded", "bowerbird_serve_ranker_fallbacks",
                             "bowerbird_catalog_items", "bowerbird_index_delta_items", "bowerbird_lake_lag_records",
                             "bowerbird_lake_damaged_files", "bowerbird_lake_missed_records"}) {
      json.Key(std::string_view(name).substr(std::string_view("bowerbird_").size())).Double(Sum(name));
    }
    json.EndObject().EndObject();
    return text;
  }

  struct Finding {
    std::string severity, what;
  };
  const HealthFacts& facts_;
  std::vector<Finding> findings_;
};

}  // namespace

std::string HealthReport(const HealthFacts& facts) { return Judge(facts).Report(); }

}  // namespace bowerbird::server
