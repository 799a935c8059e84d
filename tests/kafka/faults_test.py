"""Faults around a log in Kafka, with the oracle of tests/fault/load.py watching: records that nobody can read, a full disk under the state, a
broker that goes, and leaders that move over three brokers. Each ends in a metric, a clear word and continued service, nothing lost or counted twice.

Run by `./dev test --label kafka`.
"""
import json
import struct
import sys
import tempfile
import time
import unittest

from brokers import Brokers
from faults import mask
from load import Load, Oracle, make_catalog
import log_records
from served import Folder, Server, until

PORT, THREE_PORT = 29592, 29692


def config(address, replication=1):
    return f"""
[app]
partitions = 4
[log]
kind = "kafka"
brokers = [{", ".join(f'"{one}"' for one in address.split(","))}]
topic_prefix = "fault{time.time_ns()}."
replication = {replication}
[state]
cache_bytes = 1048576
flush_interval = "10ms"
item_table_interval = "100ms"
read_your_writes = "10s"
"""


def prefix_of(text):
    return text.split('topic_prefix = "')[1].split('"')[0]


def gauge(client, name):
    text = client.call("GET", "/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((name + "{", name + " ")))


def letters(brokers, prefix):
    """{key: reason}, as another client reads them: DeadLetter.reason is field 4."""
    found = {}
    for _, _, key, value in log_records.kafka_records(brokers.address, prefix + "dead_letters"):
        found[key.decode()] = next(str(text, "utf-8") for number, _, text in log_records.fields(value) if number == 4)
    return found


class OneBroker(unittest.TestCase):
    def setUp(self):
        text = config(KAFKA.address)
        self.prefix = prefix_of(text)
        self.folder, self.oracle = Folder(text), Oracle()
        self.addCleanup(self.folder.remove)

    def check_whole(self):
        for command in ("log", "state"):
            status, said = self.folder.run(command, "verify")
            self.assertEqual(status, 0, f"{command} verify: {said}")

    def load_until(self, server, batches, **kwargs):
        load = Load(server, self.oracle, f"l{batches}", **kwargs)
        until(lambda: self.oracle.counts["batches"] >= batches)
        return load

    def test_records_that_nobody_can_read(self):
        with Server(self.folder) as server:
            client = server.client()
            make_catalog(client)
            load = self.load_until(server, 20)
            # In our own topic: not a message; a message cut short; one of a schema to come; one without a user.
            event = b"\x0a\x05click\x12\x03bob"
            for value in (b"\xff\xff\xff", event + b"\x22\x7fcut", event + b"\x80\x02\x63", b"\x0a\x05click"):
                KAFKA.write(self.prefix + "events", 1, value)
            # And in the one of others: not JSON, an unknown type, a number that is no event, a body of another schema.
            for value in (b'{"type": ', b'{"type": "no such", "user": "u", "item": "i"}', b"[1, 2]", struct.pack("<Q", 77) * 3):
                KAFKA.write(self.prefix + "events_in", 2, value)
            KAFKA.write(self.prefix + "events_in", 2, json.dumps({"type": "click", "user": "after", "item": "i1"}).encode())
            until(lambda: gauge(client, "bowerbird_state_dead_letters") == 4)
            until(lambda: gauge(client, "bowerbird_events_in_dead_letters") == 4)
            until(lambda: client.call("GET", "/v1/users/after/profile").json()["events"] == 1)
            until(lambda: gauge(client, "bowerbird_events_in_lag_records") == 0)
            load.stop()
            self.oracle.check(client)
            self.assertEqual(client.call("GET", "/v1/users/bob/profile").json()["events"], 0)
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.oracle.errors, [])
        found = letters(KAFKA, self.prefix)
        self.assertEqual(len(found), 8, found)
        for start, words in (("events/1/", ["schema: found 99", "user: found none", "not a", "not a"]),
                             ("events_in/2/", ["JSON", "no such", "", ""])):
            reasons = [reason for key, reason in found.items() if key.startswith(start)]
            self.assertEqual(len(reasons), 4)
            for word in words:
                self.assertTrue(any(word in reason for reason in reasons), (word, reasons))
            self.assertNotIn("", reasons)
        # A state that is made again meets them again, and says the same.
        self.check_whole()

    def test_what_waits_in_events_in_shows(self):
        with Server(self.folder) as server:
            server.stop()
        lines = "\n".join(json.dumps({"type": "click", "user": f"w{n % 200}", "item": f"i{n % 50}"}) for n in range(20_000))
        KAFKA.kcat("-P", "-t", self.prefix + "events_in", text=lines.encode())
        seen = set()
        with Server(self.folder) as server:
            client = server.client()
            until(lambda: (seen.add(gauge(client, "bowerbird_events_in_lag_records")),
                           gauge(client, "bowerbird_events_in_records") == 20_000)[1], attempts=6000, pause_s=0.01)
            until(lambda: gauge(client, "bowerbird_events_in_lag_records") == 0)
            self.assertTrue(any(0 < lag <= 20_000 for lag in seen), sorted(seen))
            until(lambda: [client.call("GET", f"/v1/users/w{n}/profile").json()["events"] for n in range(200)] == [100] * 200)
            server.kill()

    def test_a_full_disk_under_the_state(self):
        with Server(self.folder) as server:
            make_catalog(server.client())
            self.load_until(server, 20).stop()
            self.folder.faults.full = mask("state_flush", "state_commit")
            load = self.load_until(server, 20, writers=4)
            time.sleep(5)  # of load: beyond the store's write buffers
            load.stop()
            self.assertEqual(self.oracle.counts["refused"], 0, "the log has room")
            # Killed while the disk is full: what is not in the state is in the log.
            server.kill()
        self.folder.faults.clear()
        with Server(self.folder) as server:
            self.oracle.check(server.client())
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.oracle.errors, [])
        self.check_whole()

    def test_a_broker_that_is_stopped_and_started_under_load(self):
        with Server(self.folder) as server:
            make_catalog(server.client())
            load = self.load_until(server, 20)
            for ending in ("stop 1", "kill 1"):
                KAFKA.run(ending)
                until(lambda: server.client().call("GET", "/readyz").status == 503, attempts=2400)
                self.assertGreater(gauge(server.client(), "bowerbird_kafka_unanswered_seconds"), 0)
                KAFKA.run("resume 1")
                before = self.oracle.counts["batches"]
                until(lambda: self.oracle.counts["batches"] > before + 20, attempts=2400)
            load.stop()
            until(lambda: server.client().call("GET", "/readyz").status == 200, attempts=2400)
            self.oracle.check(server.client())
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.oracle.errors, [])
        self.check_whole()


