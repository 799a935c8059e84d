#pragma once

#include <string_view>

namespace bowerbird::experiment::metrics {

/// jobs/experiment_{statistics,events,people,interleaved}.sql, carried in the program.
std::string_view StatisticsText();
std::string_view EventsText();
std::string_view PeopleText();
std::string_view InterleavedText();

}  // namespace bowerbird::experiment::metrics
