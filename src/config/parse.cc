#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "base/hash.h"
#include "config/config.h"
#include "config/metrics_section.h"
#include "config/objectives.h"
#include "config/problem_list.h"
#include "config/problems.h"
#include "config/sections.h"
#include "config/toml_value.h"

namespace bowerbird::config {

namespace {

/// Lays the text over the defaults. Metrics, which no answer is computed from, are no part of the draft.
void Read(std::string_view text, Draft* draft, std::vector<Metric>* metrics) {
  const TomlDocument document = ParseToml(text, draft->problems);
  if (!document.complete) return;
  TableReader root(&document.root, "", 0, draft->problems);
  ReadSettings(&root, draft);
  ReadEvents(&root, draft);
  ReadSegment(&root, draft);
  ReadItemsAndUsers(&root, draft);
  ReadSignals(&root, draft);
  ReadUserSegments(&root, draft);
  ReadGenerators(&root, draft);
  ReadObjectives(&root, draft);
  ReadMetrics(&root, draft, metrics);
  ReadSurfaces(&root, draft);
  root.RefuseUnknown("bowerbird.toml");
}

}  // namespace

ParseResult Parse(std::string_view text, std::string_view file) {
  Problems problems(file);
  Draft draft{.config = DefaultConfig(), .problems = &problems};
  std::vector<Metric> metrics;
  Read(text, &draft, &metrics);
  if (problems.size() > 0) return {nullptr, problems.Take()};
  draft.config.version = base::Sha256Hex(text).substr(0, 16);
  return {std::make_shared<const Config>(std::move(draft.config)), {}};
}

absl::StatusOr<std::vector<EventObjective>> ParseObjectives(std::string_view text, std::string_view file) {
  Problems problems(file);
  Draft draft{.config = DefaultConfig(), .problems = &problems};
  std::vector<Metric> metrics;
  Read(text, &draft, &metrics);
  if (problems.size() > 0) return absl::InvalidArgumentError(ProblemList(problems.Take()));
  return std::move(draft.objectives);
}

absl::StatusOr<std::vector<Metric>> ParseMetrics(std::string_view text, std::string_view file) {
  Problems problems(file);
  Draft draft{.config = DefaultConfig(), .problems = &problems};
  std::vector<Metric> metrics;
  Read(text, &draft, &metrics);
  if (problems.size() > 0) return absl::InvalidArgumentError(ProblemList(problems.Take()));
  return metrics;
}

absl::StatusOr<std::shared_ptr<const Config>> Load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(fmt::format("{}: found no file that can be read; expected a config", path));
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  ParseResult result = Parse(text, path);
  if (result.config != nullptr) return std::move(result.config);
  return absl::InvalidArgumentError(ProblemList(result.problems));
}

}  // namespace bowerbird::config
