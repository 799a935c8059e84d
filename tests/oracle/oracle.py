"""What the state must be, computed from the events alone in plain Python: who did what, each client id once within its window, wherever
an id's doings went when it became a user. It shares no code, no bytes and no clever idea with the fold that it judges; docs/formats/state.md
and docs/config.md are what it follows.

An Expected is made of records of the topic `events` (log_records.py), or of events as a client sent them (`told`).
"""
import collections
import dataclasses
import re
import struct
import tomllib

import log_records
import signals

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
ACTIONS_SHOWN = 100
SHORT_ACTIONS, SHORT_SHOWN, SHORT_HALF_LIFE_US = 200, 20, DAY_US
LIFELONG_BLOCK = 64
MERGE_HOPS = 4
CATEGORIES_COUNTED = 8
BUILT_IN = {  # name: (weight, polarity)
    "impression": (0, "neutral"), "click": (1, "positive"), "closeup": (1, "positive"), "save": (3, "positive"), "hide": (1, "negative"),
    "purchase": (5, "positive"), "search": (0, "neutral"), "notification_open": (0.5, "positive"), "identify": (0, "neutral"),
    "unhide": (0, "neutral")}
UNITS_US = {"us": 1, "ms": 1000, "s": 1_000_000, "m": 60_000_000, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}


class Config:
    """What of a bowerbird.toml the state depends on."""

    def __init__(self, text=""):
        table = tomllib.loads(text)
        state, collect, items = table.get("state", {}), table.get("collect", {}), table.get("items", {})
        self.types = {name: dict(weight=weight, polarity=polarity) for name, (weight, polarity) in BUILT_IN.items()}
        for name, given in table.get("events", {}).items():
            polarity = given.get("polarity", self.types.get(name, {}).get("polarity", "positive"))
            default = self.types.get(name, {}).get("weight", 0 if polarity == "neutral" else 1)
            self.types[name] = dict(given, weight=given.get("weight", default), polarity=polarity)
        self.event_attributes = {name: given.get("attributes", {}) for name, given in self.types.items()}
        self.item_attributes = {name: kind for name, kind in items.get("attributes", {}).items()
                                if not (isinstance(kind, dict) and "embedding" in kind)}
        self.category_attribute = items.get("category", "categories")
        self.age_max_us = self.duration_us(collect.get("age_max", "7d"))
        self.prints_max = state.get("dedupe_prints", 512)
        self.dedupe_window_us = self.duration_us(state.get("dedupe_window", "7d"))
        self.sequence_max = state.get("sequence_max", 512)
        self.affinity_half_life_us = self.duration_us(state.get("affinity_half_life", "14d"))
        self.affinity_top = state.get("affinity_top", 32)
        declared = [signals.Signal(name, given, self) for name, given in table.get("signals", {}).items()]
        self.signals = [signal for signal in declared if signal.per == "user"]
        self.item_signals = [signal for signal in declared if signal.per == "item"]
        self.signal_types = {type_ for signal in declared for type_ in signal.on + signal.of_types}

    @staticmethod
    def duration_us(text):
        number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m|h|d|w)", text).groups()
        return int(float(number) * UNITS_US[unit])

    def strength(self, event):
        """What the event counts for learning."""
        kind = self.types[event.type]
        if kind["polarity"] != "positive":
            return 0.0
        if "value_zero" not in kind:
            return float(kind["weight"])
        share = (event.value - kind["value_zero"]) / (kind["value_one"] - kind["value_zero"])
        return kind["weight"] * min(max(share, 0.0), 1.0)

    def categories(self, event):
        named = [category for category in event.categories if category][:CATEGORIES_COUNTED]
        if not named and self.category_attribute:
            found = event.item_attributes.get(self.category_attribute)
            named = [found] if isinstance(found, str) and found else [c for c in found or () if c][:CATEGORIES_COUNTED]
        return named


