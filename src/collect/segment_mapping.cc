#include "collect/segment_mapping.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/time_text.h"
#include "catalog/item_rules.h"

namespace bowerbird::collect {
namespace {

namespace dom = simdjson::dom;
using catalog::Problem;

/// Where an item's id stands, the first that is there.
constexpr std::string_view kItemNames[] = {"product_id", "item_id", "sku"};

struct CallName {
  std::string_view name;
  SegmentCall call;
};
constexpr CallName kCallNames[] = {{"track", SegmentCall::kTrack}, {"identify", SegmentCall::kIdentify},
                                   {"page", SegmentCall::kPage},   {"screen", SegmentCall::kScreen},
                                   {"group", SegmentCall::kGroup}, {"alias", SegmentCall::kAlias}};

std::string DescribeJson(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return "a list";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::STRING: {
      const std::string_view text = element.get_string().value_unsafe();
      return text.size() <= 64 ? fmt::format("string \"{}\"", text) : fmt::format("a string of {} bytes", text.size());
    }
    case dom::element_type::BOOL:
      return element.get_bool().value_unsafe() ? "true" : "false";
    case dom::element_type::NULL_VALUE:
      return "null";
    default:
      return fmt::format("number {}", element.get_double().value_unsafe());
  }
}

Problem WrongType(std::string field, dom::element found, std::string_view expected) {
  return {"wrong_type", std::move(field), fmt::format("found {}; expected {}", DescribeJson(found), expected)};
}

/// An object that may be absent: it has no fields then.
using Fields = std::optional<dom::object>;

/// The field's value; nothing for one that is absent or null.
std::optional<dom::element> Get(const Fields& fields, std::string_view name) {
  dom::element element;
  if (!fields || fields->at_key(name).get(element) != simdjson::SUCCESS || element.is_null()) return std::nullopt;
  return element;
}

absl::Status Malformed(simdjson::error_code error) {
  return catalog::ToStatus(
      {"malformed_json", "", fmt::format("found bytes that are no JSON: {}", simdjson::error_message(error))});
}

/// One attribute's value as its declaration has it; a problem relative to the message.
std::optional<Problem> ReadAttribute(dom::element from, const config::Attribute& declared, const std::string& field,
                                     uint32_t bytes_max, v1::Value* to) {
  switch (from.type()) {
    case dom::element_type::BOOL:
      to->set_bool_value(from.get_bool().value_unsafe());
      break;
    case dom::element_type::STRING: {
      std::string text(std::string_view(from.get_string().value_unsafe()));
      // One where there may be several, as the group of whoever is in one group only.
      if (declared.type == expression::Type::kStrings) {
        to->mutable_strings()->add_values(std::move(text));
      } else {
        to->set_string_value(std::move(text));
      }
      break;
    }
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      to->set_number_value(from.get_double().value_unsafe());
      break;
    case dom::element_type::ARRAY: {
      dom::array list;
      if (from.get(list) != simdjson::SUCCESS) return WrongType(field, from, "a list of strings");
      to->mutable_strings();
      for (const dom::element element : list) {
        std::string_view text;
        if (element.get(text) != simdjson::SUCCESS) return WrongType(field, element, "a list of strings");
        to->mutable_strings()->add_values(std::string(text));
      }
      break;
    }
    default:
      return WrongType(field, from, expression::TypeName(declared.type));
  }
  google::protobuf::Map<std::string, v1::Value> fitted;
  fitted[declared.name] = std::move(*to);
  catalog::FitAttributes({declared}, &fitted);
  *to = std::move(fitted[declared.name]);
  return catalog::CheckValue(*to, declared, field, bytes_max);
}

}  // namespace

/// One message on its way: reads it, and adds to the batch what it means.
class SegmentMapping::Message {
 public:
  Message(const SegmentMapping& mapping, const dom::object& message, SegmentBatch* batch)
      : mapping_(mapping),
        config_(*mapping.config_),
        message_(message),
        batch_(batch),
        index_(static_cast<uint32_t>(batch->messages.size())) {}

