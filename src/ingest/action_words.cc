#include "ingest/action_words.h"

#include <cctype>
#include <vector>

namespace bowerbird::ingest {
namespace {

struct Known {
  std::string_view built_in;  ///< the built-in event type that it is; empty: a type of its own name
  double weight;
  std::string_view polarity;
  std::vector<std::string_view> words;  ///< letters and digits only, in lower case
};

const std::vector<Known>& Table() {
  static const std::vector<Known> kTable = {
      {"impression", 0, "neutral", {"impression", "impressions", "show", "shown", "exposure"}},
      {"click", 1, "positive", {"click", "clicks", "clicked", "tap"}},
      {"closeup", 1, "positive", {"closeup"}},
      {"save", 3, "positive", {"save", "saved", "bookmark", "pin", "repin"}},
      {"hide", 1, "negative", {"hide", "hidden", "notinterested", "dismiss"}},
      {"purchase", 5, "positive", {"purchase", "purchased"}},
      {"", 5, "positive", {"buy", "bought", "order", "ordered", "transaction", "checkout", "conversion", "sale"}},
      {"",
       1,
       "positive",
       {"view", "views", "viewed", "pageview", "productview", "itemview", "detail", "pv", "visit", "browse", "open"}},
      {"", 3, "positive", {"addtocart", "cart", "basket", "addtobasket", "intocart"}},
      {"",
       3,
       "positive",
       {"like", "liked", "love", "heart", "upvote", "fav", "favorite", "favourite", "wishlist", "addtowishlist",
        "share", "shared", "follow", "subscribe"}},
      {"", 2, "positive", {"rating", "rate", "rated", "review", "comment", "reply"}},
      {"",
       2,
       "positive",
       {"play", "played", "listen", "watch", "watched", "stream", "read", "complete", "completed", "download",
        "install", "checkin"}},
      {"", 1, "negative", {"dislike", "disliked", "downvote", "block", "report", "skip"}},
      {"", 0, "neutral", {"removefromcart", "remove", "return", "refund", "unlike", "unsave", "unfollow"}},
  };
  return kTable;
}

}  // namespace

std::string PlainName(std::string_view word) {
  std::string name;
  for (const unsigned char c : word) {
    if (std::isalnum(c) != 0) {
      name.push_back(static_cast<char>(std::tolower(c)));
    } else if (!name.empty() && name.back() != '_') {
      name.push_back('_');
    }
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name.substr(0, 64);
}

ActionMeaning MeaningOf(std::string_view word) {
  ActionMeaning meaning;
  meaning.word = word;
  meaning.type = PlainName(word);
  std::string letters;
  for (const char c : meaning.type) {
    if (c != '_') letters.push_back(c);
  }
  for (const Known& known : Table()) {
    for (const std::string_view name : known.words) {
      if (name != letters) continue;
      if (!known.built_in.empty()) meaning.type = known.built_in;
      meaning.weight = known.weight;
      meaning.polarity = known.polarity;
      return meaning;
    }
  }
  // Built-in types that are no word for liking keep their name and their meaning.
  meaning.known = meaning.type == "search" || meaning.type == "identify" || meaning.type == "unhide" ||
                  meaning.type == "notification_open";
  if (meaning.known && meaning.type != "notification_open") {
    meaning.weight = 0;
    meaning.polarity = "neutral";
  }
  return meaning;
}

}  // namespace bowerbird::ingest
