#include "signal/cell_table.h"

#include <algorithm>
#include <limits>

#include "base/byte_codec.h"
#include "base/status_macros.h"

namespace bowerbird::signal {
namespace {

/// Takes out the weakest entry, `spared` only if it is weaker than all others.
void DropWeakest(std::string_view spared, absl::FunctionRef<double(std::string_view)> strength, std::string* table) {
  base::Reader in(*table);
  size_t from = 0, to = 0, spared_from = 0, spared_to = 0;
  double weakest = std::numeric_limits<double>::infinity(), spared_strength = weakest;
  while (!in.empty()) {
    const size_t start = table->size() - in.rest().size();
    const std::string_view key = in.String(), cell = in.String();
    const size_t end = table->size() - in.rest().size();
    const double cell_strength = strength(cell);
    if (key == spared) {
      spared_strength = cell_strength;
      spared_from = start;
      spared_to = end;
    } else if (to == 0 || cell_strength < weakest) {
      weakest = cell_strength;
      from = start;
      to = end;
    }
  }
  if (to == 0 || spared_strength < weakest) {
    from = spared_from;
    to = spared_to;
  }
  table->erase(from, to - from);
}

}  // namespace

void ChangeCell(uint32_t keys_max, std::string_view key, absl::FunctionRef<void(std::string*)> change,
                absl::FunctionRef<double(std::string_view)> strength, std::string* table) {
  base::Reader in(*table);
  size_t place = 0;
  uint32_t keys = 0;
  while (!in.empty()) {
    const std::string_view there = in.String();
    const size_t from = table->size() - in.rest().size();
    const std::string_view cell = in.String();
    const size_t to = table->size() - in.rest().size();
    ++keys;
    if (there == key) {
      std::string changed(cell);
      change(&changed);
      if (changed.size() == cell.size()) {
        changed.copy(table->data() + to - cell.size(), changed.size());
      } else {
        std::string entry;
        base::PutString(changed, &entry);
        table->replace(from, to - from, entry);
      }
      return;
    }
    if (there < key) place = to;
  }
  std::string added, entry;
  change(&added);
  base::PutString(key, &entry);
  base::PutString(added, &entry);
  table->insert(place, entry);
  if (keys + 1 > keys_max) DropWeakest(key, strength, table);
}

void ForEachCell(std::string_view table, absl::FunctionRef<void(std::string_view, std::string_view)> visit) {
  base::Reader in(table);
  while (!in.empty()) {
    const std::string_view key = in.String(), cell = in.String();
    if (!in.ok()) return;
    visit(key, cell);
  }
}

absl::Status CheckTable(uint32_t keys_max, std::string_view table,
                        absl::FunctionRef<absl::Status(std::string_view)> check) {
  base::Reader in(table);
  std::string_view last;
  uint32_t keys = 0;
  while (!in.empty()) {
    const std::string_view key = in.String(), cell = in.String();
    if (!in.ok() || (keys > 0 && key <= last) || ++keys > keys_max) return absl::DataLossError("cells: damaged");
    RETURN_IF_ERROR(check(cell));
    last = key;
  }
  return absl::OkStatus();
}

}  // namespace bowerbird::signal
