#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "server/api.h"

namespace bowerbird::cli {

/// One item as the page shows it.
struct Exhibit {
  std::string id, title, topic;
  std::string subtopic;  ///< may be empty
  std::string svg;       ///< its picture; empty: a cover with its title, drawn when asked for
};

/// The items' pictures and the words that find them: what the page asks beside the public API.
///
/// Threads  any.
class Gallery {
 public:
  /// Takes the place of an exhibit of the same id.
  void Add(Exhibit exhibit);
  /// "" for an unknown item.
  std::string Picture(std::string_view item) const;
  /// The title; the id for an unknown item.
  std::string Title(std::string_view item) const;
  /// Up to eight items whose title, topic and subtopic hold every word of `text`: [{"id", "title", "topic"}, ...].
  std::string FindJson(std::string_view text) const;
  size_t size() const;

 private:
  struct Hung {
    Exhibit exhibit;
    std::string words;  ///< in lower case
  };
  mutable absl::Mutex mutex_;
  std::map<std::string, Hung, std::less<>> hung_ ABSL_GUARDED_BY(mutex_);  ///< by item id
};

/// A picture for an item that has none: its title on a colour that its topic has, as an SVG document. The height
/// follows from the id, so that a wall of covers is no chequerboard.
std::string CoverSvg(std::string_view id, std::string_view title, std::string_view topic);

/// The page and what it needs: /demo/, its assets, /demo/users, /demo/find, /demo/pictures/{item}.svg. `users_json` is
/// asked from the server's threads, and gives [{"id", "name"}, ...]; `gallery` outlives the Api.
void AddDemoRoutes(server::Api& api, std::function<std::string()> users_json, const Gallery* gallery);

}  // namespace bowerbird::cli
