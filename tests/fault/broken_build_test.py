"""The oracle catches a build whose offsets become durable before the state that they speak of."""
import os
import sys
import unittest

from load import Load, Oracle, make_catalog
from served import Folder, Server

BROKEN = os.environ["FAULT_BROKEN_BINARY"]


class BrokenBuildTest(unittest.TestCase):
    def test_the_oracle_finds_what_offsets_first_loses(self):
        folder, oracle = Folder(), Oracle()
        self.addCleanup(folder.remove)
        with Server(folder, binary=BROKEN) as server:
            make_catalog(server.client())
        for kill in range(10):
            with Server(folder, binary=BROKEN) as server:
                load = Load(server, oracle, f"k{kill}")
                server.wait(1)
                server.kill()
                load.stop()
            with Server(folder, binary=BROKEN) as server:
                oracle.check_before_retry(server.client())
            if oracle.errors:
                break
        lost = [error for error in oracle.errors if "acknowledged" in error]
        print(f"after {kill + 1} kills: {lost[:1]}")
        self.assertTrue(lost, f"10 kills and not found: {oracle.errors}")
        status, said = folder.run("state", "verify", binary=BROKEN)
        self.assertEqual(status, 1, said)
        self.assertIn("the state is not what the log says", said)


if __name__ == "__main__":
    sys.exit(not unittest.main(verbosity=2, exit=False, warnings="ignore").result.wasSuccessful())
