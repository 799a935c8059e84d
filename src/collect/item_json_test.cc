#include "collect/item_json.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/rng.h"
#include "catalog/item_rules.h"
#include "collect/intake_for_test.h"

namespace bowerbird::collect {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::HasSubstr;

constexpr char kConfig[] = R"(
[collect]
body_bytes_max = 100000
[items]
domains = ["organic", "product"]
[items.attributes]
color = "string"
size = "number"
organic = "bool"
released = "time"
tags = "strings"
image = { embedding = 3 }
[users.attributes]
country = "string"
joined = "time"
)";

class ItemJsonTest : public testing::Test {
 protected:
  absl::StatusOr<v1::Item> Parse(std::string_view json, ItemUse use = ItemUse::kWhole) const {
    return ParseItem(json, "i1", use, *config_);
  }
  const std::shared_ptr<const config::Config> config_ = ParseConfig(kConfig);
};

TEST_F(ItemJsonTest, ReadsEveryField) {
  const auto item = Parse(
      R"({"id":"i1","domain":"product","title":"Lamp","description":"A lamp","image_url":"http://x/i","url":"http://x/u",
      "categories":["home","lamps"],"price":12.5,"available":false,"created_time":"2023-11-14T22:13:20Z",
      "attributes":{"color":"red","size":4,"organic":true,"released":"2023-11-14T22:13:20.5Z","tags":["a","b"]},
      "embeddings":[{"name":"image","values":[1,-0.5,2e-3]}],"withdrawn":false,"updated_time_us":99})");
  ASSERT_TRUE(item.ok()) << item.status();
  EXPECT_EQ(item->id(), "i1");
  EXPECT_EQ(item->domain(), "product");
  EXPECT_EQ(item->title(), "Lamp");
  EXPECT_EQ(item->categories_size(), 2);
  EXPECT_EQ(item->price(), 12.5);
  EXPECT_TRUE(item->has_available());
  EXPECT_FALSE(item->available());
  EXPECT_EQ(item->created_time_us(), 1700000000000000);
  EXPECT_EQ(item->attributes().at("released").time_us(), 1700000000500000);
  EXPECT_EQ(item->attributes().at("tags").strings().values(1), "b");
  ASSERT_EQ(item->embeddings_size(), 1);
  EXPECT_EQ(item->embeddings(0).values(2), 2e-3f);
  EXPECT_EQ(item->updated_time_us(), 0);
  EXPECT_TRUE(catalog::ValidateItem(*item, *config_).ok());
}

TEST_F(ItemJsonTest, NullIsAnAbsentField) {
  const auto item = Parse(
      R"({"title":null,"price":null,"available":null,"categories":null,"attributes":{"color":null},"embeddings":null})");
  ASSERT_TRUE(item.ok()) << item.status();
  v1::Item expected;
  expected.set_id("i1");
  EXPECT_TRUE(MessageDifferencer::Equals(*item, expected)) << item->DebugString();
}

TEST_F(ItemJsonTest, NullInAPatchTakesAnAttributeAway) {
  const auto patch = Parse(R"({"price":3,"attributes":{"color":null}})", ItemUse::kPatch);
  ASSERT_TRUE(patch.ok()) << patch.status();
  v1::Item base;
  base.set_id("i1");
  base.set_title("Lamp");
  (*base.mutable_attributes())["color"].set_string_value("red");
  (*base.mutable_attributes())["size"].set_number_value(2);
  const v1::Item merged = catalog::MergePatch(base, *patch);
  EXPECT_EQ(merged.title(), "Lamp");
  EXPECT_EQ(merged.price(), 3);
  EXPECT_EQ(merged.attributes_size(), 1);
  const auto refused = Parse(R"({"price":null})", ItemUse::kPatch);
  EXPECT_EQ(catalog::FromStatus(refused.status()).detail, "found null; expected a finite number");
}

struct BadItem {
  const char* name;
  std::string json;
  const char* code;
  const char* field;
  const char* detail;
};

class ItemJsonRefusesTest : public ItemJsonTest, public testing::WithParamInterface<BadItem> {};

