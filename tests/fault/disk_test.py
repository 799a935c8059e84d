"""A disk that is full, fails or is slow, short writes, a clock that jumps, and little memory."""
import sys
import threading
import time
import unittest

import faults
from faults import mask
from load import EVENTS_A_USER, Load, Oracle, event_of, make_catalog
from served import CONFIG, Folder, Server, until


class DiskTest(unittest.TestCase):
    def setUp(self):
        self.folder, self.oracle = Folder(), Oracle()
        self.addCleanup(self.folder.remove)

    def check_whole(self):
        for command in ("log", "state"):
            status, said = self.folder.run(command, "verify")
            self.assertEqual(status, 0, f"{command} verify: {said}")

    def refused_while(self, fault, value):
        """Under load: writes are refused clearly while `fault` is set, reads go on, and all comes back by itself."""
        with Server(self.folder) as server:
            client = server.client()
            make_catalog(client)
            for round_ in range(3):
                load = Load(server, self.oracle, f"r{round_}")
                until(lambda: self.oracle.counts["batches"] > 10 * (round_ + 1))
                setattr(self.folder.faults, fault, value)
                refused = until(lambda: self.refusal(client, f"x{round_}"))
                self.assertEqual(refused.status, 503, refused)
                self.assertEqual(refused.headers["Content-Type"], "application/problem+json", refused)
                problem = refused.json()
                self.assertEqual(problem["code"], "unavailable", problem)
                self.assertIn("log", problem["detail"])
                answers = self.oracle.counts["answers"]
                until(lambda: self.oracle.counts["answers"] > answers + 5)  # reads go on
                put = client.call("PUT", "/v1/items/refused", {"title": "no"})
                self.assertEqual(put.status, 503, put)
                setattr(self.folder.faults, fault, 0)
                until(lambda: client.call("POST", "/v1/events", {"events": [event_of("again", round_)]}).status == 200)
                load.stop()
                self.oracle.check(client)
                self.assertEqual(self.oracle.errors, [])
            self.assertGreater(self.oracle.counts["refused"], 0)
            self.assertEqual(server.stop(), 0)
        self.check_whole()
        print(dict(self.oracle.counts))

    def refusal(self, client, user):
        batch = [event_of(user, n) for n in range(3)]
        self.oracle.sending(batch)
        answer = client.call("POST", "/v1/events", {"events": batch})
        self.oracle.answered(batch, answer)
        return answer if answer.status != 200 else None

    def test_full_disk_of_the_log(self):
        self.refused_while("full", mask("log_write", "log_flush"))

    def test_full_disk_everywhere(self):
        self.refused_while("full", faults.EVERYWHERE)

    def test_failing_fsync_of_the_log(self):
        self.refused_while("sync_fails", mask("log_write", "log_flush"))

    def test_a_full_disk_of_the_state_costs_no_event(self):
        with Server(self.folder) as server:
            make_catalog(server.client())
            self.folder.faults.full = mask("state_flush", "state_commit")
            load = Load(server, self.oracle, "s", writers=4)
            time.sleep(6)  # of load: beyond the store's write buffers
            load.stop()
            self.folder.faults.full = 0
            self.assertEqual(self.oracle.counts["refused"], 0)
            self.oracle.check(server.client())
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.oracle.errors, [])
        self.check_whole()

    def test_answers_do_not_wait_for_a_slow_fsync(self):
        with Server(self.folder) as server:
            client = server.client()
            make_catalog(client)
            self.folder.faults.sync_us = 1_500_000
            done = []

            def write():
                answer = server.client().call("POST", "/v1/events", {"events": [event_of("slow", 0)]})
                done.append(("write", answer.status))

            writer = threading.Thread(target=write)
            before = self.folder.faults.calls("log_write")
            writer.start()
            until(lambda: self.folder.faults.calls("log_write") > before, pause_s=0.001)
            for _ in range(5):
                done.append(("read", client.call("POST", "/v1/recommend", {"user": "other", "surface": "home"}).status))
            writer.join()
            self.folder.faults.sync_us = 0
            self.assertEqual(done, [("read", 200)] * 5 + [("write", 200)], "reads that waited for the write")

    def test_short_writes_change_nothing(self):
        self.folder.faults.short_writes = 1
        for round_ in range(2):
            with Server(self.folder) as server:
                if round_ == 0:
                    make_catalog(server.client())
                load = Load(server, self.oracle, f"w{round_}", jobs=True)
                until(lambda: self.oracle.counts["batches"] > 60 * (round_ + 1))
                load.stop()
                self.oracle.check(server.client())
                self.assertEqual(server.stop(), 0)
        self.assertEqual(self.oracle.errors, [])
        self.check_whole()

    def test_a_clock_that_jumps(self):
        day_us = 86_400_000_000
        with Server(self.folder) as server:
            make_catalog(server.client())
            for jump, days in enumerate((1, -2, 0, 30, -30, 0)):
                self.folder.faults.clock_us = days * day_us
                load = Load(server, self.oracle, f"c{jump}")
                until(lambda: self.oracle.counts["batches"] > 20 * (jump + 1))
                load.stop()
                self.oracle.check(server.client())
                self.assertEqual(self.oracle.errors, [], f"clock {days} days off")
            server.kill()
        self.folder.faults.clock_us = -3 * day_us
        with Server(self.folder) as server:
            self.oracle.fresh_users = set(self.oracle.sent)
            self.oracle.check(server.client())
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.oracle.errors, [])
        self.check_whole()

    def test_little_memory_for_many_users(self):
        """Users far beyond state.cache_bytes: they leave memory and come back whole."""
        users = 3000
        with Server(self.folder) as server:
            client = server.client()
            make_catalog(client)
            for n in range(0, EVENTS_A_USER, 4):
                for first in range(0, users, 250):
                    batch = [event_of(f"m{u}", k) for u in range(first, first + 250) for k in range(n, n + 4)]
                    self.oracle.sending(batch)
                    self.oracle.answered(batch, client.call("POST", "/v1/events", {"events": batch}))
            self.oracle.check(client)
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.oracle.errors, [])
        self.check_whole()


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False, warnings="ignore").result.wasSuccessful())
