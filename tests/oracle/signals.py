"""What declared signals say of a list of events, a user's or an item's, written down as plainly as possible: every value is computed from all
events at once.
docs/config.md, [signals.NAME], is what it follows.
"""
import collections
import re

WINDOW_STEPS = 48
VALUES_MAX = 8  # of a field that is a set, those of one event that count
DISTINCT_EXACT = 256
DISTINCT_ERROR = 5 * 0.023  # five standard errors


class Signal:
    def __init__(self, name, table, config):
        self.name, self.kind, self.config = name, table["kind"], config
        self.on, of, self.per = list(table["on"]), table.get("of"), table.get("per", "user")
        self.of_types = [of] if isinstance(of, str) else list(of or ())
        self.of = {"last_n": "item.id", "decayed_sum": "event.weight"}.get(self.kind, "") if of is None else of
        if self.kind != "ratio":
            self.of_types = []
        self.by = table.get("by", "")
        self.top = table.get("top", 32)
        self.n = table.get("n", 50 if self.kind == "last_n" else 10)
        self.window_us = config.duration_us(table.get("window", "0s"))
        self.half_life_us = config.duration_us(table.get("half_life", "0s"))
        self.prior, self.prior_weight = table.get("prior", 0.0), table.get("prior_weight", 0.0)
        self.where = _condition(table["where"]) if "where" in table else None

    def parts(self, events):
        """{key: [(time, event, value or None)]} of what counts; the key is "" without `by`."""
        parts = collections.defaultdict(list)
        for event in events:
            if event.type not in self.on and event.type not in self.of_types:
                continue
            if self.where is not None and not self.where(event):
                continue
            time_us = min(event.time_us, event.receive_us) if event.receive_us > 0 else event.time_us
            keys = texts(field(event, self.by, self.config)) if self.by else [""]
            values = [None]
            if self.kind in ("last_n", "top_k", "distinct"):
                values = texts(field(event, self.of, self.config))
            if not values:
                continue
            for key in keys:
                parts[key] += [(time_us, event, value) for value in values]
        return parts

    def says(self, events, now_us):
        """(newest second in microseconds, {key: reading}); a reading is a number, None for nothing to say, or a list."""
        parts = self.parts(events)
        newest = max((part[0] for of_key in parts.values() for part in of_key), default=0)
        return newest // 1_000_000 * 1_000_000, {key: self._read(of_key, now_us) for key, of_key in parts.items()}

    def _in_window(self, time_us, now_us):
        width = max(self.window_us // WINDOW_STEPS, 1)
        return now_us // width - WINDOW_STEPS < time_us // width <= now_us // width

    def _weight(self, time_us, now_us):
        """What one event is worth now."""
        if self.window_us:
            return 1 if self._in_window(time_us, now_us) else 0
        return 2.0 ** (-(now_us - time_us) / self.half_life_us) if self.half_life_us else 1

    def _read(self, parts, now_us):
        if self.kind == "count":
            return sum(self._in_window(time_us, now_us) for time_us, _, _ in parts)
        if self.kind == "decayed_sum":
            return sum(number(field(event, self.of, self.config)) * self._weight(time_us, now_us) for time_us, event, _ in parts)
        if self.kind == "ratio":
            below = sum(self._weight(time_us, now_us) for time_us, event, _ in parts if event.type in self.on) + self.prior_weight
            above = sum(self._weight(time_us, now_us) for time_us, event, _ in parts if event.type in self.of_types)
            return (above + self.prior * self.prior_weight) / below if below > 0 else None
        if self.kind == "time_since":
            return max(now_us - max(time_us for time_us, _, _ in parts), 0) * 1e-6
        if self.kind == "distinct":
            return len({value for _, _, value in parts})
        if self.kind == "last_n":
            last = sorted((-(time_us // 1000), value.encode()) for time_us, _, value in parts)[:self.n]
            kept = [(value.decode(), -ms * 1000) for ms, value in last]
            return [(value, at) for value, at in kept if not self.window_us or now_us - at <= self.window_us]
        counts = collections.Counter()  # top_k
        for time_us, _, value in parts:
            counts[value] += self._weight(time_us, now_us)
        return sorted(((value, count) for value, count in counts.items() if count > 0), key=lambda pair: (-pair[1], pair[0].encode()))

    def bounded(self, events):
        """Whether a bound was reached beyond which something gave way, so that what is kept depends on the order."""
        parts = self.parts(events)
        if self.by and len(parts) > self.top:
            return True
        return self.kind == "top_k" and any(len({value for _, _, value in of_key}) > 2 * self.n for of_key in parts.values())

    def differs(self, events, shown, now_us):
        """What of the profile's signal `shown` is not what the events say, in words; None when all is."""
        newest, expected = self.says(events, now_us)
        if shown["newest_us"] != newest:
            return f"newest_us {shown['newest_us']}; expected {newest}"
        if self.by:
            found = {key["key"]: key for key in shown.get("keys", [])}
            if set(found) != set(expected):
                return f"keys {sorted(found)}; expected {sorted(expected)}"
        else:
            found = {"": shown}
            if not expected:
                return None if "number" not in shown and not shown.get("items") else f"{shown}; expected nothing"
        for key, reading in expected.items():
            # Sums of both signs may cancel out: what counts is how large the parts are.
            scale = sum(abs(number(field(e, self.of, self.config))) * self._weight(t, now_us) for t, e, _ in self.parts(events)[key]) \
                if self.kind == "decayed_sum" else None
            if (why := self._differs(found[key], reading, scale)) is not None:
                return f"{key!r}: {why}" if self.by else why
        return None

    def _differs(self, shown, expected, scale):
        found = shown.get("number")
        if self.kind == "last_n":
            found = [(item["value"], item.get("time_us", 0)) for item in shown.get("items", [])]
            return None if found == expected else f"{found}; expected {expected}"
        if self.kind == "top_k":
            return self._top_differs([(item["value"], item["count"]) for item in shown.get("items", [])], expected)
        if expected is None or found is None:
            return None if expected is found is None else f"{found}; expected {expected}"
        if self.kind == "distinct":
            allowed = 0 if expected <= DISTINCT_EXACT else DISTINCT_ERROR * expected
        elif self.kind == "decayed_sum":
            allowed = 1e-9 * scale
        elif self.kind == "count":
            allowed = 0
        else:
            allowed = 1e-9 * max(abs(expected), 1e-6)
        return None if abs(found - expected) <= allowed else f"{found}; expected {expected}"

    def _top_differs(self, found, expected):
        counts = dict(expected)
        close = lambda a, b: abs(a - b) <= 1e-9 * abs(b)
        if len(found) != min(self.n, len(expected)):
            return f"{len(found)} values; expected {min(self.n, len(expected))}"
        for (value, count), (_, due) in zip(found, expected):
            # Of equal ones decayed counts leave the order to rounding.
            if value not in counts or not close(count, counts[value]) or not close(count, due):
                return f"{value!r} {count}; expected {counts.get(value)}, and {due} at its place"
        return None if self.half_life_us or found == expected[:self.n] else f"{found}; expected {expected[:self.n]}"


def field(event, name, config):
    """Of an event, by the name that the config gives it; None: not there."""
    if name == "1":
        return 1.0
    source, name = name.split(".", 1)
    if source == "item":
        if name in config.item_attributes:
            return event.item_attributes.get(name)
        if name == "id":
            return event.item or None
        return list(event.categories) or event.item_attributes.get(config.category_attribute)
    if name in config.event_attributes.get(event.type, ()) or any(name in names for names in config.event_attributes.values()):
        return event.attributes.get(name)
    if name == "weight":
        return config.strength(event)
    found = getattr(event, name)
    return found if name == "value" or found else None


def number(value):
    return float(value) if isinstance(value, (int, float)) else 0.0


def texts(value):
    """As a signal keys or counts by them: at most VALUES_MAX, each once."""
    if value is None or value == "":
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (int, float)):
        return [str(int(value)) if value == int(value) else repr(value)]
    if isinstance(value, tuple):
        return [str(value[1])]
    return list(dict.fromkeys(text for text in value if text))[:VALUES_MAX] if isinstance(value, list) else [value]


def _condition(text):
    """The two forms that the tests use: FIELD == 'text' and FIELD > number."""
    if found := re.fullmatch(r"event\.(\w+) == '([^']*)'", text):
        name, wanted = found.groups()
        return lambda event: getattr(event, name) == wanted
    if found := re.fullmatch(r"event\.(\w+) > ([\d.]+)", text):
        name, bound = found.group(1), float(found.group(2))
        return lambda event: getattr(event, name) > bound
    raise ValueError(f"where: the oracle does not know {text!r}")