  SegmentMessage Map(SegmentCall call) {
    const size_t events = batch_->events.size(), users = batch_->users.size();
    Read(call);
    if (result_.outcome == SegmentMessage::Outcome::kRejected) {
      batch_->events.resize(events);
      batch_->event_messages.resize(events);
      batch_->users.resize(users);
      batch_->user_messages.resize(users);
    } else if (batch_->events.size() == events && batch_->users.size() == users &&
               result_.outcome == Outcome::kMapped) {
      Ignore("nothing in it is declared in the config");
    }
    return std::move(result_);
  }

 private:
  using Outcome = SegmentMessage::Outcome;

  void Reject(Problem problem) {
    if (result_.outcome == Outcome::kRejected) return;
    result_.outcome = Outcome::kRejected;
    result_.problem = std::move(problem);
  }
  bool rejected() const { return result_.outcome == Outcome::kRejected; }
  void Ignore(std::string why) {
    result_.outcome = Outcome::kIgnored;
    result_.why = std::move(why);
  }

  /// A text or a whole number, which some clients send for ids; empty when there is none.
  std::string Text(const Fields& object, std::string_view name, std::string_view prefix = "") {
    const auto element = Get(object, name);
    if (!element) return {};
    std::string_view text;
    if (element->get(text) == simdjson::SUCCESS) {
      // A message's texts are copied into each of its products' events.
      if (text.size() <= config_.collect.attribute_bytes_max) return std::string(text);
      Reject({"too_long", fmt::format("{}{}", prefix, name),
              fmt::format("found {} bytes; expected at most {}", text.size(), config_.collect.attribute_bytes_max)});
      return {};
    }
    int64_t number = 0;
    if (element->get(number) == simdjson::SUCCESS) return fmt::format("{}", number);
    Reject(WrongType(fmt::format("{}{}", prefix, name), *element, "a string"));
    return {};
  }

  std::optional<double> Number(const Fields& object, std::string_view name) {
    const auto element = Get(object, name);
    double number = 0;
    if (!element) return std::nullopt;
    if (element->get(number) == simdjson::SUCCESS) return number;
    // Shops send prices as text, too.
    std::string_view text;
    if (element->get(text) == simdjson::SUCCESS) {
      dom::parser parser;
      if (parser.parse(text.data(), text.size()).get(number) == simdjson::SUCCESS) return number;
    }
    return std::nullopt;
  }

  uint32_t Uint32(const Fields& object, std::string_view name) {
    const auto element = Get(object, name);
    if (!element) return 0;
    int64_t number = 0;
    if (element->get(number) == simdjson::SUCCESS && number >= 0 && number <= std::numeric_limits<uint32_t>::max()) {
      return static_cast<uint32_t>(number);
    }
    Reject(WrongType(fmt::format("properties.{}", name), *element, "an integer from 0 to 4294967295"));
    return 0;
  }

  Fields Object(std::string_view name) {
    const auto element = Get(message_, name);
    if (!element) return std::nullopt;
    dom::object object;
    if (element->get(object) == simdjson::SUCCESS) return object;
    Reject(WrongType(std::string(name), *element, "an object"));
    return std::nullopt;
  }

  void Read(SegmentCall call) {
    if (call == SegmentCall::kBatch) {
      const std::string type = Text(message_, "type");
      const auto* found = std::find_if(std::begin(kCallNames), std::end(kCallNames),
                                       [&](const CallName& name) { return name.name == type; });
      if (found == std::end(kCallNames)) {
        return Reject({"unknown_type", "type",
                       fmt::format("found {}; expected track, identify, page, screen, group or alias",
                                   type.empty() ? "nothing" : fmt::format("\"{}\"", type.substr(0, 64)))});
      }
      call = found->call;
    }
    user_ = Text(message_, "userId");
    anonymous_ = Text(message_, "anonymousId");
    message_id_ = Text(message_, "messageId");
    ReadAgent();
    ReadTime();
    if (user_.empty() && anonymous_.empty() && !rejected()) {
      return Reject({"missing_field", "userId", "found neither userId nor anonymousId; expected one of them"});
    }
    if (rejected()) return;
    switch (call) {
      case SegmentCall::kTrack:
        return Track(Text(message_, "event"), "event");
      case SegmentCall::kPage:
        return Track("Page", "");
      case SegmentCall::kScreen:
        return Track("Screen", "");
      case SegmentCall::kIdentify:
        return Identify();
      case SegmentCall::kGroup:
        return Group();
      case SegmentCall::kAlias:
        return Alias();
      case SegmentCall::kBatch:
        return;
    }
  }

