#include "collect/declared_agents.h"

#include "absl/strings/ascii.h"

namespace bowerbird::collect {

DeclaredAgents::DeclaredAgents(const config::Traffic& traffic) {
  if (traffic.enabled) agents_ = traffic.agents;
}

std::string_view DeclaredAgents::Find(std::string_view user_agent) const {
  if (agents_.empty() || user_agent.empty()) return {};
  std::string text(user_agent.substr(0, kBytesMax));
  absl::AsciiStrToLower(&text);
  for (const std::string& agent : agents_) {
    if (text.find(agent) != std::string::npos) return agent;
  }
  return {};
}

}  // namespace bowerbird::collect
