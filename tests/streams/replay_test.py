"""`bowerbird replay` over streams: what it prints, what it refuses, and that the product is ahead of the baselines."""
import json
import os
import pathlib
import random
import subprocess
import tempfile
import unittest

BINARY = os.environ["STREAM_BINARY"]
DATA = pathlib.Path(os.environ["STREAM_DATA"])
METHODS = {"bowerbird", "popular_1h", "co_occurrence", "session_knn"}


def replay(*arguments):
    return subprocess.run([BINARY, "replay", *map(str, arguments)], capture_output=True, text=True)


class MadeUpTest(unittest.TestCase):
    """Visits along chains of five items; every item has a chain of its own, so that the next click follows from the last."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        rng = random.Random(7)
        rows = []
        for visit in range(600):
            begin = 1_700_006_400 + rng.randrange(2 * 3600)
            chain = rng.randrange(30)
            rows += [(begin + 20 * step, f"u{visit % 150}", f"c{chain}-{step}", visit) for step in range(5)]
        rng.shuffle(rows)
        self.csv = pathlib.Path(self.folder.name) / "clicks.csv"
        self.csv.write_text("when,visitor,article,visit\n" + "".join("%d,%s,%s,%d\n" % row for row in rows))

    def test_prints_the_hit_rates_by_day(self):
        done = replay("csv", self.csv, "--map", "user=visitor,item=article,time=when,session=visit", "--type", "click",
                      "--share", "0.2", "-n", "5", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["actions"], 3000)
        self.assertEqual(report["items"], 150)
        self.assertEqual(set(report["all"]["hit_rate"]), METHODS)
        self.assertEqual([day["day"] for day in report["days"]], ["2023-11-15"])
        self.assertGreater(report["all"]["hit_rate"]["bowerbird"], 0.6)
        self.assertLess(report["all"]["hit_rate"]["popular_1h"], 0.3)
        self.assertIn(report["trainings"], (1, 2))
        self.assertGreater(report["events_per_second"], 0)
        self.assertGreater(report["peak_memory_bytes"], 1_000_000)

    def test_says_what_does_not_fit(self):
        no_column = replay("csv", self.csv, "--type", "click", "--map", "user=visitor,item=article")
        self.assertEqual(no_column.returncode, 1)
        self.assertIn("no column for 'time' among when, visitor, article, visit", no_column.stderr)
        self.assertIn("expected a day", replay("csv", self.csv, "--type", "click", "--until", "soon").stderr)
        neither = replay()
        self.assertNotEqual(neither.returncode, 0)
        self.assertIn("--request", neither.stderr)


class GloboTest(unittest.TestCase):
    """The first 30 hours; the whole takes minutes and is in docs/methods/next-action.md."""

    def test_is_ahead_of_every_baseline(self):
        if not (DATA / "clicks.csv.zst").exists():
            self.skipTest(f"no Globo.com click log at {DATA}")
        done = replay("globo", DATA, "--until", "2017-10-02T06:00:00Z", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertTrue(report["beats_all"], report)
        self.assertNotIn("session_size", report["columns_read"])
        self.assertEqual(len(report["days"]), 2)


if __name__ == "__main__":
    unittest.main()