def bf16(number):
    """As state keeps strengths: a float of 8 bits of precision, rounded to even."""
    bits = struct.unpack("<I", struct.pack("<f", number))[0]
    return struct.unpack("<f", struct.pack("<I", (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16))[0]


class Prints:
    """The newest client ids of one id, and from when on it cannot be told whether one was among those before."""

    def __init__(self):
        self.queue, self.known, self.dropped_until_s = collections.deque(), set(), 0

    def add(self, client_id, time_us, receive_us, config):
        now_h = receive_us // HOUR_US
        self.queue.append((client_id, time_us // 1_000_000, now_h))
        self.known.add(client_id)
        window_h = -(-config.dedupe_window_us // HOUR_US)
        while len(self.queue) > config.prints_max or (len(self.queue) > 1 and self.queue[0][2] + window_h < now_h):
            dropped, time_s, _ = self.queue.popleft()
            self.known.discard(dropped)
            self.dropped_until_s = max(self.dropped_until_s, time_s + 1)


@dataclasses.dataclass
class Doings:
    """What is known of one id, or what one hands to another: everything in the order in which it counted."""
    events: int = 0
    first_us: int = 0
    last_us: int = 0
    actions: list = dataclasses.field(default_factory=list)       # of the newest: events
    counted: list = dataclasses.field(default_factory=list)       # events of types that signals count
    hidden: dict = dataclasses.field(default_factory=dict)        # as an ordered set
    unhidden: list = dataclasses.field(default_factory=list)
    collections: dict = dataclasses.field(default_factory=dict)   # name -> items, as ordered sets
    liked: list = dataclasses.field(default_factory=list)         # (time, category, strength)

    def span(self, first_us, last_us):
        self.first_us = first_us if self.events == 0 else min(self.first_us, first_us)
        self.last_us = last_us if self.events == 0 else max(self.last_us, last_us)

    def spill(self, config):
        while len(self.actions) >= config.sequence_max + LIFELONG_BLOCK:
            del self.actions[:LIFELONG_BLOCK]

    def do(self, event, config):
        self.span(event.time_us, event.time_us)
        self.events += 1
        if event.type in config.signal_types:
            self.counted.append(event)
        if not event.item or event.type == "impression":
            return
        if event.type == "hide":
            self.hidden.setdefault(event.item)
        elif event.type == "unhide":
            self.hidden.pop(event.item, None)
        else:
            self.actions.append(event)
            self.spill(config)
            if event.collection and config.types[event.type]["polarity"] == "positive":
                self.collections.setdefault(event.collection, {}).setdefault(event.item)
            strength = bf16(config.strength(event))
            if strength:
                self.liked += [(event.time_us, category, strength) for category in config.categories(event)]

    def take_in(self, other, config):
        if other.events == 0:
            return
        self.span(other.first_us, other.last_us)
        self.events += other.events
        # In the order of time, to the second; of one second, one's own first.
        self.actions = sorted(self.actions + other.actions, key=lambda event: event.time_us // 1_000_000)
        self.spill(config)
        self.counted += other.counted
        for item in other.hidden:
            self.hidden.setdefault(item)
        for item in other.unhidden:
            self.hidden.pop(item, None)
        for name, items in other.collections.items():
            self.collections.setdefault(name, {}).update(items)
        self.liked += other.liked


class Id:
    def __init__(self):
        self.doings, self.prints, self.becomes, self.merged = Doings(), Prints(), "", {}


@dataclasses.dataclass
class ItemCounts:
    impressions: int = 0
    actions: int = 0
    negatives: int = 0
    weight: float = 0.0


class Expected:
    """The state after the records of a topic."""

    def __init__(self, config, topic=None):
        self.config = config
        self.ids = {}                    # id -> Id
        self.items = collections.defaultdict(ItemCounts)
        self.item_events = collections.defaultdict(list)  # of types that signals count, whoever did them
        self.counts = collections.Counter()  # of records by what became of them
        self.dead = []                   # (partition, offset) of records that cannot be folded
        # By id, what clients said they did, and what came too late to be told from a repeat: Counters of (type, item, time), the time
        # None where it is that of the arrival.
        self.done, self.too_late = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
        self._given = {}                 # (id, offset of its record) -> Doings that it hands over with it
        self._topic, self._next = topic, {}
        if topic is not None:
            self.dead += [(partition, offset) for partition, offset, _ in topic.undecodable]
            self._partition_of = {event.user: event.partition for event in topic.events() if event.user}
            for partition in sorted(topic.partitions):
                self._fold(partition, None)

    @classmethod
    def told(cls, config, events):
        """After events (dicts, as POST /v1/events takes them) that arrive one after the other; none of them an identify."""
        expected = cls(config)
        for number, given in enumerate(events):
            event = log_records.Event()
            for name, value in given.items():
                setattr(event, "time_us" if name == "event_time_us" else name, value)
            event.offset, event.schema = number, 1
            expected.count(event)
        return expected

    def _fold(self, partition, until):
        """The records of a partition up to an offset. What a record follows from in another partition is folded first: the log never
        has an effect before its cause."""
        records = self._topic.partitions.get(partition, [])
        while (at := self._next.get(partition, 0)) < len(records) and (until is None or records[at].offset <= until):
            self._next[partition] = at + 1
            event = records[at]
            if event.merge is not None:
                self._fold(self._partition_of.get(event.anonymous, partition), event.merge.source_offset)
            self.count(event)

    def count(self, event):
        config = self.config
        if event.schema > log_records.SCHEMA_MAX or not event.user or event.type not in config.types:
            self.counts["dead letters"] += 1
            self.dead.append((event.partition, event.offset))
            return
        of = self.ids.get(event.user)
        if of is None:
            of = self.ids[event.user] = Id()
        if event.merge is not None:
            return self._merge(event, of)
        if event.client_id:
            if event.client_id in of.prints.known:
                self.counts["duplicates"] += 1
                return
            imported = not event.late and config.age_max_us > 0 and event.receive_us - event.time_us > config.age_max_us
            if not imported and event.time_us // 1_000_000 < of.prints.dropped_until_s:
                self.counts["too late"] += 1
                if not event.becomes:
                    self.too_late[event.user][what(event)] += 1
                return
            of.prints.add(event.client_id, event.time_us, event.receive_us, config)
        self.counts["counted"] += 1
        self._count_item(event)
        if not event.becomes:
            self.done[event.user][what(event)] += 1
        if event.becomes:
            if of.becomes == event.becomes and of.doings.events == 0:
                return
            self._given[event.user, event.offset] = of.doings
            of.doings, of.becomes = Doings(), event.becomes
        elif of.becomes:
            alone = Doings()
            alone.do(event, config)
            if event.type == "unhide":
                alone.unhidden.append(event.item)
            self._given[event.user, event.offset] = alone
        else:
            of.doings.do(event, config)

    def _merge(self, event, of):
        source, merge = event.anonymous, event.merge
        if of.merged.get(source, -1) >= merge.source_offset:
            self.counts["duplicates"] += 1
            return
        self.counts["counted"] += 1
        closes = merge.identified and of.becomes == source
        of.merged[source] = merge.source_offset
        given = self._given.get((source, merge.source_offset))
        if given is None:
            raise AssertionError(f"partition {event.partition}, offset {event.offset}: {event.user!r} is handed what {source!r} did up to "
                                 f"{merge.source_offset}, where it handed over nothing")
        if of.becomes and merge.hops < MERGE_HOPS and not closes:
            self._given[event.user, event.offset] = given
            return
        if closes:
            of.becomes = ""
        of.doings.take_in(given, self.config)

    def _count_item(self, event):
        if not event.item:
            return
        if event.type in self.config.signal_types:
            self.item_events[event.item].append(event)
        counts, polarity = self.items[event.item], self.config.types[event.type]["polarity"]
        if event.type == "impression":
            counts.impressions += 1
        elif polarity == "positive":
            counts.actions += 1
            counts.weight += round(self.config.strength(event) * 65536) / 65536
        elif polarity == "negative":
            counts.negatives += 1

    def answering(self, user):
        """The doings that a request for an id is answered from: its own, or those of whom it has become."""
        for _ in range(MERGE_HOPS + 1):
            of = self.ids.get(user)
            if of is None or not of.becomes:
                break
            user = of.becomes
        return of.doings if of is not None else Doings()

    def users(self):
        """The ids that are users: those that have not become others, and did something."""
        return [user for user, of in self.ids.items() if not of.becomes and of.doings.events]


def what(event):
    return event.type, event.item, None if event.time_us == event.receive_us else event.time_us


def profile_of(doings, config, now_us, catalog):
    """What a profile must show at `now_us` besides signals. `catalog`: item -> its categories now; items that are not in it are left
    out."""
    actions = [e for e in doings.actions[-config.sequence_max:] if e.item not in doings.hidden]
    return {
        "events": doings.events,
        "first_time_us": doings.first_us,
        "last_time_us": doings.last_us,
        "sequence": [(e.type, e.item, e.time_us // 1_000_000 * 1_000_000, e.surface) for e in reversed(actions)
                     if e.item in catalog][:ACTIONS_SHOWN],
        "hidden": sorted((item for item in doings.hidden if item in catalog), key=str.encode),
        "collections": {name: len(items) for name, items in doings.collections.items()},
        "lifecycle": lifecycle(doings, actions, now_us),
        "interests": faded(doings.liked, config.affinity_half_life_us, now_us, together=True),
        "short_interests": faded(
            [(e.time_us // 1_000_000 * 1_000_000, category, bf16(config.strength(e)))
             for e in actions[-SHORT_ACTIONS:] for category in catalog.get(e.item, ())], SHORT_HALF_LIFE_US, now_us),
    }


def faded(liked, half_life_us, now_us, together=False):
    """{category: weight now}. An action of a clock that is ahead has not faded yet; `together`: nor has what was before it faded further
    than until then."""
    weights, as_of_us = collections.Counter(), collections.defaultdict(lambda: now_us)
    if together:
        for time_us, category, _ in liked:
            as_of_us[category] = max(as_of_us[category], time_us)
    for time_us, category, strength in liked:
        weights[category] += strength * 2.0 ** (-max(as_of_us[category] - time_us, 0) / half_life_us)
    return {category: weight for category, weight in weights.items() if weight > 0}


def lifecycle(doings, actions, now_us):
    day, dormant = 86_400, 28 * 86_400
    if doings.events == 0:
        return ""
    now, first, last = now_us // 1_000_000, doings.first_us // 1_000_000, doings.last_us // 1_000_000
    if now - last >= dormant:
        return "dormant"
    if now - first < 7 * day:
        return "new"
    times = sorted((event.time_us // 1_000_000 for event in actions), reverse=True)
    later = [last] + times[:-1]
    if any(after - before >= dormant and now - after <= 14 * day for before, after in zip(times, later)):
        return "resurrected"
    return "core" if len({time // day for time in times if now - time < dormant}) >= 8 else "casual"
