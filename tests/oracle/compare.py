"""Everything that the binary shows beside what the oracle says: profiles, item counters, tables."""
import collections
import json
import math
import time
import urllib.parse

import oracle

INTEREST_ERROR = 1e-4   # affinities are added up as float32
FEATURE_ERROR = 2e-6    # features are float32
QUALITY_PRIOR = 20      # impressions that the candidates' common rate is worth (src/rank/ranker.cc)
ITEMS_A_RANKING = 500
DIFFERENCES_SAID = 20


class Comparison:
    """Counts what was compared, and keeps the first differences in words."""

    def __init__(self):
        self.compared, self.difference_count, self.differences = collections.Counter(), 0, []

    def differ(self, text):
        self.difference_count += 1
        if len(self.differences) < DIFFERENCES_SAID:
            self.differences.append(text)

    def same(self, what, found, expected):
        if found != expected:
            self.differ(f"{what}: {found!r}; expected {expected!r}")

    def __str__(self):
        parts = [f"{count} {what}" for what, count in sorted(self.compared.items())]
        return f"compared {', '.join(parts)}: {self.difference_count} differences"


def compare_profiles(client, expected, catalog, comparison, users=None):
    """Every user's profile. `catalog`: item -> its categories."""
    for user in expected.users() if users is None else users:
        answer = client.call("GET", f"/v1/users/{urllib.parse.quote(user, safe='')}/profile")
        if answer.status != 200:
            comparison.differ(f"{user}: {answer!r}")
            continue
        compare_profile(user, json.loads(answer.body), expected.answering(user), expected.config, catalog, comparison)


def compare_profile(user, shown, doings, config, catalog, comparison):
    due = oracle.profile_of(doings, config, shown["time_us"], catalog)
    for name in ("events", "lifecycle", "hidden") + (("first_time_us", "last_time_us") if doings.events else ()):
        comparison.same(f"{user}.{name}", shown[name], due[name])
    sequence = [(action["type"], action["item"], action["time_us"], action["surface"]) for action in shown["sequence"]]
    comparison.same(f"{user}.sequence", sequence, due["sequence"])
    comparison.same(f"{user}.collections", {c["name"]: c["items"] for c in shown["collections"]}, due["collections"])
    if len(due["interests"]) <= config.affinity_top:
        compare_weights(f"{user}.interests", shown["interests"], due["interests"], comparison)
    else:
        comparison.compared["interests beyond their bound"] += 1
    if len(due["short_interests"]) <= oracle.SHORT_SHOWN:
        compare_weights(f"{user}.short_interests", shown["short_interests"], due["short_interests"], comparison)
    comparison.compared["users"] += 1
    comparison.compared["actions"] += len(sequence)
    by_name = {signal["name"]: signal for signal in shown["signals"]}
    comparison.same(f"{user}.signals", set(by_name), {signal.name for signal in config.signals})
    for signal in config.signals:
        if signal.name not in by_name:
            continue
        if signal.bounded(doings.counted):
            comparison.compared["signals beyond their bound"] += 1
            continue
        comparison.compared["signals"] += 1
        if (why := signal.differs(doings.counted, by_name[signal.name], shown["time_us"])) is not None:
            comparison.differ(f"{user}.signals.{signal.name}: {why}")


def compare_weights(what, shown, due, comparison):
    found = {interest["category"]: interest["weight"] for interest in shown}
    # What has faded to nothing need not be said.
    due = {category: weight for category, weight in due.items() if weight > 1e-30}
    found = {category: weight for category, weight in found.items() if weight > 1e-30}
    comparison.same(what, set(found), set(due))
    for category in found.keys() & due.keys():
        if abs(found[category] - due[category]) > INTEREST_ERROR * due[category]:
            comparison.differ(f"{what}.{category}: {found[category]}; expected {due[category]}")


def compare_items(client, expected, catalog, comparison):
    """Every item's counters, by what POST /v1/rank says of the crowd: `popularity` is the weight of an item's actions among its
    candidates', `quality` that weight without what speaks against it, by how often the item was shown."""
    greatest = max(catalog, key=lambda item: (expected.items[item].weight, item))
    others = sorted(set(catalog) - {greatest})
    for first in range(0, len(others), ITEMS_A_RANKING):
        items = [greatest] + others[first:first + ITEMS_A_RANKING]
        answer = client.call("POST", "/v1/rank", {"surface": "home", "items": items, "explain": True})
        if answer.status != 200 or answer.json()["left_out"]:
            comparison.differ(f"POST /v1/rank: {answer!r}")
            continue
        due = crowd_features([expected.items[item] for item in items])
        found = {item["id"]: {f["name"]: f["value"] for f in item["explanation"]["features"]} for item in answer.json()["items"]}
        for item, (popularity, quality) in zip(items, due):
            for name, value in (("popularity", popularity), ("quality", quality)):
                if abs(found[item][name] - value) > FEATURE_ERROR * max(1, abs(value)):
                    comparison.differ(f"{item}.{name}: {found[item][name]}; expected {value} of {expected.items[item]}")
        comparison.compared["items"] += len(items) - (first > 0)


