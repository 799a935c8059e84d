#include "collect/item_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/closest_name.h"
#include "base/hash.h"
#include "base/string_map.h"
#include "base/time_text.h"
#include "catalog/item_rules.h"
#include "collect/json_reader.h"

namespace bowerbird::collect {
namespace {

using Value = JsonReader::Value;

constexpr std::string_view kItemFields[] = {
    "id",        "domain",          "title",        "description", "image_url",  "url",       "categories",     "price",
    "available", "created_time_us", "created_time", "attributes",  "embeddings", "withdrawn", "updated_time_us"};
constexpr std::string_view kUserFields[] = {"id", "attributes", "updated_time_us"};
constexpr std::string_view kEmbeddingFields[] = {"name", "values"};
constexpr std::string_view kBatchFields[] = {"upsert", "patch", "delete", "withdraw", "feed", "feed_end"};

constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

/// Rejects the item for a field that `known` does not have.
void RejectUnknown(std::string_view key, const JsonPath& path, std::span<const std::string_view> known,
                   JsonReader* reader) {
  const std::string_view closest = base::ClosestName(key, known);
  reader->Reject("unknown_field", path,
                 closest.empty() ? fmt::format("found an unknown field; expected one of: {}", fmt::join(known, ", "))
                                 : fmt::format("found an unknown field; did you mean \"{}\"?", closest));
}

/// Refuses repeated fields of one object.
class SeenFields {
 public:
  explicit SeenFields(std::span<const std::string_view> known) : known_(known) {}
  /// False: unknown or repeated, and rejected.
  bool Admit(std::string_view key, const JsonPath& path, JsonReader* reader) {
    const size_t index = static_cast<size_t>(std::find(known_.begin(), known_.end(), key) - known_.begin());
    if (index == known_.size()) {
      RejectUnknown(key, path, known_, reader);
      return false;
    }
    const uint32_t bit = 1u << index;
    if ((seen_ & bit) != 0) reader->Reject("duplicate_field", path, "found twice; expected once");
    return (std::exchange(seen_, seen_ | bit) & bit) == 0;
  }

 private:
  const std::span<const std::string_view> known_;
  uint32_t seen_ = 0;
};

void ReadTexts(JsonReader* reader, Value value, const JsonPath& path,
               google::protobuf::RepeatedPtrField<std::string>* out) {
  out->Clear();
  reader->ReadArray(value, path, [&](int64_t index, Value element) {
    const JsonPath element_path{&path, {}, index};
    if (reader->rejected()) return reader->Skip(element);
    if (JsonReader::IsNull(element)) return reader->Reject("wrong_type", element_path, "found null; expected a string");
    reader->ReadText(element, element_path, out->Add());
  });
}

class ItemReader {
 public:
  ItemReader(JsonReader* reader, const config::Config& config, v1::Item* item)
      : reader_(*reader), config_(config), item_(*item), seen_(kItemFields) {}

  void Field(std::string_view key, Value value, const JsonPath& item_path) {
    const JsonPath path{&item_path, key};
    if (reader_.rejected()) {
      if (key != "id" || !item_.id().empty()) return reader_.Skip(value);
      // Who is refused is said all the same.
      reader_.ReadText(value, path, item_.mutable_id());
      return;
    }
    if (!seen_.Admit(key, path, &reader_)) return reader_.Skip(value);
    if (key == "id") {
      reader_.ReadText(value, path, item_.mutable_id());
    } else if (key == "domain") {
      reader_.ReadText(value, path, item_.mutable_domain());
    } else if (key == "title") {
      reader_.ReadText(value, path, item_.mutable_title());
    } else if (key == "description") {
      reader_.ReadText(value, path, item_.mutable_description());
    } else if (key == "image_url") {
      reader_.ReadText(value, path, item_.mutable_image_url());
    } else if (key == "url") {
      reader_.ReadText(value, path, item_.mutable_url());
    } else if (key == "categories") {
      ReadTexts(&reader_, value, path, item_.mutable_categories());
    } else if (key == "attributes") {
      reader_.ReadObject(value, path, [&](std::string_view name, Value attribute) {
        reader_.ReadAttribute(name, attribute, path, item_.mutable_attributes());
      });
    } else if (key == "embeddings") {
      reader_.ReadArray(value, path, [&](int64_t index, Value element) {
        Embedding(element, JsonPath{&path, {}, index});
      });
    } else {
      Number(key, value, path);
    }
  }

