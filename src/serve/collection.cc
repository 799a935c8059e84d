#include "serve/collection.h"

#include <fmt/format.h>

#include <algorithm>

namespace bowerbird::serve {

absl::StatusOr<v1::CollectionResponse> BuildCollection(const index::LiveView& view, const state::UserState& user,
                                                       std::string_view name) {
  const auto collection = std::find_if(user.collections.begin(), user.collections.end(),
                                       [&](const state::CollectionState& one) { return one.name == name; });
  if (collection == user.collections.end()) {
    return absl::NotFoundError(fmt::format("the user has no collection named '{}'", name));
  }
  v1::CollectionResponse response;
  response.set_name(collection->name);
  response.set_total(static_cast<uint32_t>(collection->items.size()));
  for (auto key = collection->items.rbegin(); key != collection->items.rend(); ++key) {
    if (response.items_size() == static_cast<int>(kCollectionItemsShown)) break;
    index::ItemHandle item;
    if (!view.Find(*key, &item) || !view.Eligible(item)) continue;
    *response.add_items() = view.Document(item);
    response.mutable_items()->rbegin()->clear_embeddings();
  }
  return response;
}

}  // namespace bowerbird::serve
