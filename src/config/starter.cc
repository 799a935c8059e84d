#include "config/config.h"

namespace bowerbird::config {

std::string StarterText() {
  return R"(# What this app knows and serves. Every key has a default: a shorter file is a valid one. `bowerbird config check` tells what
# is wrong with it, with line numbers; docs/config.md lists every key.

[app]
name = "default"

# Event types. impression, click, closeup, save, hide, purchase, search, notification_open and identify are built in; a table of
# the same name changes their weight, any other name declares a new type.
[events.save]
weight = 3.0

[events.purchase]
weight = 5.0

# A rating teaches nothing at 2 stars or less, and in full at 5.
[events.rating]
weight = 2.0
value_zero = 2
value_one = 5

# What items have besides id, domain, title, price, available, created, updated and categories.
[items.attributes]
brand = "string"
tags = "strings"

# How long events stay in the log; "0s" keeps them for ever.
[log]
retention = "0s"

# Where candidates come from. for_you, because, trending, fresh, popular, similar and next are there by default.
[generators.trending]
half_life = "1d"
window = "7d"

# The home feed: candidates of these generators, ranked together by these weights.
[surfaces.home]
generators = ["for_you", "because", "trending", "fresh"]
weights = { for_you = 1.0, because = 0.6, trending = 0.3, fresh = 0.2 }
seen = "exclude"
diversity = 0.2

[[surfaces.home.rules]]
kind = "boost"
name = "new"
when = "created > now - 7d"
factor = 1.1

# Items that go with the one that is looked at.
[surfaces.related]
needs_item = true
generators = ["similar", "because"]
seen = "allow"
)";
}

std::string StarterServerText() {
  return R"(# The process that serves this folder; docs/config.md lists every key.
[server]
listen = "127.0.0.1"
port = 8080

# Without an API key everything is allowed, but only to clients of this machine. Set to false once keys are made.
open_on_loopback = true
log_level = "info"
)";
}

}  // namespace bowerbird::config