def compare_item_signals(client, expected, comparison, items=None, patience_s=20):
    """Every item's signals. A table comes a little after the events: until then, differences are looked at again."""
    late, until = None, time.monotonic() + patience_s
    while late is None or (late.difference_count and time.monotonic() < until):
        if late is not None:
            time.sleep(0.2)
        late = Comparison()
        for item in expected.item_events if items is None else items:
            compare_signals_of_item(client, item, expected, late)
    comparison.compared += late.compared
    comparison.difference_count += late.difference_count
    comparison.differences += late.differences[:DIFFERENCES_SAID - len(comparison.differences)]


def compare_signals_of_item(client, item, expected, comparison):
    answer = client.call("GET", f"/v1/items/{urllib.parse.quote(item, safe='')}/signals")
    if answer.status != 200:
        return comparison.differ(f"{item}: {answer!r}")
    shown, events = json.loads(answer.body), expected.item_events[item]
    by_name = {signal["name"]: signal for signal in shown["signals"]}
    comparison.same(f"{item}.signals", list(by_name), [signal.name for signal in expected.config.item_signals])
    for signal in expected.config.item_signals:
        if signal.name not in by_name:
            continue
        if signal.bounded(events):
            comparison.compared["item signals beyond their bound"] += 1
            continue
        comparison.compared["item signals"] += 1
        if (why := signal.differs(events, by_name[signal.name], shown["time_us"])) is not None:
            comparison.differ(f"{item}.signals.{signal.name}: {why}")


def crowd_features(counts):
    """(popularity, quality) of each."""
    shown = [max(c.impressions, c.actions) for c in counts]
    greatest, weights, impressions = max(c.weight for c in counts), sum(c.weight for c in counts), sum(shown)
    rate = weights / impressions if impressions else 0
    features = []
    for c, times in zip(counts, shown):
        if not greatest or (not times and not c.negatives):
            features.append((0.0, 0.0))
            continue
        acted = max(0.0, c.weight - c.negatives)
        quality = math.log((acted + QUALITY_PRIOR * rate) / (times + QUALITY_PRIOR) / rate) if rate else 0.0
        features.append((math.log1p(c.weight) / math.log1p(greatest), quality))
    return features


def compare_rows(sql, topic, comparison):
    """The lake's `events` has each record of the topic once, with what it says. `sql` answers a query with its rows."""
    found = {row[0]: row[1:] for row in sql('select e.partition, count(*), count(distinct e."offset"), min(e."offset"), max(e."offset") '
                                            "from events e group by 1")}
    for partition, records in topic.partitions.items():
        lost = [offset for p, offset, _ in topic.undecodable if p == partition]
        offsets = [event.offset for event in records] + lost
        comparison.same(f"lake, partition {partition}", found.get(partition),
                        [len(offsets), len(offsets), min(offsets), max(offsets)])
        comparison.compared["rows"] += len(offsets)
    by_user = {row[0]: row[1:] for row in sql(
        "select e.user, count(*), count(distinct e.client_id), sum(epoch_us(e.event_time)) from events e where e.merge is null and e.user "
        "is not null group by 1")}
    due = collections.defaultdict(lambda: [0, set(), 0])
    for event in topic.events():
        if event.merge is None and event.user:
            row = due[event.user]
            row[0] += 1
            row[1] |= {event.client_id} - {""}
            row[2] += event.time_us
    for user, (count, client_ids, times) in due.items():
        comparison.same(f"lake, {user}", by_user.get(user), [count, len(client_ids), times])


def compare_sent(expected, sent, comparison):
    """The log holds, of every id, what a client was told to be in effect, and nothing that nobody sent; but for what came too late to be
    told from a repeat. `sent`: as Expected.done, each event once however often it was sent."""
    for user in set(sent) | set(expected.ids):
        due, found = sent.get(user, collections.Counter()), expected.done.get(user, collections.Counter())
        comparison.compared["sent events"] += sum(due.values())
        for event, count in (due - found - expected.too_late.get(user, collections.Counter())).items():
            comparison.differ(f"{user}: {event} {count} times too few")
        for event, count in (found - due).items():
            comparison.differ(f"{user}: {event} {count} times too many")
