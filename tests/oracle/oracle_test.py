"""The real binary beside the oracle: made-up users who do everything that an event can say, repeat themselves, come late, have clocks that are
ahead, and become others; a server that is killed among it. Everything that is shown is compared with what the log and the clients say.

    ORACLE_SEED    of the events; printed
    ORACLE_EVENTS  how many (3,000)
"""
import collections
import os
import random
import shutil
import threading
import time
import unittest

import compare
import log_records
import oracle
from served import BINARY, Folder, Gone, Server

SEED = int(os.environ.get("ORACLE_SEED", "0")) or int(time.time())
EVENTS = int(os.environ.get("ORACLE_EVENTS", "3000"))
USERS, ANONYMOUS, ITEMS, DAYS = 40, 20, 60, 20
SECOND_US = 1_000_000
AHEAD_US = 180 * SECOND_US  # within collect.future_max
CONFIG = """
[app]
partitions = 4
[state]
cache_bytes = 1048576
flush_interval = "10ms"
item_table_interval = "100ms"
read_your_writes = "10s"
dedupe_prints = 25
sequence_max = 50
[events.rate]
weight = 4.0
value_zero = 1
value_one = 5
[events.view]
polarity = "neutral"
item = "optional"
attributes = { mood = "string", seconds = "number", tags = "strings" }
[items.attributes]
creator = "string"

[signals.clicks_3d]
kind = "count"
on = ["click"]
window = "3d"
[signals.home_clicks]
kind = "count"
on = ["click", "save"]
window = "12d"
where = "event.surface == 'home'"
[signals.by_category]
kind = "count"
by = "item.category"
on = ["click", "save", "rate"]
window = "8d"
[signals.weight]
kind = "decayed_sum"
on = ["click", "save", "rate", "hide"]
half_life = "4d"
[signals.value_by_creator]
kind = "decayed_sum"
of = "event.value"
by = "item.creator"
on = ["rate"]
half_life = "36h"
[signals.save_rate]
kind = "ratio"
of = "save"
on = ["click"]
window = "6d"
prior = 0.1
prior_weight = 5
[signals.rate_ever]
kind = "ratio"
of = ["save", "rate"]
on = ["impression"]
by = "item.creator"
[signals.top_creators]
kind = "top_k"
of = "item.creator"
on = ["click", "save"]
window = "10d"
n = 5
[signals.top_moods]
kind = "top_k"
of = "event.tags"
on = ["view"]
n = 4
[signals.fading_items]
kind = "top_k"
of = "item.id"
on = ["click"]
half_life = "5d"
n = 100
[signals.last_items]
kind = "last_n"
on = ["click", "save", "hide"]
n = 12
[signals.last_moods]
kind = "last_n"
of = "event.mood"
by = "event.surface"
on = ["view"]
window = "7d"
[signals.items_ever]
kind = "distinct"
of = "item.id"
on = ["click", "impression"]
[signals.since_save]
kind = "time_since"
on = ["save"]
[signals.since_by_category]
kind = "time_since"
by = "item.category"
on = ["click"]

[signals.item_clicks]
per = "item"
kind = "count"
by = "event.surface"
on = ["click"]
window = "9d"
[signals.item_weight]
per = "item"
kind = "decayed_sum"
on = ["click", "save", "rate", "hide"]
half_life = "3d"
[signals.item_save_rate]
per = "item"
kind = "ratio"
of = "save"
on = ["impression"]
half_life = "6d"
prior = 0.2
prior_weight = 3
[signals.item_boards]
per = "item"
kind = "top_k"
of = "event.collection"
on = ["save"]
n = 5
[signals.item_values]
per = "item"
kind = "last_n"
of = "event.value"
on = ["rate"]
n = 6
[signals.item_users]
per = "item"
kind = "distinct"
of = "event.user"
on = ["click", "impression", "save"]
where = "event.surface == 'home'"
[signals.item_unhidden]
per = "item"
kind = "time_since"
on = ["unhide"]
"""
CATALOG = {f"i{n}": [f"c{n % 7}"] + ([f"d{n % 3}"] if n % 4 == 0 else []) for n in range(ITEMS)}


def make_catalog(client):
    answer = client.call("POST", "/v1/items:batch", {"upsert": [
        {"id": item, "title": item, "categories": categories, "attributes": {"creator": f"creator {hash_of(item) % 6}"}}
        for item, categories in CATALOG.items()]})
    assert answer.status == 200 and answer.json()["applied"] == ITEMS, answer


