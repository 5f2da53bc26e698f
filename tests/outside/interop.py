#!/usr/bin/env python3
"""Ledgers of every shape, held before verifiers that others wrote and before our second one:

    interop.py LOGS [TLOG]

LOGS is what the test `sizes` of `tests/it` leaves behind, TLOG is `tlog.go`, built; without it Go's verifier is skipped.
All have to accept each export and its growth from all smaller ones, and to refuse whatever is changed in them. There is
no ledger of size 0: its first entry is made with it.
"""

import base64
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import oracle
from demo import expect, require
from histories import check_forms, check_wrong, leaves_of, ours_refuses, saying
from openssl import openssl_accepts
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import Checkpoint

SEED = 4
SAMPLE = 300
# Changed in every file of theirs; of the greater ones, one file of each kind.
SMALL = (2, 257)
LARGE = 65_537


def ours(folder, vkey, old=()):
    oracle.verify_export(folder, vkey, old)


def scales(folder, vkey, old=()):
    """tlog-scales: every entry of a small ledger, a sample of a large one; growth by consistency proofs."""
    reader = TilesReader(LocalBackend(folder))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(vkey))
    size, root = checkpoint.size, checkpoint.root_hash
    require_equal(reader.calculate_root_hash(), root)
    for index in {*range(0, size, max(1, size // SAMPLE)), size - 1}:
        reader.get_inclusion_proof(index, size).check(leaf_hash(reader.get_entry(index)), root)
    for note in old:
        before = Checkpoint.from_text(note)
        before.verify(Vkey.from_string(vkey))
        reader.get_consistency_proof(before.size, size).check(before.root_hash, root)


class Golang:
    """`tlog.go`, which also makes sure by itself that damaged proofs are refused."""

    def __init__(self, program):
        self.program = program

    def __call__(self, folder, vkey, old=()):
        with tempfile.TemporaryDirectory() as notes:
            files = []
            for at, note in enumerate(old):
                files.append(f"{notes}/{at}")
                Path(files[-1]).write_text(note)
            done = subprocess.run([self.program, vkey, str(folder), *files], capture_output=True, text=True)
        require(f"no damaged proof is accepted: {done.stdout}", done.returncode in (0, 1))
        if done.returncode == 1:
            raise oracle.Refused(done.stdout)


def require_equal(one, other):
    if one != other:
        raise oracle.Refused("another root")


def refuses(verifier, *arguments):
    """Whether it refuses, in whatever way: those of others raise what they please."""
    try:
        verifier(*arguments)
    except Exception:  # noqa: BLE001
        return True
    return False


def checkpoint_changes(note):
    """Changes of what is signed, and of the signature itself."""
    text, signatures = note.split("\n\n")
    name, size, root = text.split("\n")
    mark, signer, blob = signatures.split()
    signature = bytearray(base64.b64decode(blob))
    own, digest = signature.copy(), bytearray(base64.b64decode(root))
    signature[20] ^= 1
    own[0] ^= 1
    digest[31] ^= 1

    def written(name=name, size=size, root=root, blob=blob):
        return f"{name}\n{size}\n{root}\n\n{mark} {signer} {blob}\n"

    yield "another name", written(name=f"{name}x")
    yield "a size more", written(size=str(int(size) + 1))
    yield "a size less", written(size=str(int(size) - 1))
    yield "another root", written(root=base64.b64encode(digest).decode())
    yield "another signature", written(blob=base64.b64encode(signature).decode())
    yield "another key id", written(blob=base64.b64encode(own).decode())
    yield "no signature", f"{text}\n\n"
    yield "cut off", note[: len(note) // 2]


def file_changes(data, dice):
    """Ways in which one file may differ."""
    for _ in range(12):
        turned = bytearray(data)
        turned[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        yield "a bit turned", bytes(turned)
    yield "cut off", data[: dice.randrange(len(data))]
    if len(data) > 64:
        yield "two parts swapped", data[32:64] + data[:32] + data[64:]


def changed(folder, path, data):
    """A file of the export with other content, while the block runs."""

    class Change:
        def __enter__(self):
            self.before = path.read_bytes()
            path.write_bytes(data)

        def __exit__(self, *_):
            path.write_bytes(self.before)

    return Change()


def check_changes(folder, vkey, verifiers, files, dice):
    """Changes each file; every verifier has to refuse. Gives how many changes there were."""
    count = 0
    path = folder / "checkpoint"
    note = path.read_text()
    with tempfile.TemporaryDirectory() as spare:
        for what, other in checkpoint_changes(note):
            with changed(folder, path, other.encode()):
                for name, verifier in verifiers.items():
                    require(f"{name} refuses a checkpoint with {what}", refuses(verifier, folder, vkey))
            require(f"openssl refuses a checkpoint with {what}", refuses(openssl, Path(spare), vkey, other))
            count += 1
    for path in files:
        for what, data in file_changes(path.read_bytes(), dice):
            with changed(folder, path, data):
                for name, verifier in verifiers.items():
                    require(f"{name} refuses {path.relative_to(folder)}, {what}", refuses(verifier, folder, vkey))
            count += 1
    return count


def openssl(folder, vkey, note):
    if not openssl_accepts(folder, vkey, note):
        raise oracle.Refused("the signature")


def check_proofs(folder, vkey, dice):
    """Proofs that tlog-scales makes: ours accepts them and refuses what is changed in them."""
    reader, note = TilesReader(LocalBackend(folder)), (folder / "checkpoint").read_text()
    size, count = reader.get_checkpoint().size, 0
    for index in (0, 1, size // 2, size - 2, size - 1):
        path = reader.get_inclusion_proof(index, size).node_hashes
        leaf = reader.get_entry(index)

        def proof(path=path, index=index, note=note, head="c2sp.org/tlog-proof@v1"):
            return "\n".join([head, f"index {index}", *(base64.b64encode(one).decode() for one in path), "", note])

        expect("index of a proof", oracle.verify_proof(proof(), leaf, vkey)[0], index)
        at = dice.randrange(len(path))
        wrong = {
            "a bit of a hash": proof([*path[:at], bytes([path[at][0] ^ 1]) + path[at][1:], *path[at + 1 :]]),
            "a hash less": proof(path[:at] + path[at + 1 :]),
            "a hash more": proof([*path, path[0]]),
            "a hash twice": proof([*path[:at], path[at], *path[at:]]),
            "another index": proof(index=index ^ 1),
            "an index beyond": proof(index=size),
            "an index in another form": proof(index=f"0{index}"),
            "another version": proof(head="c2sp.org/tlog-proof@v2"),
            "no checkpoint": proof().removesuffix(note),
        }
        if len(path) > 1:
            wrong["hashes in another order"] = proof(path[::-1])
        for what, text in wrong.items():
            require(f"ours refuses a proof with {what}", ours_refuses(oracle.verify_proof, text, leaf, vkey))
        require("ours refuses another entry", ours_refuses(oracle.verify_proof, proof(), leaf + b" ", vkey))
        count += len(wrong) + 1
    return count


def check_histories(folder, vkey):
    """Entries that are hashed as they should be, and yet say what cannot be: only ours reads them."""
    leaves = leaves_of(folder)
    oracle.verify_entries(leaves, vkey)
    entries = [json.loads(leaf) for leaf in leaves]

    def at(kind, **facts):
        return next(
            index
            for index, entry in enumerate(entries)
            if entry["type"] == kind and all(entry[key] == value for key, value in facts.items())
        )

    def said(index, **facts):
        return saying(leaves, index, **facts)

    def without(index):
        # Indexes after it move, so something harmless takes its place.
        return [*leaves[:index], leaves[refusal], *leaves[index + 1 :]]

    refusal, ack = at("release.refused"), at("release.ack", match=True)
    complete, intent = at("release.complete", outcome="complete"), at("release.intent")
    cut, failed = at("release.complete", outcome="aborted"), at("release.complete", outcome="failed")
    grant, start = at("release.grant"), at("replica.start")
    granted = entries[grant]
    end = at("release.complete", release=granted["release"])
    oracle.verify_entries(without(ack), vkey)  # so the change alone is no flaw
    wrong = {
        "an end without an intent": (without(intent), "it names no intent of its release"),
        "an end twice": ([*leaves, leaves[complete]], "the release has ended"),
        "a grant after the end": ([*leaves, leaves[grant]], "the release has ended"),
        "an intent twice": ([*leaves, leaves[intent]], "the release was opened before"),
        "a genesis later": ([*leaves, leaves[0]], "`log.genesis` is entry 0 and no other"),
        "no genesis": (leaves[1:], "`log.genesis` is entry 0 and no other"),
        "a missing grant": (without(grant), "more left than was granted"),
        "more than was granted": (said(end, bytes=granted["ceiling_bytes"] + 1), "more left than was granted"),
        "less than was handed over": (said(end, bytes=granted["bytes"] - 1), "more left than was granted"),
        "a ceiling that does not rise": (said(grant, ceiling_bytes=8 << 20), "the ceiling does not rise"),
        "an end of another intent": (said(complete, intent=refusal), "it names no intent of its release"),
        "a whole copy with a cause": (said(complete, cause="requester_left"), "outcome and cause do not agree"),
        "a copy cut off without a cause": (said(cut, cause=None), "outcome and cause do not agree"),
        "bytes of what failed": (said(failed, bytes=1), "nothing was sent, and yet bytes were"),
        "coded bytes without a coding": (said(complete, coded_bytes=1), "coded bytes without a coding"),
        "an acknowledgement that matches something else": (said(ack, rows=entries[ack]["rows"] + 1), "`match` is not what it says"),
        "an acknowledgement that does not match": (said(ack, match=False), "`match` is not what it says"),
        "an acknowledgement of an open release": ([*leaves[:complete], leaves[ack], *leaves[complete:]], "the release is open"),
        "another head found": (said(start, head_root="0" * 64), "it found another root"),
        "a head beyond": (said(start, head_size=start + 1), "it found another number of entries"),
        "another boot before": (said(start, previous_boot="0" * 32), "the boot before was another"),
        "another key": (said(0, vkeys=[]), "it has no key"),
        "another origin": (said(0, origin="other.example"), "its origin is not the key's name"),
    }
    return check_wrong(wrong, vkey)


def main():
    logs, *golang = sys.argv[1:]
    logs, dice = Path(logs), random.Random(SEED)
    vkey = (logs / "vkey").read_text()
    verifiers = {"ours": ours, "tlog-scales": scales}
    if golang:
        verifiers["golang.org/x/mod/sumdb"] = Golang(golang[0])
    folders = {int(folder.name): folder for folder in sorted(logs.iterdir()) if folder.name.isdigit()}
    require("there are logs of all sizes", len(folders) == 9)
    notes = {size: (folder / "checkpoint").read_text() for size, folder in folders.items()}
    with tempfile.TemporaryDirectory() as spare:
        for size, note in notes.items():
            openssl(Path(spare), vkey, note)
    for name, verifier in verifiers.items():
        began = time.monotonic()
        for size, folder in folders.items():
            verifier(folder, vkey, [note for old, note in notes.items() if old < size])
        print(f"  {name}: sizes {', '.join(map(str, folders))} accepted in {time.monotonic() - began:.1f} s")

    count = 0
    with tempfile.TemporaryDirectory() as spare:
        for size in SMALL:
            folder = Path(shutil.copytree(folders[size], Path(spare) / str(size)))
            files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "checkpoint")
            count += check_changes(folder, vkey, verifiers, files, dice)
        folder = Path(shutil.copytree(folders[LARGE], Path(spare) / "large"))
        # tlog-scales reads a sample of a large ledger: it is asked about the upper tiles, which all proofs go through.
        others = {name: verifier for name, verifier in verifiers.items() if name != "ours"}
        for path in (folder / "tile/1/000", folder / "tile/2/000.p/1"):
            for what, data in file_changes(path.read_bytes(), dice):
                with changed(folder, path, data):
                    for name, verifier in others.items():
                        require(f"{name} refuses {path.relative_to(folder)}, {what}", refuses(verifier, folder, vkey))
                count += 1
    print(f"  {count} changed exports refused by {len(verifiers)} verifiers")
    print(f"  {sum(check_proofs(folders[size], vkey, dice) for size in (257, LARGE))} changed proofs refused by ours")
    histories, forms = check_histories(folders[257], vkey), check_forms(leaves_of(folders[LARGE]))
    print(f"  {histories} histories and {forms} entries that cannot be are refused by ours")


main()