  void ReadTime() {
    for (const std::string_view name : {"timestamp", "originalTimestamp"}) {
      const auto element = Get(message_, name);
      if (!element) continue;
      std::string_view text;
      if (element->get(text) == simdjson::SUCCESS) {
        if (const absl::StatusOr<int64_t> time_us = base::ParseTimeUs(text); time_us.ok()) {
          time_us_ = *time_us;
          return;
        }
      }
      return Reject(WrongType(std::string(name), *element, "a time as RFC 3339"));
    }
  }

  /// A context that is none, or says something else of it, says nothing.
  void ReadAgent() {
    const auto context = Get(message_, "context");
    dom::object object;
    std::string_view agent;
    if (!context || context->get(object) != simdjson::SUCCESS) return;
    if (object.at_key("userAgent").get(agent) == simdjson::SUCCESS) agent_ = mapping_.agents_.Find(agent);
  }

  v1::Event* AddEvent(const std::string& type, std::string user) {
    if (++events_ > config_.collect.batch_events_max) {
      Reject({"too_many_events", "",
              fmt::format("found more than {0} products; expected at most {0}", config_.collect.batch_events_max)});
      return nullptr;
    }
    v1::Event* event = &batch_->events.emplace_back();
    batch_->event_messages.push_back(index_);
    event->set_type(type);
    event->set_user(std::move(user));
    event->set_client_id(message_id_);
    event->mutable_agent()->assign(agent_);
    if (time_us_) event->set_event_time_us(*time_us_);
    return event;
  }

  const std::string& Actor() const { return user_.empty() ? anonymous_ : user_; }

  void Track(const std::string& event_name, std::string_view field) {
    if (rejected()) return;
    if (event_name.empty()) {
      return Reject({"missing_field", std::string(field), "found nothing; expected the name of the event"});
    }
    const SegmentNames::Name* name = mapping_.names_.Find(event_name);
    if (name == nullptr || name->type == nullptr) {
      return Ignore(fmt::format("no event type for the name \"{}\"", event_name.substr(0, 128)));
    }
    const Fields properties = Object("properties");
    const Shared shared = ReadShared(*name, properties);
    if (rejected()) return;
    const bool takes_item = name->type->item != config::ItemUse::kNone;
    const auto products = takes_item && ItemOf(properties).empty() ? Get(properties, "products") : std::nullopt;
    dom::array list;
    if (!products || products->get(list) != simdjson::SUCCESS || list.size() == 0) {
      Act(shared, properties, 0);
      return;
    }
    uint32_t at = 0;
    for (const dom::element element : list) {
      dom::object product;
      if (element.get(product) != simdjson::SUCCESS) {
        return Reject(WrongType(fmt::format("properties.products[{}]", at), element, "an object"));
      }
      Act(shared, product, at++);
      if (rejected() || mapping_.TooLarge(*batch_)) return;
    }
  }

  std::string ItemOf(const Fields& properties) {
    for (const std::string_view name : kItemNames) {
      if (std::string id = Text(properties, name, "properties."); !id.empty()) return id;
    }
    return {};
  }

  /// What the events of all products of a message have of the message itself.
  struct Shared {
    struct Attribute {
      std::string field;
      std::optional<dom::element> element;
    };
    const config::EventType& type;
    std::string surface, request_id, query, collection;
    std::vector<Attribute> attributes;  ///< one for each that the type declares
  };

  Shared ReadShared(const SegmentNames::Name& name, const Fields& properties) {
    Shared shared{*name.type,
                  Text(properties, "surface", "properties."),
                  Text(properties, "request_id", "properties."),
                  Text(properties, "query", "properties."),
                  Text(properties, "collection", "properties."),
                  {}};
    if (shared.collection.empty() && name.collection == "wishlist") {
      shared.collection = Text(properties, "wishlist_name", "properties.");
    }
    if (shared.collection.empty()) shared.collection = name.collection;
    shared.attributes.reserve(shared.type.attributes.size());
    for (const config::Attribute& declared : shared.type.attributes) {
      shared.attributes.push_back({fmt::format("properties.{}", declared.name), Get(properties, declared.name)});
      Shared::Attribute& attribute = shared.attributes.back();
      if (attribute.element || (declared.name != "name" && declared.name != "category")) continue;
      // A page or screen call has them beside its properties.
      attribute = {declared.name, Get(message_, declared.name)};
    }
    return shared;
  }

