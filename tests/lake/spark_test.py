"""The lake as others read it: the jobs on DuckDB and on Spark over the same day, with late and repeated events and users who were
anonymous before, compared with each other and with a count in plain Python; and the same files read by pyspark and by Python's duckdb.

usage: spark_test.py BOWERBIRD PYTHON_WITH_PYSPARK (run by `./dev test --label spark`)
"""
import collections
import datetime
import glob
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request

BOWERBIRD, PYTHON = sys.argv[1:3]
SEED = int(os.environ.get("SPARK_SEED", random.SystemRandom().randrange(1 << 32)))
DAY = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=2)
MIDNIGHT_US = int(datetime.datetime(DAY.year, DAY.month, DAY.day, tzinfo=datetime.timezone.utc).timestamp()) * 1_000_000
DAY_US = 86_400_000_000


def bowerbird(*args):
    done = subprocess.run([BOWERBIRD, *args], capture_output=True, text=True, env={**os.environ, "BOWERBIRD_SPARK": PYTHON})
    if done.returncode != 0:
        raise AssertionError(f"bowerbird {' '.join(args)}: {done.stderr}")
    return done.stdout


def sql(folder, text):
    return json.loads(bowerbird("lake", "sql", text, "--json", "--dir", folder))["rows"]


class Server:
    def __init__(self, folder):
        self.process = subprocess.Popen(
            [BOWERBIRD, "serve", "--dir", folder, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if found := re.search(r"127\.0\.0\.1:(\d+)|\"port\":\s*(\d+)", line):
                self.port = found.group(1) or found.group(2)
                break
        else:
            raise AssertionError("the server does not come up")

    def call(self, path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def post(self, events):
        return self.call("/v1/events", {"events": events})

    def stop(self):
        self.process.terminate()
        self.process.communicate()


def made_up_events(rng):
    """Events around the day: some on its edges, some twice with the same client id, some twice without one."""
    events = []
    for n in range(3000):
        user = f"user-{rng.randrange(60)}"
        at = MIDNIGHT_US + rng.choice([rng.randrange(DAY_US), rng.randrange(-DAY_US, 2 * DAY_US), 0, -1, DAY_US - 1, DAY_US])
        event = {"type": rng.choice(["click", "save", "impression", "hide", "purchase"]), "user": user,
                 "item": f"item-{rng.randrange(40)}", "event_time_us": at}
        if rng.random() < 0.9:
            event["client_id"] = f"{user}/{n}"
        events.append(event)
        if rng.random() < 0.15:
            events.append(dict(event))
    for n in range(10):
        # Before, the user was a visitor; what the visitor did is told again by the state, but is in the log once.
        events.append({"type": "click", "user": f"visitor-{n}", "item": "item-1", "client_id": f"v{n}", "event_time_us": MIDNIGHT_US + n})
        events.append({"type": "identify", "user": f"user-{n}", "anonymous": f"visitor-{n}", "client_id": f"i{n}",
                       "event_time_us": MIDNIGHT_US + 60_000_000 + n})
    return events


def expected_metrics(records):
    """By type: events, users, items, late ones; and by user: events. From the log's records, in order, each client id once."""
    seen, once = set(), []
    for record in records:
        event = record["value"]
        if not MIDNIGHT_US <= int(event["event_time_us"]) < MIDNIGHT_US + DAY_US or "merge" in event:
            continue
        if client_id := event.get("client_id"):
            if (event["user"], client_id) in seen:
                continue
            seen.add((event["user"], client_id))
        once.append(event)
    metrics = {}
    for type_ in {event["type"] for event in once}:
        of_type = [event for event in once if event["type"] == type_]
        metrics[type_] = [len(of_type), len({e["user"] for e in of_type}), len({e["item"] for e in of_type if "item" in e}),
                          sum(e.get("late", False) for e in of_type)]
    return metrics, collections.Counter(event["user"] for event in once)


class SparkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = cls.temporary.name
        bowerbird("init", "--dir", cls.folder)
        # What is older than a day and some hours when it arrives is late: the day has both.
        config = pathlib.Path(cls.folder, "apps/default/bowerbird.toml")
        config.write_text(re.sub(r"(?ms)^\[collect\].*?(?=^\[|\Z)", "", config.read_text()) + '\n[collect]\nage_max = "36h"\n')
        server = Server(cls.folder)
        events = made_up_events(random.Random(SEED))
        for start in range(0, len(events), 200):
            cls.check = server.post(events[start:start + 200])
        cls.look_and_act(server, random.Random(SEED))
        # The day's events come in again, and two files of an hour are made.
        bowerbird("lake", "sql", "select 1", "--dir", cls.folder)
        server.post(events[:200])
        server.stop()

    @classmethod
    def look_and_act(cls, server, rng):
        """Pages of today, of which each user sees the first three items, and acts on some; what labels must be, by request and item."""
        server.call("/v1/items:batch", {"upsert": [{"id": f"item-{n}", "title": f"Item {n}"} for n in range(40)]})
        cls.labels = {}
        for user in range(20):
            page = server.call("/v1/recommend", {"surface": "home", "user": f"user-{user}", "n": 5})
            for position, item in enumerate(page["items"]):
                acted = position < 3 and rng.random() < 0.5
                cls.labels[page["request_id"], item["id"]] = None if position >= 3 else int(acted)
                for type_ in (["impression"] if position < 3 else []) + (["click", "click"] if acted else []):
                    server.post([{"type": type_, "user": f"user-{user}", "item": item["id"], "request_id": page["request_id"],
                                  "position": position + 1, "client_id": f"{type_}-{page['request_id']}-{position}"}])

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_both_engines_count_the_same_and_what_the_log_says(self):
        records = [json.loads(line) for line in bowerbird("log", "tail", "-n", "100000", "--dir", self.folder).splitlines()]
        records.sort(key=lambda record: (record["partition"], record["offset"]))
        metrics, users = expected_metrics(records)
        self.assertGreater(sum(counts[3] for counts in metrics.values()), 0, "no late event in the day")
        tables = {}
        for engine in ("duckdb", "spark"):
            for name in ("daily_metrics", "user_day"):
                first = bowerbird("job", "run", name, "--engine", engine, "--date", str(DAY), "--dir", self.folder)
                self.assertIn(str(DAY), first)
            tables[engine] = (sql(self.folder, "select * from daily_metrics order by type"),
                              sql(self.folder, "select * from user_day order by user_id"))
        self.assertEqual(tables["duckdb"], tables["spark"], f"SPARK_SEED={SEED}")
        by_type = {row[1]: row[2:6] for row in tables["spark"][0]}
        self.assertEqual(by_type, metrics, f"SPARK_SEED={SEED}")
        self.assertEqual({row[1]: row[2] for row in tables["spark"][1]}, dict(users), f"SPARK_SEED={SEED}")

    def test_labels_are_the_same_of_both_engines_and_those_of_what_was_done(self):
        today = str(datetime.datetime.now(datetime.timezone.utc).date())
        tables = {}
        for engine in ("duckdb", "spark"):
            bowerbird("job", "run", "labels", "--engine", engine, "--date", today, "--dir", self.folder)
            tables[engine] = sql(self.folder, "select * from labels order by request_id, position")
        self.assertEqual(tables["duckdb"], tables["spark"], f"SPARK_SEED={SEED}")
        clicked = sql(self.folder, "select request_id, item, clicked from labels")
        self.assertEqual({(request, item): label for request, item, label in clicked}, self.labels, f"SPARK_SEED={SEED}")

    def test_others_read_the_files_without_our_code(self):
        ours = {tuple(row) for row in sql(self.folder, "select type, count(*) from events group by 1")}
        files = sorted(glob.glob(f"{self.folder}/apps/default/lake/events/date=*/hour=*/part-*.parquet"))
        read = subprocess.run([PYTHON, "-c", """
import json, sys, duckdb
from pyspark.sql import SparkSession
files, folder = json.load(sys.stdin)
spark = SparkSession.builder.config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate()
rows = spark.read.option("basePath", folder).parquet(*files)
one = rows.selectExpr("count(*)", "count(distinct date, hour)", "count(attributes)", "min(event_time)").first()
print(json.dumps({
    "spark": [list(row) for row in rows.groupBy("type").count().collect()], "spark_rows": one[0], "spark_hours": one[1],
    "duckdb": [list(row) for row in duckdb.sql(f"select type, count(*) from read_parquet({files}, hive_partitioning=true) group by 1").fetchall()]}))
"""], input=json.dumps([files, f"{self.folder}/apps/default/lake/events"]), capture_output=True, text=True)
        self.assertEqual(read.returncode, 0, read.stderr[-2000:])
        theirs = json.loads(read.stdout.splitlines()[-1])
        self.assertEqual({tuple(row) for row in theirs["spark"]}, ours)
        self.assertEqual({tuple(row) for row in theirs["duckdb"]}, ours)
        self.assertEqual(theirs["spark_rows"], sum(count for _, count in ours))
        self.assertGreater(len(files), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
