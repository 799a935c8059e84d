"""Files that are torn, cut or have flipped bits: what is derived is made again by itself; what is the truth is refused
with a message, never read as if nothing were."""
import glob
import os
import random
import shutil
import sys
import time
import unittest

from load import Load, Oracle, make_catalog
from served import Folder, Server, until

SEED = int(os.environ.get("FAULT_SEED", "0")) or int(time.time())


def flip(path, rng, count=1, first=0.0):
    """Flips bits of bytes from the share `first` of the file on."""
    data = bytearray(open(path, "rb").read())
    for _ in range(count):
        at = rng.randrange(int(len(data) * first), len(data))
        data[at] ^= 1 << rng.randrange(8)
    with open(path, "wb") as file:
        file.write(data)


def cut(path, rng):
    size = os.path.getsize(path)
    os.truncate(path, rng.randrange(size))


class DamageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One world, copied for each test: events, a model, two snapshots; everything flushed."""
        cls.world, cls.oracle = Folder(), Oracle()
        for part in range(2):
            with Server(cls.world) as server:
                client = server.client()
                if part == 0:
                    make_catalog(client)
                load = Load(server, cls.oracle, f"d{part}")
                until(lambda: cls.oracle.counts["batches"] > 60 * (part + 1))
                load.stop()
                for job in ("train-cf", "index-build"):
                    answer = client.call("POST", f"/v1/jobs/{job}", {"factors": 8, "epochs": 1} if job == "train-cf" else None)
                    assert answer.status == 200, answer
                cls.oracle.check(client)
                assert server.stop() == 0
        assert cls.oracle.errors == [], cls.oracle.errors
        print(f"seed {SEED}", flush=True)

    @classmethod
    def tearDownClass(cls):
        cls.world.remove()

    def setUp(self):
        self.rng = random.Random(SEED)
        self.folder = Folder()
        self.addCleanup(self.folder.remove)
        shutil.rmtree(self.folder.path)
        shutil.copytree(self.world.path, self.folder.path, ignore=lambda _, names: [n for n in names if n.endswith(".sock")])

    def files(self, pattern):
        found = sorted(glob.glob(f"{self.folder.app}/{pattern}"), key=os.path.getsize)
        self.assertTrue(found, pattern)
        return found

    def expect_everything(self, server):
        oracle = self.oracle
        oracle.fresh_users = set(oracle.sent)
        oracle.check(server.client())
        self.assertEqual(oracle.errors, [])
        answer = server.client().call("POST", "/v1/recommend", {"user": "d0-0-0-0", "surface": "home", "n": 5})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(len(answer.json()["items"]), 5)

    def expect_recovery(self):
        """A start, at most one more after damage was met while serving, and everything is there."""
        for _ in range(2):
            with Server(self.folder) as server:
                client = server.client()
                answers = [client.call("GET", f"/v1/users/{user}/profile") for user in self.oracle.sent]
                items = [client.call("GET", f"/v1/items/i{n}") for n in range(60)]
                if all(answer.status == 200 for answer in answers + items):
                    self.expect_everything(server)
                    self.assertEqual(server.stop(), 0)
                    break
                server.kill()
        else:
            self.fail(f"not recovered: {[a for a in answers + items if a.status != 200][:2]} {self.folder.said()}")
        for command in ("log", "state"):
            status, said = self.folder.run(command, "verify")
            self.assertEqual(status, 0, f"{command} verify: {said}")

    def test_tables_of_the_state(self):
        for damage in (lambda path: flip(path, self.rng, 3), lambda path: cut(path, self.rng), os.remove):
            for path in self.files("state/events/*.sst"):
                damage(path)
            self.expect_recovery()

    def test_manifest_of_the_state(self):
        for damage in (lambda path: flip(path, self.rng, 3), lambda path: cut(path, self.rng), os.remove):
            damage(self.files("state/events/MANIFEST-*")[-1])
            self.expect_recovery()
        os.truncate(self.folder.app + "/state/events/CURRENT", 0)
        self.expect_recovery()

    def test_the_catalog_store(self):
        for pattern in ("state/catalog/*.sst", "state/catalog/MANIFEST-*"):
            for damage in (lambda path: flip(path, self.rng, 3), lambda path: cut(path, self.rng), os.remove):
                for path in self.files(pattern):
                    damage(path)
                self.expect_recovery()

    def test_the_newest_snapshot_is_stepped_over(self):
        newest = max(glob.glob(self.folder.app + "/artifacts/snapshot/default/*"))
        for damage in (lambda path: flip(path, self.rng, 1), lambda path: cut(path, self.rng)):
            damage(newest + "/snapshot.bb")
            with Server(self.folder) as server:
                self.expect_everything(server)
                server.stop()
        self.assertIn("snapshot/default/" + os.path.basename(newest), self.folder.said())
        flip(newest + "/manifest.json", self.rng, 2)
        with Server(self.folder) as server:
            self.expect_everything(server)

    def test_all_snapshots_and_models_gone(self):
        for path in glob.glob(self.folder.app + "/artifacts/*/default/*/*"):
            if "/config/" not in path:
                flip(path, self.rng, 2)
        with Server(self.folder) as server:
            self.expect_everything(server)

    def test_a_torn_tail_of_the_log_that_nobody_was_promised(self):
        with open(self.files("log/*.log")[-1], "ab") as file:
            file.write(bytes(self.rng.randrange(256) for _ in range(300)))
        self.expect_recovery()

    def test_a_damaged_log_is_refused_or_reported_never_read_as_whole(self):
        """Acknowledged bytes of the log itself: nothing can make them again."""
        for pattern in ("log/*.sst", "log/*.log"):
            paths = [path for path in sorted(glob.glob(f"{self.folder.app}/{pattern}")) if os.path.getsize(path) > 2000]
            for path in paths[-3:]:
                kept = open(path, "rb").read()
                for _ in range(4):
                    flip(path, self.rng, 8, first=0.05)
                    status, said = self.folder.run("log", "verify")
                    self.assertEqual(status, 1, f"{path}: {said}")
                    self.assertTrue(any(word in said for word in ("orrupt", "checksum", "damaged", "lost", "acknowledged")), said)
                    with open(path, "wb") as file:
                        file.write(kept)
        status, said = self.folder.run("log", "verify")
        self.assertEqual(status, 0, said)

    def test_keys_and_secret(self):
        status, said = self.folder.run("keys", "create", "--name", "k", "--scopes", "serve")
        self.assertEqual(status, 0, said)
        flip(self.folder.path + "/keys.json", self.rng, 1)
        kept = open(self.folder.app + "/secret", "rb").read()
        os.truncate(self.folder.app + "/secret", len(kept) // 2)
        server = Server(self.folder)
        self.assertIsNone(server.port)
        self.assertEqual(server.process.wait(), 1)
        server.kill()
        self.assertTrue("keys.json" in self.folder.said() or "secret" in self.folder.said(), self.folder.said())


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False, warnings="ignore").result.wasSuccessful())
