#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/strong_id.h"

namespace bowerbird::sim::world {

/// Dense numbers within one world; the engine sees only the ids below.
using ItemNumber = base::StrongId<struct ItemNumberTag, uint32_t>;
using UserNumber = base::StrongId<struct UserNumberTag, uint32_t>;

/// How a user's true enjoyment of an item comes about; see docs/methods/simulated-world.md.
///   mixture     the best matching of a few drifting interests, each of which tires with use
///   herding     also what others of the same crowd did lately
///   contextual  which interest is awake depends on the hour, the device and the mood of the session
enum class Family { kMixture, kHerding, kContextual };

/// InvalidArgument: not "mixture", "herding" or "contextual".
absl::StatusOr<Family> ParseFamily(std::string_view name);
std::string_view FamilyName(Family family);

struct WorldOptions {
  uint64_t seed = 1;
  Family family = Family::kMixture;
  /// Items and users that exist when the history ends, 1 to 1,000,000 each.
  uint32_t items = 3600;
  uint32_t users = 2000;
  /// Length of the history, 1 to 3,650.
  double days = 60;
  /// When the history ends and the future begins, microseconds since the epoch.
  int64_t end_time_us = 1'760'000'000'000'000;
  /// Numbers of the embedding given with each item; 0 for none.
  uint32_t embedding_dim = 32;
};

/// What the product knows about an item: all that the engine may be told.
struct Item {
  std::string id;
  std::string title;
  /// "organic" or "product".
  std::string domain;
  std::string topic;
  std::string subtopic;
  std::string style;
  std::vector<std::string> tags;
  /// Main colour by name, such as "terracotta".
  std::string colour;
  std::string creator;
  /// Products only.
  std::optional<double> price;
  int64_t created_time_us = 0;
  /// Path of PictureSvg on the demo's server.
  std::string image_path;
  /// Width over height of the picture.
  double aspect = 1;
  /// A noisy view of the content, `embedding_dim` values.
  std::vector<float> embedding;
};

enum class ActionType { kImpression, kClick, kCloseup, kSave, kHide, kPurchase };
/// "impression", "click", "closeup", "save", "hide", "purchase": the event type's name.
std::string_view ActionName(ActionType type);

struct Action {
  ActionType type = ActionType::kImpression;
  ItemNumber item;
  /// From 1, across the pages of a session.
  uint32_t position = 0;
  /// Since the session began.
  int64_t offset_us = 0;
  /// impression: how long it was visible; closeup: how long it was looked at; else 0.
  uint32_t dwell_ms = 0;
  /// purchase: the price paid; else 0.
  double value = 0;
};

/// One action of the history.
struct Event {
  UserNumber user;
  int64_t time_us = 0;
  Action action;
  /// Number of the page that showed it, unique in the history, from 1.
  uint64_t page = 0;
  std::string_view device;
};

struct Visit {
  UserNumber user;
  int64_t time_us = 0;
};

/// What became of one page.
struct PageOutcome {
  /// In order of time.
  std::vector<Action> actions;
  /// Items of the page that the user looked at.
  uint32_t seen = 0;
  /// The truth: enjoyment summed over what was seen, each in [0, 1].
  double utility = 0;
  /// The user asks for the next page; false: leaves.
  bool wants_more = false;
};

class World;
struct SessionState;

/// One visit of one user: looks at pages, acts, tires, leaves. What is seen here changes the user and the world
/// (satiation, repeats, what others did) at once. The world must outlive it; sessions of different users may overlap.
class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();
  /// Shows the next page, best first. An item number that the world does not have counts as a blank.
  PageOutcome View(std::span<const ItemNumber> page);
  /// The truth: what the page would yield now on average, if the user went through it to its end and looked as users
  /// do, more often at what is first. Nobody looks: it leaves no trace.
  double WorthOf(std::span<const ItemNumber> page) const;
  /// The page of `n` items that yields most to this user in this session, given what was shown before; greedy in the
  /// order of positions, which is exact but for the tiring within the page. `candidates` limits the choice (all items
  /// that exist when empty); items in `exclude` are left out. Cost     one evaluation of the truth for each candidate.
  std::vector<ItemNumber> OraclePage(uint32_t n, std::span<const ItemNumber> exclude,
                                     std::span<const ItemNumber> candidates = {}) const;
  /// "phone" or "desktop": visible to the product.
  std::string_view device() const;
  UserNumber user() const;

