#include "catalog/item_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "bowerbird/v1/event.pb.h"
#include "catalog/item_stamp.h"

namespace bowerbird::catalog {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

config::Config TestConfig() {
  config::Config config;
  config.domains = {"organic", "product"};
  config.state.category_attribute = "categories";
  config.collect.attributes_max = 3;
  config.collect.attribute_bytes_max = 10;
  config.collect.text_bytes_max = 20;
  config.item_attributes = {{.name = "color", .type = expression::Type::kString, .stamp = true},
                            {.name = "size", .type = expression::Type::kNumber},
                            {.name = "tags", .type = expression::Type::kStrings, .stamp = true},
                            {.name = "released", .type = expression::Type::kTime},
                            {.name = "image", .stamp = true, .embedding = true, .dim = 2}};
  return config;
}

v1::Item Good() {
  v1::Item item;
  item.set_id("i1");
  item.set_domain("product");
  item.set_title("twenty bytes exactly");
  item.set_price(-3);
  (*item.mutable_attributes())["color"].set_string_value("ten bytes!");
  (*item.mutable_attributes())["tags"].mutable_strings()->add_values("a");
  v1::Embedding* embedding = item.add_embeddings();
  embedding->set_name("image");
  embedding->add_values(1);
  embedding->add_values(-1);
  return item;
}

TEST(ItemRulesTest, AcceptsWhatIsAtTheBounds) { EXPECT_TRUE(ValidateItem(Good(), TestConfig()).ok()); }

struct BadItem {
  const char* name;
  std::function<void(v1::Item*)> spoil;
  const char* code;
  const char* message;
};

class ItemRulesRefuseTest : public testing::TestWithParam<BadItem> {};

TEST_P(ItemRulesRefuseTest, TheItem) {
  v1::Item item = Good();
  GetParam().spoil(&item);
  const absl::Status status = ValidateItem(item, TestConfig());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FromStatus(status).code, GetParam().code);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

v1::Value& Attribute(v1::Item* item, const char* name) { return (*item->mutable_attributes())[name]; }

INSTANTIATE_TEST_SUITE_P(
    All, ItemRulesRefuseTest,
    testing::Values(
        BadItem{"no_id", [](v1::Item* i) { i->clear_id(); }, "missing_field",
                "id: found nothing; expected 1 to 256 bytes"},
        BadItem{"long_id", [](v1::Item* i) { i->set_id(std::string(10000, 'x')); }, "too_long",
                "id: found 10000 bytes; expected at most 256"},
        BadItem{"id_utf8", [](v1::Item* i) { i->set_id("a\xc3"); }, "invalid_utf8",
                "id: found byte 0xc3 at position 1; expected UTF-8"},
        BadItem{"domain", [](v1::Item* i) { i->set_domain("ad"); }, "unknown_domain",
                "domain: found \"ad\"; expected one of: organic, product"},
        BadItem{"title", [](v1::Item* i) { i->set_title(std::string(21, 'x')); }, "too_long", "title: found 21 bytes"},
        BadItem{"description", [](v1::Item* i) { i->set_description("\xff"); }, "invalid_utf8", "description: "},
        BadItem{"url", [](v1::Item* i) { i->set_url(std::string(kUrlBytesMax + 1, 'x')); }, "too_long", "url: "},
        BadItem{"image_url", [](v1::Item* i) { i->set_image_url(std::string(kUrlBytesMax + 1, 'x')); }, "too_long",
                "image_url: "},
        BadItem{"categories",
                [](v1::Item* i) {
                  for (uint32_t n = 0; n <= kCategoriesMax; ++n) i->add_categories("c");
                },
                "too_many", "categories: found 65"},
        BadItem{"category", [](v1::Item* i) { i->add_categories(""); }, "missing_field", "categories[0]: "},
        BadItem{"price_nan", [](v1::Item* i) { i->set_price(std::nan("")); }, "not_finite",
                "price: found nan; expected a finite number"},
        BadItem{"price_infinite", [](v1::Item* i) { i->set_price(INFINITY); }, "not_finite", "price: found inf"},
        BadItem{"created", [](v1::Item* i) { i->set_created_time_us(-1); }, "out_of_range",
                "created_time_us: found -1"},
        BadItem{"undeclared", [](v1::Item* i) { Attribute(i, "colour").set_string_value("red"); },
                "undeclared_attribute", "attributes.colour: found \"colour\"; did you mean \"color\"?"},
        BadItem{"type", [](v1::Item* i) { Attribute(i, "color").set_number_value(3); }, "wrong_type",
                "attributes.color: found number 3; expected string"},
        BadItem{"no_value", [](v1::Item* i) { Attribute(i, "color").Clear(); }, "wrong_type",
                "attributes.color: found nothing; expected string"},
        BadItem{"number", [](v1::Item* i) { Attribute(i, "size").set_number_value(-INFINITY); }, "not_finite",
                "attributes.size: found -inf"},
        BadItem{"long_text", [](v1::Item* i) { Attribute(i, "color").set_string_value("eleven byte"); }, "too_long",
                "attributes.color: found 11 bytes"},
        BadItem{"list_utf8", [](v1::Item* i) { Attribute(i, "tags").mutable_strings()->add_values("\x80"); },
                "invalid_utf8", "attributes.tags[1]: "},
        BadItem{"list_of_nothing",
                [](v1::Item* i) {
                  for (int n = 0; n < 10; ++n) Attribute(i, "tags").mutable_strings()->add_values("");
                },
                "too_long", "found 11 bytes in all"},
        BadItem{"too_many_attributes",
                [](v1::Item* i) {
                  for (const char* name : {"w", "x", "y"}) Attribute(i, name).set_bool_value(true);
                },
                "too_many", "attributes: found 5; expected at most 3"},
        BadItem{"embedding_as_attribute", [](v1::Item* i) { Attribute(i, "image").set_number_value(1); }, "wrong_type",
                "attributes.image: found an attribute"},
        BadItem{"embedding_size", [](v1::Item* i) { i->mutable_embeddings(0)->add_values(1); }, "wrong_size",
                "embeddings.image: found 3 numbers; expected 2"},
        BadItem{"embedding_nan", [](v1::Item* i) { i->mutable_embeddings(0)->set_values(1, NAN); }, "not_finite",
                "embeddings.image[1]: found nan"},
        BadItem{"embedding_name", [](v1::Item* i) { i->mutable_embeddings(0)->set_name("imag"); },
                "undeclared_attribute", "did you mean \"image\"?"},
        BadItem{"embedding_twice", [](v1::Item* i) { *i->add_embeddings() = i->embeddings(0); }, "duplicate",
                "embeddings.image: found twice"}),
    [](const auto& info) { return info.param.name; });

TEST(ItemRulesTest, PutsNoBadBytesOrLongNamesIntoMessages) {
  v1::Item item = Good();
  Attribute(&item, "\xff\xfe").set_bool_value(true);
  EXPECT_EQ(CheckItem(item, TestConfig())->field, "attributes");
  item = Good();
  item.set_domain(std::string(5000, 'd'));
  EXPECT_LT(CheckItem(item, TestConfig())->detail.size(), 200u);
}

TEST(ItemRulesTest, EligibleIsNeitherWithdrawnNorUnavailable) {
  v1::Item item;
  EXPECT_TRUE(Eligible(item));
  item.set_available(true);
  EXPECT_TRUE(Eligible(item));
  item.set_withdrawn(true);
  EXPECT_FALSE(Eligible(item));
  item.set_withdrawn(false);
  item.set_available(false);
  EXPECT_FALSE(Eligible(item));
}

TEST(ItemRulesTest, CategoriesComeFromWhereTheConfigSays) {
  v1::Item item = Good();
  item.add_categories("lamps");
  config::Config config = TestConfig();
  EXPECT_THAT(CategoriesOf(item, config), ElementsAre("lamps"));
  config.state.category_attribute = "color";
  EXPECT_THAT(CategoriesOf(item, config), ElementsAre("ten bytes!"));
  config.state.category_attribute = "tags";
  EXPECT_THAT(CategoriesOf(item, config), ElementsAre("a"));
  config.state.category_attribute = "domain";
  EXPECT_THAT(CategoriesOf(item, config), ElementsAre("product"));
  item.clear_domain();
  EXPECT_THAT(CategoriesOf(item, config), ElementsAre("organic"));
  config.state.category_attribute = "size";
  EXPECT_THAT(CategoriesOf(item, config), ElementsAre());
  config.state.category_attribute = "";
  EXPECT_THAT(CategoriesOf(item, config), ElementsAre());
}

TEST(ItemRulesTest, FitValueMakesTimesOfTextAndNumbers) {
  const config::Attribute released = {.name = "released", .type = expression::Type::kTime};
  v1::Value value;
  value.set_string_value("2023-11-14T22:13:20Z");
  FitValue(released, &value);
  EXPECT_EQ(value.time_us(), 1700000000000000);
  value.set_number_value(1700000000000001);
  FitValue(released, &value);
  EXPECT_EQ(value.time_us(), 1700000000000001);
  for (const double no_time : {0.5, 1e300, std::nan("")}) {
    value.set_number_value(no_time);
    FitValue(released, &value);
    EXPECT_TRUE(value.has_number_value());
  }
  value.set_string_value("soon");
  FitValue(released, &value);
  EXPECT_TRUE(value.has_string_value());
  value.set_string_value("2023-11-14T22:13:20Z");
  FitValue({.name = "color", .type = expression::Type::kString}, &value);
  EXPECT_TRUE(value.has_string_value());
}

TEST(ItemRulesTest, MergePatchLaysPresentFieldsOver) {
  v1::Item base = Good();
  base.set_withdrawn(true);
  base.set_created_time_us(5);
  base.set_updated_time_us(6);
  base.set_available(true);
  v1::Item patch;
  patch.set_id("other");
  patch.set_title("new");
  patch.set_available(false);
  patch.add_categories("c");
  patch.set_withdrawn(false);
  Attribute(&patch, "color");  // no value: taken away
  Attribute(&patch, "size").set_number_value(7);
  patch.add_embeddings()->set_name("image");  // no values: taken away
  const v1::Item merged = MergePatch(base, patch);
  EXPECT_EQ(merged.id(), "i1");
  EXPECT_EQ(merged.title(), "new");
  EXPECT_EQ(merged.domain(), "product");
  EXPECT_EQ(merged.price(), -3);
  EXPECT_FALSE(merged.available());
  EXPECT_THAT(merged.categories(), ElementsAre("c"));
  EXPECT_TRUE(merged.withdrawn());
  EXPECT_EQ(merged.created_time_us(), 5);
  EXPECT_EQ(merged.updated_time_us(), 6);
  EXPECT_EQ(merged.attributes_size(), 2);
  EXPECT_EQ(merged.attributes().at("size").number_value(), 7);
  EXPECT_EQ(merged.embeddings_size(), 0);
}

TEST(ItemStampTest, HoldsCategoriesAndMarkedAttributesAsEventBytes) {
  v1::Item item = Good();
  item.add_categories("lamps");
  Attribute(&item, "size").set_number_value(3);
  const ItemStamp stamp = MakeStamp(item, TestConfig());
  EXPECT_EQ(stamp.id, "i1");
  EXPECT_THAT(stamp.categories, ElementsAre("lamps"));
  ASSERT_EQ(stamp.attributes.size(), 2u);
  EXPECT_EQ(stamp.attributes[0].first, "color");
  EXPECT_EQ(stamp.attributes[1].first, "tags");
  v1::Event event;
  event.set_type("save");
  ASSERT_TRUE(event.ParseFromString(event.SerializeAsString() + stamp.event_fields));
  EXPECT_EQ(event.type(), "save");
  EXPECT_THAT(event.item_categories(), ElementsAre("lamps"));
  EXPECT_EQ(event.item_attributes_size(), 2);
  EXPECT_EQ(event.item_attributes().at("color").string_value(), "ten bytes!");
}

TEST(ProblemTest, GoesThroughAStatusAndBack) {
  const absl::Status status = ToStatus({"too_long", "events[3].user", "found 300 bytes; expected at most 256"});
  EXPECT_EQ(std::string(status.message()), "events[3].user: found 300 bytes; expected at most 256");
  const Problem problem = FromStatus(status);
  EXPECT_EQ(problem.code, "too_long");
  EXPECT_EQ(problem.field, "events[3].user");
  EXPECT_EQ(problem.detail, "found 300 bytes; expected at most 256");
  EXPECT_EQ(FromStatus(absl::UnavailableError("disk full")).code, "unavailable");
  EXPECT_EQ(FromStatus(absl::UnavailableError("disk full")).detail, "disk full");
}

}  // namespace
}  // namespace bowerbird::catalog