  void Finish() { catalog::FitAttributes(config_.item_attributes, item_.mutable_attributes()); }

 private:
  void Number(std::string_view key, Value value, const JsonPath& path) {
    if (key == "price") {
      double price = 0;
      if (reader_.ReadNumber(value, path, &price)) item_.set_price(price);
    } else if (key == "available") {
      bool available = false;
      if (reader_.ReadBool(value, path, &available)) item_.set_available(available);
    } else if (key == "withdrawn") {
      // Items come back as they were read; but withdrawing by an upsert would undo itself.
      bool withdrawn = false;
      if (reader_.ReadBool(value, path, &withdrawn) && withdrawn) {
        reader_.Reject("unexpected_field", path, "found true; expected the call that withdraws the item");
      }
    } else {
      int64_t time_us = 0;
      const bool read = key == "created_time" ? reader_.ReadTime(value, path, &time_us)
                                              : reader_.ReadInteger(value, path, 0, kInt64Max, &time_us);
      // The server stamps the time of the update.
      if (!read || key == "updated_time_us") return;
      if (item_.created_time_us() != 0) {
        reader_.Reject("duplicate_field", path, "found both created_time and created_time_us; expected one of them");
      }
      item_.set_created_time_us(time_us);
    }
  }

  void Embedding(Value value, const JsonPath& path) {
    if (reader_.rejected()) return reader_.Skip(value);
    if (JsonReader::IsNull(value)) return reader_.Reject("wrong_type", path, "found null; expected an object");
    v1::Embedding* embedding = item_.add_embeddings();
    SeenFields seen(kEmbeddingFields);
    reader_.ReadObject(value, path, [&](std::string_view key, Value field) {
      const JsonPath field_path{&path, key};
      if (reader_.rejected() || !seen.Admit(key, field_path, &reader_)) return reader_.Skip(field);
      if (key == "name") {
        reader_.ReadText(field, field_path, embedding->mutable_name());
        return;
      }
      reader_.ReadArray(field, field_path, [&](int64_t index, Value element) {
        double number = 0;
        const JsonPath element_path{&field_path, {}, index};
        if (reader_.rejected()) return reader_.Skip(element);
        if (JsonReader::IsNull(element)) {
          return reader_.Reject("wrong_type", element_path, "found null; expected a finite number");
        }
        if (!reader_.ReadNumber(element, element_path, &number)) return;
        if (!std::isfinite(static_cast<float>(number))) {
          return reader_.Reject("out_of_range", element_path,
                                fmt::format("found number {}; expected one that fits 32 bits", number));
        }
        embedding->add_values(static_cast<float>(number));
      });
    });
  }

  JsonReader& reader_;
  const config::Config& config_;
  v1::Item& item_;
  SeenFields seen_;
};

/// Reads a body that is one object; `visit` as in JsonReader::VisitFields.
template <typename Visit>
absl::Status ReadRoot(JsonReader* reader, std::string_view json, uint64_t bytes_max, Visit&& visit) {
  if (reader->Begin(json, bytes_max)) {
    using simdjson::ondemand::json_type;
    json_type type;
    simdjson::ondemand::object object;
    if (const auto error = reader->document().type().get(type)) {
      reader->RefuseMalformed(error);
    } else if (type != json_type::object) {
      reader->Refuse("wrong_type", "", "found a body that is not an object; expected an object");
    } else if (const auto error = reader->document().get_object().get(object)) {
      reader->RefuseMalformed(error);
    } else {
      reader->VisitFields(object, visit);
    }
    reader->End();
  }
  if (reader->refused()) return catalog::ToStatus(reader->refusal());
  if (const auto problem = reader->TakeProblem()) return catalog::ToStatus(*problem);
  return absl::OkStatus();
}

/// The id of the path, which the body may repeat.
absl::Status SettleId(std::string_view id, std::string* body_id) {
  if (!body_id->empty() && *body_id != id) {
    return catalog::ToStatus(
        {"id_mismatch", "id", fmt::format("found \"{}\"; expected \"{}\" as in the path", *body_id, id)});
  }
  *body_id = std::string(id);
  return absl::OkStatus();
}

class BatchReader {
 public:
  BatchReader(JsonReader* reader, const config::Config& config, ItemsBatch* batch)
      : reader_(*reader), config_(config), batch_(*batch), seen_(kBatchFields) {}

