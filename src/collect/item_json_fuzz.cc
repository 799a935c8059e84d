// Bodies of items, users and batches: any bytes are answered by a message or a refusal, and a valid item reads back as
// it is written.
#include <google/protobuf/util/message_differencer.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "catalog/item_rules.h"
#include "collect/item_json.h"

namespace {

using namespace bowerbird;  // NOLINT: a program of one file

std::shared_ptr<const config::Config> MakeConfig() {
  auto config = std::make_shared<config::Config>();
  config->domains = {"organic", "product"};
  config->item_attributes = {
      {.name = "a", .type = expression::Type::kString}, {.name = "b", .type = expression::Type::kNumber},
      {.name = "c", .type = expression::Type::kBool},   {.name = "d", .type = expression::Type::kStrings},
      {.name = "e", .type = expression::Type::kTime},   {.name = "v", .embedding = true, .dim = 2}};
  config->user_attributes = config->item_attributes;
  config->user_attributes.pop_back();
  return config;
}

void CheckRefusal(const absl::Status& status) {
  BOWERBIRD_CHECK(absl::IsInvalidArgument(status));
  BOWERBIRD_CHECK(!catalog::FromStatus(status).code.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const config::Config> config = MakeConfig();
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto item = collect::ParseItem(body, "i", collect::ItemUse::kWhole, *config); !item.ok()) {
    CheckRefusal(item.status());
  } else if (catalog::ValidateItem(*item, *config).ok()) {
    BOWERBIRD_CHECK(base::IsValidUtf8(item->title()));
    std::string json;
    base::JsonWriter writer(&json);
    collect::WriteItem(*item, &writer);
    const auto back = collect::ParseItem(json, "i", collect::ItemUse::kWhole, *config);
    BOWERBIRD_CHECK(back.ok() && google::protobuf::util::MessageDifferencer::Equals(*back, *item));
  }
  if (const auto patch = collect::ParseItem(body, "i", collect::ItemUse::kPatch, *config); patch.ok()) {
    v1::Item base;
    base.set_id("i");
    BOWERBIRD_CHECK(catalog::MergePatch(base, *patch).id() == "i");
  } else {
    CheckRefusal(patch.status());
  }
  if (const auto user = collect::ParseUser(body, "u", *config); !user.ok()) CheckRefusal(user.status());
  if (const auto batch = collect::ParseItemsBatch(body, *config); !batch.ok()) CheckRefusal(batch.status());
  return 0;
}
