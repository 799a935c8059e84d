#include "sim/world/world.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "fmt/format.h"
#include "sim/world/logging_policy.h"
#include "sim/world/picture.h"
#include "sim/world/world_state.h"

namespace bowerbird::sim::world {
namespace {

constexpr uint32_t kLoggedPage = 24;
constexpr double kPatienceMedian = 12;
constexpr double kPatienceSpread = .45;
constexpr int64_t kYear2000Us = 946'684'800'000'000;
constexpr int64_t kYear2100Us = 4'102'444'800'000'000;

absl::Status Check(const WorldOptions& options) {
  const auto refuse = [](std::string_view field, auto found, std::string_view accepted) {
    return absl::InvalidArgumentError(fmt::format("{}: found {}, expected {}", field, found, accepted));
  };
  if (options.items < 1 || options.items > 1'000'000) return refuse("items", options.items, "1 to 1,000,000");
  if (options.users < 1 || options.users > 1'000'000) return refuse("users", options.users, "1 to 1,000,000");
  if (!(options.days >= 1 && options.days <= 3650)) return refuse("days", options.days, "1 to 3,650");
  if (options.end_time_us < kYear2000Us || options.end_time_us > kYear2100Us) {
    return refuse("end_time_us", options.end_time_us, "a time from the year 2000 to 2100");
  }
  if (options.embedding_dim > 4096) return refuse("embedding_dim", options.embedding_dim, "at most 4,096");
  return absl::OkStatus();
}

struct Later {
  bool operator()(const std::pair<uint64_t, Event>& a, const std::pair<uint64_t, Event>& b) const {
    return a.second.time_us != b.second.time_us ? a.second.time_us > b.second.time_us : a.first > b.first;
  }
};

}  // namespace

absl::StatusOr<Family> ParseFamily(std::string_view name) {
  for (const Family family : {Family::kMixture, Family::kHerding, Family::kContextual}) {
    if (name == FamilyName(family)) return family;
  }
  return absl::InvalidArgumentError(fmt::format("family: found \"{}\", expected mixture, herding or contextual", name));
}

std::string_view FamilyName(Family family) {
  switch (family) {
    case Family::kHerding:
      return "herding";
    case Family::kContextual:
      return "contextual";
    case Family::kMixture:
      break;
  }
  return "mixture";
}

std::string_view ActionName(ActionType type) {
  constexpr std::string_view kNames[] = {"impression", "click", "closeup", "save", "hide", "purchase"};
  return kNames[static_cast<size_t>(type)];
}

Ground::Ground(const WorldOptions& options) : catalog(MakeCatalog(options)), users(MakeUsers(options)) {
  for (uint32_t i = 0; i < catalog.items.size(); ++i) item_by_id.emplace(catalog.items[i].id, i);
}

WorldState::WorldState(const WorldOptions& world_options)
    : options(world_options),
      ground(std::make_shared<const Ground>(options)),
      catalog(ground->catalog),
      users(ground->users),
      item_by_id(ground->item_by_id) {
  user_count = static_cast<uint32_t>(std::count_if(
      users.begin(), users.end(), [&](const TrueUser& user) { return user.arrival_us <= options.end_time_us; }));
  truth = Truth::Make(options, catalog.items.size());
  memories.resize(users.size());
  schedule = std::make_unique<Schedule>(options, users);
}

WorldState::WorldState(const WorldState& other)
    : options(other.options),
      ground(other.ground),
      catalog(ground->catalog),
      users(ground->users),
      item_by_id(ground->item_by_id),
      user_count(other.user_count),
      truth(other.truth->Clone()),
      memories(other.memories),
      schedule(std::make_unique<Schedule>(*other.schedule)),
      has_history(other.has_history) {}

World::World(std::unique_ptr<WorldState> state) : state_(std::move(state)) {}
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;
World::~World() = default;

absl::StatusOr<World> World::Create(const WorldOptions& options) {
  if (absl::Status status = Check(options); !status.ok()) return status;
  return World(std::make_unique<WorldState>(options));
}

World World::Fork() const { return World(std::make_unique<WorldState>(*state_)); }

const WorldOptions& World::options() const { return state_->options; }

void World::History(const std::function<void(const Event&)>& take) {
  BOWERBIRD_CHECK(!state_->has_history);
  state_->has_history = true;
  const int64_t end_us = state_->options.end_time_us;
  LoggingPolicy policy(state_->options, state_->catalog.items, static_cast<uint32_t>(state_->users.size()));
  // Sessions overlap: their events wait here until no earlier one can come.
  std::vector<std::pair<uint64_t, Event>> waiting;
  uint64_t order = 0;
  uint64_t page_number = 0;
  const auto release = [&](int64_t before_us) {
    while (!waiting.empty() && waiting.front().second.time_us < before_us) {
      std::pop_heap(waiting.begin(), waiting.end(), Later());
      const Event& event = waiting.back().second;
      if (event.time_us <= end_us) {
        policy.Observe(event.user.value, event.time_us, event.action);
        take(event);
      }
      waiting.pop_back();
    }
  };
  while (true) {
    const Visit visit = state_->schedule->Next();
    release(std::min(visit.time_us, end_us + 1));
    if (visit.time_us > end_us) break;
    Session session = Begin(visit.user, visit.time_us);
    bool wants_more = true;
    while (wants_more) {
      ++page_number;
      const PageOutcome outcome = session.View(policy.Page(visit.user.value, visit.time_us, kLoggedPage));
      for (const Action& action : outcome.actions) {
        waiting.push_back(
            {order++, {visit.user, visit.time_us + action.offset_us, action, page_number, session.device()}});
        std::push_heap(waiting.begin(), waiting.end(), Later());
      }
      wants_more = outcome.wants_more;
    }
  }
  release(end_us + 1);
}

Visit World::NextVisit() { return state_->schedule->Next(); }

Session World::Begin(UserNumber user, int64_t now_us) {
  BOWERBIRD_CHECK(user.value < state_->users.size());
  Memory& memory = state_->memories[user.value];
  auto session = std::make_unique<SessionState>();
  session->memory = &memory;
  session->truth = state_->truth.get();
  session->rng = base::Rng(StreamSeed(state_->users[user.value].seed + memory.visits, "session"));
  ++memory.visits;
  return BeginAs(user, now_us, std::move(session));
}

Session World::Rehearse(UserNumber user, int64_t now_us, uint64_t seed) const {
  BOWERBIRD_CHECK(user.value < state_->users.size());
  auto session = std::make_unique<SessionState>();
  session->own_memory = state_->memories[user.value];
  session->memory = &session->own_memory;
  session->rng = base::Rng(StreamSeed(seed, "session"));
  return BeginAs(user, now_us, std::move(session));
}

Session World::BeginAs(UserNumber user, int64_t now_us, std::unique_ptr<SessionState> session) const {
  const TrueUser& who = state_->users[user.value];
  session->world = state_.get();
  session->user = user.value;
  session->memory->Rest(now_us);
  base::Rng& rng = session->rng;
  session->moment.now_us = now_us;
  session->moment.hour = LocalHour(who, now_us);
  const bool is_office_hours = session->moment.hour > 8.5 && session->moment.hour < 18;
  session->moment.on_phone = rng.Bernoulli(is_office_hours ? .45 : .75);
  if (rng.Bernoulli(.5)) session->moment.mood_slot = static_cast<uint32_t>(rng.Below(kSlots));
  session->patience = std::clamp(kPatienceMedian * std::exp(kPatienceSpread * rng.Normal()), 2.0, 60.0);
  return Session(std::move(session));
}

std::span<const Item> World::Items() const {
  return std::span<const Item>(state_->catalog.items).first(state_->options.items);
}

std::vector<ItemNumber> World::NewItems(int64_t from_us, int64_t to_us) const {
  std::vector<ItemNumber> found;
  for (uint32_t i = state_->options.items; i < state_->catalog.items.size(); ++i) {
    const int64_t created_us = state_->catalog.items[i].created_time_us;
    if (created_us > from_us && created_us <= to_us) found.push_back(ItemNumber(i));
  }
  return found;
}

const Item& World::ItemAt(ItemNumber item) const {
  BOWERBIRD_CHECK(item.value < state_->catalog.items.size());
  return state_->catalog.items[item.value];
}

std::optional<ItemNumber> World::FindItem(std::string_view id) const {
  const auto it = state_->item_by_id.find(id);
  if (it == state_->item_by_id.end()) return std::nullopt;
  return ItemNumber(it->second);
}

uint32_t World::user_count() const { return state_->user_count; }
const std::string& World::UserId(UserNumber user) const { return state_->users[user.value].id; }
const std::string& World::UserName(UserNumber user) const { return state_->users[user.value].name; }
int64_t World::UserArrivalUs(UserNumber user) const { return state_->users[user.value].arrival_us; }

std::string_view World::TrueTopic(ItemNumber item) const {
  BOWERBIRD_CHECK(item.value < state_->catalog.truth.size());
  return Topics()[state_->catalog.truth[item.value].topic].name;
}

double World::TopicSimilarity(ItemNumber a, ItemNumber b) const {
  BOWERBIRD_CHECK(a.value < state_->catalog.truth.size() && b.value < state_->catalog.truth.size());
  const TrueItem& x = state_->catalog.truth[a.value];
  const TrueItem& y = state_->catalog.truth[b.value];
  if (x.subtopic == y.subtopic) return 1;
  if (x.topic == y.topic) return .8;
  return Topics()[x.topic].group == Topics()[y.topic].group ? .3 : 0;
}

std::string World::PictureSvg(ItemNumber item) const {
  BOWERBIRD_CHECK(item.value < state_->catalog.truth.size());
  return DrawPicture(state_->catalog.truth[item.value], state_->catalog.items[item.value].aspect);
}

}  // namespace bowerbird::sim::world