TEST_P(ItemJsonRefusesTest, TheItem) {
  absl::StatusOr<v1::Item> item = Parse(GetParam().json);
  // What is only known of the whole item is the rules' to say.
  const absl::Status status = item.ok() ? catalog::ValidateItem(*item, *config_) : item.status();
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const catalog::Problem problem = catalog::FromStatus(status);
  EXPECT_EQ(problem.code, GetParam().code);
  EXPECT_EQ(problem.field, GetParam().field);
  EXPECT_THAT(problem.detail, HasSubstr(GetParam().detail));
}

std::string Deep(int levels) {
  std::string json;
  for (int i = 0; i < levels; ++i) json += R"({"a":)";
  return json + "1" + std::string(static_cast<size_t>(levels), '}');
}

INSTANTIATE_TEST_SUITE_P(
    All, ItemJsonRefusesTest,
    testing::Values(
        BadItem{"empty", "", "malformed_json", "", "empty body"},
        BadItem{"truncated", R"({"title":"x)", "malformed_json", "", ""},
        BadItem{"list", "[]", "wrong_type", "", "expected an object"},
        BadItem{"trailing", "{} {}", "malformed_json", "", ""},
        BadItem{"huge", std::string(100001, ' '), "body_too_large", "", "at most 100000"},
        BadItem{"deep", R"({"attributes":)" + Deep(5000) + "}", "too_deep", "", "levels"},
        BadItem{"unknown_field", R"({"titel":"x"})", "unknown_field", "titel", "did you mean \"title\"?"},
        BadItem{"twice", R"({"title":"x","title":"y"})", "duplicate_field", "title", "found twice"},
        BadItem{"both_times", R"({"created_time":"2023-11-14T22:13:20Z","created_time_us":5})", "duplicate_field",
                "created_time_us", "one of them"},
        BadItem{"other_id", R"({"id":"i2"})", "id_mismatch", "id", "found \"i2\"; expected \"i1\""},
        BadItem{"title_number", R"({"title":5})", "wrong_type", "title", "found number 5; expected a string"},
        BadItem{"price_text", R"({"price":"cheap"})", "wrong_type", "price", "found string \"cheap\""},
        BadItem{"price_nan", R"({"price":NaN})", "not_finite", "price", "found NaN"},
        BadItem{"price_infinity", R"({"price":1e999})", "out_of_range", "price", "1e999"},
        BadItem{"available_text", R"({"available":"yes"})", "wrong_type", "available", "expected true or false"},
        BadItem{"category_number", R"({"categories":["a",7]})", "wrong_type", "categories[1]", "found number 7"},
        BadItem{"category_null", R"({"categories":[null]})", "wrong_type", "categories[0]", "found null"},
        BadItem{"category_empty", R"({"categories":[""]})", "missing_field", "categories[0]", "1 to 256 bytes"},
        BadItem{"withdrawn", R"({"withdrawn":true})", "unexpected_field", "withdrawn", "the call that withdraws"},
        BadItem{"created_negative", R"({"created_time_us":-5})", "out_of_range", "created_time_us", "found number -5"},
        BadItem{"domain", R"({"domain":"ad"})", "unknown_domain", "domain", "expected one of: organic, product"},
        BadItem{"undeclared", R"({"attributes":{"colour":"red"}})", "undeclared_attribute", "attributes.colour",
                "did you mean \"color\"?"},
        BadItem{"attribute_type", R"({"attributes":{"color":3}})", "wrong_type", "attributes.color",
                "found number 3; expected string"},
        BadItem{"attribute_time", R"({"attributes":{"released":"soon"}})", "wrong_type", "attributes.released",
                "expected time (RFC 3339"},
        BadItem{"attribute_object", R"({"attributes":{"color":{"r":1}}})", "wrong_type", "attributes.color",
                "found an object"},
        BadItem{"attribute_long", R"({"attributes":{"color":")" + std::string(5000, 'x') + R"("}})", "too_long",
                "attributes.color", "at most 4096"},
        BadItem{"attribute_embedding", R"({"attributes":{"image":3}})", "wrong_type", "attributes.image",
                "in embeddings"},
        BadItem{"embedding_size", R"({"embeddings":[{"name":"image","values":[1,2]}]})", "wrong_size",
                "embeddings.image", "found 2 numbers; expected 3"},
        BadItem{"embedding_undeclared", R"({"embeddings":[{"name":"text","values":[1,2]}]})", "undeclared_attribute",
                "embeddings.text", "found \"text\""},
        BadItem{"embedding_no_embedding", R"({"embeddings":[{"name":"color","values":[1]}]})", "undeclared_attribute",
                "embeddings.color", ""},
        BadItem{"embedding_twice",
                R"({"embeddings":[{"name":"image","values":[1,2,3]},{"name":"image","values":[1,2,3]}]})", "duplicate",
                "embeddings.image", "found twice"},
        BadItem{"embedding_nan", R"({"embeddings":[{"name":"image","values":[1,NaN,3]}]})", "not_finite",
                "embeddings[0].values[1]", "NaN"},
        BadItem{"embedding_beyond_float", R"({"embeddings":[{"name":"image","values":[1,1e300,3]}]})", "out_of_range",
                "embeddings[0].values[1]", "fits 32 bits"},
        BadItem{"embedding_unknown_field", R"({"embeddings":[{"nam":"image"}]})", "unknown_field", "embeddings[0].nam",
                "did you mean \"name\""},
        BadItem{"utf8", "{\"title\":\"a\xff\"}", "invalid_utf8", "title", "UTF-8"},
        BadItem{"title_long", R"({"title":")" + std::string(70000, 'x') + R"("})", "too_long", "title",
                "found 70000 bytes; expected at most 65536"}),
    [](const auto& info) { return info.param.name; });

