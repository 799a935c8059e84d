#include "sim/world/catalog_maker.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/rng.h"
#include "base/string_map.h"
#include "fmt/format.h"
#include "sim/world/vocabulary.h"

namespace bowerbird::sim::world {
namespace {

/// Share of the items at the history's end that were made during the history; the rate goes on after it.
constexpr double kMadeInHistory = .3;
constexpr double kMislabelled = .03;
constexpr double kAspects[] = {.66, .75, .8, 1.0, 1.25, .72, .6, .9};

struct Creator {
  std::string name;
  std::vector<uint32_t> topics;
  uint32_t style = 0;
  uint32_t colour = 0;
  double quality = 0;
};

std::string Capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::vector<Creator> MakeCreators(base::Rng& rng, uint32_t count) {
  const auto words = StudioWords();
  std::vector<Creator> creators(count);
  base::StringSet names;
  for (Creator& creator : creators) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      const std::string_view a = words[rng.Below(words.size())];
      const std::string_view b = words[rng.Below(words.size())];
      const uint64_t kind = rng.Below(4);
      creator.name = kind == 0   ? fmt::format("Studio {}", a)
                     : kind == 1 ? fmt::format("{} & {}", a, a == b ? std::string_view("Daughters") : b)
                     : kind == 2 ? fmt::format("{} Works", a)
                                 : fmt::format("House of {}", a);
      if (names.insert(creator.name).second) break;
    }
    const auto first = static_cast<uint32_t>(rng.Below(kTopics));
    creator.topics.push_back(first);
    for (uint32_t topic = 0; topic < kTopics; ++topic) {
      if (topic != first && Topics()[topic].group == Topics()[first].group && rng.Bernoulli(.35))
        creator.topics.push_back(topic);
    }
    creator.style = static_cast<uint32_t>(rng.Below(kStyles));
    creator.colour = static_cast<uint32_t>(rng.Below(kColours));
    creator.quality = rng.Normal();
  }
  return creators;
}

std::string MakeTitle(base::Rng& rng, const Topic& topic, const Subtopic& subtopic, const Style& style,
                      std::string_view colour) {
  const std::string_view noun = subtopic.nouns[rng.Below(subtopic.nouns.size())];
  const std::string_view qualifier = topic.qualifiers[rng.Below(topic.qualifiers.size())];
  std::string_view detail = topic.details[rng.Below(topic.details.size())];
  // No "sauna with a sauna".
  const std::string_view thing = noun.substr(noun.rfind(' ') + 1);
  while (detail.ends_with(thing)) detail = topic.details[rng.Below(topic.details.size())];
  const std::string_view adjective = style.adjectives[rng.Below(style.adjectives.size())];
  switch (rng.Below(topic.product_share > .4 ? 5 : 4)) {
    case 0:
      return Capitalized(fmt::format("{} {} {}", adjective, noun, detail));
    case 1:
      return Capitalized(fmt::format("{} {} {}", qualifier, noun, detail));
    case 2:
      return Capitalized(fmt::format("{} {} {} {}", adjective, qualifier, noun, detail));
    case 3:
      return Capitalized(fmt::format("{} {}, {}", qualifier, noun, adjective));
    default:
      return Capitalized(fmt::format("{} {} in {}", qualifier, noun, colour));
  }
}

/// Unit vectors that stand for topics, subtopics and styles in the given embedding.
class EmbeddingSpace {
 public:
  EmbeddingSpace(base::Rng& rng, uint32_t dim) : dim_(dim) {
    axes_.resize(static_cast<size_t>(dim) * (kTopics + kSubtopics + kStyles));
    for (float& value : axes_) value = static_cast<float>(rng.Normal() / std::sqrt(std::max(1u, dim)));
  }
  std::vector<float> Embed(base::Rng& rng, const TrueItem& item) const {
    std::vector<float> out(dim_);
    double norm = 0;
    for (uint32_t d = 0; d < dim_; ++d) {
      const double value = At(item.topic, d) + .7 * At(kTopics + item.subtopic, d) +
                           .45 * At(kTopics + kSubtopics + item.style, d) + .5 * rng.Normal() / std::sqrt(dim_);
      out[d] = static_cast<float>(value);
      norm += value * value;
    }
    for (float& value : out) value = static_cast<float>(value / std::sqrt(std::max(norm, 1e-12)));
    return out;
  }

