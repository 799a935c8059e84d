"""The published Segment clients send to a running binary; what arrived is compared with what was sent, field by field.

usage: sdk_test.py BOWERBIRD PYTHON_WITH_THE_CLIENT (run by `./dev test --label sdk`)
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from datetime import datetime

HERE = pathlib.Path(__file__).parent
BOWERBIRD, PYTHON = sys.argv[1:3]
CONFIG = """
[events.rating]
value_zero = 2
value_one = 5
[events.rating.attributes]
review_title = "string"
[events.page]
item = "optional"
polarity = "neutral"
[events.page.attributes]
name = "string"
category = "string"
url = "string"
[segment]
"Story Read" = "closeup"
[users.attributes]
plan = "string"
age = "number"
tags = "strings"
group = "string"
group_name = "string"
"""


def bowerbird(*args):
    done = subprocess.run([BOWERBIRD, *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"bowerbird {' '.join(args)}: {done.stderr}")
    return done.stdout


def expected_events(who):
    """What messages.json means, told once more in plain words."""
    anonymous, user = f"{who}-anon", f"{who}-user"

    def event(type_, who_, message, second, **fields):
        micros = int(datetime.fromisoformat(f"2024-01-20T10:00:{second:06.3f}+00:00").timestamp() * 1000 + 0.5) * 1000
        return {"type": type_, "user": who_, "client_id": message, "event_time_us": str(micros), **fields}

    return [
        event("closeup", anonymous, "m01", 0.123, item="p1", surface="home", request_id="r1", position=3, value=19.5),
        event("search", anonymous, "m02", 1, query="Tischlampe für Büro"),
        event("page", anonymous, "m03", 2, attributes={"name": "Start", "category": "Docs", "url": "https://shop.example/"}),
        event("identify", user, "m04", 3, anonymous=anonymous),
        event("save", user, "m05", 4, item="p2", value=12, collection="cart"),
        event("purchase", user, "m06", 5, item="p1", value=19.5),
        event("purchase", user, "m06#1", 5, item="p2", value=12),
        event("purchase", user, "m06#2", 5, item="p3"),
        event("rating", user, "m07", 6, item="p1", value=4, attributes={"review_title": "fine"}),
        event("closeup", user, "m08", 7, item="s1", dwell_ms=5300),
        event("identify", user, "m11", 10, anonymous=f"{who}-old"),
    ]


def plain(value):
    return value.get("string_value", value.get("number_value", value.get("strings", {}).get("values")))


def sent_part(event):
    """An event of the log without what intake stamps."""
    stamped = {"schema", "user_key", "item_key", "receive_time_us", "config_version", "dedupe_print", "late"}
    part = {name: value for name, value in event.items() if name not in stamped}
    if "attributes" in part:
        part["attributes"] = {name: plain(value) for name, value in part["attributes"].items()}
    return part


class SdkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = cls.folder.name
        bowerbird("init", "--dir", folder)
        (pathlib.Path(folder) / "apps/default/bowerbird.toml").write_text(CONFIG, encoding="utf-8")
        key = bowerbird("keys", "create", "--name", "backend", "--scopes", "collect", "--dir", folder).strip()
        server = subprocess.Popen([BOWERBIRD, "serve", "--port", "0", "--dir", folder], stdout=subprocess.PIPE, text=True)
        try:
            host = server.stdout.readline().split()[-1]
            # A profile names items that the catalog knows.
            item = urllib.request.Request(f"{host}/v1/items/p1", data=b'{"title":"P"}', method="PUT")
            urllib.request.urlopen(item).close()
            for who, command in (("node", ["node", str(HERE / "send.mjs")]), ("python", [PYTHON, str(HERE / "send.py")])):
                sent = subprocess.run([*command, host, key, who], capture_output=True, text=True, timeout=120)
                assert sent.returncode == 0, f"{who}: {sent.stdout}{sent.stderr}"
            cls.metrics = urllib.request.urlopen(f"{host}/metrics").read().decode()
            cls.profiles = {
                who: json.load(urllib.request.urlopen(f"{host}/v1/users/{who}-anon/profile")) for who in ("node", "python")
            }
            wrong = subprocess.run(["node", str(HERE / "send.mjs"), host, "bb_nobody", "node"], capture_output=True, text=True)
            cls.wrong_key_status = wrong.returncode
        finally:
            server.terminate()
            server.wait(30)
            server.stdout.close()
        lines = bowerbird("log", "tail", "--topic", "events", "-n", "1000", "--dir", folder).splitlines()
        cls.events = [json.loads(line)["value"] for line in lines]
        lines = bowerbird("log", "tail", "--topic", "users", "-n", "1000", "--dir", folder).splitlines()
        # The last record of a user is what holds.
        cls.users = {record["user"]["id"]: record["user"] for record in (json.loads(line)["value"] for line in lines)}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def arrived(self, who):
        """Events as clients sent them: without the records by which ids become users."""
        events = [e for e in self.events if "becomes" not in e and "merge" not in e]
        return sorted((sent_part(e) for e in events if e["user"].startswith(who)), key=lambda e: e["client_id"])

    def check(self, who):
        self.maxDiff = None
        self.assertEqual(self.arrived(who), sorted(expected_events(who), key=lambda e: e["client_id"]))
        user = self.users[f"{who}-user"]
        self.assertEqual(
            {name: plain(value) for name, value in user["attributes"].items()},
            {"plan": "pro", "age": 41, "tags": ["a", "b"], "group": "g1", "group_name": "Acme"},
        )
        profile = self.profiles[who]
        self.assertEqual(profile["id"], f"{who}-user", "the anonymous id answers as the user")
        self.assertIn("p1", [action["item"] for action in profile["sequence"]])

    def test_node(self):
        self.check("node")

    def test_python(self):
        self.check("python")

    def test_what_is_not_kept_is_counted(self):
        # Of each client: the unknown event and the screen, which this app does not declare.
        counts = dict(re.findall(r'bowerbird_segment_messages_total{.*verdict="(\w+)".*} (\d+)', self.metrics))
        self.assertEqual(counts, {"accepted": "20", "ignored": "4", "rejected": "0"})

    def test_a_client_with_a_wrong_key_is_told(self):
        self.assertNotEqual(self.wrong_key_status, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
