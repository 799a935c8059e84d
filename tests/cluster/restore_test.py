"""Nodes that lose their disk: the newest whole checkpoint is restored, from a folder and from an S3-compatible store, and the tail of the
log is replayed; a damaged checkpoint is refused, a slow store stops nobody, and what node 0 builds reaches the others.

Run by `./dev test --label cluster`; CLUSTER_BINARY is the program, CLUSTER_KAFKA is tools/kafka.sh, CLUSTER_MOTO moto's server, if it is there.
"""
import glob
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

from cluster import Broker, Cluster, broker_port, free_port, until

BINARY = os.environ["CLUSTER_BINARY"]
MOTO = os.environ.get("CLUSTER_MOTO", "")
USERS = [f"u{n}" for n in range(60)]


def config(prefix):
    return f"""
[app]
partitions = 8
[log]
kind = "kafka"
brokers = ["{BROKER.address}"]
topic_prefix = "{prefix}."
[state]
flush_interval = "100ms"
read_your_writes = "5s"
item_table_interval = "300ms"
[pipeline]
factors = 8
epochs = 2
[generators.popular]
kind = "popular"
count = 100
[surfaces.home]
generators = ["popular"]
explore = 0
[surfaces.personal]
generators = ["for_you"]
explore = 0
"""


class Clicks:
    """Who clicked what, as acknowledged."""

    def __init__(self, nodes, seed):
        self.nodes, self.rng, self.counts, self.number = nodes, random.Random(seed), dict.fromkeys(USERS, 0), 0
        self.items = {}

    def send(self, count, nodes=None):
        for _ in range(count):
            user, item = self.rng.choice(USERS), f"i{min(self.rng.randrange(40), self.rng.randrange(40))}"
            self.number += 1
            event = {"type": "click", "user": user, "item": item, "client_id": f"c{self.number}"}
            status, answer = self.rng.choice(nodes or self.nodes).call("POST", "/v1/events", {"events": [event]})
            assert status == 200 and answer["accepted"] == 1, answer
            self.counts[user] += 1
            self.items[item] = self.items.get(item, 0) + 1

    def check(self, test):
        for node in self.nodes:
            for user in USERS:
                count = lambda: node.call("GET", f"/v1/users/{user}/profile")[1].get("events", 0)
                until(lambda: count() >= self.counts[user], lambda: f"{user} through node {node.index}: {count()} of {self.counts[user]}", 60)
                test.assertEqual(count(), self.counts[user], f"{user} through node {node.index}")