 private:
  double At(uint32_t axis, uint32_t d) const { return axes_[static_cast<size_t>(axis) * dim_ + d]; }
  uint32_t dim_;
  std::vector<float> axes_;
};

/// When each item was made, ascending: a long past, a steady flow in the history, the same flow after it.
std::vector<int64_t> MakeTimes(base::Rng& rng, const WorldOptions& options) {
  const double history_us = options.days * static_cast<double>(kDayUs);
  const auto recent = static_cast<uint32_t>(options.items * kMadeInHistory);
  const auto future = static_cast<uint32_t>(recent * kFutureDays / options.days);
  std::vector<int64_t> times;
  for (uint32_t i = 0; i < options.items; ++i) {
    const double back_us =
        i < recent ? rng.Uniform() * history_us : history_us + rng.Uniform() * 300.0 * static_cast<double>(kDayUs);
    times.push_back(options.end_time_us - static_cast<int64_t>(back_us));
  }
  for (uint32_t i = 0; i < future; ++i) {
    times.push_back(options.end_time_us + 1 +
                    static_cast<int64_t>(rng.Uniform() * kFutureDays * static_cast<double>(kDayUs)));
  }
  std::sort(times.begin(), times.end());
  return times;
}

}  // namespace

uint64_t StreamSeed(uint64_t seed, std::string_view purpose) { return base::CombineHash(seed, base::Hash64(purpose)); }

Catalog MakeCatalog(const WorldOptions& options) {
  base::Rng rng(StreamSeed(options.seed, "catalog"));
  const auto creator_count = static_cast<uint32_t>(std::clamp(options.items / 20.0, 12.0, 400.0));
  const std::vector<Creator> creators = MakeCreators(rng, creator_count);
  const EmbeddingSpace space(rng, options.embedding_dim);
  Catalog catalog;
  base::StringSet titles;
  for (const int64_t created_us : MakeTimes(rng, options)) {
    // A few creators make much: the square of a uniform draw favours the first ones.
    const double draw = rng.Uniform();
    const Creator& creator = creators[static_cast<size_t>(draw * draw * creators.size())];
    TrueItem truth;
    truth.topic = creator.topics[rng.Below(creator.topics.size())];
    truth.subtopic = truth.topic * kSubtopicsPerTopic + static_cast<uint32_t>(rng.Below(kSubtopicsPerTopic));
    truth.style = rng.Bernoulli(.6) ? creator.style : static_cast<uint32_t>(rng.Below(kStyles));
    truth.colour = rng.Bernoulli(.3) ? creator.colour : static_cast<uint32_t>(rng.Below(kColours));
    truth.quality = static_cast<float>(.6 * creator.quality + .8 * rng.Normal());
    truth.bait = static_cast<float>(rng.Normal());
    truth.created_time_us = created_us;
    truth.seed = rng();

    const Topic& topic = Topics()[truth.topic];
    const Subtopic& subtopic = topic.subtopics[truth.subtopic % kSubtopicsPerTopic];
    const Style& style = Styles()[truth.style];
    const std::string_view colour = Colours()[truth.colour].name;
    Item item;
    item.id = fmt::format("item-{:05}", catalog.items.size() + 1);
    for (int attempt = 0; attempt < 12; ++attempt) {
      item.title = MakeTitle(rng, topic, subtopic, style, colour);
      if (titles.insert(item.title).second) break;
    }
    item.topic = topic.name;
    if (rng.Bernoulli(kMislabelled)) item.topic = Topics()[rng.Below(kTopics)].name;
    item.subtopic = subtopic.name;
    item.style = style.name;
    item.tags = {std::string(style.name), std::string(subtopic.name), std::string(colour),
                 std::string(topic.qualifiers[rng.Below(topic.qualifiers.size())])};
    item.colour = colour;
    item.creator = creator.name;
    item.domain = "organic";
    if (rng.Bernoulli(topic.product_share)) {
      item.domain = "product";
      item.price = std::round(topic.price_median * std::exp(.5 * rng.Normal() + .1 * truth.quality)) + .9;
    }
    item.created_time_us = created_us;
    item.image_path = fmt::format("/demo/pictures/{}.svg", item.id);
    item.aspect = kAspects[rng.Below(std::size(kAspects))];
    if (options.embedding_dim > 0) item.embedding = space.Embed(rng, truth);
    catalog.truth.push_back(truth);
    catalog.items.push_back(std::move(item));
  }
  return catalog;
}

}  // namespace bowerbird::sim::world
