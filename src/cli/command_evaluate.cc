#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "app/history.h"
#include "base/status_macros.h"
#include "base/string_map.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "evaluate/cold.h"
#include "evaluate/data_files.h"
#include "evaluate/evaluate.h"
#include "index/item_features.h"
#include "ingest/mapping.h"
#include "ingest/row_source.h"

namespace bowerbird::cli {
namespace {

using evaluate::Interaction;

/// Hashed columns of attribute values: several times the values of the catalogs that one folder holds.
constexpr uint32_t kColumns = 1u << 16;

/// A CSV of user, item and time (found by their common names), numbered by first appearance.
absl::StatusOr<std::vector<Interaction>> ReadCsv(const std::string& path) {
  ASSIGN_OR_RETURN(const auto source, ingest::OpenCsv(path, ","));
  ASSIGN_OR_RETURN(const ingest::Mapping mapping,
                   ingest::MakeMapping(ingest::Kind::kEvents, source->columns(), "", {}, "any"));
  const auto column = [&](std::string_view field) -> absl::StatusOr<size_t> {
    for (size_t i = 0; i < mapping.columns.size(); ++i) {
      if (mapping.columns[i].field == field) return i;
    }
    return absl::InvalidArgumentError(
        fmt::format("{}: no column for '{}' among {}", path, field, fmt::join(source->columns(), ", ")));
  };
  ASSIGN_OR_RETURN(const size_t user, column("user"));
  ASSIGN_OR_RETURN(const size_t item, column("item"));
  ASSIGN_OR_RETURN(const size_t time, column("time"));
  base::StringMap<uint32_t> users, items;
  std::vector<Interaction> interactions;
  ingest::Row row;
  while (true) {
    ASSIGN_OR_RETURN(const bool any, source->Next(&row));
    if (!any) return interactions;
    if (!row.error.empty()) return absl::InvalidArgumentError(fmt::format("{}:{}: {}", path, row.line, row.error));
    const auto time_us = ingest::ReadTimeUs(row.cells[time].text);
    if (!time_us.ok())
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: {}", path, row.line, std::string(time_us.status().message())));
    const uint32_t u = users.try_emplace(row.cells[user].text, static_cast<uint32_t>(users.size())).first->second;
    const uint32_t i = items.try_emplace(row.cells[item].text, static_cast<uint32_t>(items.size())).first->second;
    interactions.push_back({u, i, *time_us, 1.0f});
  }
}

std::vector<Interaction> FromHistory(const app::ActionHistory& history) {
  std::vector<Interaction> interactions(history.users.size());
  for (size_t i = 0; i < interactions.size(); ++i) {
    interactions[i] = {history.users[i], history.items[i], history.times_us[i], history.weights[i]};
  }
  return interactions;
}

absl::StatusOr<std::vector<Interaction>> ReadInput(const EvaluateOptions& options) {
  if (options.input.empty()) {
    ASSIGN_OR_RETURN(const auto app, OpenExclusively(options.folder.dir, options.folder.app, false));
    ASSIGN_OR_RETURN(const app::ActionHistory history,
                     app::ReadActions(app->history(), *app->config(), 0, options.threads));
    return FromHistory(history);
  }
  return options.input.find(".csv") != std::string::npos ? ReadCsv(options.input)
                                                         : evaluate::ReadSequences(options.input);
}

/// Items of the log held out of training, found again by what the catalog knows of them.
absl::Status EvaluateCold(const EvaluateOptions& options, std::ostream& log) {
  ASSIGN_OR_RETURN(const auto app, OpenExclusively(options.folder.dir, options.folder.app, false));
  ASSIGN_OR_RETURN(const app::ActionHistory history,
                   app::ReadActions(app->history(), *app->config(), 0, options.threads));
  std::vector<index::EmbeddingInput> embeddings;
  uint32_t dense_dim = 0;
  for (const config::Attribute& attribute : app->config()->item_attributes) {
    if (!attribute.embedding) continue;
    embeddings.push_back({attribute.name, attribute.dim});
    dense_dim += attribute.dim;
  }
  std::vector<evaluate::ItemFeatures> features(history.item_keys.size());
  uint64_t offset = 0;
  RETURN_IF_ERROR(app->catalog().Scan(
      [&](catalog::ItemKey key, const v1::Item& item) {
        const auto at = std::lower_bound(history.item_keys.begin(), history.item_keys.end(), key);
        if (at == history.item_keys.end() || *at != key) return true;
        index::ItemFeatures known;
        index::ReadFeatures(item, catalog::CategoriesOf(item, *app->config()), kColumns, embeddings, &known);
        features[static_cast<size_t>(at - history.item_keys.begin())] = {std::move(known.columns),
                                                                         std::move(known.dense)};
        return true;
      },
      &offset));
  evaluate::ColdOptions cold;
  cold.interactions = FromHistory(history);
  cold.column_count = kColumns;
  cold.dense_dim = dense_dim;
  cold.features = [&](uint32_t item) { return features[item]; };
  cold.factors = options.factors;
  cold.threads = options.threads;
  ASSIGN_OR_RETURN(const evaluate::ColdReport report, evaluate::RunCold(cold, log));
  std::printf("%s\n", evaluate::ToJson(report).c_str());
  return absl::OkStatus();
}

}  // namespace

absl::Status Evaluate(const EvaluateOptions& options) {
  std::ostringstream silent;
  std::ostream& log = options.json ? static_cast<std::ostream&>(silent) : std::cout;
  if (options.protocol == "cold") return EvaluateCold(options, log);
  evaluate::Options run;
  ASSIGN_OR_RETURN(run.model, evaluate::ParseModelKind(options.model));
  run.factors = options.factors;
  run.threads = options.threads;
  run.test_share = options.test_share;
  if (options.protocol == "split") {
    run.protocol = evaluate::Protocol::kSplit;
    ASSIGN_OR_RETURN(run.interactions, evaluate::ReadLightGcn(options.train));
    ASSIGN_OR_RETURN(run.test, evaluate::ReadLightGcn(options.test));
  } else {
    run.protocol = options.protocol == "loo" ? evaluate::Protocol::kLastOut : evaluate::Protocol::kTemporal;
    ASSIGN_OR_RETURN(run.interactions, ReadInput(options));
  }
  ASSIGN_OR_RETURN(const evaluate::Report report, evaluate::Run(run, log));
  std::printf("%s\n", evaluate::ToJson(report).c_str());
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
