#!/usr/bin/env python3
"""Plants bugs into a copy of the program, one at a time, and fails when the checks of this folder do not find one:

    python3 tests/faults/planted.py [WORD]...

with words, those that have one of them in their name. It is built where the program is, so that what the program depends on
is there. A bug whose text does not stand exactly once in its file is a failure as well: then this list is out of date.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TREE = TARGET / "planted-faults"
ORDER = ["order.py"]
KILL = ["kill.py", "--runs", "25", "--seed", "1"]

# Name; file, what stands there, what is put there; the check; what it says.
BUGS = [
    (
        "commits are not synced (order)",
        "src/store/sqlite/mod.rs",
        '("synchronous", 2_i64)',
        '("synchronous", 0_i64)',
        ORDER,
        "without a durable intent",
    ),
    (
        "commits are not synced (power cuts)",
        "src/store/sqlite/mod.rs",
        '("synchronous", 2_i64)',
        '("synchronous", 0_i64)',
        KILL,
        "FAILED",
    ),
    (
        "the end of a copy does not wait for its completion",
        "src/release/deliver.rs",
        "let closed = open.close(completion).await;",
        "drop(tokio::spawn(open.close(completion))); let closed = Ok::<u64, LedgerError>(0);",
        ORDER,
        "the end of the body without a durable completion",
    ),
    (
        "nobody asks for grants",
        "src/ledger/release.rs",
        "let after = self.bytes + more as u64;",
        "let after = more as u64;",
        ORDER,
        "past a durable ceiling",
    ),
    (
        "bytes past a ceiling leave while their grant is being stored",
        "src/ledger/release.rs",
        "wait(raise.answer, self.deadline).await?;",
        "drop(tokio::spawn(wait(raise.answer, self.deadline)));",
        ORDER,
        "past a durable ceiling",
    ),
    (
        "a start leaves releases open",
        "src/ledger/reconcile.rs",
        "if !live.contains(&intent.release) {",
        "if intent.release.as_bytes() == &[0; 16] {",
        KILL,
        "every release has ended",
    ),
]


def copy():
    shutil.rmtree(TREE, ignore_errors=True)
    for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines():
        (TREE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, TREE / name)


def find(name, file, old, new, check, words):
    path = TREE / file
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"FAILED: {name}: its text stands {text.count(old)} times in {file}")
    path.write_text(text.replace(old, new))
    try:
        environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
        build = ["cargo", "build", "--locked", "--quiet", "--bin", "salinan"]
        built = subprocess.run(build, cwd=TREE, env=environment, capture_output=True, text=True)
        if built.returncode:
            sys.exit(f"FAILED: {name}: it is not built any more\n{built.stderr[-2000:]}")
    finally:
        path.write_text(text)
    script, *arguments = check
    command = [sys.executable, str(Path(__file__).with_name(script)), str(TARGET / "debug/salinan"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip().split("\n")
    if "SKIPPED" in done.stdout:
        print(f"  SKIPPED: {name}")
    elif done.returncode == 0 or not any(line.startswith("FAILED") and words in line for line in said):
        sys.exit(f"FAILED: nobody finds that {name}\n" + "\n".join(said[-12:]))
    else:
        print(f"  found by {script}: {name}", flush=True)


def main():
    copy()
    for name, *bug in BUGS:
        if not sys.argv[1:] or any(word in name for word in sys.argv[1:]):
            find(name, *bug)


main()
