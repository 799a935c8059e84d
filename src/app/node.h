#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "config/cluster.h"
#include "state/partition_range.h"

namespace bowerbird::app {

/// Which node of how many a folder belongs to. Ownership of user partitions follows from it alone: partition p of P is
/// node p * count / P's, so that each has a run of neighbours, and a partition that splits in two stays where it is.
struct Node {
  uint32_t index = 0;
  uint32_t count = 1;

  bool alone() const { return count == 1; }
  uint32_t OwnerOf(uint32_t partition, uint32_t partitions) const {
    return static_cast<uint32_t>(uint64_t{partition} * count / partitions);
  }
  /// Everything where the node is alone.
  state::PartitionRange Owned(uint32_t partitions) const;
  friend bool operator==(const Node&, const Node&) = default;
};

/// DIR/node, "1 of 3"; without the file the folder is a node alone. DataLoss: it says something else.
absl::StatusOr<Node> ReadNode(const std::string& dir);
/// Writes DIR/node where there is none. FailedPrecondition: the folder belongs to another node, or to one of another
/// number; its state is of other partitions. InvalidArgument: no such node.
absl::Status ClaimNode(const std::string& dir, const Node& node);
/// [cluster] of DIR/server.toml, paths made absolute; the defaults where there is none.
absl::StatusOr<config::Cluster> ReadCluster(const std::string& dir);

}  // namespace bowerbird::app
