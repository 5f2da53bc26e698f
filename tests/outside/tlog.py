#!/usr/bin/env python3
"""Checks a ledger with a verifier that others wrote: tlog-scales, from PyPI (Python 3.11 or later).

    pip install tlog-scales
    tests/outside/tlog.py target/debug/salinan DIR [VKEY]

Exports the ledger as a C2SP tlog-tiles folder, verifies the checkpoint's signature, computes the root from the
tiles, proves a sample of entries, proves growth from earlier sizes, and makes sure that a changed entry, root
or signature is refused. Exit 0: accepted.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint, ConsistencyProofInvalid, InclusionProofInvalid
from tlog_scales.utils import sha256

SAMPLE = 500


def refused(what, kinds, check):
    try:
        check()
    except kinds:
        return
    sys.exit(f"accepted although it is wrong: {what}")


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def check(folder, vkey):
    reader = TilesReader(LocalBackend(folder))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(vkey)
    size, root = checkpoint.size, checkpoint.root_hash
    if reader.calculate_root_hash() != root:
        sys.exit("the root of the tiles is not the signed one")

    step = max(1, size // SAMPLE)
    for index in sorted({*range(0, size, step), size - 1}):
        entry = reader.get_entry(index)
        proof = reader.get_inclusion_proof(index, size)
        proof.check(leaf_hash(entry), root)
        refused("a changed entry", InclusionProofInvalid, lambda: proof.check(leaf_hash(entry + b" "), root))
        refused("another root", InclusionProofInvalid, lambda: proof.check(leaf_hash(entry), sha256(root)))

    for old in (1, 2, 255, 256, 257, 65_535, 65_536, 65_537, size - 1):
        if 0 < old < size:
            old_root = reader.mth(0, old)
            growth = reader.get_consistency_proof(old, size)
            growth.check(old_root, root)
            refused("another past", ConsistencyProofInvalid, lambda: growth.check(sha256(old_root), root))

    grown = Checkpoint(checkpoint.origin, size + 1, root, checkpoint.signatures)
    refused("a checkpoint with another size", Exception, lambda: grown.verify(vkey))
    print(f"accepted: {checkpoint.origin}, {size} entries")


def main():
    salinan, ledger, *rest = sys.argv[1:]
    vkey = rest[0] if rest else subprocess.check_output([salinan, "log", "vkey", "--dir", ledger], text=True)
    with tempfile.TemporaryDirectory() as folder:
        tiles = Path(folder) / "tiles"
        subprocess.check_call([salinan, "log", "export", "--dir", ledger, "--tiles", str(tiles)])
        check(tiles, Vkey.from_string(vkey.strip()))


main()
