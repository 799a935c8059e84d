"""Nodes of a cluster on loopback, and what a log in Kafka says of them."""
import collections
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

START_S = 180  # for a loaded machine
CALL_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def broker_port():
    """A free port whose successor, the controller's, is free, too; below those that the system gives to clients."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000, 2)
        try:
            with socket.socket() as one, socket.socket() as other:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 1))
            return port
        except OSError:
            continue


class Node:
    """One process over one folder. Its address may change with a restart; its gRPC port does not."""

    def __init__(self, binary, folder, index, count, more=()):
        self.binary, self.folder, self.index, self.count, self.more = binary, folder, index, count, list(more)
        self.port = None
        self.process = None
        self.starts = 0
        self.tls = None  # an ssl.SSLContext
        self.key = None

    def start(self, wait=True):
        self.starts += 1
        with open(self.folder + ".stderr", "a") as stderr:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--dir", self.folder, "--port", "0", "--node", str(self.index), "--nodes", str(self.count),
                 *self.more], stdout=subprocess.PIPE, text=True, stderr=stderr)
        if wait:
            self.await_port()
        return self

    def await_port(self):
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)", line)
        if found is None:
            raise AssertionError(f"node {self.index}: no port in {line!r}: {self.errors()[-3000:]}")
        self.port = int(found.group(1))

    def errors(self):
        return pathlib.Path(self.folder + ".stderr").read_text()

    def end(self, number=signal.SIGKILL):
        self.port = None
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(START_S)
        self.process.stdout.close()
        self.process = None

    def call(self, method, path, body=None, timeout=CALL_S):
        """(status, parsed answer); raises OSError when the node is away."""
        if self.port is None:
            raise ConnectionRefusedError(f"node {self.index} is away")
        if self.tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)
        headers = {"Content-Type": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text.startswith((b"{", b"[")) else text
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def metric(self, name):
        _, text = self.call("GET", "/metrics")
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text.decode(), re.M))


def until(holds, what, seconds=START_S):
    """Waits until `holds` returns something true, and returns it."""
    deadline = time.time() + seconds
    while True:
        try:
            value = holds()
        except OSError:
            value = None
        if value:
            return value
        if time.time() > deadline:
            raise AssertionError(f"after {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)


class Broker:
    def __init__(self, script, folder, port):
        self.script, self.folder, self.port = script, folder, port
        self.address = f"127.0.0.1:{port}"

    def run(self, command, check=True):
        env = dict(os.environ, KAFKA_DATA=self.folder, KAFKA_PORT=str(self.port))
        done = subprocess.run([self.script, *command.split()], env=env, check=check, stdout=subprocess.DEVNULL)
        return done.returncode == 0

    def records(self, topic):
        """(partition, offset, key, value) of everything in a topic."""
        out = subprocess.run(["kcat", "-b", self.address, "-C", "-t", topic, "-e", "-q", "-f", "%p %o %K %S\n%k%s"], check=True,
                             capture_output=True).stdout
        at = 0
        while at < len(out):
            end = out.index(b"\n", at)
            partition, offset, key_size, size = map(int, out[at:end].split())
            at = end + 1
            yield partition, offset, out[at:at + key_size], out[at + key_size:at + key_size + size]
            at += key_size + size


def fields(message):
    """Field number -> last value of a protobuf message: numbers, or bytes."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            found[tag >> 3] = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            found[tag >> 3] = message[at:at + size]
            at += size
    return found


Event = collections.namedtuple("Event", "partition offset type user item client_id merge")


def events_of(broker, topic):
    """What is in the topic `events`, in the order in which each partition is folded."""
    for partition, offset, _, value in sorted(broker.records(topic), key=lambda record: record[:2]):
        message = fields(value)
        text = lambda number: message.get(number, b"").decode()
        yield Event(partition, offset, text(1), text(2), text(4), text(5), 43 in message)


