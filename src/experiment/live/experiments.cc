#include "experiment/live/experiments.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "catalog/problem.h"
#include "experiment/assignment/check.h"
#include "experiment/assignment/targeting.h"

namespace bowerbird::experiment::live {
namespace {

using assignment::Assignment;
using assignment::Kept;
using assignment::Running;
using assignment::Unit;
using assignment::Why;

constexpr size_t kUnitBytesMax = 256;

bool IsOver(const std::optional<v1::Experiment>& experiment) {
  return !experiment.has_value() || experiment->state() == v1::Experiment::STOPPED ||
         experiment->state() == v1::Experiment::DECIDED;
}

/// Whether the product acts on the arm by itself: answers of the server expose to what they change.
bool IsProducts(const v1::Experiment& experiment) {
  const bool changes = std::ranges::any_of(experiment.arms(), [](const auto& arm) { return arm.changes_size() > 0; });
  return !changes || !experiment.arms(0).flags().empty();
}

std::vector<Kept> Views(const std::vector<FirstExposure>& kept) {
  std::vector<Kept> views;
  views.reserve(kept.size());
  for (const FirstExposure& one : kept) views.push_back({one.experiment, one.arm});
  return views;
}

}  // namespace

Experiments::Experiments(Sources sources)
    : sources_(std::move(sources)), definitions_(sources_.log, sources_.on_warning), exposures_(sources_.log) {}

absl::StatusOr<std::unique_ptr<Experiments>> Experiments::Open(Sources sources) {
  std::unique_ptr<Experiments> experiments(new Experiments(std::move(sources)));
  RETURN_IF_ERROR(experiments->definitions_.Follow().status());
  ASSIGN_OR_RETURN(experiments->first_,
                   FirstExposures::Open(experiments->sources_.folder, [self = experiments.get()](std::string_view id) {
                     return IsOver(self->definitions_.Find(id));
                   }));
  RETURN_IF_ERROR(experiments->Follow());
  const absl::MutexLock lock(&experiments->publishing_);
  RETURN_IF_ERROR(experiments->Publish());
  return experiments;
}

absl::Status Experiments::Follow() {
  ASSIGN_OR_RETURN(const bool changed, definitions_.Follow());
  RETURN_IF_ERROR(
      first_->Follow(*sources_.log, [this](std::string_view kind, std::string_view id) { return UnitKey(kind, id); }));
  if (!changed) return absl::OkStatus();
  const absl::MutexLock lock(&publishing_);
  return Publish();
}

absl::Status Experiments::ConfigChanged() {
  const absl::MutexLock lock(&publishing_);
  return Publish();
}

absl::Status Experiments::Publish() {
  ASSIGN_OR_RETURN(RecipeSource source, sources_.recipes());
  auto live = std::make_shared<Live>();
  live->config = source.config;
  live->schema = assignment::TargetingSchema(*source.config);
  assignment::Assigner::Options options;
  options.holdout = source.config->experiments.holdout;
  // Of the app's secret: it outlives everything, and is the same on every node.
  options.holdout_salt = fmt::format("{:016x}", sources_.hasher.User("experiments.holdout").value);
  std::vector<v1::Experiment> running;
  for (v1::Experiment& experiment : definitions_.All()) {
    if (experiment.state() != v1::Experiment::RUNNING) continue;
    // One that the config does not allow any more must not take the others with it.
    const absl::Status whole = experiment.targeting().empty()
                                   ? absl::OkStatus()
                                   : assignment::CompileTargeting(experiment.targeting(), live->schema).status();
    if (whole.ok()) {
      running.push_back(std::move(experiment));
    } else {
      sources_.on_warning(
          fmt::format("experiment '{}' takes nobody: {}", experiment.id(), std::string(whole.message())));
    }
  }
  ASSIGN_OR_RETURN(live->assigner, assignment::Assigner::Make(running, live->schema, std::move(options)));
  const std::shared_ptr<const Live> former = live_.Get();
  if (former != nullptr) recipes_failed_ += former->recipes->failed();
  live->recipes = std::make_shared<Recipes>(live->assigner, std::move(source));
  live_.Set(std::move(live));
  return absl::OkStatus();
}

uint64_t Experiments::UnitKey(std::string_view kind, std::string_view id) const {
  if (kind == assignment::kUserUnit) return sources_.hasher.User(id).value;
  return sources_.hasher.User(fmt::format("{}\x1f{}", kind, id)).value;
}

Subject Experiments::MakeSubject(const Live& live, std::string_view user, const state::UserState* state,
                                 int64_t now_us) const {
  Subject::Known known;
  known.config = live.config.get();
  known.schema = &live.schema;
  known.catalog = sources_.catalog;
  if (sources_.features) known.features = sources_.features();
  known.hasher = sources_.hasher;
  known.now_us = now_us;
  return {std::move(known), user, state};
}

std::vector<FirstExposure> Experiments::KeptOf(const Live& live, std::string_view user, const state::UserState* state,
                                               std::span<const Unit> units) const {
  std::vector<FirstExposure> kept;
  const bool merged = state != nullptr && !state->merged.empty();
  if (!live.assigner->any_sticky() && !merged) return kept;
  const auto add = [&](uint64_t key, bool all) {
    for (FirstExposure& one : first_->Of(key)) {
      const Running* running = live.assigner->Find(one.experiment);
      if (running != nullptr && (all || running->definition.sticky())) kept.push_back(std::move(one));
    }
  };
  for (const Unit& unit : units) add(UnitKey(unit.kind, unit.id), merged && unit.id == user);
  if (merged) {
    for (const catalog::UserKey id : state->merged) add(id.value, true);
  }
  // The earliest counts, whichever id it was under.
  std::ranges::sort(kept, {}, &FirstExposure::time_us);
  return kept;
}

serve::Arms Experiments::Choose(const serve::ArmsQuestion& question) {
  const std::shared_ptr<const Live> live = live_.Get();
  if (!live->recipes->Touches(question.surface)) return {};
  ++assignments_;
  const Unit units[] = {{assignment::kUserUnit, question.user}};
  Subject subject = MakeSubject(*live, question.user, question.state, question.now_us);
  subject.SetContext(*question.context, question.surface);
  const std::vector<FirstExposure> kept = KeptOf(*live, question.user, question.state, units);
  std::vector<Assignment> hits;
  live->assigner->Assign(units, Views(kept), subject, question.now_us, &hits);
  return live->recipes->Choose(question.surface, hits);
}

void Experiments::Served(const v1::ServedRecord& record) {
  const std::shared_ptr<const Live> live = live_.Get();
  for (const v1::ServedArm& arm : record.arms()) {
    if (!arm.exposed()) continue;
    const Running* running = live->assigner->Find(arm.experiment());
    // It was stopped while the answer was made.
    if (running == nullptr) continue;
    const std::string& user = record.request().user();
    Expose(*running, arm.arm(), arm.forced(), user, user, record.time_us(), record.request().surface(),
           record.request_id());
  }
}

void Experiments::Expose(const Running& running, std::string_view arm, bool forced, std::string_view unit_id,
                         std::string_view user, int64_t time_us, std::string_view surface,
                         std::string_view request_id) {
  v1::Exposure exposure;
  exposure.set_experiment(running.definition.id());
  exposure.set_arm(std::string(arm));
  exposure.set_revision(running.definition.revision());
  exposure.set_phase(running.phase);
  exposure.set_unit(running.definition.unit());
  exposure.set_unit_id(std::string(unit_id));
  exposure.set_user(std::string(user));
  exposure.set_time_us(time_us);
  exposure.set_surface(std::string(surface));
  exposure.set_request_id(std::string(request_id));
  exposure.set_forced(forced);
  const catalog::UserKey key =
      user.empty() ? catalog::UserKey(UnitKey(running.definition.unit(), unit_id)) : sources_.hasher.User(user);
  if (!user.empty()) exposure.set_user_key(key.value);
  const uint32_t partitions = sources_.log->PartitionCount(log::Topic::kExposures);
  if (!exposures_.Write(exposure, catalog::PartitionOf(key, partitions)) || forced) return;
  const absl::Status noted =
      first_->Note(UnitKey(exposure.unit(), unit_id), {exposure.experiment(), exposure.arm(), exposure.time_us()});
  if (!noted.ok()) sources_.on_warning(fmt::format("first exposures: {}", std::string(noted.message())));
}

absl::StatusOr<std::shared_ptr<const state::UserState>> Experiments::StateOf(std::string_view user) const {
  if (user.empty()) return nullptr;
  return sources_.user(user);
}

absl::StatusOr<v1::AssignResponse> Experiments::Assign(const v1::AssignRequest& request) {
  const std::shared_ptr<const Live> live = live_.Get();
  if (request.user().empty() && request.units().empty())
    return catalog::ToStatus({"missing_field", "user", "found neither user nor units; expected one of them"});
  if (request.user().size() > kUnitBytesMax)
    return catalog::ToStatus({"too_long", "user", fmt::format("expected at most {} bytes", kUnitBytesMax)});
  for (const auto& [kind, id] : request.units()) {
    if (kind == assignment::kUserUnit || !assignment::IsId(kind))
      return catalog::ToStatus({"invalid_argument", "units." + kind.substr(0, 64),
                                "expected a kind of 1 to 64 of a-z, 0-9, '-' and '_' other than 'user'"});
    if (id.empty() || id.size() > kUnitBytesMax)
      return catalog::ToStatus({"invalid_argument", "units." + kind,
                                fmt::format("found {} bytes; expected 1 to {}", id.size(), kUnitBytesMax)});
  }
  for (const std::string& id : request.experiments()) {
    if (live->assigner->Find(id) == nullptr)
      return catalog::ToStatus(
          {"not_found", "experiments", fmt::format("found '{}'; expected running experiments", id.substr(0, 64))},
          absl::StatusCode::kNotFound);
  }
  const int64_t now_us = sources_.clock->NowUs();
  ASSIGN_OR_RETURN(const auto state, StateOf(request.user()));
  const std::string user = state == nullptr || state->id.empty() ? request.user() : state->id;
  std::vector<Unit> units;
  if (!user.empty()) units.push_back({assignment::kUserUnit, user});
  for (const auto& [kind, id] : request.units()) units.push_back({kind, id});
  Subject subject = MakeSubject(*live, user, state.get(), now_us);
  RETURN_IF_ERROR(subject.SetAttributes(request.attributes(), /*lenient=*/false));
  const std::vector<FirstExposure> kept = KeptOf(*live, user, state.get(), units);
  ++assignments_;
  v1::AssignResponse response;
  response.set_holdout(live->assigner->HeldOut(units));
  for (const Assignment& one : live->assigner->Explain(units, Views(kept), subject, now_us)) {
    const Running& running = live->assigner->running()[one.experiment];
    const std::string& id = running.definition.id();
    if (!request.experiments().empty() && std::ranges::find(request.experiments(), id) == request.experiments().end())
      continue;
    v1::AssignedArm* arm = response.add_arms();
    arm->set_experiment(id);
    arm->set_why(std::string(assignment::WhyName(one.why)));
    arm->set_revision(running.definition.revision());
    if (one.arm < 0) continue;
    const bool in_all = assignment::IsInterleaved(running.definition) && one.why != Why::kForced;
    arm->set_arm(in_all ? std::string(assignment::kAllArms) : running.arm(one.arm).name());
    *arm->mutable_flags() = running.arm(one.arm).flags();
    for (const auto& [flag, value] : running.arm(one.arm).flags()) (*response.mutable_flags())[flag] = value;
    // An interleaved page exposes by itself: nobody else can act on all arms.
    if (!request.expose() || in_all || (request.experiments().empty() && !IsProducts(running.definition))) continue;
    const auto unit = std::ranges::find(units, running.definition.unit(), &Unit::kind);
    Expose(running, arm->arm(), one.why == Why::kForced, unit->id, user, now_us, "", "");
  }
  return response;
}

absl::StatusOr<std::vector<FlagValue>> Experiments::Evaluate(
    std::string_view targeting_key, const google::protobuf::Map<std::string, v1::Value>& attributes,
    std::string_view key) {
  const std::shared_ptr<const Live> live = live_.Get();
  const int64_t now_us = sources_.clock->NowUs();
  ASSIGN_OR_RETURN(const auto state, StateOf(targeting_key));
  const std::string user = state->id.empty() ? std::string(targeting_key) : state->id;
  std::vector<Unit> units = {{assignment::kUserUnit, user}};
  // Other units come as attributes by their kind.
  for (const auto& [name, value] : attributes) {
    if (name != assignment::kUserUnit && value.has_string_value() && !value.string_value().empty() &&
        value.string_value().size() <= kUnitBytesMax)
      units.push_back({name, value.string_value()});
  }
  Subject subject = MakeSubject(*live, user, state.get(), now_us);
  RETURN_IF_ERROR(subject.SetAttributes(attributes, /*lenient=*/true));
  const std::vector<FirstExposure> kept = KeptOf(*live, user, state.get(), units);
  ++assignments_;
  std::vector<FlagValue> flags;
  for (const Assignment& one : live->assigner->Explain(units, Views(kept), subject, now_us)) {
    const Running& running = live->assigner->running()[one.experiment];
    // Whoever is in no arm gets what the control gets.
    const v1::ExperimentArm& arm = running.arm(std::max(one.arm, 0));
    bool exposes = false;
    for (const auto& [flag, value] : arm.flags()) {
      if (!key.empty() && flag != key) continue;
      exposes = exposes || one.arm >= 0;
      const auto known = std::ranges::find(flags, flag, &FlagValue::key);
      // Two experiments of one layer may have the same flag: the one that the unit is in counts.
      if (known != flags.end() && one.arm < 0) continue;
      FlagValue& out = known == flags.end() ? flags.emplace_back() : *known;
      out = {flag, value, running.definition.id(), one.arm < 0 ? "" : arm.name(), one.why};
    }
    if (!exposes) continue;
    const auto unit = std::ranges::find(units, running.definition.unit(), &Unit::kind);
    Expose(running, arm.name(), one.why == Why::kForced, unit->id, user, now_us, "", "");
  }
  std::ranges::sort(flags, {}, &FlagValue::key);
  return flags;
}

bool Experiments::HasFlag(std::string_view key) const {
  const std::shared_ptr<const Live> live = live_.Get();
  return std::ranges::any_of(live->assigner->running(), [&](const Running& running) {
    return running.definition.arms(0).flags().contains(std::string(key));
  });
}

absl::Status Experiments::Forget(std::span<const catalog::UserKey> users) {
  std::vector<uint64_t> keys;
  for (const catalog::UserKey user : users) keys.push_back(user.value);
  return first_->Forget(keys);
}

Experiments::Counters Experiments::counters() const {
  const std::shared_ptr<const Live> live = live_.Get();
  return {live->assigner->running().size(), assignments_, exposures_.written(), exposures_.failed(),
          recipes_failed_ + live->recipes->failed()};
}

}  // namespace bowerbird::experiment::live