class ThreeBrokers(unittest.TestCase):
    def test_leaders_that_move(self):
        with tempfile.TemporaryDirectory(prefix="bowerbird-three-") as top:
            brokers = Brokers(top + "/kafka", THREE_PORT, heap="192m", count=3)
            try:
                if not brokers.can_start():
                    self.skipTest("three brokers could not be started")
                self.move_leaders(brokers)
            finally:
                brokers.run("wipe", check=False)

    def move_leaders(self, brokers):
        folder, oracle = Folder(config(brokers.addresses(), replication=3)), Oracle()
        self.addCleanup(folder.remove)
        with Server(folder) as server:
            client = server.client()
            make_catalog(client)
            load = Load(server, oracle, "m")

            def more(batches):
                before = oracle.counts["batches"]
                until(lambda: oracle.counts["batches"] > before + batches, attempts=2400)

            for broker in (1, 2, 3):
                more(10)
                brokers.run(f"kill {broker}")
                more(10)  # those that it led are led by others
                brokers.run(f"resume {broker}")
                until(lambda: client.call("GET", "/readyz").status == 200, attempts=2400)
                more(20)  # its copies catch up before the next one goes
            load.stop()
            oracle.check(client)
            self.assertEqual(server.stop(), 0)
        self.assertEqual(oracle.errors, [])
        status, said = folder.run("state", "verify")
        self.assertEqual(status, 0, said)
        print(f"{dict(oracle.counts)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bowerbird-kafka-faults-") as top:
        KAFKA = Brokers(top + "/kafka", PORT)
        try:
            if not KAFKA.can_start():
                print("skipped: no Kafka broker could be started, or kcat is missing", file=sys.stderr)
                sys.exit(77)
            sys.exit(not unittest.main(verbosity=2, exit=False).result.wasSuccessful())
        finally:
            KAFKA.run("wipe", check=False)