  /// One event, about the message's own item or one of its products, whose fields go before the message's.
  void Act(const Shared& shared, const Fields& own, uint32_t at) {
    v1::Event* event = AddEvent(shared.type.name, Actor());
    if (event == nullptr) return;
    // Each product's event is told apart, and a retry still counts once.
    if (at > 0 && !message_id_.empty()) event->set_client_id(fmt::format("{}#{}", message_id_, at));
    if (shared.type.item != config::ItemUse::kNone) event->set_item(ItemOf(own));
    event->set_surface(shared.surface);
    event->set_request_id(shared.request_id);
    event->set_query(shared.query);
    event->set_collection(shared.collection);
    event->set_position(Uint32(own, "position"));
    event->set_dwell_ms(Uint32(own, "dwell_ms"));
    if (const auto value = ValueOf(own)) event->set_value(*value);
    for (size_t a = 0; a < shared.attributes.size(); ++a) {
      const config::Attribute& declared = shared.type.attributes[a];
      auto element = Get(own, declared.name);
      const bool is_own = element.has_value();
      if (!is_own) element = shared.attributes[a].element;
      if (!element) continue;
      const std::string field = is_own ? fmt::format("properties.{}", declared.name) : shared.attributes[a].field;
      v1::Value value;
      if (auto problem = ReadAttribute(*element, declared, field, config_.collect.attribute_bytes_max, &value)) {
        return Reject(*std::move(problem));
      }
      (*event->mutable_attributes())[declared.name] = std::move(value);
    }
    batch_->event_bytes += event->ByteSizeLong();
  }

  std::optional<double> ValueOf(const Fields& properties) {
    for (const std::string_view name : {"value", "rating"}) {
      if (const auto value = Number(properties, name)) return value;
    }
    if (const auto price = Number(properties, "price")) return *price * Number(properties, "quantity").value_or(1.0);
    for (const std::string_view name : {"revenue", "total"}) {
      if (const auto value = Number(properties, name)) return value;
    }
    return std::nullopt;
  }

  void Become(const std::string& user, const std::string& anonymous) {
    if (v1::Event* event = AddEvent("identify", user)) event->set_anonymous(anonymous);
  }

  void Identify() {
    const Fields traits = Object("traits");
    if (rejected()) return;
    if (!user_.empty() && !anonymous_.empty() && user_ != anonymous_) Become(user_, anonymous_);
    v1::User user;
    for (const config::Attribute& declared : config_.user_attributes) {
      AddAttribute(traits, declared.name, declared, &user);
    }
    AddUser(std::move(user));
  }

  void Alias() {
    std::string previous = Text(message_, "previousId");
    if (previous.empty()) previous = anonymous_;
    if (rejected()) return;
    if (previous.empty()) {
      return Reject({"missing_field", "previousId", "found nothing; expected the id that becomes userId"});
    }
    if (user_.empty()) {
      return Reject({"missing_field", "userId", "found nothing; expected the id that previousId becomes"});
    }
    if (previous == user_) return Ignore("previousId and userId are the same");
    Become(user_, previous);
  }

  /// The group's id as the attribute `group`, its traits as attributes `group_NAME`.
  void Group() {
    const std::string group = Text(message_, "groupId");
    const Fields traits = Object("traits");
    if (rejected()) return;
    if (group.empty()) return Reject({"missing_field", "groupId", "found nothing; expected the group's id"});
    v1::User user;
    for (const config::Attribute& declared : config_.user_attributes) {
      const std::string_view name = declared.name;
      if (name == "group") {
        v1::Value& value = (*user.mutable_attributes())[declared.name];
        if (declared.type == expression::Type::kStrings) {
          value.mutable_strings()->add_values(group);
        } else {
          value.set_string_value(group);
        }
        if (auto problem = catalog::CheckValue(value, declared, "groupId", config_.collect.attribute_bytes_max)) {
          return Reject(*std::move(problem));
        }
      } else if (name.starts_with("group_")) {
        AddAttribute(traits, name.substr(6), declared, &user);
      }
    }
    AddUser(std::move(user));
  }

