"""Plants the bugs of bugs.toml one at a time into a copy of the redactor, and fails when its tests do not find one.

    python3 tests/planted/run.py             every bug
    python3 tests/planted/run.py csv sweep   those with one of these words in their file or name
    python3 tests/planted/run.py --all area  which tests find them, among all

The copy is a crate of `src/domain`, `src/redact` and `tests/oracle` with the dependencies of the program. It is built where
the program is: what it depends on is there after `cargo test`, and then a bug takes seconds. A bug whose text does not stand
exactly once in its file, or whose test does not pass without it, is a failure as well: then this list is out of date.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TREE = TARGET / "planted"
# No test of the redactor takes as long, however a bug makes it go round.
SECONDS_MAX = 120

MANIFEST = """
[package]
name = "salinan"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[[test]]
name = "oracle"
path = "tests/oracle/main.rs"

[profile.dev]
opt-level = 0
debug = false

[workspace]
"""
# Of the program's own manifest, so that all of these are built the same way.
SHARED = ["dependencies", "dev-dependencies", 'profile.dev.package."*"']
LIB = "#![allow(warnings)]\npub mod domain;\npub mod redact;\n"


def copy() -> None:
    shutil.rmtree(TREE, ignore_errors=True)
    for folder in ["tests/oracle", "fuzz/corpus", "fuzz/regressions"]:
        shutil.copytree(ROOT / folder, TREE / folder)
    for module in ["domain", "redact"]:
        shutil.copytree(ROOT / "src" / module, TREE / module)
    shutil.copy(ROOT / "Cargo.lock", TREE)
    (TREE / "lib.rs").write_text(LIB)
    parts = re.split(r"^(?=\[)", (ROOT / "Cargo.toml").read_text(), flags=re.M)
    shared = [part for part in parts if any(part.startswith(f"[{name}]") for name in SHARED)]
    (TREE / "Cargo.toml").write_text(MANIFEST + "".join(shared))


def test(kind: str, words: list[str]) -> tuple[str, list[str]]:
    """`passed` or `failed` with the tests that did, `broken` where it does not build, or `endless`."""
    target = ["--lib"] if kind == "lib" else ["--test", "oracle"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), "RUST_BACKTRACE": "0"}
    build = ["cargo", "test", "--quiet", *target, "--no-run"]
    if subprocess.run(build, cwd=TREE, env=environment, capture_output=True, check=False).returncode != 0:
        return "broken", []
    # In a group of its own, so that a test that goes round for ever ends with the cargo that runs it.
    running = subprocess.Popen(
        ["cargo", "test", *target, "--", *words],
        cwd=TREE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = running.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return "endless", []
    ended = {word: re.findall(rf"^test (\S+).* {word}$", output, re.M) for word in ["ok", "FAILED"]}
    return ("passed", ended["ok"]) if running.returncode == 0 else ("failed", ended["FAILED"])


def main() -> int:
    arguments = sys.argv[1:]
    looks_at_all = "--all" in arguments
    words = [word for word in arguments if word != "--all"]
    bugs = tomllib.loads((ROOT / "tests/planted/bugs.toml").read_text())["bug"]
    chosen = [bug for bug in bugs if not words or any(word in bug["file"] + " " + bug["name"] for word in words)]
    began = time.monotonic()
    wrong = []
    copy()
    for kind in sorted({bug["found_by"].split()[0] for bug in chosen}):
        named = sorted({bug["found_by"].split()[1] for bug in chosen if bug["found_by"].split()[0] == kind})
        outcome, tests = test(kind, named)
        if outcome != "passed":
            wrong.append(f"without a bug {kind} {outcome} {', '.join(tests)}")
        wrong += [f"no test of {kind} is called `{name}`" for name in named if not any(name in own for own in tests)]
    print(f"sound: {time.monotonic() - began:.0f} s", flush=True)
    for bug in [] if wrong else chosen:
        path = TREE / "redact" / bug["file"]
        sound = path.read_text()
        if sound.count(bug["find"]) != 1:
            wrong.append(f"{bug['file']}: `{bug['name']}`: its text stands there {sound.count(bug['find'])} times")
            continue
        path.write_text(sound.replace(bug["find"], bug["replace"]))
        if looks_at_all:
            for kind in ["lib", "oracle"]:
                outcome, failed = test(kind, [])
                failed = ", ".join(failed) if outcome == "failed" else ""
                print(f"{bug['file']}: {bug['name']}: {kind} {outcome} {failed}", flush=True)
        else:
            kind, *named = bug["found_by"].split()
            outcome, failed = test(kind, named)
            if outcome not in ("failed", "endless"):
                wrong.append(f"{bug['file']}: `{bug['name']}` {outcome} {bug['found_by']}")
            print(f"{bug['file']}: {bug['name']}: {outcome} {', '.join(failed)}", flush=True)
        path.write_text(sound)
    print(f"{len(chosen)} planted, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    for line in wrong:
        print(f"  WRONG {line}", file=sys.stderr)
    return 1 if wrong or not chosen else 0


sys.exit(main())