class Cluster:
    def __init__(self, binary, top, count, config, cluster_lines="", more=()):
        self.top = top
        ports = [free_port() for _ in range(count)]
        peers = json.dumps([f"127.0.0.1:{port}" for port in ports])
        self.nodes = []
        for index in range(count):
            folder = f"{top}/node{index}"
            self.nodes.append(Node(binary, folder, index, count, more))
            self.write_config(index, config, f'[cluster]\npeers = {peers}\nping = "100ms"\nforward_max = "5s"\nsecrets = "{top}/secrets"\n{cluster_lines}')
        self.count = count

    def write_config(self, index, config, server):
        folder = self.nodes[index].folder
        os.makedirs(folder + "/apps/default", exist_ok=True)
        pathlib.Path(folder + "/apps/default/bowerbird.toml").write_text(config)
        pathlib.Path(folder + "/server.toml").write_text(server)

    def lose_disk(self, index):
        """Everything but what an operator puts into a new folder."""
        folder = self.nodes[index].folder
        kept = {path: pathlib.Path(folder, path).read_text() for path in ("server.toml", "apps/default/bowerbird.toml")}
        shutil.rmtree(folder)
        os.makedirs(folder + "/apps/default")
        for path, text in kept.items():
            pathlib.Path(folder, path).write_text(text)

    def start(self):
        # At once, as they come after a power failure.
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.await_port()
        self.await_peers()

    def await_peers(self):
        for node in self.nodes:
            until(lambda: node.metric("bowerbird_peer_up") == self.count - 1, lambda: f"node {node.index} misses others: {node.errors()[-2000:]}")

    def stop(self):
        for node in self.nodes:
            if node.process is not None:
                node.process.send_signal(signal.SIGCONT)
                node.end(signal.SIGTERM)


class Load:
    """Threads that send events and read answers through every node, and try again elsewhere until it works."""

    def __init__(self, cluster, rng, users, items, senders=3, readers=2):
        self.cluster, self.rng = cluster, rng
        self.users, self.items = users, items
        self.acknowledged = {}  # client id -> (user, item)
        self.tries = collections.Counter()
        self.answers = collections.Counter()
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.problems = []
        self.threads = [threading.Thread(target=self.guard, args=(self.send, f"s{n}", rng.getrandbits(32))) for n in range(senders)]
        self.threads += [threading.Thread(target=self.guard, args=(self.read, f"r{n}", rng.getrandbits(32))) for n in range(readers)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def guard(self, work, name, seed):
        try:
            work(name, random.Random(seed))
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(f"{name}: {error!r}")

    def send(self, name, rng):
        number = 0
        while not self.ended.is_set():
            batch = []
            for _ in range(rng.randint(1, 5)):
                batch.append({"type": "click", "user": rng.choice(self.users), "item": rng.choice(self.items),
                              "client_id": f"{name}-{number}"})
                number += 1
            if self.acknowledged and rng.random() < 0.2:  # somebody's old event comes once more
                with self.lock:
                    client_id = rng.choice(list(self.acknowledged))
                    user, item = self.acknowledged[client_id]
                batch.append({"type": "click", "user": user, "item": item, "client_id": client_id})
            while True:
                self.tries["events"] += 1
                try:
                    status, answer = rng.choice(self.cluster.nodes).call("POST", "/v1/events", {"events": batch})
                except OSError:
                    status = 0
                if status == 200:
                    if answer["accepted"] != len(batch):
                        raise AssertionError(f"refused: {answer}")
                    break
                self.tries["again"] += 1
                time.sleep(0.05)
                if rng.random() < 0.01 and self.ended.is_set():
                    return
            with self.lock:
                for event in batch:
                    self.acknowledged[event["client_id"]] = (event["user"], event["item"])
            time.sleep(0.01)

    def read(self, name, rng):
        while not self.ended.is_set():
            node = rng.choice(self.cluster.nodes)
            user = rng.choice(self.users)
            try:
                if rng.random() < 0.5:
                    status, answer = node.call("POST", "/v1/recommend", {"surface": "home", "user": user, "n": 5})
                    kind = "recommend"
                    if status == 200 and "owner_unreachable" in answer["degraded"]:
                        kind = "degraded"
                        if "popular" not in answer["degraded"] or not answer["items"]:
                            raise AssertionError(f"a degraded answer without what is popular: {answer}")
                else:
                    status, answer = node.call("GET", f"/v1/users/{user}/profile")
                    kind = "profile"
                    if status == 503:
                        kind, status = "profile away", 200
            except OSError:
                continue
            if status == 429:  # a machine that is asked for more than it can do says so
                kind, status = "refused", 200
            if status != 200:
                raise AssertionError(f"{kind} of {user} through node {node.index}: {status} {answer}")
            self.answers[kind] += 1
            time.sleep(0.01)
