"""A running `salinan demo`, as a script uses it: the facts from `--format json`, and its end by SIGTERM."""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 60


def expect(what, found, wanted):
    """Ends the run when `found` is not `wanted`."""
    if found != wanted:
        sys.exit(f"FAILED: {what}\n  found  {found!r:.400}\n  wanted {wanted!r:.400}")


def require(what, holds):
    expect(what, bool(holds), True)


class Demo:
    def __init__(self, salinan, folder, voters, *more, before=(), environment=None):
        self.salinan = salinan
        self.stderr_path = Path(folder) / "stderr.txt"
        command = [*before, salinan, "demo", "--format", "json", "--listen", "127.0.0.1:0"]
        command += ["--dir", str(Path(folder) / "demo"), "--voters", str(voters), *more]
        started = time.monotonic()
        with self.stderr_path.open("wb") as stderr:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment)
        line = self.process.stdout.readline()
        self.start_seconds = time.monotonic() - started
        if not line:
            sys.exit(f"FAILED: the demo did not start\n{self.stderr_path.read_text()}")
        self.facts = json.loads(line)
        self.ca, self.ledger, self.urls = self.facts["ca"], self.facts["ledger"], self.facts["urls"]

    def bearer(self, who):
        return f"Bearer {self.facts['tokens'][who]}"

    def peak_bytes(self):
        """The most memory that was ever resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1]) * 1024

    def curl(self, url, path, *more, who="partai_kabkota"):
        """Starts curl; it writes the body to `path`."""
        command = ["curl", "-sS", "--fail", "--cacert", self.ca, "-H", f"Authorization: {self.bearer(who)}"]
        return subprocess.Popen([*command, "-o", str(path), *more, url])

    def fetch(self, url, path, *more, who="partai_kabkota"):
        started = time.monotonic()
        expect(f"curl's exit for {url}", self.curl(url, path, *more, who=who).wait(), 0)
        return time.monotonic() - started

    def log(self, *arguments):
        """Runs `salinan log` on the demo's ledger: exit code and output."""
        command = [self.salinan, "log", arguments[0], "--dir", self.ledger, *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout

    def verify(self):
        expect("exit of `log verify`", self.log("verify")[0], 0)

    def stop(self):
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS_MAX)


@contextmanager
def running(salinan, voters, *more):
    with tempfile.TemporaryDirectory(prefix="salinan-") as folder:
        demo = Demo(salinan, folder, voters, *more)
        try:
            yield demo, Path(folder)
            expect("exit of the demo after SIGTERM", demo.stop(), 0)
        finally:
            if demo.process.poll() is None:
                demo.process.kill()
                demo.process.wait()
