#pragma once

#include <memory>

#include "state/item_record.h"
#include "state/user_op.h"

namespace rocksdb {
class MergeOperator;
}

namespace bowerbird::state {

/// Lets the store hold a user as its record plus operations not yet applied: reads and compactions apply them, so that
/// a fold never rewrites the record. Values under keys of lifelong blocks are never merged.
std::shared_ptr<rocksdb::MergeOperator> MakeUserMergeOperator(const UserLayout& layout);

/// Adds item records.
std::shared_ptr<rocksdb::MergeOperator> MakeItemMergeOperator(const ItemLayout& layout);

/// Adds next records; how many moves one keeps follows from its key.
std::shared_ptr<rocksdb::MergeOperator> MakeNextMergeOperator();

}  // namespace bowerbird::state
