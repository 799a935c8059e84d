#pragma once

#include <string_view>

namespace bowerbird::experiment::metrics {

/// jobs/experiment_statistics.sql and jobs/experiment_events.sql, carried in the program.
std::string_view StatisticsText();
std::string_view EventsText();

}  // namespace bowerbird::experiment::metrics
