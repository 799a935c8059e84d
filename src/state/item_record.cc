#include "state/item_record.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/byte_codec.h"

namespace bowerbird::state {
namespace {

void PutSums(const ItemSums& sums, std::string* out) {
  base::PutVarint(sums.impressions, out);
  base::PutVarint(sums.actions, out);
  base::PutVarint(sums.negatives, out);
  base::PutVarint(sums.weight, out);
}

ItemSums GetSums(base::Reader* in) {
  ItemSums sums;
  sums.impressions = in->Varint();
  sums.actions = in->Varint();
  sums.negatives = in->Varint();
  sums.weight = in->Varint();
  return sums;
}

void DropOldBuckets(const ItemLayout& layout, std::vector<ItemRecord::Bucket>* buckets) {
  if (buckets->empty()) return;
  const uint32_t newest = buckets->back().bucket;
  const auto first_kept = std::find_if(buckets->begin(), buckets->end(), [&](const ItemRecord::Bucket& b) {
    return newest - b.bucket < layout.buckets_max;
  });
  buckets->erase(buckets->begin(), first_kept);
}

}  // namespace

uint32_t ItemLayout::BucketOf(int64_t time_us) const {
  return static_cast<uint32_t>(std::min<int64_t>(time_us / bucket_us, std::numeric_limits<uint32_t>::max()));
}

uint64_t ToItemWeight(double weight) {
  return static_cast<uint64_t>(std::llround(std::max(weight, 0.0) * kItemWeightOne));
}

void ItemSums::Add(const ItemSums& other) {
  impressions += other.impressions;
  actions += other.actions;
  negatives += other.negatives;
  weight += other.weight;
}

void ItemSums::Add(const ItemEvent& event) {
  impressions += event.kind == ItemEvent::Kind::kImpression;
  actions += event.kind == ItemEvent::Kind::kAction;
  negatives += event.kind == ItemEvent::Kind::kNegative;
  if (event.kind == ItemEvent::Kind::kAction) weight += event.weight;
}

void ItemRecord::Add(const ItemRecord& other, const ItemLayout& layout) {
  total.Add(other.total);
  std::vector<Bucket> merged;
  merged.reserve(buckets.size() + other.buckets.size());
  auto a = buckets.begin();
  auto b = other.buckets.begin();
  while (a != buckets.end() || b != other.buckets.end()) {
    if (b == other.buckets.end() || (a != buckets.end() && a->bucket < b->bucket)) {
      merged.push_back(*a++);
    } else if (a == buckets.end() || b->bucket < a->bucket) {
      merged.push_back(*b++);
    } else {
      merged.push_back(*a++);
      merged.back().sums.Add((b++)->sums);
    }
  }
  buckets = std::move(merged);
  DropOldBuckets(layout, &buckets);
}

std::string EncodeItemRecord(const ItemRecord& record) {
  std::string out;
  out.reserve(8 + record.buckets.size() * 8);
  PutSums(record.total, &out);
  base::PutVarint(record.buckets.size(), &out);
  uint32_t last = 0;
  for (const ItemRecord::Bucket& bucket : record.buckets) {
    base::PutVarint(bucket.bucket - last, &out);
    PutSums(bucket.sums, &out);
    last = bucket.bucket;
  }
  return out;
}

absl::StatusOr<ItemRecord> DecodeItemRecord(std::string_view bytes) {
  base::Reader in(bytes);
  ItemRecord record;
  record.total = GetSums(&in);
  record.buckets.resize(in.Count(5));
  uint32_t last = 0;
  for (ItemRecord::Bucket& bucket : record.buckets) {
    bucket.bucket = last += static_cast<uint32_t>(in.Varint());
    bucket.sums = GetSums(&in);
  }
  if (!in.ok() || !in.empty()) return absl::DataLossError("item record: damaged");
  return record;
}

std::vector<std::pair<catalog::ItemKey, ItemRecord>> SumByItem(std::vector<ItemEvent>* events,
                                                               const ItemLayout& layout) {
  std::sort(events->begin(), events->end(), [](const ItemEvent& a, const ItemEvent& b) {
    return a.item != b.item ? a.item < b.item : a.bucket < b.bucket;
  });
  std::vector<std::pair<catalog::ItemKey, ItemRecord>> sums;
  for (const ItemEvent& event : *events) {
    if (sums.empty() || sums.back().first != event.item) sums.emplace_back(event.item, ItemRecord());
    ItemRecord& record = sums.back().second;
    if (record.buckets.empty() || record.buckets.back().bucket != event.bucket)
      record.buckets.push_back({event.bucket, {}});
    record.total.Add(event);
    record.buckets.back().sums.Add(event);
  }
  for (auto& [item, record] : sums) DropOldBuckets(layout, &record.buckets);
  return sums;
}

}  // namespace bowerbird::state
