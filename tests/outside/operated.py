"""What happens around copies, policies, keys, silence, an end, a loss, as entries that our second verifier reads."""

import base64
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import oracle
import requests
from demo import Demo, expect, require
from histories import check_forms, check_wrong, leaves_of, ours_refuses, saying
from openssl import openssl_accepts

VOTERS = 500
ELECTION = "pemilu-2024"
WORDS = ("--operator", "KPU Contoh", "--reason", "tahapan selesai")
KINDS = 16
SILENCE_SECONDS = 4


def fetch(demo):
    session = requests.Session()
    session.verify, session.trust_env = demo.ca, False
    return session.get(demo.urls["csv"], headers={"Authorization": demo.bearer("partai_kabkota")}, timeout=60)


def serve_in_silence(demo):
    """A process that is asked nothing, with a register, until it has said that it is there."""
    config = Path(demo.facts["config"])
    text = config.read_text().replace("[ledger]\n", '[ledger]\nheartbeat_ms = 1000\nregister = "register.toml"\n')
    other = config.with_name("silent.toml")
    other.write_text(text)
    process = subprocess.Popen([demo.salinan, "serve", "--config", str(other)], stderr=subprocess.PIPE, text=True)
    try:
        # Asking whether it is silent would be entered too.
        time.sleep(SILENCE_SECONDS)
        require("it serves", process.poll() is None)
        process.send_signal(signal.SIGTERM)
        expect("exit of `serve`", process.wait(20), 0)
    finally:
        process.kill()
        process.communicate()


def export(salinan, ledger, folder):
    subprocess.check_call([salinan, "log", "export", "--dir", str(ledger), "--tiles", str(folder)])
    return folder


def check(salinan):
    with TemporaryDirectory(prefix="salinan-") as spare:
        spare = Path(spare)
        demo = Demo(salinan, spare, VOTERS)
        try:
            expect("status of a copy", fetch(demo).status_code, 200)
            notes = [demo.log("checkpoint")[1]]
            expect("exit of the demo", demo.stop(), 0)
            serve_in_silence(demo)
            first = demo.log("vkey")[1].strip()
            yesterday = shutil.copytree(demo.ledger, spare / "yesterday")
            old_note = demo.log("checkpoint")[1]
            notes.append(old_note)
            # A read, which the next process enters.
            expect("exit of `log query`", demo.log("query")[0], 0)

            demo = Demo(salinan, spare, VOTERS)
            expect("status of a copy", fetch(demo).status_code, 200)
            expect("exit of `log freeze`", demo.log("freeze", "--election", ELECTION, *WORDS)[0], 0)
            expect("status once the election is over", fetch(demo).status_code, 403)
            expect("exit of the demo", demo.stop(), 0)
            late_note = demo.log("checkpoint")[1]
            notes.append(late_note)
            lost = check_loss(salinan, demo, yesterday, spare, first, old_note, late_note)
            rotated = check_rotation(salinan, demo, spare, first, notes)
        finally:
            demo.process.kill()
    leaves = [*rotated, *lost]
    kinds = {json.loads(leaf)["type"] for leaf in leaves}
    missing = {"release.grant", "release.ack", "release.reconciled", "replica.resumed"}
    expect(f"types of entries in {sorted(kinds)}", len(kinds | missing), KINDS)
    count = check_histories(rotated, lost, first, old_note) + check_forms(leaves)
    print(f"  operated: {len(kinds)} types of entries read, {count} entries and histories that cannot be refused")


def check_loss(salinan, demo, yesterday, spare, vkey, old_note, late_note):
    """Yesterday's copy in today's place: it goes on once an operator says so, and says so for ever."""
    ledger = shutil.copytree(demo.ledger, spare / "lost")
    for file in ledger.glob("ledger.sqlite*"):
        file.unlink()
    for file in Path(yesterday).glob("ledger.sqlite*"):
        shutil.copy(file, ledger)
    size = late_note.split("\n")[1]
    command = [salinan, "log", "continue", "--dir", str(ledger), "--anchor-size", size, *WORDS]
    expect("exit of `log continue`", subprocess.run(command).returncode, 0)
    tiles = export(salinan, ledger, spare / "lost-tiles")
    oracle.verify_export(tiles, vkey, [old_note])
    require("what was lost is not there", ours_refuses(oracle.verify_export, tiles, vkey, [late_note]))
    return leaves_of(tiles)


def check_rotation(salinan, demo, spare, first, notes):
    """Both keys sign the first checkpoint after the change, the new one those after it; whoever knows either is served."""
    expect("exit of `log rotate`", demo.log("rotate")[0], 0)
    keys = demo.log("vkey")[1].split()
    expect("the keys", (keys[0], len(keys)), (first, 2))
    both = demo.log("checkpoint")[1]
    for key in keys:
        require("openssl verifies the checkpoint of both keys", openssl_accepts(spare, key, both))
    notes.append(both)
    before = [json.loads(leaf) for leaf in leaves_of(export(salinan, demo.ledger, spare / "tiles-before"))]
    release = next(entry["release"] for entry in before if entry["type"] == "release.intent")
    again = Demo(salinan, spare, VOTERS)
    again.fetch(again.urls["receipts"] + release, spare / "receipt", who="auditor")
    expect("exit of the demo", again.stop(), 0)
    check_chain((spare / "receipt").read_text(), *keys)
    tiles = export(salinan, demo.ledger, spare / "tiles")
    for key in keys:
        oracle.verify_export(tiles, key, notes)
    note = (tiles / "checkpoint").read_text()
    require("the new key signs", openssl_accepts(spare, keys[1], note))
    require("the old key does not", f"— {first.split('+')[0]} " in note and note.count("\n— ") == 1)
    # As the old key would have it: one line of the two.
    text, lines = both.split("\n\n")
    for line in lines.splitlines():
        require("one signature of the two is refused", ours_refuses(oracle.verify_export, tiles, first, [f"{text}\n\n{line}\n"]))
    return leaves_of(tiles)


