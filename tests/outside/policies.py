"""Policies that come and go, from one to thousands, as our second verifier reads them; and changes of them that are forged."""

import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import oracle
from demo import Demo, expect, require
from histories import check_wrong, saying
from operated import export

VOTERS = 100
START_SECONDS_MAX = 60
LINES_MAX = 64
COUNTS = (64, 1, 65, 200, 2_000, 1)
POLICY = """\
[policy]
name = "p{number}"
dataset = "dpt"
election = "pemilu-2024"
stage = "dpt"
version = "1"
valid_from = 2023-06-21
valid_until = 2034-12-31
legal_basis = "-"
approved_by = "KPU Contoh"

[[route]]
path = "/p{number}/{{wilayah}}.csv"
methods = ["GET"]
format = "csv"
media_types = ["text/csv"]
row_area = "kode_tps"

[[role]]
role = "partai"
level = "kabkota"
[role.fields]
nama = "keep"
"""


def serve_with(demo, folder, count):
    """`serve` with so many policies, until it serves."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.toml").write_text(POLICY.format(number=number))
    config = Path(demo.facts["config"])
    lines = config.read_text().split("\n")
    lines = [f'paths = ["{folder}"]' if line.startswith("paths = ") else line for line in lines]
    other = config.with_name("policies.toml")
    other.write_text("\n".join(lines))
    process = subprocess.Popen([demo.salinan, "serve", "--config", str(other)], stderr=subprocess.PIPE)
    try:
        begun = time.monotonic()
        for line in process.stderr:
            if b"serving" in line:
                break
        require(f"serves with {count} policies", time.monotonic() - begun < START_SECONDS_MAX and process.poll() is None)
        process.send_signal(signal.SIGTERM)
        expect("exit of `serve`", process.wait(20), 0)
    finally:
        process.kill()
        process.communicate()


def check(salinan):
    with TemporaryDirectory(prefix="salinan-") as spare:
        spare = Path(spare)
        demo = Demo(salinan, spare, VOTERS)
        expect("exit of the demo", demo.stop(), 0)
        for count in COUNTS:
            serve_with(demo, spare / "policies", count)
        demo.verify()
        vkey = demo.log("vkey")[1].strip()
        tiles = export(salinan, demo.ledger, spare / "tiles")
        entries = oracle.verify_export(tiles, vkey)
        size = len(entries)
        leaves = oracle.read_leaves(tiles, size)
    parts = [index for index, entry in enumerate(entries) if entry["type"] == "policy.change"]
    # The demo's own policies go with the first of these.
    own = len(entries[parts[0]]["added"])
    changed = [own, own + 64, 63, 64, 135, 1_800, 1_999]
    expect("parts", len(parts), sum(-(-lines // LINES_MAX) for lines in changed))
    first = next(index for index in parts if entries[index]["parts"] == 32)
    one = entries[first]
    line, digest = one["removed"][0], "0" * 64
    wrong = {
        "a change to another digest": (
            forged(leaves, first, 32, new_digest=digest),
            "its lists do not lead to its new digest",
        ),
        "a policy of another file": (
            saying(leaves, parts[0], added=[[name, version, digest] for name, version, _ in entries[parts[0]]["added"]]),
            "its lists do not lead to its new digest",
        ),
        "a policy that was not there": (
            saying(leaves, first, removed=[[*line[:2], digest], *one["removed"][1:]]),
            "it adds what was in force, or removes what was not",
        ),
        "another order": (saying(leaves, first, removed=one["removed"][::-1]), "its policies are not in order"),
        "a part of another change": (saying(leaves, first + 1, new_digest=digest), "it is no part of the change before it"),
        "a part that is left out": ([*leaves[:first], *leaves[first + 1 :]], "parts of the change before it are missing"),
        "two parts in another order": (
            [*leaves[: first + 1], leaves[first + 2], leaves[first + 1], *leaves[first + 3 :]],
            "it is not the next part",
        ),
        "a part that is not full": (saying(leaves, first, removed=one["removed"][1:]), "has not 64 lines"),
        "an end amid a change": (leaves[: first + 5], "the last parts of a change of policies are missing"),
        "an entry between two parts": (
            [*leaves[: first + 1], leaves[1], *leaves[first + 1 :]],
            "it stands between two parts of a change of policies",
        ),
    }
    count = check_wrong(wrong, vkey)
    print(f"  policies: {len(parts)} entries of {len(changed)} changes read, {count} that are forged refused")


def forged(leaves, first, parts, **facts):
    """The history in which all parts of a change say something else."""
    for index in range(first, first + parts):
        leaves = saying(leaves, index, **facts)
    return leaves
