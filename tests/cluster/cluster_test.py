"""Three nodes and a real Kafka on loopback: what is acknowledged counts once, whoever takes it in, whoever is killed.

Run by `./dev test --label cluster`; CLUSTER_BINARY is the program, CLUSTER_KAFKA is tools/kafka.sh, CLUSTER_SEED repeats a run.
"""
import collections
import os
import pathlib
import random
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

from cluster import Broker, Cluster, Load, START_S, broker_port, events_of, until

BINARY = os.environ["CLUSTER_BINARY"]
SEED = int(os.environ.get("CLUSTER_SEED") or random.SystemRandom().randrange(1 << 30))
ROUNDS = int(os.environ.get("CLUSTER_ROUNDS", "8"))
PARTITIONS = 16
USERS = [f"u{n}" for n in range(200)]
ITEMS = [f"i{n}" for n in range(40)]


def config(prefix, partitions=PARTITIONS):
    return f"""
[app]
partitions = {partitions}
[log]
kind = "kafka"
brokers = ["{BROKER.address}"]
topic_prefix = "{prefix}."
[state]
flush_interval = "200ms"
read_your_writes = "5s"
item_table_interval = "500ms"
[generators.popular]
kind = "popular"
count = 100
[signals.clicks]
kind = "count"
on = ["click"]
window = "30d"
[signals.item_clicks]
per = "item"
kind = "count"
on = ["click"]
window = "30d"
[signals.item_strength]
per = "item"
kind = "decayed_sum"
on = ["click"]
half_life = "1h"
[signals.item_users]
per = "item"
kind = "distinct"
of = "event.user"
on = ["click"]
[signals.last]
kind = "last_n"
of = "item.id"
on = ["click"]
n = 5
[surfaces.home]
generators = ["popular"]
explore = 0
"""


def profile(node, user):
    status, answer = node.call("GET", f"/v1/users/{user}/profile")
    if status == 503:
        raise ConnectionError(f"{user}: {answer}")
    assert status == 200, (status, answer)
    return answer


def oracle(events):
    """User -> what clicks were counted, in order: of each client id the first record in the log."""
    counted, seen = collections.defaultdict(list), set()
    for event in events:
        if event.type != "click" or (event.user, event.client_id) in seen:
            continue
        seen.add((event.user, event.client_id))
        counted[event.user].append((event.client_id, event.item))
    return counted


class ThreeNodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rng = random.Random(SEED)
        cls.cluster = Cluster(BINARY, TOP, 3, config("shop"))
        cls.addClassCleanup(cls.cluster.stop)
        cls.nodes = cls.cluster.nodes
        cls.cluster.start()
        status, answer = cls.nodes[0].call("POST", "/v1/items:batch", {"upsert": [{"id": item, "title": item} for item in ITEMS]})
        assert status == 200 and answer["applied"] == len(ITEMS), answer

    def owner(self, user):
        """The node that answers a profile without asking another."""
        before = [node.metric("bowerbird_peer_requests_total") for node in self.nodes]
        for node in self.nodes:
            profile(node, user)
        after = [node.metric("bowerbird_peer_requests_total") for node in self.nodes]
        own = [index for index in range(3) if after[index] == before[index]]
        self.assertEqual(len(own), 1, f"{user}: {before} {after}")
        return self.nodes[own[0]]

    def test_1_the_user_is_the_same_through_every_node(self):
        owners = collections.Counter()
        for n in range(40):  # enough that none of three has nobody
            user, node = f"first{n}", self.nodes[n % 3]
            status, _ = node.call("POST", "/v1/events", {"events": [{"type": "click", "user": user, "item": "i1", "client_id": "1"}]})
            self.assertEqual(status, 200)
            # Whoever took the event in has the owner wait for it.
            self.assertEqual(profile(node, user)["events"], 1)
            for other in self.nodes:
                self.assertEqual([action["item"] for action in profile(other, user)["sequence"]], ["i1"])
            owners[self.owner(user).index] += 1
        self.assertEqual(len(owners), 3, owners)
        # Profiles in bulk come from the same nodes.
        users = [f"first{n}" for n in range(12)] + ["x" * 300]
        for node in self.nodes:
            status, answer = node.call("POST", "/v1/users:profiles", {"ids": users, "parts": ["sequence"]})
            self.assertEqual(status, 200, answer)
            self.assertEqual([result["id"] for result in answer["results"]], users)
            self.assertEqual([result["status"] for result in answer["results"]], [0] * 12 + [3])
            for result in answer["results"][:12]:
                self.assertEqual([action["item"] for action in result["profile"]["sequence"]], ["i1"])
                self.assertEqual(result["profile"]["signals"], [])

    def test_1_what_everybody_did_with_an_item_is_the_same_on_every_node(self):
        """Of users of all nodes; and of the three to the last bit, but for the time at which they are asked."""
        users = [f"reads{n}" for n in range(30)]
        for n, user in enumerate(users):
            self.nodes[n % 3].call("POST", "/v1/events", {"events": [
                {"type": "click", "user": user, "item": "i39", "client_id": f"{c}"} for c in range(1 + n % 3)]})

        def says(node):
            answer = node.call("GET", "/v1/items/i39/signals")[1]
            return answer["time_us"], {s["name"]: s.get("number", 0) for s in answer["signals"]}

        due = sum(1 + n % 3 for n in range(len(users)))
        for node in self.nodes:
            until(lambda: says(node)[1]["item_clicks"] == due, f"node {node.index} says {says(node)}; expected {due} clicks", 60)
        (at_us, first), *others = [says(node) for node in self.nodes]
        self.assertEqual(first["item_users"], len(users))
        for other_us, other in others:
            self.assertEqual(other["item_users"], len(users))
            faded = 2.0 ** (-(other_us - at_us) / 3_600_000_000)
            self.assertAlmostEqual(other["item_strength"] / (first["item_strength"] * faded), 1, delta=1e-12)

    def test_2_a_hide_holds_at_once_through_the_node_that_took_it(self):
        for n in range(6):
            user, node = f"hides{n}", self.nodes[n % 3]
            first = node.call("POST", "/v1/recommend", {"surface": "home", "user": user, "n": 5})[1]["items"][0]["id"]
            node.call("POST", "/v1/events", {"events": [{"type": "hide", "user": user, "item": first, "client_id": "h"}]})
            status, answer = node.call("POST", "/v1/recommend", {"surface": "home", "user": user, "n": 40})
            self.assertEqual(status, 200)
            self.assertNotIn("owner_unreachable", answer["degraded"])
            self.assertNotIn(first, [item["id"] for item in answer["items"]])

    def test_3_pages_go_on_through_any_node(self):
        for user in ("pages", ""):
            seen, cursor = [], ""
            for page in range(6):
                asked = {"surface": "home", "user": user, "n": 5, "cursor": cursor}
                status, answer = self.nodes[page % 3].call("POST", "/v1/recommend", asked)
                self.assertEqual(status, 200, answer)
                seen += [item["id"] for item in answer["items"]]
                cursor = answer["next_cursor"]
            self.assertEqual(len(seen), 30)
            self.assertEqual(len(set(seen)), 30, "no item twice")

    def test_4_an_item_that_changes_changes_on_every_node(self):
        for n in range(6):
            writer = self.nodes[n % 3]
            title = f"title {n}"
            self.assertEqual(writer.call("PATCH", "/v1/items/i5", {"title": title})[0], 200)
            for node in self.nodes:
                until(lambda: node.call("GET", "/v1/items/i5")[1]["title"] == title, f"node {node.index} has another title", 30)
        # Two nodes change two fields of one item at once: neither change is lost.
        import threading
        for n in range(10):
            changes = [("title", f"both {n}"), ("description", f"both {n}")]
            threads = [threading.Thread(target=node.call, args=("PATCH", "/v1/items/i6", {field: value}))
                       for node, (field, value) in zip(self.nodes, changes)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for node in self.nodes:
                until(lambda: all(node.call("GET", "/v1/items/i6")[1].get(field) == value for field, value in changes),
                      lambda: f"node {node.index}: {node.call('GET', '/v1/items/i6')}", 30)
        self.assertEqual(self.nodes[2].call("POST", "/v1/items/i7:withdraw", {})[0], 200)
        for node in self.nodes:
            until(lambda: node.call("GET", "/v1/items/i7")[1].get("withdrawn"), f"node {node.index} serves it still", 30)
            answer = node.call("POST", "/v1/recommend", {"surface": "home", "user": f"x{node.index}", "n": 60})[1]
            self.assertNotIn("i7", [item["id"] for item in answer["items"]])

    def test_5_an_id_becomes_a_user_of_another_node(self):
        for n in range(12):
            anonymous, user = f"anon{n}", f"known{n}"
            node = self.nodes[n % 3]
            events = [{"type": "click", "user": anonymous, "item": f"i{k}", "client_id": f"a{k}"} for k in range(3)]
            events += [{"type": "identify", "user": user, "anonymous": anonymous, "client_id": "me"},
                       {"type": "click", "user": anonymous, "item": "i9", "client_id": "late"}]
            for event in events:
                self.assertEqual(node.call("POST", "/v1/events", {"events": [event]})[0], 200)
            for other in self.nodes:
                found = until(lambda: (lambda p: p if p["id"] == user and len(p["sequence"]) == 4 else None)(profile(other, anonymous)),
                              lambda: f"{anonymous} through node {other.index}: {profile(other, anonymous)}", 30)
                self.assertEqual(sorted(action["item"] for action in found["sequence"]), ["i0", "i1", "i2", "i9"])
                self.assertEqual(len(profile(other, user)["sequence"]), 4)

    def test_6_without_the_owner_what_is_popular_is_served_and_said(self):
        user = "stranded"
        owner = self.owner(user)
        others = [node for node in self.nodes if node is not owner]
        for number in (signal.SIGKILL, signal.SIGSTOP):
            before = [node.metric("bowerbird_owner_unreachable_total") for node in others]
            if number == signal.SIGKILL:
                owner.end(number)
            else:
                owner.process.send_signal(number)
            for node in others:
                began = time.time()
                status, answer = node.call("POST", "/v1/recommend", {"surface": "home", "user": user, "n": 5})
                self.assertEqual(status, 200, answer)
                self.assertIn("owner_unreachable", answer["degraded"])
                self.assertIn("popular", answer["degraded"])
                self.assertEqual(len(answer["items"]), 5)
                self.assertLess(time.time() - began, 20)
                status, answer = node.call("POST", "/v1/rank", {"surface": "home", "user": user, "items": ITEMS[10:15]})
                self.assertEqual((status, answer.get("degraded")), (200, ["owner_unreachable"]), answer)
                self.assertEqual(node.call("GET", f"/v1/users/{user}/profile")[0], 503)
                result = node.call("POST", "/v1/users:profiles", {"ids": [user]})[1]["results"][0]
                self.assertEqual((result["status"], result["code"]), (14, "owner_unreachable"))
                # Events need no owner.
                self.assertEqual(node.call("POST", "/v1/events", {"events": [
                    {"type": "click", "user": user, "item": "i2", "client_id": f"{number}"}]})[0], 200)
            for node, counted in zip(others, before):
                self.assertGreaterEqual(node.metric("bowerbird_owner_unreachable_total"), counted + 3)
            if number == signal.SIGKILL:
                owner.start()
            else:
                owner.process.send_signal(signal.SIGCONT)
            self.cluster.await_peers()
        for node in self.nodes:
            until(lambda: profile(node, user)["events"] == 2, lambda: f"node {node.index}: {profile(node, user)}", 60)
            answer = node.call("POST", "/v1/recommend", {"surface": "home", "user": user})[1]
            self.assertNotIn("owner_unreachable", answer["degraded"])

    def test_7_kills_and_a_lost_disk_under_load(self):
        lost = self.rng.randrange(ROUNDS)
        with Load(self.cluster, self.rng, USERS, ITEMS[:7] + ITEMS[8:]) as load:
            for number in range(ROUNDS):
                time.sleep(self.rng.uniform(0.5, 2))
                node = self.rng.choice(self.nodes)
                node.end()
                if number == lost:
                    self.cluster.lose_disk(node.index)
                time.sleep(self.rng.uniform(0.2, 1.5))
                node.start()
            self.cluster.await_peers()
        self.assertEqual(load.problems, [])
        self.assertGreater(load.answers["degraded"], 0, load.answers)
        counted = oracle(events_of(BROKER, "shop.events"))
        in_log = {client_id: (user, item) for user, clicks in counted.items() for client_id, item in clicks}
        missing = [client_id for client_id, what in load.acknowledged.items() if in_log.get(client_id) != what]
        self.assertEqual(missing, [], "acknowledged, and not in the log")
        print(f"\n{len(load.acknowledged)} events acknowledged, {load.tries['again']} of {load.tries['events']} calls made again; "
              f"answers: {dict(load.answers)}", file=sys.stderr)
        differences = 0
        for user in USERS:
            expected = [item for _, item in counted[user]]
            for node in self.nodes:
                found = until(lambda: (lambda p: p if p["events"] >= len(expected) else None)(profile(node, user)),
                              lambda: f"{user} through node {node.index}: {profile(node, user)['events']} of {len(expected)}")
                sequence = [action["item"] for action in found["sequence"]]
                clicks = next(s.get("number", 0) for s in found["signals"] if s["name"] == "clicks")
                differences += (found["events"], int(clicks), sequence) != (len(expected), len(expected), expected[::-1][:100])
        self.assertEqual(differences, 0, f"of {3 * len(USERS)} profiles")

    def test_8_a_node_that_is_not_of_this_cluster_is_refused(self):
        def refused(folder, node, nodes, text, server=None, app=None, secret=None):
            os.makedirs(folder + "/apps/default", exist_ok=True)
            with open(folder + "/apps/default/bowerbird.toml", "w") as file:
                file.write(app or config("shop"))
            with open(folder + "/server.toml", "w") as file:
                file.write(server or '[cluster]\npeers = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]\n')
            if secret is not None:
                with open(folder + "/apps/default/secret", "wb") as file:
                    file.write(secret)
            done = subprocess.run([BINARY, "serve", "--dir", folder, "--port", "0", "--node", str(node), "--nodes", str(nodes)],
                                  capture_output=True, text=True, timeout=START_S, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(text, done.stderr)
            shutil.rmtree(folder)

        refused(TOP + "/bad1", 1, 3, 'expected "kafka"', app="[app]\npartitions = 16\n")
        refused(TOP + "/bad2", 1, 3, "found no secret")
        refused(TOP + "/bad3", 1, 3, "made with another one", secret=b"bowerbird-secret-1\n" + bytes(48))
        refused(TOP + "/bad4", 1, 3, "expected 3, one a node", server='[cluster]\npeers = ["127.0.0.1:1"]\nsecrets = "%s/secrets"\n' % TOP)
        refused(TOP + "/bad5", 3, 3, "expected 0 to 2")

    def test_9_a_replay_of_each_node_gives_the_same_bytes(self):
        self.cluster.stop()
        for node in self.nodes:
            done = subprocess.run([BINARY, "state", "verify", "--dir", node.folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(" 0 differences", done.stdout)
        wrong = subprocess.run([BINARY, "serve", "--dir", self.nodes[0].folder, "--port", "0", "--node", "1", "--nodes", "3"],
                               capture_output=True, text=True, timeout=START_S, check=False)
        self.assertIn("belongs to node 0 of 3", wrong.stderr)


class BetweenMachines(unittest.TestCase):
    """Nodes that speak TLS and take nobody without a key, not even of their own machine."""

    def setUp(self):
        self.cluster = Cluster(BINARY, TOP + "/tls", 2, config("tls"))
        self.addCleanup(self.cluster.stop)
        self.nodes = self.cluster.nodes
        self.folder = TOP + "/tls"
        for node in self.nodes:
            self.configure(node)

    def configure(self, node, certificate="node", key_file="peer.secret"):
        path = pathlib.Path(node.folder, "server.toml")
        text = path.read_text().split("[cluster]", 1)[1].split("ca_file", 1)[0]
        path.write_text(f"""[server]
open_on_loopback = false
[tls]
certificate = "{self.folder}/{certificate}.crt"
key = "{self.folder}/{certificate}.key"
[cluster]{text}ca_file = "{self.folder}/authority.crt"
key_file = "{self.folder}/{key_file}"
""")

    def openssl(self, command):
        subprocess.run(["openssl", *command.split()], cwd=self.folder, check=True, capture_output=True)

    def certificate(self, name, authority):
        new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        self.openssl(f"req -x509 {new_key} -keyout {authority}.key -out {authority}.crt -days 2 -subj /CN={authority}")
        self.openssl(f"req {new_key} -keyout {name}.key -out {name}.csr -subj /CN={name}")
        pathlib.Path(self.folder, "names").write_text("subjectAltName=IP:127.0.0.1\n")
        self.openssl(f"x509 -req -in {name}.csr -CA {authority}.crt -CAkey {authority}.key -CAcreateserial -days 2 -extfile names -out {name}.crt")

    def key(self, scopes):
        done = subprocess.run([BINARY, "keys", "create", "--name", scopes.split(",")[0], "--scopes", scopes, "--dir", self.nodes[0].folder],
                              capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @unittest.skipIf(shutil.which("openssl") is None, "openssl, which makes the certificates, is missing")
    def test_they_know_each_other_by_certificate_and_key(self):
        self.certificate("node", "authority")
        self.certificate("other", "nobody")
        pathlib.Path(self.folder, "peer.secret").write_text(self.key("peer"))
        pathlib.Path(self.folder, "wrong.secret").write_text(self.key("serve"))
        secret = self.key("admin,operator")
        shutil.copy(self.nodes[0].folder + "/keys.json", self.nodes[1].folder + "/keys.json")
        for node in self.nodes:
            node.tls, node.key = ssl.create_default_context(cafile=self.folder + "/authority.crt"), secret
        self.cluster.start()
        for n in range(8):
            user = f"u{n}"
            status, _ = self.nodes[0].call("POST", "/v1/events", {"events": [{"type": "click", "user": user, "item": "i1", "client_id": "1"}]})
            self.assertEqual(status, 200)
            self.assertEqual([profile(node, user)["events"] for node in self.nodes], [1, 1])
        self.assertGreater(sum(node.metric("bowerbird_peer_requests_total") for node in self.nodes), 0)
        self.nodes[0].key = None
        self.assertEqual(self.nodes[0].call("GET", "/v1/users/u1/profile")[0], 401)
        self.nodes[0].key = secret

        # A key of another scope opens nothing, nor does a certificate of another authority.
        for change in ({"key_file": "wrong.secret"}, {"certificate": "other"}):
            self.nodes[1].end(signal.SIGTERM)
            self.configure(self.nodes[1], **change)
            self.nodes[1].start()
            self.nodes[1].tls = ssl.create_default_context(cafile=self.folder + ("/nobody.crt" if "certificate" in change else "/authority.crt"))
            blind = self.nodes[1 if "key_file" in change else 0]
            until(lambda: blind.metric("bowerbird_peer_up") == 0, f"{change}: node {blind.index} takes the other for one of its cluster", 30)
            time.sleep(1)
            self.assertEqual(blind.metric("bowerbird_peer_up"), 0)


if __name__ == "__main__":
    TOP = tempfile.mkdtemp(prefix="bowerbird-cluster-")
    BROKER = Broker(os.environ["CLUSTER_KAFKA"], TOP + "/kafka", broker_port())
    try:
        if shutil.which("kcat") is None or not BROKER.run("start", check=False):
            print("skipped: no Kafka broker could be started, or kcat is missing", file=sys.stderr)
            sys.exit(77)
        print(f"CLUSTER_SEED={SEED}", file=sys.stderr)
        unittest.main(verbosity=2)
    finally:
        BROKER.run("wipe", check=False)
        shutil.rmtree(TOP, ignore_errors=True)
