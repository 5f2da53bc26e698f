"""The ledger and a receipt, checked with what others wrote, openssl and tlog-scales, and with our second verifier."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import oracle
import requests
from demo import expect, require, running
from openssl import openssl_accepts
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import Checkpoint, InclusionProof, InclusionProofInvalid

COPIES = 140  # two entries each: more than one tile


def read_proof(text):
    """A `tlog-proof@v1`: its index, its hashes and its checkpoint."""
    head, checkpoint = text.split("\n\n", 1)
    first, index, *hashes = head.split("\n")
    expect("first line of the proof", first, "c2sp.org/tlog-proof@v1")
    return int(index.removeprefix("index ")), [base64.b64decode(one) for one in hashes], checkpoint


def check_receipt(receipt, vkey):
    for entry in receipt["entries"]:
        index, hashes, text = read_proof(entry["proof"])
        checkpoint = Checkpoint.from_text(text)
        checkpoint.verify(Vkey.from_string(vkey))
        proof = InclusionProof(index, checkpoint.size, hashes)
        leaf = entry["leaf"].encode()
        proof.check(leaf_hash(leaf), checkpoint.root_hash)
        try:
            proof.check(leaf_hash(leaf.replace(b'"rows_out":', b'"rows_out":1').replace(b"9901", b"9902")), checkpoint.root_hash)
        except InclusionProofInvalid:
            continue
        sys.exit("FAILED: a changed receipt is accepted")


def check_receipt_ours(text, vkey):
    """The second verifier takes a receipt as it was sent, and no other."""
    entries = list(oracle.verify_receipt(text, vkey).values())
    expect("types of the entries", [entry["type"] for entry in entries], ["release.intent", "release.complete"])
    receipt = json.loads(text)
    first, last = receipt["entries"]
    wrong = {
        "another release": {**receipt, "release": "0" * 36},
        "its entries in another order": {**receipt, "entries": [last, first]},
        "no intent": {**receipt, "entries": [last]},
        "no entries": {**receipt, "entries": []},
        "another index": {**receipt, "entries": [{**first, "index": last["index"]}, last]},
        "another's proof": {**receipt, "entries": [{**first, "proof": last["proof"]}, last]},
        "an entry changed": {**receipt, "entries": [first, {**last, "leaf": last["leaf"].replace("9", "8", 1)}]},
        "another checkpoint": {**receipt, "checkpoint": receipt["checkpoint"].replace("\n", "0\n", 2)},
    }
    for what, other in wrong.items():
        try:
            oracle.verify_receipt(json.dumps(other), vkey)
        except oracle.Refused:
            continue
        sys.exit(f"FAILED: a receipt with {what} is accepted")


def root_agrees(folder):
    reader = TilesReader(LocalBackend(folder))
    checkpoint = reader.get_checkpoint()
    for index in range(checkpoint.size):
        try:
            proof = reader.get_inclusion_proof(index, checkpoint.size)
            proof.check(leaf_hash(reader.get_entry(index)), checkpoint.root_hash)
        except InclusionProofInvalid:
            return False
    return reader.calculate_root_hash() == checkpoint.root_hash


def flipped(source, target, name):
    """A copy of the export with one bit of one file turned."""
    shutil.copytree(source, target)
    path = target / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return target


def check(salinan):
    with running(salinan, 500) as (demo, folder):
        session = requests.Session()
        session.verify, session.trust_env = demo.ca, False  # else a bundle in the environment goes first
        session.headers["Authorization"] = demo.bearer("partai_kabkota")
        releases = []
        for _ in range(COPIES):
            releases.append(session.get(demo.urls["ndjson"], timeout=60).headers["release-id"])

        vkey = demo.log("vkey")[1].strip()
        note = demo.log("checkpoint")[1]
        require("openssl verifies the checkpoint", openssl_accepts(folder, vkey, note))
        size = note.split("\n")[1]
        changed = note.replace(f"\n{size}\n", f"\n{int(size) + 1}\n")
        require("openssl refuses another size", not openssl_accepts(folder, vkey, changed))

        for release in (releases[0], releases[-1]):
            answer = session.get(demo.urls["receipts"] + release, timeout=60)
            check_receipt(answer.json(), vkey)
            check_receipt_ours(answer.text, vkey)
        changed = session.get(demo.urls["receipts"] + releases[0], timeout=60).json()
        require("the receipt's own key is the ledger's", changed["vkey"] == vkey)

        tiles = folder / "tiles"
        expect("exit of `log export`", demo.log("export", "--tiles", str(tiles))[0], 0)
        require("tlog-scales accepts the export", root_agrees(tiles))
        oracle.verify_export(tiles, vkey, [note])
        cases = ("tile/entries/000", "tile/0/000", "tile/1/000.p/1")
        for number, name in enumerate(cases):
            require(f"tlog-scales refuses a bit turned in {name}", not root_agrees(flipped(tiles, folder / f"bad-{number}", name)))

        script = Path(__file__).with_name("tlog.py")
        expect("exit of tlog.py", subprocess.run([sys.executable, str(script), salinan, demo.ledger, vkey]).returncode, 0)

        expect("exit of the demo after SIGTERM", demo.stop(), 0)
        check_store(demo)
        print(f"  ledger: {size} entries accepted by openssl, tlog-scales and the second verifier; {len(cases) + 1} changes refused")


def check_store(demo):
    """An entry changed in the database, past its triggers, is named by `log verify`."""
    import sqlite3

    demo.verify()
    expect("exit with another's key", demo.log("verify", "--vkey", "salinan.demo.example/ledger+00000000+AQ==")[0], 2)
    with sqlite3.connect(Path(demo.ledger) / "ledger.sqlite") as store:
        for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            store.execute(f'DROP TRIGGER "{name}"')
        (index,) = store.execute("SELECT idx FROM entry WHERE kind = 'release.intent' ORDER BY idx LIMIT 1 OFFSET 1").fetchone()
        (leaf,) = store.execute("SELECT leaf FROM entry WHERE idx = ?", (index,)).fetchone()
        changed = bytes(leaf).replace(b'"pemilu-2024"', b'"pemilu-2029"')
        require("the entry is changed", changed != bytes(leaf))
        store.execute("UPDATE entry SET leaf = ? WHERE idx = ?", (changed, index))
    code, said = demo.log("verify", "--format", "json")
    expect("exit of `log verify` after a change", code, 1)
    require(f"`log verify` names entry {index}: {said}", json.loads(said)["index"] == index)
