#include "app/rankers.h"

#include <utility>

#include "base/status_macros.h"
#include "features/values.h"
#include "fmt/format.h"
#include "store/file.h"

namespace bowerbird::app {
namespace {

constexpr char kPromotionFile[] = "ranker";
constexpr uint32_t kPromotionsKept = 100;

}  // namespace

absl::StatusOr<std::shared_ptr<const rank::Trained>> OpenRanker(const registry::Registry& registry,
                                                                std::string_view surface, std::string_view version) {
  ASSIGN_OR_RETURN(const registry::Artifact artifact, registry.Open("ranker", surface, version));
  ASSIGN_OR_RETURN(const std::string bytes, store::ReadFile(artifact.Path("trees.safetensors")));
  ASSIGN_OR_RETURN(model::TreeEnsemble trees, model::TreeEnsemble::Parse(bytes));
  ASSIGN_OR_RETURN(rank::Trained trained,
                   rank::Trained::Create(std::string(version), std::move(trees), [](std::string_view name) {
                     return features::NumberName::Parse(name).has_value();
                   }));
  return std::make_shared<const rank::Trained>(std::move(trained));
}

Rankers::Rankers(registry::Registry* registry) : registry_(registry) {
  choices_.Set(std::make_shared<const Choices>());
}

std::vector<std::string> Rankers::Load(const config::Config& config) {
  std::vector<std::string> problems;
  const absl::MutexLock lock(&promoting_);
  for (const config::Surface& surface : config.surfaces) {
    const auto newest = registry_->Newest("promotion", surface.name);
    // Not a name that an artifact may have, or nothing was ever promoted.
    if (absl::IsInvalidArgument(newest.status()) || absl::IsNotFound(newest.status())) continue;
    const absl::StatusOr<std::string> version = newest.ok() ? store::ReadFile(newest->artifact.Path(kPromotionFile))
                                                            : absl::StatusOr<std::string>(newest.status());
    if (version.ok() && version->empty()) continue;
    serve::RankerChoice choice;
    absl::Status status = version.status();
    if (status.ok()) {
      auto trained = OpenRanker(*registry_, surface.name, *version);
      status = trained.status();
      if (status.ok()) choice.trained = *std::move(trained);
    }
    choice.missing = choice.trained == nullptr;
    if (!status.ok())
      problems.push_back(
          fmt::format("surface {}: the promoted ranker: {}", surface.name, std::string(status.message())));
    Set(surface.name, std::move(choice));
  }
  return problems;
}

absl::Status Rankers::Promote(const std::string& surface, const std::string& version) {
  const absl::MutexLock lock(&promoting_);
  serve::RankerChoice choice;
  if (!version.empty()) {
    ASSIGN_OR_RETURN(choice.trained, OpenRanker(*registry_, surface, version));
  }
  registry::Contents contents;
  contents.write = [&](const std::string& folder) {
    return store::AtomicWriteFile(folder + "/" + kPromotionFile, version);
  };
  RETURN_IF_ERROR(registry_->Publish("promotion", surface, contents).status());
  RETURN_IF_ERROR(registry_->Prune("promotion", surface, kPromotionsKept).status());
  Set(surface, std::move(choice));
  return absl::OkStatus();
}

serve::RankerChoice Rankers::Of(std::string_view surface) const {
  const std::shared_ptr<const Choices> choices = choices_.Get();
  const auto found = choices->find(surface);
  return found == choices->end() ? serve::RankerChoice() : found->second;
}

void Rankers::Set(const std::string& surface, serve::RankerChoice choice) {
  auto next = std::make_shared<Choices>(*choices_.Get());
  (*next)[surface] = std::move(choice);
  choices_.Set(std::move(next));
}

}  // namespace bowerbird::app
