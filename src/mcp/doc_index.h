#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/string_map.h"

namespace bowerbird::mcp {

/// One of our documents, as the program carries it.
struct DocText {
  std::string_view path;  ///< "docs/guides/lake.md"
  std::string_view text;  ///< Markdown
};
/// Every document under docs/, and README.md and ARCHITECTURE.md, by path.
std::span<const DocText> DocTexts();

struct DocHit {
  std::string path, heading;
  std::string excerpt;  ///< lines of the section, from where the query's words are densest
  double score = 0;
};

/// Finds sections of documents by words.
///
/// Data     a section goes from one heading to the next; the words of its headings and of its path count for more.
/// Threads  immutable once built.
/// Source   BM25 (Robertson and Zaragoza 2009), k1 1.2, b 0.75. Words are runs of letters, digits and '_', in lower
///          case, without the endings of English; those that only ask ("how") count for nothing, and sections of
///          decision records for less.
class DocIndex {
 public:
  /// The texts outlive it.
  explicit DocIndex(std::span<const DocText> documents);
  /// The `k` best sections that have a word of the query, best first; ties by path, then by place.
  std::vector<DocHit> Search(std::string_view query, size_t k) const;
  size_t sections() const { return sections_.size(); }

 private:
  struct Section {
    std::string_view path, text;
    std::string heading;  ///< with those above it: "The lake > Ask"
    double length = 0;    ///< in words
  };
  struct Posting {
    uint32_t section;
    float count;
  };
  void AddSection(std::string_view path, std::string heading, std::string_view text);
  static std::string Excerpt(const Section& section, const std::vector<std::string>& words);

  std::vector<Section> sections_;
  base::StringMap<std::vector<Posting>> postings_;
  double length_mean_ = 1;
};

}  // namespace bowerbird::mcp