TEST_F(ItemJsonTest, ChecksIdsOfThePath) {
  for (const std::string& id : {std::string(), std::string(10'000, 'x'), std::string("a\xff")}) {
    const auto item = ParseItem("{}", id, ItemUse::kWhole, *config_);
    ASSERT_TRUE(item.ok());
    EXPECT_FALSE(catalog::ValidateItem(*item, *config_).ok()) << id.size();
  }
}

TEST_F(ItemJsonTest, ReadsABatchAndNamesWhatItCannotRead) {
  const auto batch = ParseItemsBatch(
      R"({"upsert":[{"id":"a","title":"A"},{"titel":"B","id":"b"},null,{"id":"c","price":"x","url":"u"}],
      "patch":[{"id":"d","attributes":{"color":null}},{"id":"e","price":null}],"delete":["f"],"withdraw":["g","h"],"feed":"monday","feed_end":true})",
      *config_);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_EQ(batch->request.upsert_size(), 1);
  EXPECT_EQ(batch->request.upsert(0).title(), "A");
  ASSERT_EQ(batch->request.patch_size(), 1);
  EXPECT_EQ(batch->request.patch(0).id(), "d");
  EXPECT_EQ(batch->request.delete_(0), "f");
  EXPECT_EQ(batch->request.withdraw_size(), 2);
  EXPECT_EQ(batch->request.feed(), "monday");
  EXPECT_TRUE(batch->request.feed_end());
  ASSERT_EQ(batch->rejected.size(), 4u);
  EXPECT_EQ(batch->rejected[0].id(), "b");
  EXPECT_EQ(batch->rejected[0].field(), "upsert[1].titel");
  EXPECT_EQ(batch->rejected[1].field(), "upsert[2]");
  EXPECT_EQ(batch->rejected[2].id(), "c");
  EXPECT_EQ(batch->rejected[2].field(), "upsert[3].price");
  EXPECT_EQ(batch->rejected[3].id(), "e");
  EXPECT_EQ(batch->rejected[3].code(), "wrong_type");
  EXPECT_NE(batch->hash, 0u);
}

TEST_F(ItemJsonTest, RefusesABatchWhole) {
  const auto code = [&](std::string_view json) {
    return catalog::FromStatus(ParseItemsBatch(json, *config_).status()).code;
  };
  EXPECT_EQ(code(R"({"upserts":[]})"), "unknown_field");
  EXPECT_EQ(code(R"({"upsert":{}})"), "wrong_type");
  EXPECT_EQ(code(R"({"delete":[1]})"), "wrong_type");
  EXPECT_EQ(code(R"({"delete":["a",null]})"), "wrong_type");
  EXPECT_EQ(code(R"({"delete":[],"delete":[]})"), "duplicate_field");
  EXPECT_EQ(code(R"({"feed":7})"), "wrong_type");
  EXPECT_EQ(code(R"({"upsert":[{"id":"a"},{"id":)"), "malformed_json");
  std::string many = R"({"delete":["a")";
  for (uint32_t i = 0; i < kItemBatchMax; ++i) many += R"(,"a")";
  EXPECT_EQ(code(many + "]}"), "too_many_items");
}

