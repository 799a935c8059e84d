#include "mcp/doc_index.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

namespace bowerbird::mcp {
namespace {

constexpr double kK1 = 1.2, kB = 0.75;
constexpr float kHeadingWeight = 4, kPathWeight = 2;
constexpr size_t kExcerptBytes = 900;
/// A guide says how; a decision says why, and comes after it where both have the words.
constexpr std::string_view kDecisions = "docs/decisions/";
constexpr double kDecisionWeight = 0.7;

/// Words that say how something is asked, not what.
constexpr std::string_view kQuestionWords[] = {
    "a",  "an", "and", "are", "be", "by",   "can", "do", "does", "for",  "from",  "how",  "i",     "in",  "is",
    "it", "my", "of",  "on",  "or", "that", "the", "to", "was",  "what", "which", "when", "where", "with"};

/// Endings off, so that "forgets", "forgetting" and "forget" are one word, as are "rotate" and "rotated".
std::string Stem(std::string word) {
  const auto cut = [&](std::string_view ending, size_t left) {
    if (!word.ends_with(ending) || word.size() < ending.size() + left) return false;
    word.resize(word.size() - ending.size());
    return true;
  };
  if (cut("ies", 3)) word += 'y';
  if (!word.ends_with("ss")) cut("s", 3);
  if (cut("ing", 3) || cut("ed", 3)) {
    const size_t size = word.size();
    if (size > 3 && word[size - 1] == word[size - 2] && word.back() != 'l' && word.back() != 's') word.pop_back();
  }
  cut("e", 3);
  return word;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end = [&] {
    if (!word.empty()) words.push_back(Stem(std::exchange(word, {})));
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '_' || byte >= 0x80) {
      word += static_cast<char>(std::tolower(byte));
    } else {
      end();
    }
  }
  end();
  return words;
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return lines;
}

/// How deep a heading is; 0: the line is none.
size_t HeadingDepth(std::string_view line) {
  const size_t depth = std::min(line.find_first_not_of('#'), line.size());
  return depth > 0 && depth <= 6 && depth < line.size() && line[depth] == ' ' ? depth : 0;
}

}  // namespace

DocIndex::DocIndex(std::span<const DocText> documents) {
  for (const DocText& document : documents) {
    std::vector<std::string> above;
    const char* begin = document.text.data();
    bool in_code = false;
    const auto close = [&](const char* end) {
      const std::string_view text(begin, static_cast<size_t>(end - begin));
      if (text.find_first_not_of(" \n") != std::string_view::npos)
        AddSection(document.path, fmt::format("{}", fmt::join(above, " > ")), text);
    };
    for (const std::string_view line : Lines(document.text)) {
      if (line.starts_with("```")) in_code = !in_code;
      const size_t depth = in_code ? 0 : HeadingDepth(line);
      if (depth == 0) continue;
      close(line.data());
      above.resize(std::min(above.size(), depth - 1));
      above.emplace_back(line.substr(depth + 1));
      begin = line.data() + line.size();
    }
    close(document.text.data() + document.text.size());
  }
  double length = 0;
  for (const Section& section : sections_) length += section.length;
  if (!sections_.empty()) length_mean_ = std::max(1.0, length / static_cast<double>(sections_.size()));
}

void DocIndex::AddSection(std::string_view path, std::string heading, std::string_view text) {
  std::map<std::string, float> counts;
  double length = 0;
  for (std::string& word : Words(text)) {
    ++counts[std::move(word)];
    ++length;
  }
  for (std::string& word : Words(heading)) counts[std::move(word)] += kHeadingWeight;
  for (std::string& word : Words(path)) counts[std::move(word)] += kPathWeight;
  const auto number = static_cast<uint32_t>(sections_.size());
  for (const auto& [word, count] : counts) postings_[word].push_back({number, count});
  sections_.push_back({path, text, std::move(heading), length});
}

std::string DocIndex::Excerpt(const Section& section, const std::vector<std::string>& words) {
  const std::vector<std::string_view> lines = Lines(section.text);
  // The window of lines that has most of the words; the first of equals.
  size_t best = 0, best_count = 0;
  for (size_t first = 0; first < lines.size(); ++first) {
    size_t bytes = 0;
    std::map<std::string, int> found;
    for (size_t i = first; i < lines.size() && (i == first || bytes + lines[i].size() <= kExcerptBytes); ++i) {
      bytes += lines[i].size() + 1;
      for (const std::string& word : Words(lines[i])) {
        if (std::find(words.begin(), words.end(), word) != words.end()) found[word] = 1;
      }
    }
    if (found.size() > best_count) {
      best = first;
      best_count = found.size();
    }
  }
  std::string excerpt;
  for (size_t i = best; i < lines.size(); ++i) {
    if (!excerpt.empty() && excerpt.size() + lines[i].size() > kExcerptBytes) break;
    if (excerpt.empty() && lines[i].empty()) continue;
    excerpt.append(lines[i]).push_back('\n');
  }
  while (!excerpt.empty() && excerpt.back() == '\n') excerpt.pop_back();
  return excerpt;
}

std::vector<DocHit> DocIndex::Search(std::string_view query, size_t k) const {
  std::vector<std::string> words = Words(query);
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::erase_if(words, [](const std::string& word) {
    return std::find(std::begin(kQuestionWords), std::end(kQuestionWords), word) != std::end(kQuestionWords);
  });
  std::vector<double> scores(sections_.size(), 0.0);
  const auto all = static_cast<double>(sections_.size());
  for (const std::string& word : words) {
    const auto found = postings_.find(word);
    if (found == postings_.end()) continue;
    const auto having = static_cast<double>(found->second.size());
    const double rarity = std::log(1 + (all - having + 0.5) / (having + 0.5));
    for (const Posting& posting : found->second) {
      const double length = sections_[posting.section].length / length_mean_;
      const double count = posting.count;
      const double weight = sections_[posting.section].path.starts_with(kDecisions) ? kDecisionWeight : 1;
      scores[posting.section] += weight * rarity * count * (kK1 + 1) / (count + kK1 * (1 - kB + kB * length));
    }
  }
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > 0) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  std::vector<DocHit> hits;
  for (size_t i = 0; i < std::min(k, order.size()); ++i) {
    const Section& section = sections_[order[i]];
    hits.push_back({std::string(section.path), section.heading, Excerpt(section, words), scores[order[i]]});
  }
  return hits;
}

}  // namespace bowerbird::mcp