 private:
  friend class World;
  explicit Session(std::unique_ptr<SessionState> state);
  std::unique_ptr<SessionState> state_;
};

struct WorldState;

/// A seeded world of users and items whose truth no engine can see: it is reached only through what users do.
///
/// Data     everything follows from the options: the same options give the same items, history and behaviour, in the
/// same
///          order of calls.
/// Units    microseconds since the epoch, UTC.
/// Threads  not safe: one thread at a time, sessions included.
class World {
 public:
  /// InvalidArgument: an option is out of its range.
  static absl::StatusOr<World> Create(const WorldOptions& options);
  World(World&&) noexcept;
  World& operator=(World&&) noexcept;
  ~World();

  /// The same world from this moment on: what happens in one is unknown to the other, and the same visits come to both.
  /// So the same users can be shown one thing here and another there. Sessions that are open stay with this one.
  /// Cost     copies what users remember; items and users themselves are shared.
  World Fork() const;

  const WorldOptions& options() const;

  /// Lets the users browse for options().days under a simple logging policy (popular, fresh, topical and random mixed)
  /// and hands over every event in order of time. Once, before any live visit; the second call is a bug and stops the
  /// process.
  void History(const std::function<void(const Event&)>& take);

  /// The next visit in order of time: the visits of the history before its end, the future ones after it. Endless.
  Visit NextVisit();
  /// Begins a visit. `now_us` sets the hour, the age of items, the drift of interests.
  Session Begin(UserNumber user, int64_t now_us);
  /// A visit as it would go now, which leaves no trace: neither user nor world know of it afterwards. `seed` is of what
  /// is left to chance; the same one goes the same way on the same pages.
  ///
  /// Threads  any number at once, while no other session and no history runs.
  Session Rehearse(UserNumber user, int64_t now_us, uint64_t seed) const;

  /// Items that exist when the history ends, in order of creation: numbers 0 to size() - 1.
  std::span<const Item> Items() const;
  /// Items created in (from_us, to_us] after the history's end, ascending.
  std::vector<ItemNumber> NewItems(int64_t from_us, int64_t to_us) const;
  const Item& ItemAt(ItemNumber item) const;
  std::optional<ItemNumber> FindItem(std::string_view id) const;

  /// Users that have arrived when the history ends: numbers 0 to user_count() - 1. Later ones come with NextVisit.
  uint32_t user_count() const;
  const std::string& UserId(UserNumber user) const;
  /// A name for people to read, such as "Mara Lindqvist".
  const std::string& UserName(UserNumber user) const;
  int64_t UserArrivalUs(UserNumber user) const;

  /// The truth, for judging only.
  /// The topic and subtopic that an item is really about (its public topic is right for about 97 of 100 items).
  std::string_view TrueTopic(ItemNumber item) const;
  /// 1 for the same subtopic, .8 for the same topic, .3 for a related topic, else 0.
  double TopicSimilarity(ItemNumber a, ItemNumber b) const;

  /// A picture of the item, an SVG document: a flat illustration of its topic in its colours.
  std::string PictureSvg(ItemNumber item) const;

 private:
  Session BeginAs(UserNumber user, int64_t now_us, std::unique_ptr<SessionState> session) const;
  explicit World(std::unique_ptr<WorldState> state);
  std::unique_ptr<WorldState> state_;
};

}  // namespace bowerbird::sim::world