  void Field(std::string_view key, Value value) {
    const JsonPath path{nullptr, key};
    if (!seen_.Admit(key, path, &reader_)) return RefuseProblem();
    if (JsonReader::IsNull(value)) return;
    if (key == "upsert") {
      Items(value, path, ItemUse::kWhole, batch_.request.mutable_upsert());
    } else if (key == "patch") {
      Items(value, path, ItemUse::kPatch, batch_.request.mutable_patch());
    } else if (key == "delete") {
      Ids(value, path, batch_.request.mutable_delete_());
    } else if (key == "withdraw") {
      Ids(value, path, batch_.request.mutable_withdraw());
    } else if (key == "feed") {
      reader_.ReadText(value, path, batch_.request.mutable_feed());
    } else {
      bool end = false;
      if (reader_.ReadBool(value, path, &end)) batch_.request.set_feed_end(end);
    }
    RefuseProblem();
  }

 private:
  /// A problem outside of any item refuses the batch.
  void RefuseProblem() {
    if (const auto problem = reader_.TakeProblem()) reader_.Refuse(problem->code, problem->field, problem->detail);
  }

  bool Count() {
    if (++changes_ <= kItemBatchMax) return true;
    reader_.Refuse("too_many_items", "",
                   fmt::format("found more than {0} changes; expected at most {0}", kItemBatchMax));
    return false;
  }

  void Items(Value value, const JsonPath& path, ItemUse use, google::protobuf::RepeatedPtrField<v1::Item>* out) {
    reader_.ReadArray(value, path, [&](int64_t index, Value element) {
      if (!Count()) return;
      const JsonPath item_path{&path, {}, index};
      v1::Item* item = out->Add();
      if (JsonReader::IsNull(element)) {
        reader_.Reject("wrong_type", item_path, "found null; expected an object");
      } else {
        reader_.set_null_is_absent(use == ItemUse::kWhole);
        ItemReader item_reader(&reader_, config_, item);
        reader_.ReadObject(element, item_path,
                           [&](std::string_view key, Value field) { item_reader.Field(key, field, item_path); });
        item_reader.Finish();
        reader_.set_null_is_absent(true);
      }
      if (const auto problem = reader_.TakeProblem()) {
        v1::ItemVerdict& verdict = batch_.rejected.emplace_back();
        verdict.set_id(item->id());
        verdict.set_code(problem->code);
        verdict.set_field(problem->field);
        verdict.set_detail(problem->detail);
        out->RemoveLast();
      }
    });
  }

  void Ids(Value value, const JsonPath& path, google::protobuf::RepeatedPtrField<std::string>* out) {
    reader_.ReadArray(value, path, [&](int64_t index, Value element) {
      if (!Count()) return;
      const JsonPath id_path{&path, {}, index};
      if (reader_.rejected()) return reader_.Skip(element);
      if (JsonReader::IsNull(element)) return reader_.Reject("wrong_type", id_path, "found null; expected a string");
      reader_.ReadText(element, id_path, out->Add());
    });
  }

