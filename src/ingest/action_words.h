#pragma once

#include <string>
#include <string_view>

namespace bowerbird::ingest {

/// What a word for an action says of taste.
struct ActionMeaning {
  std::string word;  ///< as it stands in the file
  std::string type;  ///< the event type's name: the word in [a-z0-9_], or a built-in type that means the same
  double weight = 1;
  std::string_view polarity = "positive";  ///< "positive", "negative" or "neutral"
  bool known = true;                       ///< false: an unknown word, taken for a weak liking
};

/// Knows the common words of shops, streaming services and forums: "view", "AddToCart", "transaction", "like", ...
ActionMeaning MeaningOf(std::string_view word);

/// The word in lower case with everything but letters and digits as one '_': a name that a config takes.
std::string PlainName(std::string_view word);

}  // namespace bowerbird::ingest
