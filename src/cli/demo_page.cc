#include "cli/demo_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "server/embedded.h"

namespace bowerbird::cli {
namespace {

constexpr size_t kFoundMax = 8;
constexpr size_t kWordsBytesMax = 100;
constexpr std::string_view kPictureAge = "max-age=3600";

constexpr uint32_t kCoverWidth = 240;
constexpr size_t kCoverLineBytes = 17;
constexpr size_t kCoverLines = 6;
constexpr size_t kCoverTopicBytes = 28;

void Respond(const server::Responder& respond, std::string body, std::string_view type,
             std::string_view cache = "no-cache") {
  server::HttpResponse response;
  response.headers.emplace_back("cache-control", cache);
  response.body = std::move(body);
  response.content_type = type;
  respond(std::move(response));
}

/// Whether text may be cut before `at`: not within a character of UTF-8.
bool MayCut(std::string_view text, size_t at) {
  return at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
}

std::string Cut(std::string_view text, size_t bytes) {
  while (!MayCut(text, bytes)) --bytes;
  return std::string(text.substr(0, bytes));
}

/// Lines of at most kCoverLineBytes, broken at spaces where there are some.
std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  const std::vector<std::string> words = absl::StrSplit(std::string(text), ' ', absl::SkipEmpty());
  for (std::string_view word : words) {
    while (!word.empty() && lines.size() <= kCoverLines) {
      const std::string part = Cut(word, kCoverLineBytes);
      if (lines.empty() || lines.back().size() + 1 + part.size() > kCoverLineBytes) {
        lines.push_back(part);
      } else {
        lines.back() += fmt::format(" {}", part);
      }
      word.remove_prefix(part.size());
    }
  }
  if (lines.size() > kCoverLines) {
    lines.resize(kCoverLines);
    lines.back() += "…";
  }
  return lines;
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) out.push_back(c);
    }
  }
  return out;
}

}  // namespace

void Gallery::Add(Exhibit exhibit) {
  std::string words = absl::AsciiStrToLower(fmt::format("{} {} {}", exhibit.title, exhibit.topic, exhibit.subtopic));
  absl::MutexLock lock(&mutex_);
  const std::string id = exhibit.id;
  hung_[id] = {std::move(exhibit), std::move(words)};
}

std::string Gallery::Picture(std::string_view item) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto it = hung_.find(item);
  if (it == hung_.end()) return "";
  const Exhibit& exhibit = it->second.exhibit;
  return exhibit.svg.empty() ? CoverSvg(exhibit.id, exhibit.title, exhibit.topic) : exhibit.svg;
}

std::string Gallery::Title(std::string_view item) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto it = hung_.find(item);
  return it == hung_.end() ? std::string(item) : it->second.exhibit.title;
}

size_t Gallery::size() const {
  absl::ReaderMutexLock lock(&mutex_);
  return hung_.size();
}

std::string Gallery::FindJson(std::string_view text) const {
  const std::string lower = absl::AsciiStrToLower(std::string(text.substr(0, kWordsBytesMax)));
  const std::vector<std::string> words = absl::StrSplit(lower, ' ', absl::SkipEmpty());
  std::string found;
  base::JsonWriter json(&found);
  json.BeginArray();
  size_t count = 0;
  absl::ReaderMutexLock lock(&mutex_);
  for (auto it = hung_.begin(); it != hung_.end() && !words.empty() && count < kFoundMax; ++it) {
    const bool all = std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      return it->second.words.find(word) != std::string::npos;
    });
    if (!all) continue;
    json.BeginObject().Key("id").String(it->first).Key("title").String(it->second.exhibit.title);
    json.Key("topic").String(it->second.exhibit.topic).EndObject();
    ++count;
  }
  json.EndArray();
  return found;
}

std::string CoverSvg(std::string_view id, std::string_view title, std::string_view topic) {
  const uint64_t hue = base::Hash64(topic.empty() ? id : topic) % 360;
  const uint64_t shape = base::Hash64(id);
  const uint64_t height = 200 + shape % 5 * 32;
  const std::vector<std::string> lines = Lines(title);
  std::string text;
  size_t y = 62;
  for (const std::string& line : lines) {
    fmt::format_to(std::back_inserter(text), "<text x='20' y='{}' font-size='22' font-weight='600'>{}</text>", y,
                   Escaped(line));
    y += 27;
  }
  std::string label = Cut(topic, kCoverTopicBytes);
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}'>"
      "<rect width='{0}' height='{1}' fill='hsl({2} 36% 34%)'/>"
      "<circle cx='{3}' cy='{4}' r='{5}' fill='hsl({6} 42% 42%)' fill-opacity='.45'/>"
      "<g fill='#fff' font-family='system-ui,sans-serif'>{7}"
      "<text x='20' y='{8}' font-size='13' fill-opacity='.85'>{9}</text></g></svg>",
      kCoverWidth, height, hue, 60 + shape / 7 % 150, height - 40 - shape / 11 % 60, 50 + shape / 13 % 70,
      (hue + 24) % 360, text, height - 20, Escaped(label));
}

void AddDemoRoutes(server::Api& api, std::function<std::string()> users_json, const Gallery* gallery) {
  const auto text = [](std::string_view body, std::string_view type) {
    return [body, type](const std::shared_ptr<server::HttpRequest>&, const server::Responder& respond) {
      Respond(respond, std::string(body), type);
    };
  };
  api.AddRoute({"GET", "/demo", "", text(server::DemoIndexText(), "text/html; charset=utf-8")});
  api.AddRoute({"GET", "/demo/", "", text(server::DemoIndexText(), "text/html; charset=utf-8")});
  api.AddRoute({"GET", "/demo/assets/{name}", "",
                [](const std::shared_ptr<server::HttpRequest>& request, const server::Responder& respond) {
                  const std::string& name = request->path_parameters["name"];
                  const std::string_view asset = server::DemoAssetText(name);
                  if (asset.empty()) return respond(server::ProblemResponse(404, "not_found", "no such file"));
                  Respond(respond, std::string(asset),
                          name.ends_with(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8");
                }});
  api.AddRoute({"GET", "/demo/find", "",
                [gallery](const std::shared_ptr<server::HttpRequest>& request, const server::Responder& respond) {
                  const auto words = request->query.find("q");
                  Respond(respond, gallery->FindJson(words == request->query.end() ? "" : words->second),
                          "application/json");
                }});
  api.AddRoute({"GET", "/demo/users", "",
                [users_json = std::move(users_json)](const std::shared_ptr<server::HttpRequest>&,
                                                     const server::Responder& respond) {
                  Respond(respond, users_json(), "application/json");
                }});
  api.AddRoute({"GET", "/demo/pictures/{item}.svg", "",
                [gallery](const std::shared_ptr<server::HttpRequest>& request, const server::Responder& respond) {
                  std::string svg = gallery->Picture(request->path_parameters["item"]);
                  if (svg.empty()) return respond(server::ProblemResponse(404, "not_found", "no such picture"));
                  Respond(respond, std::move(svg), "image/svg+xml", kPictureAge);
                }});
}

}  // namespace bowerbird::cli