  JsonReader& reader_;
  const config::Config& config_;
  ItemsBatch& batch_;
  SeenFields seen_;
  uint32_t changes_ = 0;
};

void WriteAttributes(const google::protobuf::Map<std::string, v1::Value>& attributes, base::JsonWriter* json) {
  if (attributes.empty()) return;
  std::vector<const std::string*> names;
  for (const auto& [name, value] : attributes) names.push_back(&name);
  std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
  json->Key("attributes").BeginObject();
  for (const std::string* name : names) {
    json->Key(*name);
    WriteValue(attributes.at(*name), json);
  }
  json->EndObject();
}

void WriteText(std::string_view key, std::string_view text, base::JsonWriter* json) {
  if (!text.empty()) json->Key(key).String(text);
}

}  // namespace

absl::StatusOr<v1::Item> ParseItem(std::string_view json, std::string_view id, ItemUse use,
                                   const config::Config& config) {
  v1::Item item;
  JsonReader reader;
  reader.set_null_is_absent(use == ItemUse::kWhole);
  ItemReader item_reader(&reader, config, &item);
  const JsonPath root;
  const absl::Status read = ReadRoot(&reader, json, config.collect.body_bytes_max,
                                     [&](std::string_view key, Value value) { item_reader.Field(key, value, root); });
  if (!read.ok()) return read;
  item_reader.Finish();
  if (absl::Status settled = SettleId(id, item.mutable_id()); !settled.ok()) return settled;
  return item;
}

absl::StatusOr<v1::User> ParseUser(std::string_view json, std::string_view id, const config::Config& config) {
  v1::User user;
  JsonReader reader;
  SeenFields seen(kUserFields);
  const absl::Status read =
      ReadRoot(&reader, json, config.collect.body_bytes_max, [&](std::string_view key, Value value) {
        const JsonPath path{nullptr, key};
        if (reader.rejected() || !seen.Admit(key, path, &reader)) return reader.Skip(value);
        if (key == "id") {
          reader.ReadText(value, path, user.mutable_id());
        } else if (key == "attributes") {
          reader.ReadObject(value, path, [&](std::string_view name, Value attribute) {
            reader.ReadAttribute(name, attribute, path, user.mutable_attributes());
          });
        } else {
          int64_t stamped = 0;
          reader.ReadInteger(value, path, 0, kInt64Max, &stamped);
        }
      });
  if (!read.ok()) return read;
  catalog::FitAttributes(config.user_attributes, user.mutable_attributes());
  if (absl::Status settled = SettleId(id, user.mutable_id()); !settled.ok()) return settled;
  return user;
}

absl::StatusOr<ItemsBatch> ParseItemsBatch(std::string_view json, const config::Config& config) {
  ItemsBatch batch;
  JsonReader reader;
  BatchReader batch_reader(&reader, config, &batch);
  const absl::Status read = ReadRoot(&reader, json, config.collect.body_bytes_max,
                                     [&](std::string_view key, Value value) { batch_reader.Field(key, value); });
  if (!read.ok()) return read;
  batch.hash = base::Hash64(json);
  return batch;
}

void WriteValue(const v1::Value& value, base::JsonWriter* json) {
  switch (value.kind_case()) {
    case v1::Value::kBoolValue:
      json->Bool(value.bool_value());
      return;
    case v1::Value::kNumberValue:
      json->Double(value.number_value());
      return;
    case v1::Value::kStringValue:
      json->String(value.string_value());
      return;
    case v1::Value::kTimeUs:
      json->String(base::FormatTimeUs(value.time_us()));
      return;
    case v1::Value::kStrings:
      json->BeginArray();
      for (const std::string& text : value.strings().values()) json->String(text);
      json->EndArray();
      return;
    case v1::Value::KIND_NOT_SET:
      json->Null();
      return;
  }
}

void WriteItem(const v1::Item& item, base::JsonWriter* json) {
  json->BeginObject().Key("id").String(item.id());
  WriteText("domain", item.domain(), json);
  WriteText("title", item.title(), json);
  WriteText("description", item.description(), json);
  WriteText("image_url", item.image_url(), json);
  WriteText("url", item.url(), json);
  if (item.categories_size() > 0) {
    json->Key("categories").BeginArray();
    for (const std::string& category : item.categories()) json->String(category);
    json->EndArray();
  }
  if (item.has_price()) json->Key("price").Double(item.price());
  if (item.has_available()) json->Key("available").Bool(item.available());
  if (item.created_time_us() != 0) json->Key("created_time_us").Int(item.created_time_us());
  WriteAttributes(item.attributes(), json);
  if (item.embeddings_size() > 0) {
    json->Key("embeddings").BeginArray();
    for (const v1::Embedding& embedding : item.embeddings()) {
      json->BeginObject().Key("name").String(embedding.name()).Key("values").BeginArray();
      for (const float value : embedding.values()) json->Float(value);
      json->EndArray().EndObject();
    }
    json->EndArray();
  }
  if (item.withdrawn()) json->Key("withdrawn").Bool(true);
  if (item.updated_time_us() != 0) json->Key("updated_time_us").Int(item.updated_time_us());
  json->EndObject();
}

void WriteUser(const v1::User& user, base::JsonWriter* json) {
  json->BeginObject().Key("id").String(user.id());
  WriteAttributes(user.attributes(), json);
  if (user.updated_time_us() != 0) json->Key("updated_time_us").Int(user.updated_time_us());
  json->EndObject();
}

}  // namespace bowerbird::collect
