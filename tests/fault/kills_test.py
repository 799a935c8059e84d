"""kill -9 and power loss under load, aimed at each kind of write in turn.

    FAULT_KILLS   how many (50)
    FAULT_SEED    of the plan; printed
"""
import collections
import os
import random
import sys
import time
import unittest

from faults import PHASES
from load import EVENTS_A_USER, Load, Oracle, event_of, make_catalog, profile_of, seen_profile
from served import START_S, Folder, Server

KILLS = int(os.environ.get("FAULT_KILLS", "50"))
SEED = int(os.environ.get("FAULT_SEED", "0")) or int(time.time())
WHOLE_CHECK_EVERY = 25  # kills between comparisons of the whole log and state

# What is aimed at: the kinds of writes, at most how many of them first, when the aim is taken, and with what share.
# "start": the process recovers; "load": under load; "end": it drains after SIGTERM, and flushes.
AIMS = [
    (("log_write",), 60, "load", 22),
    (("log_flush",), 12, "start", 8),
    (("state_flush",), 3, "load", 6),
    (("state_flush",), 4, "end", 8),
    (("state_commit",), 6, "start", 6),
    (("state_commit",), 2, "end", 8),
    (("catalog_write",), 40, "load", 8),
    (("catalog_write",), 8, "start", 4),
    (("snapshot_swap",), 12, "jobs", 10),
    (("model_publish",), 12, "jobs", 8),
    (("state_flush", "state_commit", "log_flush", "catalog_write"), 30, "start", 6),
    ((), 0, "load", 6),  # at any time, from outside
]


def plan(kills, rng):
    """So many aims, each kind with its share, in random order."""
    aims = [aim for aim in AIMS for _ in range(max(1, round(kills * aim[3] / 100)))]
    rng.shuffle(aims)
    return (aims * 2)[:kills]


