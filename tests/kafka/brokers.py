"""Apache Kafka on loopback for one test program, and kcat: another client than ours."""
import os
import shutil
import subprocess
import tempfile

SCRIPT = os.environ["KAFKA_SCRIPT"]


class Brokers:
    """Brokers of this program alone, in a folder and on ports of its own (tools/kafka.sh)."""

    def __init__(self, folder, port, heap="256m", count=1):
        self.address, self.count = f"127.0.0.1:{port}", count
        self.environment = dict(os.environ, KAFKA_DATA=folder, KAFKA_PORT=str(port), KAFKA_HEAP=heap)

    def run(self, command, check=True):
        """Whether the script said that it is done: "start", "kill 1", "resume 1", "wipe"."""
        done = subprocess.run([SCRIPT, *command.split()], env=self.environment, check=check, stdout=subprocess.DEVNULL)
        return done.returncode == 0

    def kcat(self, *args, text=None):
        return subprocess.run(["kcat", "-b", self.address, *args], input=text, capture_output=True, check=True).stdout

    def write(self, topic, partition, value):
        """One record, whatever its bytes."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(value)
            file.flush()
            self.kcat("-P", "-t", topic, "-p", str(partition), file.name)

    def can_start(self):
        """Where there is no kcat, no Java or no net to fetch the broker from, whoever needs it is skipped."""
        return shutil.which("kcat") is not None and self.run(f"start --brokers {self.count}", check=False)

    def addresses(self):
        """Of all of them."""
        done = subprocess.run([SCRIPT, "brokers"], env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()
