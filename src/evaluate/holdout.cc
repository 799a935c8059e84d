#include "evaluate/holdout.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "fmt/format.h"

namespace bowerbird::evaluate {

namespace {

uint64_t PairOf(const Interaction& interaction) { return uint64_t{interaction.user} << 32 | interaction.item; }

uint64_t HashPart(const std::vector<Interaction>& part) {
  std::string bytes;
  bytes.reserve(part.size() * 24);
  for (const Interaction& it : part) {
    bytes.append(reinterpret_cast<const char*>(&it.user), sizeof(it.user));
    bytes.append(reinterpret_cast<const char*>(&it.item), sizeof(it.item));
    bytes.append(reinterpret_cast<const char*>(&it.time_us), sizeof(it.time_us));
    bytes.append(reinterpret_cast<const char*>(&it.weight), sizeof(it.weight));
  }
  return base::Hash64(bytes);
}

// Sorts by user, then time, and keeps the promise about repeats; fills in the counts and the hash.
absl::StatusOr<Holdout> Seal(Holdout holdout, bool known_users_only) {
  absl::flat_hash_set<uint64_t> pairs;
  absl::flat_hash_set<uint32_t> users;
  for (std::vector<Interaction>* part : {&holdout.train, &holdout.validation, &holdout.test}) {
    std::stable_sort(part->begin(), part->end(), [](const Interaction& a, const Interaction& b) {
      return std::tuple(a.user, a.time_us) < std::tuple(b.user, b.time_us);
    });
    if (part != &holdout.train) {
      const size_t all = part->size();
      std::erase_if(*part, [&](const Interaction& it) { return pairs.contains(PairOf(it)); });
      holdout.repeats_dropped += all - part->size();
      if (known_users_only) std::erase_if(*part, [&](const Interaction& it) { return !users.contains(it.user); });
    }
    for (const Interaction& it : *part) {
      pairs.insert(PairOf(it));
      holdout.user_count = std::max(holdout.user_count, it.user + 1);
      holdout.item_count = std::max(holdout.item_count, it.item + 1);
    }
    if (part == &holdout.train) {
      for (const Interaction& it : *part) users.insert(it.user);
    }
  }
  for (const auto& [name, part] :
       {std::pair{"train", &holdout.train}, {"validation", &holdout.validation}, {"test", &holdout.test}}) {
    if (part->empty())
      return absl::InvalidArgumentError(fmt::format("the {} part comes out empty; expected more interactions", name));
  }
  const uint64_t size = holdout.train.size() + holdout.validation.size() + holdout.test.size();
  for (const auto& [name, count] : {std::pair{"user", holdout.user_count}, {"item", holdout.item_count}}) {
    if (count / 64 > size) {
      return absl::InvalidArgumentError(fmt::format(
          "the largest {} is {} among {} interactions; expected dense numbers from 0", name, count - 1, size));
    }
  }
  const uint64_t hash = base::CombineHash(base::CombineHash(HashPart(holdout.train), HashPart(holdout.validation)),
                                          HashPart(holdout.test));
  holdout.hash = fmt::format("{:016x}", hash);
  return holdout;
}

}  // namespace

absl::StatusOr<Holdout> CutGivenSplit(std::vector<Interaction> train, std::vector<Interaction> test, uint64_t seed) {
  Holdout holdout;
  holdout.test = std::move(test);
  // The order of a file must not matter to the draw.
  std::stable_sort(train.begin(), train.end(), [](const Interaction& a, const Interaction& b) {
    return std::tuple(a.user, a.item, a.time_us) < std::tuple(b.user, b.item, b.time_us);
  });
  base::Rng rng(seed);
  for (size_t begin = 0, end; begin < train.size(); begin = end) {
    end = begin;
    std::vector<size_t> firsts;  // of each item, so that a repeated pair stays together
    for (; end < train.size() && train[end].user == train[begin].user; ++end) {
      if (end == begin || train[end].item != train[end - 1].item) firsts.push_back(end);
    }
    const size_t count =
        firsts.size() < 2
            ? 0
            : std::max<size_t>(1, static_cast<size_t>(std::lround(0.1 * static_cast<double>(firsts.size()))));
    for (size_t k = 0; k < count; ++k) std::swap(firsts[k], firsts[k + rng.Below(firsts.size() - k)]);
    absl::flat_hash_set<uint32_t> chosen;
    for (size_t k = 0; k < count; ++k) chosen.insert(train[firsts[k]].item);
    for (size_t at = begin; at < end; ++at)
      (chosen.contains(train[at].item) ? holdout.validation : holdout.train).push_back(train[at]);
  }
  return Seal(std::move(holdout), false);
}

absl::StatusOr<Holdout> CutLastOut(std::vector<Interaction> interactions) {
  std::stable_sort(interactions.begin(), interactions.end(), [](const Interaction& a, const Interaction& b) {
    return std::tuple(a.user, a.time_us) < std::tuple(b.user, b.time_us);
  });
  Holdout holdout;
  for (size_t begin = 0, end; begin < interactions.size(); begin = end) {
    end = begin;
    while (end < interactions.size() && interactions[end].user == interactions[begin].user) ++end;
    size_t train_end = end;
    if (end - begin >= 3) {
      holdout.test.push_back(interactions[end - 1]);
      holdout.validation.push_back(interactions[end - 2]);
      train_end = end - 2;
    }
    holdout.train.insert(holdout.train.end(), interactions.begin() + begin, interactions.begin() + train_end);
  }
  return Seal(std::move(holdout), false);
}

absl::StatusOr<Holdout> CutAtTime(std::vector<Interaction> interactions, double test_share) {
  if (!(test_share > 0 && test_share <= 0.5)) {
    return absl::InvalidArgumentError(fmt::format("test_share is {}; expected above 0 and at most 0.5", test_share));
  }
  std::stable_sort(interactions.begin(), interactions.end(),
                   [](const Interaction& a, const Interaction& b) { return a.time_us < b.time_us; });
  // The first action of the later part: no equal time is left before it.
  const auto cut = [&](size_t end) {
    size_t at = end - static_cast<size_t>(test_share * static_cast<double>(end));
    while (at > 0 && at < interactions.size() && interactions[at - 1].time_us == interactions[at].time_us) --at;
    return at;
  };
  const size_t test = cut(interactions.size()), validation = cut(test);
  Holdout holdout;
  holdout.train.assign(interactions.begin(), interactions.begin() + validation);
  holdout.validation.assign(interactions.begin() + validation, interactions.begin() + test);
  holdout.test.assign(interactions.begin() + test, interactions.end());
  return Seal(std::move(holdout), true);
}

}  // namespace bowerbird::evaluate
