"""What the preloaded library (preload.cc) does to the server, told to it while it runs."""
import mmap
import os
import random
import struct

# The order of preload.cc.
PHASES = ["log_write", "log_flush", "state_flush", "state_commit", "catalog_write", "snapshot_swap", "model_publish",
          "import_position", "other"]
OPERATIONS = ["write", "sync", "rename", "create", "unlink"]
BEFORE, WITHIN, AFTER = 0, 1, 2
_SLOTS = ["armed", "countdown", "moment", "power_loss", "seed", "died_in_phase", "died_in_op", "full", "sync_fails",
          "sync_us", "clock_us", "short_writes"]
EVERYWHERE = (1 << len(PHASES)) - 1


def mask(*phases):
    return sum(1 << PHASES.index(phase) for phase in phases)


class Faults:
    """The control block. Attributes are its slots: `faults.full = mask("log_write")`."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(4096))
        self.__dict__["path"] = path
        self.__dict__["_file"] = open(path, "r+b")
        self.__dict__["_map"] = mmap.mmap(self._file.fileno(), 4096)

    def __getattr__(self, name):
        if name not in _SLOTS:
            raise AttributeError(name)
        return struct.unpack_from("<q", self._map, 8 * _SLOTS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("<q", self._map, 8 * _SLOTS.index(name), value)

    def calls(self, phase):
        return struct.unpack_from("<q", self._map, 8 * (len(_SLOTS) + PHASES.index(phase)))[0]

    def clear(self):
        for slot in _SLOTS:
            setattr(self, slot, 0)

    def arm(self, phases, nth, moment, power_loss=False, seed=None):
        """The nth call on a file of `phases` from now on is the process's last one."""
        self.armed = 0
        self.died_in_phase = 0
        self.countdown = nth
        self.moment = moment
        self.power_loss = int(power_loss)
        self.seed = random.getrandbits(62) if seed is None else seed
        self.armed = mask(*phases)

    def death(self):
        """(phase, operation) of the last death by an armed call, or None."""
        if self.died_in_phase == 0:
            return None
        return PHASES[self.died_in_phase - 1], OPERATIONS[self.died_in_op - 1]


def environment(folder, faults, library):
    """For a process whose files below `folder` are under `faults`."""
    os.makedirs(folder + ".unsynced", exist_ok=True)
    return dict(os.environ, LD_PRELOAD=library, FAULT_ROOT=folder, FAULT_CONTROL=faults.path)
