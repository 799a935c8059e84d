#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bowerbird::config {

/// [cluster] of server.toml: how the nodes of a cluster reach each other, and what they share beside the log. The same
/// on every node.
struct Cluster {
  /// Where each node's gRPC listens, "host:port", by ordinal.
  std::vector<std::string> peers;
  /// File with the API key, of scope "peer", that this node shows to the others; empty: none is needed on loopback.
  std::string key_file;
  /// PEM file of the authority that signed the nodes' certificates; empty: they speak without TLS.
  std::string ca_file;
  int64_t forward_us_max = 500'000;  ///< how long a user's owner may take
  uint32_t in_flight_max = 256;      ///< requests to one node that are not answered yet
  int64_t ping_us = 500'000;
  int64_t item_counts_us = 2'000'000;  ///< how often the others are asked for what they counted of items
  /// Folder in which the first node puts the apps' secrets, and from which the others take them; empty: none.
  std::string secrets;
  /// "DIR", or "s3://BUCKET/PREFIX?..."; empty: none.
  std::string artifacts;
  std::string checkpoints;
  int64_t checkpoint_us = 600'000'000;
  uint32_t checkpoints_kept = 3;
  bool operator==(const Cluster&) const = default;
};
/// Of a text that ParseServer accepts; the defaults for another.
Cluster ParseCluster(std::string_view text);

}  // namespace bowerbird::config
