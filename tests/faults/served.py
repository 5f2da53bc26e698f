"""The demo with `shim.c` before it, started, killed and started again on one folder; and what a power cut leaves of it."""

import mmap
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "outside"))
from demo import Demo, require  # noqa: E402
from requester import Requester  # noqa: E402

KINDS = ("sync", "write", "send", "move")
NOTHING, FAIL_ONCE, FAIL_ON, KILL_BEFORE, KILL_AFTER, HALF, LIE_ON = range(7)
SYNC, WRITE, SEND, MOVE = range(4)
# As the structs of shim.c.
CONTROL = struct.Struct("=7I4I")
NOTE = struct.Struct("=4I2Q")
SECTOR = 512
# Narrows a copy to one polling station.
SMALL = "?tps=9901011001001"
RECOVERS_SECONDS = 15


def build_shim(folder):
    """`shim.c`, compiled."""
    shim = Path(folder) / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.check_call(["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", shim, source, "-ldl", "-lpthread"])
    return shim


class Site:
    """One ledger, and one process after the other that serves from it."""

    def __init__(self, salinan, shim, folder, voters):
        self.salinan, self.shim, self.folder, self.voters = salinan, shim, Path(folder), voters
        self.undo = self.folder / "undo"
        (self.folder / "control").write_bytes(bytes(CONTROL.size))
        with (self.folder / "control").open("r+b") as file:
            self.control = mmap.mmap(file.fileno(), CONTROL.size)
        self.demo = None

    def start(self):
        self.disarm()
        self.undo.write_bytes(b"")
        environment = {
            **os.environ,
            "LD_PRELOAD": str(self.shim),
            "SALINAN_FAULTS": str(self.folder / "control"),
            "SALINAN_UNDO": str(self.undo),
        }
        self.demo = Demo(self.salinan, self.folder, self.voters, environment=environment)
        self.port = int(self.demo.facts["address"].rsplit(":", 1)[1])
        return self.demo

    @property
    def ledger(self):
        return self.folder / "demo/ledger"

    def arm(self, kind=0, at=0, action=NOTHING, error=0):
        """From now on calls are counted, and the chosen one fails."""
        CONTROL.pack_into(self.control, 0, 0, self.port, kind, at, action, error, 0, *[0] * len(KINDS))
        struct.pack_into("=I", self.control, 0, 1)

    def disarm(self):
        struct.pack_into("=I", self.control, 0, 0)

    def counts(self):
        """Calls that failed, and calls of each kind since `arm`."""
        _, _, _, _, _, _, hits, *counts = CONTROL.unpack_from(self.control)
        return hits, dict(zip(KINDS, counts, strict=True))

    def is_running(self):
        return self.demo.process.poll() is None

    def kill(self):
        if self.is_running():
            self.demo.process.kill()
        self.demo.process.wait()

    def stop(self):
        """An end as it should be."""
        require("the demo ends with 0", self.demo.stop() == 0)

    def verify(self):
        """`salinan log verify` on what is there."""
        command = [self.salinan, "log", "verify", "--dir", str(self.ledger)]
        done = subprocess.run(command, capture_output=True, text=True)
        require(f"`log verify` finds it sound: {done.stdout}{done.stderr}", done.returncode == 0)

    def copy_of_store(self, folder):
        """The database as it lies there, with its log, elsewhere: reading it must not help the program to recover."""
        folder.mkdir()
        for name in ("ledger.sqlite", "ledger.sqlite-wal"):
            if (self.ledger / name).exists():
                shutil.copyfile(self.ledger / name, folder / name)
        return folder / "ledger.sqlite"

    def cut_power(self, dice, kept=None):
        """Undoes what no sync made durable and brings back any part of it, in sectors, as a disk without power would.
        Gives how many changes were not durable; `kept` is the share of them that got to the disk."""
        unsynced = {}
        for note in read_notes(self.undo.read_bytes()):
            if note.kind == SYNC:
                unsynced.pop(note.path, None)
            else:
                unsynced.setdefault(note.path, []).append(note)
        for path, notes in unsynced.items():
            if path.exists():
                with path.open("r+b") as file:
                    for note in reversed(notes):
                        note.undo(file)
                    # All, none or some of them got to the disk, in whatever order.
                    share = dice.choice((0.0, 0.5, 1.0)) if kept is None else kept
                    for note in notes:
                        note.redo_some(file, dice, share)
        return sum(map(len, unsynced.values()))


class Note:
    def __init__(self, kind, path, offset, size, old, new):
        self.kind, self.path, self.offset, self.size, self.old, self.new = kind, path, offset, size, old, new

    def undo(self, file):
        file.seek(self.offset)
        file.write(self.old)
        file.truncate(self.size)

    def redo_some(self, file, dice, kept):
        if self.kind == MOVE:
            if dice.random() < kept:
                file.truncate(self.offset)
            return
        for at in range(0, len(self.new), SECTOR):
            if dice.random() < kept:
                file.seek(self.offset + at)
                file.write(self.new[at : at + SECTOR])


def read_notes(data):
    at = 0
    while at + NOTE.size <= len(data):
        kind, path, old, new, offset, size = NOTE.unpack_from(data, at)
        at += NOTE.size
        if at + path + old + new > len(data):
            return  # killed while it was written: the change itself was not made yet
        parts = (data[at : at + path], data[at + path : at + path + old], data[at + path + old : at + path + old + new])
        at += path + old + new
        yield Note(kind, Path(parts[0].decode()), offset, size, parts[1], parts[2])


def recovered(site, account):
    """Whether a small copy comes whole; it is one of the account's."""
    copy = Requester(site.demo).ask(site.demo.facts["urls"]["csv"] + SMALL)
    account.copies.append(copy)
    return copy.is_whole and copy.status == 200


def until(holds, seconds, what):
    """Waits for something that has to come."""
    limit = time.monotonic() + seconds
    while not holds():
        require(f"{what} within {seconds} s", time.monotonic() < limit)
        time.sleep(0.02)