def hash_of(text):
    return sum(text.encode())


class People:
    """Who does what. Every event has an id of its own but for one in twelve."""

    def __init__(self, rng, now_us):
        self.rng, self.begin_us, self.now_us, self.number = rng, now_us - DAYS * oracle.DAY_US, now_us, 0
        self.ids = [f"u{n}" for n in range(USERS)] + [f"visitor {n}" for n in range(ANONYMOUS)] + ["ü/ %?#", "x" * 200]
        self.past = collections.defaultdict(list)

    def event(self):
        rng, self.number = self.rng, self.number + 1
        user = rng.choice(self.ids)
        if self.past[user] and rng.random() < 0.08:  # a retry, or one that comes very late
            return rng.choice(self.past[user][-4:] if rng.random() < 0.7 else self.past[user])
        at_us = self.begin_us + int((self.now_us - self.begin_us) * min(self.number / EVENTS, 1))
        if rng.random() < 0.12:
            at_us -= rng.randrange(10 * oracle.DAY_US)
        elif rng.random() < 0.02:
            at_us = self.now_us + rng.choice([rng.randrange(180), 3600 + rng.randrange(3600)]) * SECOND_US
        event = {"user": user, "event_time_us": at_us, "client_id": f"{self.number}"}
        kind = rng.random()
        if kind < 0.03:
            event.update(type="identify", user=rng.choice(self.ids[:USERS // 2] if rng.random() < 0.8 else self.ids))
            event["anonymous"] = rng.choice([i for i in self.ids[USERS // 2:] if i != event["user"]])
        elif kind < 0.15:
            event.update(type="view", surface=rng.choice(["home", "related", "elsewhere"]), attributes={
                "mood": rng.choice(["calm", "busy", "élan"]), "seconds": rng.random(),
                "tags": rng.sample(["a", "b", "c", "d", "e"], rng.randrange(4))})
        elif kind < 0.18:
            event.update(type="search", query="lamp")
        else:
            event.update(type=rng.choice(["click"] * 6 + ["impression"] * 3 + ["save", "save", "rate", "hide", "unhide", "purchase"]),
                         item=f"i{rng.randrange(ITEMS)}" if rng.random() < 0.97 else f"unknown {rng.randrange(5)}",
                         surface=rng.choice(["home", "related", ""]))
            if event["type"] == "rate":
                event["value"] = rng.randrange(7) / 1.5
            if event["type"] == "save" and rng.random() < 0.7:
                event["collection"] = rng.choice(["board", "wishes", "später"])
        if rng.random() < 1 / 12:
            del event["client_id"]
        elif at_us <= self.now_us + AHEAD_US:
            # One of a clock that is far ahead has another time at each arrival, and so no age at which it would be known as late.
            self.past[event["user"]].append(event)
        return event


class OracleTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.folder = Folder(CONFIG)
        self.addCleanup(self.folder.remove)
        self.sent, self.told, self.kills = collections.defaultdict(dict), collections.Counter(), 0

    def note(self, batch):
        for event in batch:
            time_us = event["event_time_us"] if event["event_time_us"] <= self.people.now_us + AHEAD_US else None
            key = event.get("client_id") or f"none {sum(map(len, self.sent.values()))}"
            self.sent[event["user"]].setdefault(key, (event["type"], event.get("item", ""), time_us))

    def send_all(self):
        server = Server(self.folder, faulty=False)
        make_catalog(server.client())
        # After everything that was sent, by the server's clock: nothing but what is meant to is ahead of it.
        self.people = People(self.rng, time.time_ns() // 1000 - SECOND_US)
        while self.people.number < EVENTS:
            batch = [self.people.event() for _ in range(self.rng.randrange(1, 60))]
            if self.rng.random() < 0.06:
                # In the midst of a batch, which is sent again: so each of its events needs an id.
                batch = [event for event in batch if "client_id" in event]
                server = self.kill_within(server, batch)
            answer = server.client().call("POST", "/v1/events", {"events": batch})
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json()["rejected"], 0, answer)
            self.note(batch)
        self.assertEqual(server.stop(), 0)
        # What was not folded is at the next start, and with it what some ids hand over: then the log is whole.
        with Server(self.folder, faulty=False) as server:
            self.assertEqual(server.stop(), 0)

    def kill_within(self, server, batch):
        killer = threading.Timer(self.rng.random() * 0.02, server.process.kill)
        killer.start()
        try:
            for _ in range(20):
                server.client().call("POST", "/v1/events", {"events": batch})
        except Gone:
            pass
        killer.join()
        server.kill()
        self.kills += 1
        return Server(self.folder, faulty=False)

    def test_what_is_shown_is_what_was_done(self):
        self.send_all()
        config, comparison = oracle.Config(CONFIG), compare.Comparison()
        topic = log_records.from_log_tail(BINARY, self.folder.path)
        expected = oracle.Expected(config, topic)
        sent = {user: collections.Counter(events.values()) for user, events in self.sent.items()}
        compare.compare_sent(expected, sent, comparison)
        with Server(self.folder, faulty=False) as server:
            client = server.client()
            compare.compare_profiles(client, expected, CATALOG, comparison)
            # Who has become somebody is answered as that one.
            compare.compare_profiles(client, expected, CATALOG, comparison, [id_ for id_, of in expected.ids.items() if of.becomes])
            compare.compare_items(client, expected, CATALOG, comparison)
            compare.compare_item_signals(client, expected, comparison)
            sql = lambda text: client.call("POST", "/v1/sql", {"sql": text}).json()["rows"]
            compare.compare_rows(sql, topic, comparison)
            self.expect_to_find_what_is_planted(client, expected)
            self.assertEqual(server.stop(), 0)
        # A state that is lost is made again from the same log, in which everything that ids handed over is found.
        shutil.rmtree(self.folder.app + "/state/events")
        with Server(self.folder, faulty=False) as server:
            compare.compare_profiles(server.client(), expected, CATALOG, comparison)
            compare.compare_items(server.client(), expected, CATALOG, comparison)
            compare.compare_item_signals(server.client(), expected, comparison)
            self.assertEqual(server.stop(), 0)
        self.assertEqual(log_records.from_log_tail(BINARY, self.folder.path).count, topic.count)
        print(f"{topic.count} records, {self.kills} kills: {dict(expected.counts)}; {comparison}")
        self.assertEqual(comparison.difference_count, 0, f"ORACLE_SEED={SEED}\n" + "\n".join(comparison.differences))
        for what in ("duplicates", "too late"):
            self.assertGreater(expected.counts[what], 0, what)
        self.assertGreater(sum(bool(of.becomes) for of in expected.ids.values()), 5)
        self.assertGreater(comparison.compared["signals"], 400)
        self.assertGreater(comparison.compared["item signals"], 600)

    def expect_to_find_what_is_planted(self, client, expected):
        """A judge that finds nothing might see nothing: of one user, one event less, one twice, another order, another half-life."""
        user = max(expected.users(), key=lambda u: len(expected.ids[u].doings.counted))
        doings = expected.ids[user].doings
        click = next(event for event in reversed(doings.counted) if event.type == "click" and event.item in CATALOG)

        def differences():
            comparison = compare.Comparison()
            compare.compare_profiles(client, expected, CATALOG, comparison, [user])
            return comparison.difference_count

        self.assertEqual(differences(), 0)
        for name, planted in (("counted", [e for e in doings.counted if e is not click]), ("counted", doings.counted + [click]),
                              ("actions", doings.actions[::-1]), ("events", doings.events + 1), ("hidden", {**doings.hidden, "i0": None})):
            whole = getattr(doings, name)
            if planted == whole:
                continue
            setattr(doings, name, planted)
            self.assertGreater(differences(), 0, name)
            setattr(doings, name, whole)
        def item_differences(item):
            comparison = compare.Comparison()
            compare.compare_item_signals(client, expected, comparison, [item], patience_s=0)
            return comparison.difference_count

        item = click.item
        self.assertEqual(item_differences(item), 0)
        whole = expected.item_events[item]
        for planted in ([e for e in whole if e is not click], whole + [click]):
            expected.item_events[item] = planted
            self.assertGreater(item_differences(item), 0)
        expected.item_events[item] = whole
        for signal in expected.config.signals:
            if signal.name == "weight":
                signal.half_life_us += 3_600_000_000
                self.assertGreater(differences(), 0)
                signal.half_life_us -= 3_600_000_000


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
