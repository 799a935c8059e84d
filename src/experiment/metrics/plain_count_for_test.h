#pragma once

#include "experiment/metrics/events_for_test.h"
#include "experiment/metrics/statistics.h"

namespace bowerbird::experiment::metrics {

/// What the query of the test's experiment must count, event by event: every rule of docs/guides/experiment-results.md
/// written a second time. Arms of other experiments, exposures, events and skewed ones are not counted.
Statistics PlainCount(const TestWorld& world);

}  // namespace bowerbird::experiment::metrics
