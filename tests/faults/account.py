"""What requesters saw, held against what the ledger says afterwards."""

import json
import shutil
import sqlite3
import sys
from collections import Counter
from pathlib import Path

from served import require

sys.path.append(str(Path(__file__).resolve().parents[1] / "outside"))
import oracle  # noqa: E402


class Account:
    """All that was ever shown of one ledger: copies, acknowledgements, receipts, checkpoints.

    What has to hold, whatever happened:

    - acknowledged is stored: an answer of a release has its intent, an acknowledgement its entry at the index it was told,
      a receipt its entries at theirs;
    - nobody got more bytes than were granted;
    - a whole body has a completion of the same bytes and digest;
    - every checkpoint and receipt is a beginning of the ledger, so that it never forked and never went back.
    """

    def __init__(self, site):
        self.site = site
        self.vkey = site.demo.log("vkey")[1].strip()
        self.copies, self.acks, self.receipts, self.notes = [], [], [], set()
        self.checkpoints = {}
        self.totals = Counter()

    def see_anchor(self):
        """The checkpoint that stands in the anchor file now, if one does."""
        try:
            note = (self.site.ledger / "ledger.anchor").read_text()
        except OSError:
            return
        if note:
            self.notes.add(note)

    def saw_receipt(self, text):
        oracle.verify_receipt(text, self.vkey)
        receipt = json.loads(text)
        self.notes.add(receipt["checkpoint"])
        self.receipts.append(receipt)

    def leaves(self):
        folder = self.site.folder / "copy"
        store = sqlite3.connect(self.site.copy_of_store(folder))
        rows = store.execute("SELECT idx, leaf FROM entry ORDER BY idx").fetchall()
        head = store.execute("SELECT checkpoint FROM head").fetchone()[0]
        store.close()
        shutil.rmtree(folder)
        require("indexes are dense", [index for index, _ in rows] == list(range(len(rows))))
        return [bytes(leaf) for _, leaf in rows], head

    def check(self):
        """Holds everything seen since the last check against the ledger as it lies there."""
        self.site.verify()
        leaves, head = self.leaves()
        rows, entries, _ = oracle.verify_entries(leaves, self.vkey)
        for note in {*self.notes, head} - self.checkpoints.keys():
            self.checkpoints[note] = oracle.open_checkpoint(note, self.vkey)
        for seen in self.checkpoints.values():
            require(f"a checkpoint of {seen.size} is within {len(leaves)} entries", seen.size <= len(leaves))
            require(f"the ledger did not fork before {seen.size}", oracle.root_at(rows, seen.size) == seen.root)
        self.totals["checkpoints"] = len(self.checkpoints)
        self.notes.clear()
        by_release = {}
        for entry in entries:
            if "release" in entry:
                by_release.setdefault(entry["release"], []).append(entry)
        for copy in self.copies:
            if copy.status == 200:
                self.check_copy(copy, {entry["type"]: entry for entry in by_release.get(copy.release, [])})
        for copy, answer in self.acks:
            entry = entries[answer["index"]] if answer["index"] < len(entries) else {"type": None}
            stored = entry["type"] == "release.ack" and entry["release"] == copy.release
            require(f"acknowledgement {answer['index']} is stored", stored and entry["body_sha256"] == copy.sha256)
            require("a true statement matches", answer["match"] and entry["match"])
            self.totals["acknowledged"] += 1
        for receipt in self.receipts:
            for entry in receipt["entries"]:
                stored = leaves[entry["index"]] if entry["index"] < len(leaves) else b""
                require(f"entry {entry['index']} of a receipt is stored", stored == entry["leaf"].encode())
                self.totals["acknowledged"] += 1
        self.copies, self.acks, self.receipts = [], [], []
        return entries

    def check_copy(self, copy, of_it):
        # Later grants hide earlier ones: the last has the highest ceiling.
        intent, grant, end = (of_it.get(f"release.{kind}") for kind in ("intent", "grant", "complete"))
        require(f"{copy.bytes} bytes of {copy.release} have an intent", intent)
        self.totals["acknowledged"] += 1
        ceiling = (grant or intent)["ceiling_bytes"]
        require(f"{copy.bytes} bytes are within {ceiling}", copy.bytes <= int(ceiling))
        if copy.is_whole:
            require(f"the whole copy {copy.release} has its completion", end and end["outcome"] == "complete")
            if copy.is_coded:
                require("it was of so many coded bytes", end["coded_bytes"] == copy.bytes)
            else:
                require("it was of these bytes", (end["bytes"], end["body_sha256"]) == (copy.bytes, copy.sha256))
            self.totals["acknowledged"] += 1
            self.totals["whole"] += 1
        else:
            handed_over = end and end["coded_bytes" if copy.is_coded else "bytes"]
            require("an end says at least what came", not end or handed_over >= copy.bytes)
            self.totals["cut"] += 1
