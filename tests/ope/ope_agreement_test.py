"""`bowerbird ope` over the Open Bandit Dataset: its numbers are those of tests/ope/estimators.py, and it says what it
cannot say. Without OPE_DATA (../shared/data/open_bandit_small) only made-up logs are judged.
"""
import csv
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import estimators

BINARY = os.environ["OPE_BINARY"]
DATA = pathlib.Path(os.environ["OPE_DATA"])
ESTIMATES = {"ips": estimators.ips, "snips": estimators.snips, "cascade_dr": estimators.doubly_robust}
HEADER = ",timestamp,item_id,position,click,propensity_score\n"


def ope(folder, *arguments):
    return subprocess.run([BINARY, "ope", "--data", str(folder), *arguments], capture_output=True, text=True)


def rows_of(text):
    return [(int(row["item_id"]), int(row["position"]), int(row["click"]), float(row["propensity_score"]))
            for row in csv.DictReader(io.StringIO(text))]


class OpeTest(unittest.TestCase):
    def assert_close(self, found, expected, what):
        self.assertLessEqual(abs(found - expected), 1e-9 * max(1.0, abs(expected)), f"{what}: {found}, not {expected}")

    def assert_agrees(self, report, logs):
        """`logs` is {(campaign, policy): rows}."""
        self.assertEqual(len(report["rows"]), 12)
        for row in report["rows"]:
            log, other = logs[row["campaign"], row["log"]], logs[row["campaign"], row["target"]]
            what = " ".join(row[key] for key in ("campaign", "log", "target", "estimator"))
            shares = estimators.shares_of(other)
            value, error = ESTIMATES[row["estimator"]](log, shares)
            self.assert_close(row["value"], value, f"{what}: value")
            self.assert_close(row["standard_error"], error, f"{what}: standard error")
            self.assert_close(row["truth"], sum(r[2] for r in other) / len(other), f"{what}: truth")
            support = estimators.support(log, shares)
            by_position = support.pop("by_position")
            self.assertEqual([at["position"] for at in row["by_position"]], [at["position"] for at in by_position])
            for found, expected in [(row, support), *zip(row["by_position"], by_position)]:
                for key, number in expected.items():
                    self.assert_close(found[key], number, f"{what}: {key}")
            if row["refused"] is None:
                self.assert_close(row["difference"], row["value"] - row["truth"], f"{what}: difference")
                self.assertTrue(row["low"] < row["value"] < row["high"], what)
                self.assertEqual(row["covers"], row["difference_low"] <= 0 <= row["difference_high"])


class OpenBanditTest(OpeTest):
    def setUp(self):
        if not DATA.is_dir():
            self.skipTest(f"needs {DATA}")
        if shutil.which("zstdcat") is None:
            self.skipTest("needs zstdcat, to read the data without the product")

    def test_every_number_is_that_of_its_definition(self):
        done = ope(DATA, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        logs = {}
        for campaign in ("men", "women"):
            for policy in ("random", "bts"):
                file = DATA / f"{policy}_{campaign}.csv.zst"
                text = subprocess.run(["zstdcat", file], capture_output=True, text=True, check=True).stdout
                logs[campaign, policy] = rows_of(text)
        self.assert_agrees(report, logs)
        for row in report["rows"]:
            if (row["campaign"], row["log"]) == ("women", "bts"):
                self.assertIn("the effective sample size is 2.0 of 10000 rows", row["refused"])
                self.assertIn("one row carries 70.1% of all weight", row["refused"])
                self.assertIsNone(row["covers"])
                self.assertIsNone(row["low"])
            else:
                self.assertIsNone(row["refused"])
                self.assertTrue(row["covers"], row)

    def test_a_person_reads_a_table(self):
        done = ope(DATA)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sum("refused: the effective sample size" in line for line in done.stdout.splitlines()), 3)
        self.assertEqual(sum(" yes " in line for line in done.stdout.splitlines()), 9)


class MadeUpTest(OpeTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        rng = random.Random(5)
        self.logs = {}
        for campaign in ("men", "women"):
            for policy, shares in (("random", [0.2] * 5), ("bts", [0.4, 0.3, 0.1, 0.1, 0.1])):
                lines = [HEADER]
                for row in range(600):
                    item = rng.choices(range(5), shares)[0]
                    lines.append(f"{row},t,{item},{1 + row % 3},{int(rng.random() < 0.1 * (1 + item))},{shares[item]}\n")
                (self.folder / f"{policy}_{campaign}.csv").write_text("".join(lines))
                self.logs[campaign, policy] = rows_of("".join(lines))

    def test_every_number_is_that_of_its_definition(self):
        done = ope(self.folder, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_agrees(json.loads(done.stdout), self.logs)

    def test_says_which_file_and_line_is_wrong(self):
        women = self.folder / "bts_women.csv"
        text = women.read_text()
        for damaged, message in ((text[:len(text) // 2].rstrip("\n") + ",", "expected"),
                                 (HEADER + "0,t,1,1,0,2\n", "bts_women.csv:2: found '2'; expected a propensity_score"),
                                 ("", "bts_women.csv:1: the file ends"), ("user item\n", "expected a header with item_id")):
            women.write_text(damaged)
            done = ope(self.folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn("bts_women.csv:", done.stderr)
            self.assertIn(message, done.stderr)
        (self.folder / "bts_women.csv.zst").write_bytes(b"\x28\xb5\x2f\xfd\x04\x58\x11")
        women.unlink()
        self.assertIn("bts_women.csv.zst: zstd:", ope(self.folder).stderr)
        (self.folder / "bts_women.csv.zst").unlink()
        missing = ope(self.folder)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("bts_women.csv.zst: cannot be opened", missing.stderr)


if __name__ == "__main__":
    unittest.main()
