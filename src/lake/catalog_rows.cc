#include "bowerbird/v1/item.pb.h"
#include "bowerbird/v1/user.pb.h"
#include "lake/tables.h"
#include "lake/value_columns.h"

namespace bowerbird::lake {
namespace {

// The first columns of ItemFields and UserFields.
enum ChangeColumn : uint8_t { kKey = kPositionColumns, kRecord, kId, kDeleted, kChangeColumns };
enum ItemColumn : uint8_t {
  kDomain = kChangeColumns,
  kTitle,
  kDescription,
  kUrl,
  kImageUrl,
  kCategories,
  kPrice,
  kAvailable,
  kWithdrawn,
  kCreatedTime,
  kUpdatedTime,
  kAttributes,
  kItemColumns
};
enum UserColumn : uint8_t { kUserUpdatedTime = kChangeColumns, kUserAttributes, kUserColumns };

std::vector<Field> ChangeFields() {
  return {{"partition", Kind::kInt32, false, {}},  {"offset", Kind::kInt64, false, {}},
          {"append_time", Kind::kTime, false, {}}, {"key", Kind::kBytes, false, {}},
          {"record", Kind::kBytes, false, {}},     {"id", Kind::kText, true, {}},
          {"deleted", Kind::kBool, true, {}}};
}

void AppendChange(uint32_t partition, const log::Record& record, Batch* batch) {
  batch->column(kPartition).Int32(static_cast<int32_t>(partition));
  batch->column(kOffset).Int64(static_cast<int64_t>(record.offset));
  batch->column(kAppendTime).Int64(record.append_time_us);
  batch->column(kKey).Text(record.key);
  batch->column(kRecord).Text(record.value);
}

void Nulls(size_t first, size_t last, Batch* batch) {
  for (size_t column = first; column < last; ++column) batch->column(column).Null();
}

void TimeOrNull(int64_t time_us, Column* column) { time_us == 0 ? column->Null() : column->Int64(time_us); }

}  // namespace

const std::vector<Field>& ItemFields() {
  static const std::vector<Field>& fields = *[] {
    auto* all = new std::vector<Field>(ChangeFields());
    for (const char* name : {"domain", "title", "description", "url", "image_url"})
      all->push_back({name, Kind::kText, true, {}});
    all->push_back(List("categories", {"element", Kind::kText, true, {}}));
    all->push_back({"price", Kind::kDouble, true, {}});
    all->push_back({"available", Kind::kBool, true, {}});
    all->push_back({"withdrawn", Kind::kBool, true, {}});
    all->push_back({"created_time", Kind::kTime, true, {}});
    all->push_back({"updated_time", Kind::kTime, true, {}});
    all->push_back(AttributesField("attributes"));
    return all;
  }();
  return fields;
}

const std::vector<Field>& UserFields() {
  static const std::vector<Field>& fields = *[] {
    auto* all = new std::vector<Field>(ChangeFields());
    all->push_back({"updated_time", Kind::kTime, true, {}});
    all->push_back(AttributesField("attributes"));
    return all;
  }();
  return fields;
}

void AppendItem(uint32_t partition, const log::Record& record, Batch* batch) {
  AppendChange(partition, record, batch);
  v1::CatalogRecord change;
  if (!change.ParseFromString(record.value) || (!change.has_item() && change.deleted().empty())) {
    // The end of a feed, or what cannot be decoded: of no item.
    return Nulls(kId, kItemColumns, batch);
  }
  batch->column(kDeleted).Bool(!change.has_item());
  if (!change.has_item()) {
    batch->column(kId).Text(change.deleted());
    return Nulls(kChangeColumns, kItemColumns, batch);
  }
  const v1::Item& item = change.item();
  batch->column(kId).Text(item.id());
  batch->column(kDomain).TextOrNull(item.domain());
  batch->column(kTitle).TextOrNull(item.title());
  batch->column(kDescription).TextOrNull(item.description());
  batch->column(kUrl).TextOrNull(item.url());
  batch->column(kImageUrl).TextOrNull(item.image_url());
  AppendTexts(item.categories(), &batch->column(kCategories));
  item.has_price() ? batch->column(kPrice).Double(item.price()) : batch->column(kPrice).Null();
  batch->column(kAvailable).Bool(!item.has_available() || item.available());
  batch->column(kWithdrawn).Bool(item.withdrawn());
  TimeOrNull(item.created_time_us(), &batch->column(kCreatedTime));
  TimeOrNull(item.updated_time_us(), &batch->column(kUpdatedTime));
  AppendAttributes(item.attributes(), &batch->column(kAttributes));
}

void AppendUser(uint32_t partition, const log::Record& record, Batch* batch) {
  AppendChange(partition, record, batch);
  v1::UserRecord change;
  // Of a user who was forgotten only the id is there.
  if (record.value.empty() && !record.key.empty()) change.set_deleted(record.key);
  if ((!record.value.empty() && !change.ParseFromString(record.value)) ||
      (!change.has_user() && change.deleted().empty()))
    return Nulls(kId, kUserColumns, batch);
  batch->column(kDeleted).Bool(!change.has_user());
  if (!change.has_user()) {
    batch->column(kId).Text(change.deleted());
    return Nulls(kChangeColumns, kUserColumns, batch);
  }
  batch->column(kId).Text(change.user().id());
  TimeOrNull(change.user().updated_time_us(), &batch->column(kUserUpdatedTime));
  AppendAttributes(change.user().attributes(), &batch->column(kUserAttributes));
}

}  // namespace bowerbird::lake
