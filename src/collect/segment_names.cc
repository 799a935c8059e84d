#include "collect/segment_names.h"

#include <string>

namespace bowerbird::collect {
namespace {

struct BuiltInName {
  std::string_view event, type, collection;
};
/// Segment's ecommerce, mobile and email events, in the spec's names and those of its first version. A type that the
/// app does not declare is passed over.
constexpr BuiltInName kBuiltInNames[] = {
    {"Products Searched", "search", ""},
    {"Product List Viewed", "impression", ""},
    {"Product Clicked", "click", ""},
    {"Product Viewed", "closeup", ""},
    {"Viewed Product", "closeup", ""},
    {"Product Added", "save", "cart"},
    {"Added Product", "save", "cart"},
    {"Wishlist Product Added to Cart", "save", "cart"},
    {"Product Added to Wishlist", "save", "wishlist"},
    {"Order Completed", "purchase", ""},
    {"Completed Order", "purchase", ""},
    {"Product Reviewed", "rating", ""},
    {"Product Shared", "share", ""},
    {"Push Notification Tapped", "notification_open", ""},
    {"Email Link Clicked", "notification_open", ""},
};

/// "Product Clicked", "product_clicked" and "product-clicked" are one name.
std::string Folded(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c == ' ' || c == '-') c = '_';
  }
  return folded;
}

}  // namespace

SegmentNames::SegmentNames(const config::Config& config) {
  for (const config::EventType& type : config.event_types) {
    if (type.name != "identify") names_[Folded(type.name)] = {&type, {}};
  }
  for (const BuiltInName& name : kBuiltInNames) {
    if (const config::EventType* type = config.FindEventType(name.type)) {
      names_[Folded(name.event)] = {type, name.collection};
    }
  }
  for (const config::SegmentName& name : config.segment) {
    Name& known = names_[Folded(name.event)];
    const config::EventType* type = name.type.empty() ? nullptr : config.FindEventType(name.type);
    known = {type, known.type == type ? known.collection : std::string_view()};
  }
}

const SegmentNames::Name* SegmentNames::Find(std::string_view event_name) const {
  const auto found = names_.find(Folded(event_name));
  return found == names_.end() ? nullptr : &found->second;
}

}  // namespace bowerbird::collect
