#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace bowerbird::sim::world {

inline constexpr uint32_t kTopics = 24;
inline constexpr uint32_t kSubtopicsPerTopic = 5;
inline constexpr uint32_t kSubtopics = kTopics * kSubtopicsPerTopic;
inline constexpr uint32_t kStyles = 8;
inline constexpr uint32_t kGroups = 6;
inline constexpr uint32_t kColours = 16;

struct Subtopic {
  std::string_view name;
  /// Things of this kind, singular, lower case.
  std::array<std::string_view, 4> nouns;
};

/// One topic: the words that its titles are made of. Related topics share a group.
struct Topic {
  std::string_view name;
  uint32_t group;
  /// Share of its items that are for sale, and their usual price.
  double product_share;
  double price_median;
  /// Come before the noun.
  std::array<std::string_view, 6> qualifiers;
  /// Come after the noun, each a whole phrase.
  std::array<std::string_view, 8> details;
  std::array<Subtopic, kSubtopicsPerTopic> subtopics;
};

struct Style {
  std::string_view name;
  std::array<std::string_view, 3> adjectives;
};

struct Colour {
  std::string_view name;
  /// "#rrggbb"
  std::string_view hex;
};

std::span<const Topic, kTopics> Topics();
std::span<const Style, kStyles> Styles();
std::span<const Colour, kColours> Colours();
std::span<const std::string_view> GivenNames();
std::span<const std::string_view> FamilyNames();
/// Words of which studio names are made: "Studio Marrow", "Fern & Field".
std::span<const std::string_view> StudioWords();

/// Subtopics are numbered through: topic * kSubtopicsPerTopic + place in the topic.
inline uint32_t TopicOfSubtopic(uint32_t subtopic) { return subtopic / kSubtopicsPerTopic; }

}  // namespace bowerbird::sim::world
