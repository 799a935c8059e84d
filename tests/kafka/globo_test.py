"""The clicks of Globo.com through Kafka, while the server that consumes them is killed every ten seconds: afterwards everything that it shows
is what the clicks say, each counted once.

kcat writes the clicks to `events_in` in the order of time, some of them twice, some late, some without an id, some under a visitor's id
that becomes a user; and records that nobody can read among them. `./dev test --label globo_kafka` runs it.

    GLOBO_CLICKS      how many (300,000; the whole has 2,988,181)
    GLOBO_PER_SECOND  how fast they come (2,500)
"""
import collections
import csv
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from brokers import Brokers
import compare
import log_records
import oracle
from served import Folder, Server, until

DATA = pathlib.Path(os.environ["GLOBO_DATA"])
CLICKS, PER_SECOND = int(os.environ.get("GLOBO_CLICKS", "300000")), int(os.environ.get("GLOBO_PER_SECOND", "2500"))
KILL_EVERY_S = 10
PORT = 29492
PARTITIONS = 8
ATTRIBUTES = ("environment", "device", "os", "country", "region", "referrer")
CONFIG = f"""
[app]
partitions = {PARTITIONS}
[log]
kind = "kafka"
brokers = ["127.0.0.1:{PORT}"]
topic_prefix = "globo."
[collect]
age_max = "12h"
[state]
flush_interval = "200ms"
read_your_writes = "10s"
[lake]
interval = "2s"
sql_rows_max = 10000000
sql_bytes_max = 1073741824
""" + "".join(f"[events.{type_}]\nattributes = {{ {', '.join(f'{name} = {{ type = {chr(34)}string{chr(34)} }}' for name in ATTRIBUTES)} }}\n"
              for type_ in ("click", "save")) + """
[signals.clicks_12h]
kind = "count"
on = ["click"]
window = "12h"
[signals.clicks_by_device]
kind = "count"
by = "event.device"
on = ["click", "save"]
window = "3d"
[signals.weight]
kind = "decayed_sum"
on = ["click", "save"]
half_life = "12h"
[signals.weight_by_category]
kind = "decayed_sum"
by = "item.category"
on = ["click", "save"]
half_life = "2d"
top = 64
[signals.save_rate]
kind = "ratio"
of = "save"
on = ["click"]
window = "30d"
prior = 0.1
prior_weight = 10
[signals.regions]
kind = "top_k"
of = "event.region"
on = ["click"]
n = 5
[signals.articles]
kind = "distinct"
of = "item.id"
on = ["click", "save", "impression"]
[signals.last_articles]
kind = "last_n"
on = ["click", "save"]
n = 20
[signals.since]
kind = "time_since"
on = ["click"]
"""


class Stream:
    """The lines that the other producer writes, and what they say: `sent` as Expected.done has it."""

    def __init__(self, rows, now_us):
        rows.sort(key=lambda row: int(row[5]))
        self.sent, self.poison, self.items = collections.defaultdict(collections.Counter), 0, set()
        self.repeats, self.clicks = 0, len(rows)
        last_of = {row[1]: n for n, row in enumerate(rows)}
        shift_us = now_us - int(rows[-1][5]) * 1000
        due = collections.defaultdict(list)  # lines that come later than their turn
        self.lines = []
        for n, row in enumerate(rows):
            user = f"u{row[0]}"
            visitor = f"visitor {row[1]}" if int(row[1]) % 50 == 0 else None
            event = self.event(n, row, visitor or user, shift_us)
            if n % 40 == 11:
                due[n + 2000].append(event)
            else:
                self.add(event)
            if n % 25 == 3 and "client_id" in event:
                due[n + 100].append(event)
                self.repeats += 1
            for late in due.pop(n, ()):
                self.add(late)
            if n % 20_000 == 7:
                self.lines += [b'nobody\t{"type": ', b"nobody\t\xff\xfe\x01poison",
                               json_line("nobody", {"type": "no such", "user": "nobody", "item": "i"})]
                self.poison += 3
            if visitor is not None and last_of[row[1]] == n:
                self.add({"type": "identify", "user": user, "anonymous": visitor, "client_id": f"identify {row[1]}",
                          "event_time_us": int(row[5]) * 1000 + shift_us})
        for n in sorted(due):
            for late in due[n]:
                self.add(late)

    def event(self, n, row, user, shift_us):
        event = {"type": "save" if n % 10 == 9 else "impression" if n % 13 == 5 else "hide" if n % 101 == 7 else "click", "user": user,
                 "item": f"a{row[4]}", "event_time_us": int(row[5]) * 1000 + shift_us, "surface": "home"}
        if n % 20 != 0:
            event["client_id"] = f"{n}"
        if event["type"] in ("click", "save"):
            event["attributes"] = dict(zip(ATTRIBUTES, row[6:]))
        self.items.add(event["item"])
        self.sent[user][event["type"], event["item"], event["event_time_us"]] += 1
        return event

    def add(self, event):
        if event["type"] == "identify":
            self.sent[event["user"]]["identify", "", event["event_time_us"]] += 1
        self.lines.append(json_line(event["user"], event))


