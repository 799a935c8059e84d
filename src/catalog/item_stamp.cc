#include "catalog/item_stamp.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "bowerbird/v1/event.pb.h"
#include "catalog/item_rules.h"

namespace bowerbird::catalog {

size_t ItemStamp::Bytes() const {
  size_t bytes = sizeof(ItemStamp) + id.capacity() + event_fields.capacity();
  for (const std::string& category : categories) bytes += sizeof(std::string) + category.capacity();
  for (const auto& [name, value] : attributes) bytes += sizeof(std::string) + name.capacity() + value.SpaceUsedLong();
  return bytes;
}

ItemStamp MakeStamp(const v1::Item& item, const config::Config& config) {
  ItemStamp stamp;
  stamp.id = item.id();
  stamp.categories = CategoriesOf(item, config);
  v1::Event event;
  event.mutable_item_categories()->Assign(stamp.categories.begin(), stamp.categories.end());
  for (const config::Attribute& attribute : config.item_attributes) {
    if (!attribute.stamp || attribute.embedding) continue;
    const auto it = item.attributes().find(attribute.name);
    if (it == item.attributes().end()) continue;
    stamp.attributes.emplace_back(attribute.name, it->second);
    (*event.mutable_item_attributes())[attribute.name] = it->second;
  }
  google::protobuf::io::StringOutputStream stream(&stamp.event_fields);
  google::protobuf::io::CodedOutputStream out(&stream);
  // The same item gives the same bytes in every process: events are compared by their bytes after a replay.
  out.SetSerializationDeterministic(true);
  event.SerializeToCodedStream(&out);
  return stamp;
}

}  // namespace bowerbird::catalog
