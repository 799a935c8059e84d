"""Records of the topic `events` as plain Python objects, read without any of our code: from the bytes that a Kafka client gives, or
from the JSON lines of `bowerbird log tail`. Fields are those of api/bowerbird/v1/event.proto.
"""
import json
import struct
import subprocess
import sys

SCHEMA_MAX = 2  # newest event schema that the fold takes


class Event:
    """What one record says, and where it lies. Times are microseconds; what is not set is None or empty."""
    __slots__ = ("partition", "offset", "type", "user", "anonymous", "item", "client_id", "time_us", "receive_us", "surface", "position",
                 "value", "dwell_ms", "collection", "query", "attributes", "schema", "late", "categories", "item_attributes", "becomes",
                 "merge")

    def __init__(self):
        self.type = self.user = self.anonymous = self.item = self.client_id = self.surface = self.collection = self.query = ""
        self.becomes = ""
        self.partition = self.offset = self.time_us = self.receive_us = self.position = self.dwell_ms = self.schema = 0
        self.value = 0.0
        self.late = False
        self.merge = None
        self.categories = ()
        self.attributes = self.item_attributes = NOTHING


class Merge:
    """What an id hands over: which record of whose it follows from. What it held is for the oracle to know."""
    __slots__ = ("source_offset", "identified", "hops")

    def __init__(self, source_offset=0, identified=False, hops=0):
        self.source_offset, self.identified, self.hops = source_offset, identified, hops


NOTHING = {}
_TEXTS = {1: "type", 2: "user", 3: "anonymous", 4: "item", 5: "client_id", 7: "surface", 12: "collection", 13: "query", 41: "becomes"}
_NUMBERS = {6: "time_us", 9: "position", 11: "dwell_ms", 32: "schema", 35: "receive_us", 37: "late"}


class Damaged(Exception):
    """Not the bytes of a message."""


def fields(data):
    """(number, wire type, value) of each field of a protobuf message."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 1:
            value, at = data[at:at + 8], at + 8
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at:at + size], at + size
        elif kind == 5:
            value, at = data[at:at + 4], at + 4
        else:
            raise Damaged(f"wire type {kind}")
        if at > end:
            raise Damaged("cut")
        yield tag >> 3, kind, value


def _varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Damaged("varint")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _signed(value):
    return value - (1 << 64) if value >> 63 else value


def _attribute(data):
    """An attribute's value: a bool, float, text, ("time", microseconds) or list of texts."""
    for number, _, value in fields(data):
        if number == 1:
            return bool(value)
        if number == 2:
            return struct.unpack("<d", value)[0]
        if number == 3:
            return str(value, "utf-8")
        if number == 4:
            return ("time", _signed(value))
        if number == 5:
            return [str(text, "utf-8") for _, _, text in fields(value)]
    return None


def event_from_bytes(partition, offset, data):
    """Damaged: it cannot be decoded."""
    event = Event()
    event.partition, event.offset = partition, offset
    try:
        for number, kind, value in fields(data):
            if kind == 2 and number in _TEXTS:
                setattr(event, _TEXTS[number], sys.intern(str(value, "utf-8")))
            elif kind == 0 and number in _NUMBERS:
                setattr(event, _NUMBERS[number], _signed(value) if number != 37 else bool(value))
            elif number == 10:
                event.value = struct.unpack("<d", value)[0]
            elif number in (14, 39):
                entry = dict((key, text) for key, _, text in fields(value))
                name = "attributes" if number == 14 else "item_attributes"
                setattr(event, name, {**getattr(event, name), sys.intern(str(entry.get(1, b""), "utf-8")): _attribute(entry.get(2, b""))})
            elif number == 38:
                event.categories += (sys.intern(str(value, "utf-8")),)
            elif number == 43:
                merge = dict((key, field) for key, _, field in fields(value) if key in (2, 3, 4))
                event.merge = Merge(merge.get(2, 0), bool(merge.get(3, 0)), merge.get(4, 0))
    except (UnicodeDecodeError, struct.error) as error:
        raise Damaged(str(error)) from error
    return event


def event_from_json(record):
    """Of a line of `log tail`."""
    value = record["value"]
    if isinstance(value, str):
        raise Damaged(value[:100])
    event = Event()
    event.partition, event.offset = record["partition"], record["offset"]
    for name in _TEXTS.values():
        setattr(event, name, value.get(name, ""))
    event.time_us, event.receive_us = int(value.get("event_time_us", 0)), int(value.get("receive_time_us", 0))
    event.position, event.dwell_ms, event.schema = value.get("position", 0), value.get("dwell_ms", 0), value.get("schema", 0)
    event.value, event.late = value.get("value", 0.0), value.get("late", False)
    event.categories = tuple(value.get("item_categories", ()))
    event.attributes = {name: _json_attribute(a) for name, a in value.get("attributes", {}).items()}
    event.item_attributes = {name: _json_attribute(a) for name, a in value.get("item_attributes", {}).items()}
    if "merge" in value:
        merge = value["merge"]
        event.merge = Merge(int(merge.get("source_offset", 0)), merge.get("identified", False), merge.get("hops", 0))
    return event


def _json_attribute(value):
    for kind, found in value.items():
        if kind == "strings":
            return found.get("values", [])
        return ("time", int(found)) if kind == "time_us" else found
    return None


class Topic:
    """The records of a topic by partition, in offset order: decoded events, and what could not be decoded."""

    def __init__(self):
        self.partitions = {}
        self.undecodable = []  # (partition, offset, why)
        self.count = 0

    def add(self, partition, offset, make):
        self.count += 1
        try:
            self.partitions.setdefault(partition, []).append(make())
        except Damaged as error:
            self.undecodable.append((partition, offset, str(error)))

    def events(self):
        for partition in sorted(self.partitions):
            yield from self.partitions[partition]


def from_kafka(broker, topic):
    """Everything that a topic holds, by kcat."""
    found = Topic()
    for partition, offset, _, value in kafka_records(broker, topic):
        found.add(partition, offset, lambda: event_from_bytes(partition, offset, value))
    return found


def kafka_records(broker, topic):
    """(partition, offset, key, value) of each record, the partitions one after another."""
    with subprocess.Popen(["kcat", "-b", broker, "-C", "-t", topic, "-e", "-q", "-f", "%p %o %K %S\n%k%s"], stdout=subprocess.PIPE) as kcat:
        found = []
        while header := kcat.stdout.readline():
            partition, offset, key_size, size = (int(number) for number in header.split())
            key, value = kcat.stdout.read(max(key_size, 0)), kcat.stdout.read(max(size, 0))
            found.append((partition, offset, key, value))
        if kcat.wait() != 0:
            raise AssertionError(f"kcat -C -t {topic} ended with {kcat.returncode}")
    found.sort(key=lambda record: record[:2])
    return found


def from_log_tail(bowerbird, folder, app="default"):
    """Everything that an embedded log holds, by `bowerbird log tail`. No server may have the folder."""
    done = subprocess.run([bowerbird, "log", "tail", "--topic", "events", "-n", "100000000", "--dir", folder, "--app", app],
                          capture_output=True, check=True)
    found = Topic()
    records = [json.loads(line) for line in done.stdout.splitlines()]
    for record in sorted(records, key=lambda r: (r["partition"], r["offset"])):
        found.add(record["partition"], record["offset"], lambda: event_from_json(record))
    return found