class Restore(unittest.TestCase):
    def start(self, name, checkpoints, more=""):
        top = f"{TOP}/{name}"
        os.makedirs(top)
        cluster = Cluster(BINARY, top, 2, config(name),
                          f'checkpoints = "{checkpoints}"\nartifacts = "{top}/artifacts"\ncheckpoint_interval = "1h"\n{more}')
        self.addCleanup(cluster.stop)
        cluster.start()
        nodes = cluster.nodes
        status, answer = nodes[0].call("POST", "/v1/items:batch", {"upsert": [{"id": f"i{n}", "title": f"Item {n}"} for n in range(40)]})
        self.assertEqual((status, answer["applied"]), (200, 40))
        return cluster, nodes, Clicks(nodes, 7)

    def checkpoint(self, node):
        done = subprocess.run([BINARY, "checkpoint", "--dir", node.folder], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("state/default version", done.stdout)

    def lose(self, cluster, node):
        node.end(signal.SIGKILL)
        cluster.lose_disk(node.index)
        node.start()
        cluster.await_peers()

    def test_1_the_newest_whole_one_and_the_tail(self):
        top = f"{TOP}/folder"
        cluster, nodes, clicks = self.start("folder", f"{top}/checkpoints")
        clicks.send(150)
        self.checkpoint(nodes[1])
        clicks.send(100)
        self.checkpoint(nodes[1])
        clicks.send(50)
        self.lose(cluster, nodes[1])
        self.assertEqual(nodes[1].metric("bowerbird_checkpoint_restored"), 1)
        # Only the tail was folded again: what came after the checkpoint, about a sixth of this node's half.
        self.assertLess(nodes[1].metric("bowerbird_state_folded"), 100)
        clicks.send(20)
        clicks.check(self)

        # A bit flips in the newest one: the one before is taken, and it is said.
        versions = sorted(glob.glob(f"{top}/checkpoints/default/node-1-of-2/*"))
        self.assertEqual(len(versions), 2)
        damaged = max(glob.glob(versions[-1] + "/*.sst"), key=os.path.getsize)
        data = bytearray(pathlib.Path(damaged).read_bytes())
        data[len(data) // 2] ^= 16
        pathlib.Path(damaged).write_bytes(data)
        self.lose(cluster, nodes[1])
        self.assertEqual(nodes[1].metric("bowerbird_checkpoint_refused"), 1)
        self.assertEqual(nodes[1].metric("bowerbird_checkpoint_restored"), 1)
        self.assertIn(f"{os.path.basename(damaged)}: it is damaged", nodes[1].errors())
        clicks.send(20)
        clicks.check(self)

        # Both are: the log has everything.
        for path in glob.glob(f"{top}/checkpoints/default/node-1-of-2/*/manifest.json"):
            pathlib.Path(path).write_text("{}")
        self.lose(cluster, nodes[1])
        self.assertEqual(nodes[1].metric("bowerbird_checkpoint_refused"), 2)
        self.assertEqual(nodes[1].metric("bowerbird_checkpoint_restored"), 0)
        clicks.check(self)

        # Counts of items are of the whole on both nodes, also of a node that is away.
        def popular(node):
            _, answer = node.call("POST", "/v1/recommend", {"surface": "home", "n": 40, "explain": True})
            scores = {item["id"]: source["score"] for item in answer["items"] for source in item["explanation"]["sources"]}
            # Scores are shares of a power of two.
            scale = max(clicks.items.values()) / max(scores.values(), default=1)
            return {item: score * scale for item, score in scores.items()}

        expected = {item: float(count) for item, count in clicks.items.items()}
        for node in nodes:
            until(lambda: popular(node) == expected, lambda: f"node {node.index} counts {popular(node)}; expected {expected}", 60)
        nodes[1].end(signal.SIGKILL)
        time.sleep(1)
        self.assertEqual(popular(nodes[0]), expected, "what a node counted stays while it is away")
        nodes[1].start()
        cluster.await_peers()
        until(lambda: popular(nodes[1]) == expected, lambda: f"after a restart: {popular(nodes[1])}", 60)

    def test_2_what_node_0_builds_reaches_the_others(self):
        cluster, nodes, clicks = self.start("artifacts", f"{TOP}/artifacts-checkpoints")
        clicks.send(200)
        for job in ("train-cf", "index-build"):
            status, answer = nodes[1].call("POST", f"/v1/jobs/{job}", {})
            self.assertEqual(status, 409, answer)
            self.assertIn("node 0 does it", answer["detail"])
        events = nodes[0].call("POST", "/v1/jobs/train-cf", {"epochs": 2})[1]
        self.assertEqual(events["metrics"]["actions"], 200, "training reads every partition")
        version = nodes[0].call("POST", "/v1/jobs/index-build", {})[1]["version"]
        ask = lambda node: node.call("POST", "/v1/recommend", {"surface": "personal", "user": USERS[0], "n": 5})[1]
        for user in USERS[:10]:
            for node in nodes:
                got = lambda: node.call("POST", "/v1/recommend", {"surface": "personal", "user": user, "n": 5})[1]
                answer = until(lambda: (lambda a: a if a["snapshot"] == version else None)(got()), lambda: f"{got()}", 60)
                self.assertNotIn("no_model", answer["degraded"])
        # A node without a disk has it before it serves.
        self.lose(cluster, nodes[1])
        self.assertEqual(ask(nodes[1])["snapshot"], version)

    @unittest.skipUnless(os.path.exists(MOTO), "moto's server is not installed")
    def test_3_in_a_bucket(self):
        port = free_port()
        env = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true")
        os.environ.update(env)
        moto = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (moto.send_signal(signal.SIGCONT), moto.kill(), moto.wait()))
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "moto did not come up")
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/keep", method="PUT")).read()
        where = f"s3://keep/shop?scheme=http&endpoint_override=127.0.0.1:{port}&region=us-east-1"
        cluster, nodes, clicks = self.start("bucket", where, "checkpoints_kept = 2\n")
        for _ in range(3):
            clicks.send(60)
            self.checkpoint(nodes[1])
        clicks.send(30)
        self.lose(cluster, nodes[1])
        self.assertEqual(nodes[1].metric("bowerbird_checkpoint_restored"), 1)
        clicks.check(self)
        # The store hangs in the midst of a checkpoint: events and answers go on.
        moto.send_signal(signal.SIGSTOP)
        slow = threading.Thread(target=lambda: nodes[1].call("POST", "/v1/jobs/checkpoint", {}, timeout=300))
        slow.start()
        for _ in range(10):
            began = time.time()
            clicks.send(3)
            status, answer = nodes[1].call("POST", "/v1/recommend", {"surface": "home", "user": "u1", "n": 5})
            self.assertEqual(status, 200)
            self.assertNotIn("owner_unreachable", answer["degraded"])
            self.assertLess(time.time() - began, 20)
        moto.send_signal(signal.SIGCONT)
        slow.join()
        clicks.check(self)


if __name__ == "__main__":
    TOP = tempfile.mkdtemp(prefix="bowerbird-restore-")
    BROKER = Broker(os.environ["CLUSTER_KAFKA"], TOP + "/kafka", broker_port())
    try:
        if shutil.which("kcat") is None or not BROKER.run("start", check=False):
            print("skipped: no Kafka broker could be started, or kcat is missing", file=sys.stderr)
            sys.exit(77)
        unittest.main(verbosity=2)
    finally:
        BROKER.run("wipe", check=False)
        shutil.rmtree(TOP, ignore_errors=True)
