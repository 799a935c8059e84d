"""A folder, the real binary serving it, and plain HTTP calls to it."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from faults import Faults, environment

BINARY = os.environ["FAULT_BINARY"]
LIBRARY = os.environ["FAULT_LIBRARY"]
START_S = 120  # for a loaded machine; a start takes a second

CONFIG = """
[app]
partitions = 4

[state]
cache_bytes = 1048576
flush_interval = "10ms"
item_table_interval = "100ms"
read_your_writes = "10s"
"""


class Answer:
    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Gone(Exception):
    """The connection broke before an answer came: whether the request took effect is unknown."""


class Client:
    """One connection, made anew after it broke. One thread at a time."""

    def __init__(self, port, timeout_s=60):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def call(self, method, path, body=None):
        text = None if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body)
        try:
            self.connection.request(method, path, text, {"Content-Type": "application/json"})
            response = self.connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Gone(str(error)) from error


class Folder:
    """A data folder of its own with a small config, and what happens to its files."""

    def __init__(self, config=CONFIG):
        self.top = tempfile.mkdtemp(prefix="bowerbird-fault-")
        self.path = self.top + "/data"
        self.faults = Faults(self.top + "/control")
        self.app = self.path + "/apps/default"
        os.makedirs(self.app)
        with open(self.app + "/bowerbird.toml", "w") as file:
            file.write(config)
        self.stderr = open(self.top + "/stderr", "ab")

    def remove(self):
        self.stderr.close()
        shutil.rmtree(self.top, ignore_errors=True)

    def run(self, *args, faulty=False, binary=BINARY):
        """Runs a command of the binary to its end: (exit status, what it printed)."""
        env = environment(self.path, self.faults, LIBRARY) if faulty else None
        done = subprocess.run([binary, *args, "--dir", self.path], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=600)
        return done.returncode, done.stdout.decode(errors="replace")

    def said(self):
        self.stderr.flush()
        with open(self.top + "/stderr", errors="replace") as file:
            return file.read()[-2000:]


class Server:
    """`bowerbird serve`; `port` is None if it ended before it listened."""

    def __init__(self, folder, binary=BINARY, faulty=True):
        self.folder = folder
        env = environment(folder.path, folder.faults, LIBRARY) if faulty else None
        self.process = subprocess.Popen([binary, "serve", "--dir", folder.path, "--port", "0"], env=env,
                                        stdout=subprocess.PIPE, stderr=folder.stderr)
        line = self.process.stdout.readline().decode()
        self.port = int(line.rsplit(":", 1)[1]) if line.startswith("listening on") else None

    def __enter__(self):
        if self.port is None:
            status = self.process.wait()
            raise AssertionError(f"the server ended at its start with {status}: {self.folder.said()}")
        return self

    def __exit__(self, *_):
        self.kill()

    def client(self):
        return Client(self.port)

    def wait(self, timeout_s):
        """True if it has ended."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        self._forget_unsynced()
        return True

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self._forget_unsynced()
        return self.process.returncode

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_S)
        self._forget_unsynced()
        return self.process.returncode

    def _forget_unsynced(self):
        self.process.stdout.close()
        shutil.rmtree(self.folder.path + ".unsynced", ignore_errors=True)


def until(what, attempts=600, pause_s=0.05):
    """Asks again until the answer is true, and returns it. Only for what comes by itself."""
    for _ in range(attempts):
        answer = what()
        if answer:
            return answer
        time.sleep(pause_s)
    raise AssertionError(f"did not happen within {attempts * pause_s:.0f} s")
