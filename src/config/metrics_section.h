#pragma once

#include <vector>

#include "config/metrics.h"
#include "config/sections.h"

namespace bowerbird::config {

/// [metrics.NAME], over the events and the items' attributes.
void ReadMetrics(TableReader* root, Draft* draft, std::vector<Metric>* metrics);

}  // namespace bowerbird::config
