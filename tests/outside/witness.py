"""Witnesses of others and of ours, against each other: aics-witness from PyPI signs the growth of our ledger and refuses an
old copy and a fork of it; its feeder has our witness sign, and finds out that ours refuses too.

    pip install --ignore-requires-python -r tests/outside/requirements-witness.txt
    tests/outside/run.py SALINAN witness
"""

import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import requests
from demo import expect, require, running

LIMIT_SECONDS = 60
NAME = "witness.example/foreign"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def process(command, log, ready):
    """A process that runs until the block ends, from when its log says `ready`."""
    with log.open("wb") as out:
        running_one = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for(f"{command[0]} says {ready!r}", lambda: ready in log.read_text(), log)
        yield running_one
    finally:
        running_one.send_signal(signal.SIGTERM)
        running_one.wait(LIMIT_SECONDS)


def wait_for(what, holds, log=None):
    until = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"FAILED: {what}\n{log.read_text()[-3000:] if log else ''}")
        time.sleep(0.05)


def size_of(note):
    return int(note.split("\n")[1]) if note.count("\n") > 3 else 0


def salinan_serve(demo, folder, policy):
    """Our server on the demo's ledger, asking the witnesses of `policy`, at a log file of its own."""
    config = Path(demo.facts["config"])
    other = config.with_name("witnessed.toml")
    text = config.read_text().replace("[ledger]\n", "[ledger]\nheartbeat_ms = 1000\n")
    lines = '\n[witness]\npolicy = "witnesses.policy"\ninterval_ms = 200\n'
    other.write_text(text + lines)
    (config.parent / "witnesses.policy").write_text(policy)
    log = folder / f"serve-{time.monotonic_ns()}.log"
    return process([demo.salinan, "serve", "--config", str(other)], log, "serving"), log


def check_foreign_witness(demo, folder, vkey):
    """The witness of others signs what ours asks it to, and nothing but growth."""
    from aics_tlog import parse_checkpoint, parse_note, parse_vkey, verify_cosignature

    port, state = free_port(), folder / "foreign"
    state.mkdir()
    config = ["--config", str(state / "witness.json")]
    foreign = [sys.executable, "-m", "aics_witness"]
    made = subprocess.check_output(
        [*foreign, "init", *config, "--name", NAME, "--listen", f"127.0.0.1:{port}"], text=True, stderr=subprocess.DEVNULL
    )
    witness = next(line for line in made.splitlines() if line.startswith(f"{NAME}+"))
    origin = vkey.split("+")[0]
    subprocess.check_call([*foreign, "add-log", *config, "--origin", origin, "--vkey", vkey], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    policy = f"log {vkey}\nwitness foreign {witness} http://127.0.0.1:{port}\nquorum foreign\n"
    ledger, cosigned = Path(demo.ledger), Path(demo.ledger) / "ledger.cosigned"

    def answers():
        try:
            return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    log = folder / "foreign.log"
    with process([*foreign, "serve", *config], log, ""):
        wait_for("the foreign witness answers", answers, log)
        serving, own_log = salinan_serve(demo, folder, policy)
        with serving:
            wait_for("a first checkpoint is signed", cosigned.exists, own_log)
            first = cosigned.read_text()
            wait_for("its growth is signed", lambda: size_of(cosigned.read_text()) > size_of(first), own_log)
        old = folder / "old"
        shutil.copytree(ledger, old)
        serving, own_log = salinan_serve(demo, folder, policy)
        with serving:
            wait_for("growth after a start is signed", lambda: size_of(cosigned.read_text()) > size_of((old / "ledger.cosigned").read_text()), own_log)
        note = cosigned.read_text()
        checked = parse_note(note)
        lines = [line for line in checked.signatures if line.name == NAME]
        expect("lines of the foreign witness", len(lines), 1)
        key, signed = parse_vkey(witness), parse_checkpoint(checked.text)
        holds = verify_cosignature(lines[0].signature, NAME, key.public_key, signed.origin, signed.size, signed.root)
        require("its own library verifies its line", holds)
        holds = verify_cosignature(lines[0].signature, NAME, key.public_key, signed.origin, signed.size + 1, signed.root)
        require("and not for another size", not holds)
        expect("exit of `log verify --policy`", demo.log("verify", "--policy", str(ledger.parent / "witnesses.policy"))[0], 0)
        kept = folder / "kept"
        kept.write_text(note)

        # An old copy put back, anchor and all, which then grows past what was signed.
        shutil.move(ledger, folder / "away")
        shutil.copytree(old, ledger)
        serving, own_log = salinan_serve(demo, folder, policy)
        said = "a witness holds another history of the ledger"
        with serving:
            wait_for("the old copy is told", lambda: said in own_log.read_text(), own_log)
            wait_for("the fork is told", lambda: "another root" in own_log.read_text(), own_log)
        require("the fork is not witnessed", size_of(cosigned.read_text()) < size_of(note))
        code, out = demo.log("verify", "--policy", str(ledger.parent / "witnesses.policy"), "--witnessed", str(kept))
        expect("exit of `log verify --policy` on the fork", code, 1)
        require(f"it says why: {out}", "forked or written anew" in out or "put back" in out)
        shutil.rmtree(ledger)
        shutil.move(folder / "away", ledger)
    print(f"  witness: aics-witness signed up to size {size_of(note)} and refused an old copy and a fork")


def check_own_witness(demo, folder, vkey):
    """Our witness signs what the feeder of others submits, and refuses a fork."""
    from aics_witness.feeder import FeederError, WitnessClient, merge_cosignatures
    from tlog_scales.backend import LocalBackend
    from tlog_scales.reader import TilesReader

    tiles = folder / "witness-tiles"
    expect("exit of `log export`", demo.log("export", "--tiles", str(tiles))[0], 0)
    reader = TilesReader(LocalBackend(tiles))
    reader.get_checkpoint()
    note = (tiles / "checkpoint").read_text()
    earlier = (folder / "old" / "ledger.cosigned").read_text()
    require("the ledger grew since", size_of(earlier) < size_of(note))

    def proof(old, new):
        return list(reader.get_consistency_proof(old, new).node_hashes)

    port, log = free_port(), folder / "own.log"
    command = [demo.salinan, "log", "witness", "--dir", str(folder / "own"), "--name", "witness.example/own"]
    with process([*command, "--listen", f"127.0.0.1:{port}", "--log", vkey], log, "serving"):
        own = next(line for line in log.read_text().splitlines() if line.startswith("witness.example/own+"))
        with WitnessClient(f"http://127.0.0.1:{port}", own) as client:
            for signed in (earlier, note):
                line = client.submit(signed.encode(), proof)
                require("the line is merged by the feeder of others", own.split("+")[0] in merge_cosignatures(signed, line).decode())
            try:
                client.submit(earlier.encode(), proof)
            except FeederError as refused:
                print(f"  witness: ours signed size {size_of(note)} for aics-witness' feeder and refused a rollback: {refused!s:.60}")
            else:
                sys.exit("FAILED: our witness signed a rollback")


def check(salinan):
    try:
        import aics_witness  # noqa: F401
    except ImportError as error:
        print(f"  witness: SKIPPED: aics-witness is not installed ({error})")
        return
    if sys.version_info < (3, 12):
        print("  witness: aics-witness asks for Python 3.12 and is tried with an older one")
    with running(salinan, 500) as (demo, folder):
        vkey = demo.log("vkey")[1].strip()
        expect("exit of the demo after SIGTERM", demo.stop(), 0)
        check_foreign_witness(demo, folder, vkey)
        check_own_witness(demo, folder, vkey)
        demo.verify()