class KillsTest(unittest.TestCase):
    def test_acknowledged_events_are_in_effect_once_after_every_kill(self):
        print(f"{KILLS} kills, seed {SEED}", flush=True)
        rng = random.Random(SEED)
        folder, oracle, hits = Folder(), Oracle(), collections.Counter()
        self.addCleanup(folder.remove)
        with Server(folder) as server:
            make_catalog(server.client())
            oracle.check(server.client())
            server.stop()
        for number, (phases, nth_max, when, _) in enumerate(plan(KILLS, rng)):
            # A clean end before the aim was reached is no kill: aim at an earlier write.
            while not self.kill_once(folder, oracle, hits, rng, number, phases, nth_max, when):
                nth_max = max(1, nth_max // 2)
            with Server(folder) as server:  # recovery without a hand
                oracle.check(server.client())
                if (number + 1) % WHOLE_CHECK_EVERY == 0:
                    server.stop()
            if (number + 1) % WHOLE_CHECK_EVERY == 0:
                self.check_whole(folder)
                print(f"{number + 1}: {dict(sorted(hits.items()))} {dict(oracle.counts)}", flush=True)
            self.assertEqual(oracle.errors, [], f"seed {SEED}, kill {number + 1}: {phases} {when}")
        self.check_whole(folder)
        by_phase = collections.Counter()
        for name, count in sorted(hits.items()):
            by_phase[name.split(" ")[0]] += count
            print(f"  {count:5} {name}")
        print(f"{sum(hits.values())} kills by what was being written: {dict(by_phase)}")
        print(f"oracle: {dict(oracle.counts)}; {sum(map(len, oracle.sent.values()))} events of {len(oracle.sent)} users")
        for phase in ("log_write", "log_flush", "state_flush", "state_commit", "catalog_write", "snapshot_swap",
                      "model_publish"):
            self.assertGreater(by_phase[phase], 0, f"no kill hit {phase}; seed {SEED}")

    def kill_once(self, folder, oracle, hits, rng, number, phases, nth_max, when):
        control = folder.faults
        control.clear()
        nth, moment, power = rng.randint(1, max(1, nth_max)), rng.randint(0, 2), rng.random() < 0.35
        if when == "start":
            control.arm(phases, nth, moment, power, rng.getrandbits(60))
        server = Server(folder)
        if server.port is not None:
            load = Load(server, oracle, f"k{number}", jobs=when == "jobs", seed=rng.getrandbits(30))
            if when in ("load", "jobs") and phases:
                time.sleep(rng.random() * 0.3)
                control.arm(phases, nth, moment, power, rng.getrandbits(60))
                server.wait(8)
            elif when == "end":
                time.sleep(rng.random() * 0.5)
                control.arm(phases, nth, moment, power, rng.getrandbits(60))
                server.process.terminate()
                server.wait(START_S)
            else:
                server.wait(0.2 + rng.random() * 0.6)
            server.kill()
            load.stop()
        else:
            server.wait(START_S)
        death = control.death()
        control.clear()
        if server.process.returncode == 0 and when == "end":
            return False
        if server.process.returncode != -9:
            self.fail(f"kill {number + 1} {phases} {when}: ended with {server.process.returncode}: {folder.said()}")
        hits[f"{death[0]} {death[1]}{' and power lost' if power else ''}" if death else "between by a signal"] += 1
        return True

    def check_whole(self, folder):
        for command in ("log", "state"):
            status, said = folder.run(command, "verify")
            self.assertEqual(status, 0, f"{command} verify, seed {SEED}: {said}")

    def test_a_folder_whose_first_start_was_killed(self):
        """At the nth write of all, from the first one on, until the start gets through."""
        rng, hits = random.Random(SEED + 2), collections.Counter()
        nth = 0
        while True:
            nth += rng.randint(1, max(1, 1000 // KILLS))
            folder, oracle = Folder(), Oracle()
            folder.faults.arm(PHASES, nth, rng.randint(0, 2), rng.random() < 0.5, rng.getrandbits(60))
            server = Server(folder)
            killed = server.port is None and server.wait(START_S)
            server.kill()
            if killed:
                self.assertIsNotNone(folder.faults.death(), f"ended by itself at {nth}: {folder.said()}")
                hits[" ".join(folder.faults.death())] += 1
            folder.faults.clear()
            with Server(folder) as server:
                make_catalog(server.client())
                batch = [event_of("first", n) for n in range(20)]
                oracle.sending(batch)
                oracle.answered(batch, server.client().call("POST", "/v1/events", {"events": batch}))
                oracle.check(server.client())
                self.assertEqual(server.stop(), 0)
            self.assertEqual(oracle.errors, [], f"seed {SEED}, write {nth}")
            folder.remove()
            if not killed:
                break
        print(f"first start, kills by what was being written: {dict(hits)}")
        self.assertGreater(sum(hits.values()), 0)

    def test_an_import_goes_on_where_it_was_killed(self):
        hits, rng = collections.Counter(), random.Random(SEED + 1)
        for _ in range(max(1, KILLS // 50)):
            self.import_killed(hits, rng)
        print(f"import, kills by what was being written: {dict(hits)}")
        self.assertGreater(sum(hits.values()), 0)

    def import_killed(self, hits, rng):
        users = 120
        folder = Folder()
        self.addCleanup(folder.remove)
        with Server(folder) as server:
            make_catalog(server.client())
            server.stop()
        rows = [event_of(f"u{u}", n) for u in range(users) for n in range(EVENTS_A_USER)]
        csv = folder.top + "/events.csv"
        with open(csv, "w") as file:
            file.write("user,item,type,time,collection\n")
            for i, row in enumerate(rows):
                file.write(f"{row['user']},{row['item']},{row['type']},{1_700_000_000 + i},{row.get('collection', '')}\n")
        for _ in range(8):
            phase = rng.choice(["import_position", "log_write", "state_flush", "state_commit"])
            folder.faults.arm((phase,), rng.randint(1, 6), rng.randint(0, 2), rng.random() < 0.3)
            status, said = folder.run("import", "csv", csv, faulty=True)
            death = folder.faults.death()
            folder.faults.clear()
            if status == -9:
                hits[" ".join(death)] += 1
            else:
                self.assertEqual(status, 0, said)
        status, said = folder.run("import", "csv", csv)
        self.assertEqual(status, 0, said)
        with Server(folder) as server:
            client = server.client()
            for u in range(users):
                seen = seen_profile(client.call("GET", f"/v1/users/u{u}/profile").json())
                self.assertEqual(seen, profile_of([row for row in rows if row["user"] == f"u{u}"]), f"u{u}")
            server.stop()
        self.check_whole(folder)


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False, warnings="ignore").result.wasSuccessful())