def json_line(key, value):
    return f"{key}\t{json.dumps(value)}".encode()


class Producer(threading.Thread):
    """Writes the lines at their pace, through one kcat that lives as long as it takes."""

    def __init__(self, lines):
        super().__init__(daemon=True)
        self.lines, self.status = lines, None
        self.kcat = subprocess.Popen(["kcat", "-b", KAFKA.address, "-P", "-t", "globo.events_in", "-K", "\t", "-X",
                                      "enable.idempotence=true", "-X", "linger.ms=5"], stdin=subprocess.PIPE)

    def run(self):
        begin, at, step = time.monotonic(), 0, max(1, PER_SECOND // 2)  # bursts: a kill meets one half taken in
        while at < len(self.lines):
            self.kcat.stdin.write(b"\n".join(self.lines[at:at + step]) + b"\n")
            self.kcat.stdin.flush()
            at += step
            time.sleep(max(0.0, begin + at / PER_SECOND - time.monotonic()))
        self.kcat.stdin.close()
        self.status = self.kcat.wait()


class GloboTest(unittest.TestCase):
    def setUp(self):
        self.folder = Folder(CONFIG)
        self.addCleanup(self.folder.remove)
        self.server, self.kills, self.kills_at_start = None, 0, 0

    def start(self):
        self.server = Server(self.folder, faulty=False)
        if self.server.port is None:
            self.fail(f"the server ended at its start: {self.folder.said()}")

    def make_catalog(self, items):
        client, items = self.server.client(), sorted(items)
        self.catalog = {item: [f"c{int(item[1:]) % 40}"] for item in items}
        for first in range(0, len(items), 1000):
            answer = client.call("POST", "/v1/items:batch", {"upsert": [
                {"id": item, "title": item, "categories": self.catalog[item]} for item in items[first:first + 1000]]})
            self.assertEqual(answer.status, 200, answer)

    def kill_until(self, producer):
        """Every ten seconds, whatever the server is doing; the next one starts at once. Where that takes longer than eight, ten more."""
        due = time.monotonic() + KILL_EVERY_S
        while producer.is_alive():
            producer.join(max(0.0, due - time.monotonic()))
            if not producer.is_alive():
                return
            due += KILL_EVERY_S
            self.server.kill()
            self.kills += 1
            self.start()
            if time.monotonic() > due - 2:  # a loaded machine: it needs a moment to get on
                due = time.monotonic() + KILL_EVERY_S

    def await_all(self):
        """A last record in each partition has been folded, so all before it have been taken; then an orderly end finishes those beside
        it."""
        for p in range(PARTITIONS):
            KAFKA.write("globo.events_in", p, json.dumps(
                {"type": "search", "user": f"last {p}", "client_id": "1", "query": "the end", "event_time_us": 1}).encode())
            self.stream.sent[f"last {p}"]["search", "", 1] += 1
        client = self.server.client()
        for p in range(PARTITIONS):
            until(lambda: client.call("GET", f"/v1/users/last%20{p}/profile").json()["events"] == 1, attempts=1200)
        until(lambda: gauge(client, "bowerbird_events_in_lag_records") == 0)
        self.assertEqual(self.server.stop(), 0)

    def test_everything_counts_once(self):
        if not (DATA / "clicks.csv.zst").exists():
            self.skipTest(f"no Globo.com click log at {DATA}")
        begin = time.monotonic()
        self.stream = Stream(read_clicks(CLICKS), time.time_ns() // 1000 - 120_000_000)
        self.start()
        self.make_catalog(self.stream.items)
        # Into the topic of ours: not a message, and one of a schema to come.
        KAFKA.write("globo.events", 3, b"\xff\xff\xff not a message")
        KAFKA.write("globo.events", 5, b"\x0a\x05click\x12\x02u1\x80\x02\x63")
        producer = Producer(self.stream.lines)
        producer.start()
        self.kill_until(producer)
        self.assertEqual(producer.status, 0, "kcat could not write everything")
        self.await_all()
        streamed_s = time.monotonic() - begin

        self.start()  # what is not folded is now, and what some ids hand over is in the topic
        topic = log_records.from_kafka(KAFKA.address, "globo.events")
        expected, comparison = oracle.Expected(oracle.Config(CONFIG), topic), compare.Comparison()
        compare.compare_sent(expected, self.stream.sent, comparison)
        letters = {key for _, _, key, _ in log_records.kafka_records(KAFKA.address, "globo.dead_letters")}
        comparison.same("dead letters of events", {key for key in letters if key.startswith(b"events/")},
                        {f"events/{p}/{offset}".encode() for p, offset in expected.dead})
        comparison.same("dead letters of events_in", len([key for key in letters if key.startswith(b"events_in/")]), self.stream.poison)
        client = self.server.client()
        compare.compare_profiles(client, expected, self.catalog, comparison)
        compare.compare_items(client, expected, self.catalog, comparison)
        compare.compare_rows(lambda sql: client.call("POST", "/v1/sql", {"sql": sql}).json()["rows"], topic, comparison)
        self.assertEqual(self.server.stop(), 0)

        counts = expected.counts
        lost = sum((due - expected.done.get(user, collections.Counter())).total() for user, due in self.stream.sent.items())
        double = sum((found - self.stream.sent.get(user, collections.Counter())).total() for user, found in expected.done.items())
        print(f"{self.stream.clicks} clicks, {len(self.stream.lines)} records of the other producer in {streamed_s:.0f} s, {self.kills} "
              f"kills\n{topic.count} records in globo.events: {dict(counts)}; of the duplicates {self.stream.repeats} were sent twice, "
              f"{counts['duplicates'] - self.stream.repeats} were collected again after a kill\n{lost} lost, {double} double; {comparison} "
              f"({time.monotonic() - begin:.0f} s in all)")
        self.assertEqual(comparison.differences, [])
        self.assertEqual((lost, double), (0, 0))
        self.assertGreaterEqual(self.kills, 3)
        self.assertEqual(counts["too late"], 0)
        status, said = self.folder.run("state", "verify")
        self.assertEqual(status, 0, said)


def gauge(client, name):
    text = client.call("GET", "/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((name + "{", name + " ")))


def read_clicks(count):
    with subprocess.Popen(["zstdcat", str(DATA / "clicks.csv.zst")], stdout=subprocess.PIPE) as unpack:
        reader = csv.reader(io.TextIOWrapper(unpack.stdout))
        next(reader)
        rows = [row for _, row in zip(range(count), reader)]
        unpack.send_signal(signal.SIGKILL)
    return rows


if __name__ == "__main__":
    if not (DATA / "clicks.csv.zst").exists():
        print(f"skipped: no Globo.com click log at {DATA}", file=sys.stderr)
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="bowerbird-globo-") as top:
        KAFKA = Brokers(top + "/kafka", PORT)
        try:
            if not KAFKA.can_start():
                print("skipped: no Kafka broker could be started, or kcat is missing", file=sys.stderr)
                sys.exit(77)
            sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
        finally:
            KAFKA.run("wipe", check=False)
