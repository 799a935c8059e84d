#include "app/node.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/status_macros.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

namespace fs = std::filesystem;

std::string Text(const Node& node) { return fmt::format("{} of {}\n", node.index, node.count); }

}  // namespace

state::PartitionRange Node::Owned(uint32_t partitions) const {
  if (alone()) return {};
  const auto first = [&](uint32_t node) {
    return static_cast<uint32_t>((uint64_t{node} * partitions + count - 1) / count);
  };
  return {first(index), first(index + 1)};
}

absl::StatusOr<Node> ReadNode(const std::string& dir) {
  const std::string path = dir + "/node";
  std::error_code none;
  if (!fs::exists(path, none)) return Node();
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(path));
  Node node;
  if (std::sscanf(text.c_str(), "%u of %u", &node.index, &node.count) != 2 || node.index >= node.count ||
      text != Text(node)) {
    return absl::DataLossError(fmt::format("{}: found \"{}\"; expected a line such as \"1 of 3\"", path, text));
  }
  return node;
}

absl::Status ClaimNode(const std::string& dir, const Node& node) {
  if (node.index >= node.count) {
    return absl::InvalidArgumentError(
        fmt::format("--node: found {} of {} nodes; expected 0 to {}", node.index, node.count, node.count - 1));
  }
  ASSIGN_OR_RETURN(const Node known, ReadNode(dir));
  if (known == node) return absl::OkStatus();
  std::error_code none;
  if (fs::exists(dir + "/node", none) || node.alone()) {
    return absl::FailedPreconditionError(fmt::format(
        "{}/node: the folder belongs to node {} of {}; found --node {} --nodes {}. Its state is of that node's users: "
        "take an empty folder, or remove apps/*/state and the file to have the state folded anew",
        dir, known.index, known.count, node.index, node.count));
  }
  fs::create_directories(dir, none);
  return store::AtomicWriteFile(dir + "/node", Text(node));
}

absl::StatusOr<config::Cluster> ReadCluster(const std::string& dir) {
  std::error_code none;
  if (!fs::exists(dir + "/server.toml", none)) return config::Cluster();
  ASSIGN_OR_RETURN(const std::string text, store::ReadFile(dir + "/server.toml"));
  config::Cluster cluster = config::ParseCluster(text);
  for (std::string* path :
       {&cluster.key_file, &cluster.ca_file, &cluster.secrets, &cluster.artifacts, &cluster.checkpoints}) {
    if (path->empty() || path->find("://") != std::string::npos) continue;
    *path = (fs::path(dir) / *path).string();
  }
  return cluster;
}

}  // namespace bowerbird::app