  /// Null takes an attribute away.
  void AddAttribute(const Fields& traits, std::string_view trait, const config::Attribute& declared, v1::User* user) {
    dom::element element;
    if (!traits || traits->at_key(trait).get(element) != simdjson::SUCCESS) return;
    v1::Value value;
    if (!element.is_null()) {
      const std::string field = fmt::format("traits.{}", trait);
      if (auto problem = ReadAttribute(element, declared, field, config_.collect.attribute_bytes_max, &value)) {
        return Reject(*std::move(problem));
      }
    }
    (*user->mutable_attributes())[declared.name] = std::move(value);
  }

  void AddUser(v1::User user) {
    if (rejected() || user.attributes().empty()) return;
    if (auto problem =
            catalog::CheckId(Actor(), user_.empty() ? "anonymousId" : "userId", config_.collect.id_bytes_max)) {
      return Reject(*std::move(problem));
    }
    user.set_id(Actor());
    batch_->users.push_back(std::move(user));
    batch_->user_messages.push_back(index_);
  }

  const SegmentMapping& mapping_;
  const config::Config& config_;
  const dom::object& message_;
  SegmentBatch* const batch_;
  const uint32_t index_;
  std::string user_, anonymous_, message_id_;
  std::string_view agent_;  ///< a declared one; empty: none
  std::optional<int64_t> time_us_;
  uint32_t events_ = 0;
  SegmentMessage result_;
};

SegmentMapping::SegmentMapping(std::shared_ptr<const config::Config> config)
    : config_(std::move(config)), names_(*config_), agents_(config_->traffic) {}

bool SegmentMapping::TooLarge(const SegmentBatch& batch) const {
  return batch.event_bytes > 4 * config_->collect.body_bytes_max;
}

absl::Status SegmentMapping::TooLargeStatus() const {
  return catalog::ToStatus({"body_too_large", "",
                            fmt::format("found messages whose events, one for each product, come to more than {} "
                                        "bytes; expected fewer messages in a request",
                                        4 * config_->collect.body_bytes_max)});
}

absl::StatusOr<SegmentBatch> SegmentMapping::Map(std::string_view json_body, SegmentCall call) const {
  const config::Collect& limits = config_->collect;
  if (json_body.size() > limits.body_bytes_max) {
    return catalog::ToStatus(
        {"body_too_large", "",
         fmt::format("found a body of {} bytes; expected at most {}", json_body.size(), limits.body_bytes_max)});
  }
  dom::parser parser;
  dom::element document;
  if (const auto error = parser.parse(json_body.data(), json_body.size()).get(document)) return Malformed(error);
  dom::object root;
  if (document.get(root) != simdjson::SUCCESS) return catalog::ToStatus(WrongType("", document, "an object"));
  SegmentBatch batch;
  if (call != SegmentCall::kBatch) {
    batch.messages.push_back(Message(*this, root, &batch).Map(call));
    if (TooLarge(batch)) return TooLargeStatus();
    return batch;
  }
  dom::array messages;
  const auto list = Get(root, "batch");
  if (!list) {
    return catalog::ToStatus({"missing_field", "batch", "found nothing; expected the list of messages"});
  }
  if (list->get(messages) != simdjson::SUCCESS) return catalog::ToStatus(WrongType("batch", *list, "a list"));
  if (messages.size() > limits.batch_events_max) {
    return catalog::ToStatus(
        {"too_many_events", "batch",
         fmt::format("found more than {0} messages; expected at most {0}", limits.batch_events_max)});
  }
  for (const dom::element element : messages) {
    dom::object message;
    if (element.get(message) == simdjson::SUCCESS) {
      batch.messages.push_back(Message(*this, message, &batch).Map(call));
      if (TooLarge(batch)) return TooLargeStatus();
    } else {
      batch.messages.push_back({SegmentMessage::Outcome::kRejected, WrongType("", element, "an object"), {}});
    }
  }
  return batch;
}

std::string SegmentWriteKey(std::string_view json_body) {
  dom::parser parser;
  dom::object root;
  std::string_view key;
  if (parser.parse(json_body.data(), json_body.size()).get(root) != simdjson::SUCCESS) return {};
  if (root.at_key("writeKey").get(key) != simdjson::SUCCESS) return {};
  return std::string(key);
}

}  // namespace bowerbird::collect
