#include <fmt/format.h>

#include <cstdio>

#include "app/node.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "server/server.h"

namespace bowerbird::cli {

absl::Status Serve(const ServeOptions& options) {
  server::Server::Options server_options;
  server_options.dir = options.folder.dir;
  if ((options.node >= 0) != (options.nodes >= 0)) {
    return absl::InvalidArgumentError(
        "--node and --nodes: found one of them; expected both, such as --node 0 --nodes 3");
  }
  if (options.node >= 0) {
    RETURN_IF_ERROR(app::ClaimNode(options.folder.dir,
                                   {static_cast<uint32_t>(options.node), static_cast<uint32_t>(options.nodes)}));
  }
  ASSIGN_OR_RETURN(server_options.config, server::LoadServerConfig(options.folder.dir));
  server_options.file_config = server_options.config;
  if (!options.listen.empty()) server_options.config.listen = options.listen;
  if (options.port >= 0) server_options.config.port = static_cast<uint16_t>(options.port);
  if (options.grpc_port >= 0) server_options.config.grpc_port = static_cast<uint16_t>(options.grpc_port);
  ASSIGN_OR_RETURN(const auto running, server::Server::Start(server_options));
  std::printf("listening on http://%s:%d\n", server_options.config.listen.c_str(), running->port());
  if (running->grpc_port() != 0) {
    std::printf("gRPC on %s:%d\n", server_options.config.grpc_listen.c_str(), running->grpc_port());
  }
  if (!running->node().alone()) std::printf("node %u of %u\n", running->node().index, running->node().count);
  std::fflush(stdout);
  while (server::Server::WaitForSignal({SIGTERM, SIGINT, SIGHUP}) == SIGHUP) running->Reload();
  running->Drain();
  return absl::OkStatus();
}

}  // namespace bowerbird::cli
