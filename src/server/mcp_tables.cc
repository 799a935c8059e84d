#include "server/mcp_tables.h"

#include <algorithm>
#include <iterator>

namespace bowerbird::server {
namespace {

struct Note {
  std::string_view table, column, text;  ///< no table: of any; no column: the table's
};
constexpr Note kNotes[] = {
    {"events", "",
     "One action of a user (click, closeup, save, hide, purchase, impression, search, ...), as it was taken in. A "
     "client's "
     "retry is a row of its own with the same user and client_id. Rows without a type mark a user."},
    {"served", "",
     "One answer: for whom, when, on which surface, and the items shown with position, scores and propensity."},
    {"items", "", "One item of the catalog, as it is now."},
    {"users", "", "One user whose attributes were told, as they are now. Users who only act are in events alone."},
    {"item_changes", "", "One change of an item; items has the latest of each."},
    {"user_changes", "", "One change of a user's attributes; users has the latest of each."},
    {"training_rows", "", "One request with its candidates, features and labels, for training rankers."},
    {"daily_metrics", "", "A day's events by type, each action once, without marked traffic; made by a job."},
    {"daily_traffic", "", "A day's share of marked traffic by reason; made by a job."},
    {"user_day", "", "A user's day: counts of what the user did; made by a job."},
    {"labels", "",
     "One item of an answer: whether it was seen, and what was done with it within a day; made by a job."},
    {"exposures", "", "A unit that an experiment's arm could have changed something for, at most once a day."},
    {"", "event_time", "when it happened, UTC"},
    {"", "append_time", "when it was taken in, UTC"},
    {"", "receive_time", "when the server received it, UTC"},
    {"", "date", "day of append_time; a condition on it spares reading other files"},
    {"", "hour", "hour of append_time"},
    {"", "client_id", "the client's id of the action: equal for a retry"},
    {"", "dedupe_print", "equal for an action and its retries"},
    {"", "user_key", "hash of the user's id: the same user, the same number, in every table"},
    {"", "item_key", "hash of the item's id"},
    {"", "value", "money or rating, by the type of event"},
    {"", "dwell_ms", "how long it was looked at"},
    {"", "position", "place in the answer, from 1"},
    {"", "becomes", "the user that an anonymous id turned out to be"},
    {"", "merge", "bookkeeping of identities; such rows are no actions"},
    {"", "late", "it came after the window for repeats"},
    {"", "agent", "the program that sent it, where that is no browser of a person"},
    {"", "mark", "why a user's traffic was marked"},
    {"", "attributes",
     "by name: attributes['stars'].number_value, .string_value, .bool_value, .time_value, .strings_value"},
    {"", "item_attributes", "of the item when the event happened; read like attributes"},
    {"", "item_categories", "of the item when the event happened"},
    {"", "config_version", "of the config that was in force"},
    {"", "surface", "place in the product, such as home or related"},
    {"", "request_id", "the answer that it was shown in; joins events and served"},
    {"served", "items",
     "what was shown: list of item, position, rank_score, final_score, propensity; unnest(items) makes rows"},
    {"served", "interleaved_by", "the experiment whose arms' rankings the page was drafted out of"},
    {"served", "drafted", "what one arm's ranking alone placed: list of item, arm"},
    {"served", "explored", "drawn at random on purpose, so that it can be evaluated"},
    {"served", "chain", "first request of the pages that belong together"},
    {"served", "degraded", "fallbacks that the answer took"},
    {"served", "kind", "recommend or rank"},
};

}  // namespace

std::string_view TableNote(std::string_view table) {
  for (const Note& note : kNotes) {
    if (note.table == table && note.column.empty()) return note.text;
  }
  return {};
}

std::string_view ColumnNote(std::string_view table, std::string_view column) {
  for (const std::string_view of : {table, std::string_view()}) {
    const auto* found = std::find_if(std::begin(kNotes), std::end(kNotes),
                                     [&](const Note& note) { return note.table == of && note.column == column; });
    if (found != std::end(kNotes)) return found->text;
  }
  return {};
}

}  // namespace bowerbird::server