TEST_F(ItemJsonTest, ReadsUsers) {
  const auto user =
      ParseUser(R"({"id":"u1","attributes":{"country":"CH","joined":"2023-11-14T22:13:20Z"},"updated_time_us":4})",
                "u1", *config_);
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->attributes().at("joined").time_us(), 1700000000000000);
  EXPECT_FALSE(catalog::CheckUser(*user, *config_).has_value());
  EXPECT_EQ(catalog::FromStatus(ParseUser(R"({"name":"x"})", "u1", *config_).status()).code, "unknown_field");
  const auto undeclared = ParseUser(R"({"attributes":{"contry":"CH"}})", "u1", *config_);
  ASSERT_TRUE(undeclared.ok());
  EXPECT_EQ(catalog::CheckUser(*undeclared, *config_)->detail, "found \"contry\"; did you mean \"country\"?");
  std::string json;
  base::JsonWriter writer(&json);
  WriteUser(*user, &writer);
  EXPECT_EQ(json, R"({"id":"u1","attributes":{"country":"CH","joined":"2023-11-14T22:13:20Z"}})");
}

v1::Item RandomItem(base::Rng* rng) {
  v1::Item item;
  item.set_id("i1");
  const auto text = [&] { return std::string(rng->Below(20), 'a') + "\xc3\xa9\"\\\n"; };
  if (rng->Bernoulli(0.5)) item.set_domain("product");
  if (rng->Bernoulli(0.5)) item.set_title(text());
  if (rng->Bernoulli(0.5)) item.set_description(text());
  if (rng->Bernoulli(0.5)) item.set_image_url(text());
  if (rng->Bernoulli(0.5)) item.set_url(text());
  for (uint64_t i = rng->Below(4); i > 0; --i) item.add_categories(text());
  if (rng->Bernoulli(0.5)) item.set_price(rng->Normal() * 100);
  if (rng->Bernoulli(0.5)) item.set_available(rng->Bernoulli(0.5));
  if (rng->Bernoulli(0.5)) item.set_created_time_us(static_cast<int64_t>(rng->Below(1ull << 52)));
  auto& attributes = *item.mutable_attributes();
  if (rng->Bernoulli(0.5)) attributes["color"].set_string_value(text());
  if (rng->Bernoulli(0.5)) attributes["size"].set_number_value(rng->Normal());
  if (rng->Bernoulli(0.5)) attributes["organic"].set_bool_value(rng->Bernoulli(0.5));
  if (rng->Bernoulli(0.5)) attributes["released"].set_time_us(static_cast<int64_t>(rng->Below(1ull << 51)));
  if (rng->Bernoulli(0.5)) attributes["tags"].mutable_strings()->add_values(text());
  if (rng->Bernoulli(0.5)) {
    v1::Embedding* embedding = item.add_embeddings();
    embedding->set_name("image");
    for (int i = 0; i < 3; ++i) embedding->add_values(static_cast<float>(rng->Normal()));
  }
  return item;
}

TEST_F(ItemJsonTest, ReadsBackWhatItWrites) {
  const uint64_t seed = std::random_device()();
  base::Rng rng(seed);
  for (int i = 0; i < 1000; ++i) {
    const v1::Item item = RandomItem(&rng);
    std::string json;
    base::JsonWriter writer(&json);
    WriteItem(item, &writer);
    const auto read = Parse(json);
    ASSERT_TRUE(read.ok()) << read.status() << json << " seed " << seed;
    ASSERT_TRUE(MessageDifferencer::Equals(*read, item)) << json << " seed " << seed;
    ASSERT_TRUE(catalog::ValidateItem(*read, *config_).ok());
  }
}

}  // namespace
}  // namespace bowerbird::collect