def check_chain(text, first, second):
    """A receipt under the second key holds for who knows the first, by the handover in it and no other."""
    for key in [first, second]:
        oracle.verify_receipt(text, key)
    receipt = json.loads(text)
    [handover] = receipt["handovers"]
    leaf = json.loads(handover["leaf"])
    stranger = second[:-8] + first[-8:]

    def saying(**words):
        return [handover | {"leaf": json.dumps(leaf | words, separators=(",", ":"), ensure_ascii=False)}]

    for handovers, key in [
        ([], first),
        ([handover, handover], first),
        (saying(old_signature=leaf["new_signature"]), first),
        (saying(head_size=leaf["head_size"] - 1), second),
        ([handover], stranger),
    ]:
        changed = json.dumps(receipt | {"handovers": handovers})
        require("another chain is refused", ours_refuses(oracle.verify_receipt, changed, key))


def check_histories(rotated, lost, vkey, old_note):
    entries = [json.loads(leaf) for leaf in rotated]

    def at(kind, of=entries):
        return next(index for index, entry in enumerate(of) if entry["type"] == kind)

    policy, register, rotation = at("policy.change"), at("register.change"), at("key.rotate")
    beat, freeze, intent = at("log.heartbeat"), at("log.freeze"), at("release.intent")
    gone = at("log.continue", [json.loads(leaf) for leaf in lost])
    digest, handover = "0" * 64, entries[rotation]
    mark, name, blob = handover["new_signature"].split(" ")
    signature = bytearray(base64.b64decode(blob))
    signature[20] ^= 1
    turned = f"{mark} {name} {base64.b64encode(signature).decode()}"
    other = {**entries[intent], "release": "01890000-0000-7000-8000-000000000000"}
    late = json.dumps(other, ensure_ascii=False, separators=(",", ":")).encode()
    wrong = {
        "policies that were others before": (saying(rotated, policy, old_digest=digest), "before it was something else"),
        "policies that are others afterwards": (
            saying(rotated, policy, new_digest=digest),
            "its lists do not lead to its new digest",
        ),
        "a policy that is not named": (saying(rotated, policy, added=[]), "its lists do not lead to its new digest"),
        "a register that was another before": (saying(rotated, register, old_digest=digest), "before it was something else"),
        "a change that is none": (
            saying(rotated, register, new_digest=entries[register]["old_digest"]),
            "it changes nothing",
        ),
        "a heartbeat of another head": (saying(rotated, beat, head_root=digest), "it found another root"),
        "a heartbeat of what is to come": (saying(rotated, beat, head_size=beat + 1), "it found another number of entries"),
        "another key that hands over": (
            saying(rotated, rotation, old_vkey=handover["new_vkey"]),
            "the key in force is another",
        ),
        "a key that hands over to itself": (
            saying(rotated, rotation, new_vkey=handover["old_vkey"]),
            "the new key was in force before",
        ),
        "a new key that did not agree": (saying(rotated, rotation, new_signature=turned), "does not verify"),
        "an old key that did not agree": (
            saying(rotated, rotation, old_signature=handover["new_signature"]),
            "it is not signed with this key",
        ),
        "a copy of an election that is over": ([*rotated[: freeze + 1], late, *rotated[freeze + 1 :]], "its election is over"),
        "a loss of nothing": (saying(lost, gone, lost=old_note), "nothing was lost"),
    }
    return check_wrong(wrong, vkey) + check_ends(rotated, intent, vkey)


def check_ends(leaves, intent, vkey):
    """A copy that took more rows than its intent had kept back, an intent that kept back more than was left; causes of ends."""
    release = json.loads(leaves[intent])["release"]
    ends = (json.loads(leaf) for leaf in leaves[intent + 1 :])
    at, end = next((at, end) for at, end in enumerate(ends, intent + 1) if end.get("release") == release and "rows_out" in end)
    rows, leaves = int(end["rows_out"]), leaves[: at + 1]

    def with_quota(**numbers):
        return saying(leaves, intent, quota={"from_ms": 1, "until_ms": 2, "rows": rows, "taken": 0, "reserved": rows, **numbers})

    oracle.verify_entries(with_quota(), vkey)
    oracle.verify_entries(saying(leaves, at, cause="token_expired"), vkey)
    wrong = {
        "a whole copy that its requester left": (saying(leaves, at, cause="requester_left"), "outcome and cause do not agree"),
        "a row more than was kept back": (with_quota(reserved=rows - 1), "more rows were handed over"),
        "more kept back than was left": (with_quota(taken=1), "it keeps back more rows than its quota had left"),
        "a period without an end": (with_quota(until_ms=1), "the period of its quota does not last"),
    }
    return check_wrong(wrong, vkey)
