"""`bowerbird serve` on a log in Kafka, with other people's tools around it: kcat reads what was written and writes to events_in, the broker
goes away and comes back, the server is killed, and what was counted is compared with what was sent.

Run by `./dev test --label kafka`; KAFKA_BINARY is the program, KAFKA_SCRIPT is tools/kafka.sh.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from brokers import Brokers

BINARY = os.environ["KAFKA_BINARY"]
PORT = 29292
BROKER = f"127.0.0.1:{PORT}"
START_S = 120  # for a loaded machine
CONFIG = f"""
[app]
partitions = 4
[log]
kind = "kafka"
brokers = ["{BROKER}"]
topic_prefix = "shop."
[log.client]
"socket.keepalive.enable" = "true"
[state]
flush_interval = "50ms"
read_your_writes = "10s"
"""


class Server:
    def __init__(self, folder):
        self.folder = folder
        with open(folder + ".stderr", "a") as stderr:
            self.process = subprocess.Popen([BINARY, "serve", "--dir", folder, "--port", "0"], stdout=subprocess.PIPE, text=True,
                                            stderr=stderr)
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)", line)
        if found is None:
            raise AssertionError(f"no port in {line!r}: {pathlib.Path(folder + '.stderr').read_text()[-2000:]}")
        self.port = int(found.group(1))

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, text

    def send(self, *events):
        return self.call("POST", "/v1/events", {"events": list(events)})

    def actions(self, user):
        status, text = self.call("GET", f"/v1/users/{user}/profile")
        return len(json.loads(text).get("sequence", [])) if status == 200 else 0

    def gauge(self, name):
        text = self.call("GET", "/metrics")[1].decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    def await_gauge(self, name, value):
        deadline = time.time() + START_S
        while self.gauge(name) < value:
            if time.time() > deadline:
                raise AssertionError(f"{name} stays at {self.gauge(name)}; expected {value}")
            time.sleep(0.05)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(START_S)
        self.process.stdout.close()


def click(user, item, client_id):
    return {"type": "click", "user": user, "item": item, "client_id": client_id}


class ServeOnKafka(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = TOP + "/data"
        os.makedirs(cls.folder + "/apps/default")
        pathlib.Path(cls.folder + "/apps/default/bowerbird.toml").write_text(CONFIG)
        cls.server = Server(cls.folder)
        cls.server.call("POST", "/v1/items:batch", {"upsert": [{"id": f"i{n}", "title": f"Item {n}"} for n in range(50)]})

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_1_kcat_reads_what_was_written(self):
        self.assertEqual(self.server.send(click("ann", "i1", "k1"))[0], 200)
        self.assertEqual(self.server.actions("ann"), 1)
        lines = KAFKA.kcat("-C", "-t", "shop.events", "-e", "-q", "-f", "%k %p %T\n").decode().split("\n")
        keys = [line.split() for line in lines if line.startswith("ann ")]
        self.assertEqual(len(keys), 1)
        self.assertLess(abs(int(keys[0][2]) / 1000 - time.time()), 300, "the append time is Kafka's timestamp")
        self.assertEqual(len(KAFKA.kcat("-C", "-t", "shop.catalog", "-e", "-q", "-f", "%k\n").decode().split()), 50)

    def test_2_others_write_and_a_poison_record_stops_nobody(self):
        accepted = self.server.gauge("bowerbird_events_in_accepted")
        KAFKA.kcat("-P", "-t", "shop.events_in", "-p", "0", text=json.dumps({"type": "click", "user": "bob", "item": "i2"}).encode())
        KAFKA.kcat("-P", "-t", "shop.events_in", "-p", "0", "-Z", text=b"\xff\xfe poison\n{\"type\":\n")
        KAFKA.kcat("-P", "-t", "shop.events_in", "-p", "0", text=json.dumps(
            {"events": [{"type": "no such", "user": "bob", "item": "i3"}, {"type": "click", "user": "bob", "item": "i3"}]}).encode())
        self.server.await_gauge("bowerbird_events_in_accepted", accepted + 2)
        self.assertEqual(self.server.actions("bob"), 2)
        letters = KAFKA.kcat("-C", "-t", "shop.dead_letters", "-e", "-q", "-f", "%k|%s\n")
        self.assertEqual(letters.count(b"events_in/0/"), 3, letters)
        self.assertIn(b"no such", letters)
        # Killed in the midst of them: what is collected again has the ids that it had, and counts once.
        lines = [json.dumps({"type": "click", "user": f"eve{n % 10}", "item": f"i{n % 20}"}) for n in range(200)]
        for half in (lines[:100], lines[100:]):
            KAFKA.kcat("-P", "-t", "shop.events_in", text="\n".join(half).encode())
            self.server.await_gauge("bowerbird_events_in_records", 1)
            self.server.stop(signal.SIGKILL)
            ServeOnKafka.server = Server(self.folder)
        deadline = time.time() + START_S
        counts = []
        while sum(counts) < 200 and time.time() < deadline:
            counts = [self.server.actions(f"eve{n}") for n in range(10)]
        self.assertEqual(counts, [20] * 10)

    def test_3_the_broker_goes_and_comes_back(self):
        KAFKA.run("kill 1")
        deadline = time.time() + START_S
        while self.server.call("GET", "/readyz")[0] == 200 and time.time() < deadline:
            time.sleep(0.1)
        status, text = self.server.call("GET", "/readyz")
        self.assertEqual(status, 503, text)
        self.assertIn(b"have not answered", text)
        self.assertGreater(self.server.gauge("bowerbird_kafka_unanswered_seconds"), 0)
        status, text = self.server.send(click("cid", "i1", "c1"))
        self.assertEqual(status, 503, text)
        status, _ = self.server.call("POST", "/v1/recommend", {"surface": "home", "user": "ann", "n": 5})
        self.assertEqual(status, 200, "answers need no broker")
        KAFKA.run("resume 1")
        while self.server.send(click("cid", "i1", "c1"))[0] != 200:
            time.sleep(0.2)
        self.assertEqual(self.server.actions("cid"), 1, "the event of the failed call counts once with its repeat")
        while self.server.call("GET", "/readyz")[0] != 200:
            time.sleep(0.1)

    def test_4_a_killed_server_counts_each_event_once(self):
        for n in range(100):
            self.assertEqual(self.server.send(click(f"u{n % 5}", f"i{n % 50}", f"n{n}"))[0], 200)
            if n % 40 == 39:
                self.server.stop(signal.SIGKILL)
                ServeOnKafka.server = Server(self.folder)
                self.server.send(click(f"u{n % 5}", f"i{n % 50}", f"n{n}"))
        self.assertEqual([self.server.actions(f"u{n}") for n in range(5)], [20] * 5)

    def test_5_commands_read_the_log(self):
        self.server.stop()
        try:
            run = lambda *args: subprocess.run([BINARY, *args, "--dir", self.folder], capture_output=True, text=True)
            stats = run("log", "stats")
            self.assertEqual(stats.returncode, 0, stats.stderr)
            self.assertRegex(stats.stdout, r"catalog +1 +50 +- +-")
            verified = run("log", "verify")
            self.assertEqual(verified.returncode, 0, verified.stderr + verified.stdout)
            self.assertIn(" 0 problems", verified.stdout)
            tail = run("log", "tail", "--topic", "events", "-n", "3")
            self.assertEqual(len(tail.stdout.strip().split("\n")), 3, tail.stderr)
            self.assertEqual(run("state", "verify").returncode, 0)
            backup = TOP + "/backup"
            done = subprocess.run([BINARY, "backup", self.folder, backup], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertFalse(os.path.exists(backup + "/apps/default/log"), "the log is Kafka's to keep")
        finally:
            ServeOnKafka.server = Server(self.folder)
        self.assertEqual(self.server.actions("ann"), 1)


if __name__ == "__main__":
    TOP = tempfile.mkdtemp(prefix="bowerbird-kafka-")
    KAFKA = Brokers(TOP + "/kafka", PORT)
    try:
        if not KAFKA.can_start():
            print("skipped: no Kafka broker could be started, or kcat is missing", file=sys.stderr)
            sys.exit(77)
        unittest.main(verbosity=2)
    finally:
        KAFKA.run("wipe", check=False)
        shutil.rmtree(TOP, ignore_errors=True)
