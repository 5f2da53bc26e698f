#!/usr/bin/env python3
"""Follows the pages word by word: `readme.py SALINAN`.

Runs the README and then docs/audit.md beside a demo, with every command that the demo prints; and docs/setup.md in an
empty folder. In a page, a block that begins with

    ```sh               is run
    ```sh background    is started, and waited for until it serves; at the end it gets SIGTERM and must exit 0
    ```sh skip          is not run: another check does it, or it is a fragment
    ```python NAME      is written to the file NAME
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)^```$", re.M | re.S)
SECONDS_MAX = 900

HEAD = """set -euo pipefail
pids=()
trap '[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2> /dev/null || true' EXIT
serves() {  # the log of a background block, and its process
    for _ in $(seq 6000); do
        grep -qE 'log query|serving' "$1" && return
        kill -0 "$2" || { cat "$1"; echo "FAILED: it did not serve"; exit 1; }
        sleep 0.1
    done
    exit 1
}
"""
TAIL = """
set +x
for ((at = ${#pids[@]} - 1; at >= 0; at--)); do
    kill "${pids[at]}"
    wait "${pids[at]}"
done
pids=()
echo "followed to the end"
"""


def script_of(pages, after_background):
    """One shell script of the blocks of `pages`."""
    script, count = HEAD, 0
    for page in pages:
        for language, mark, body in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language == "python" and mark:
                script += f"cat > {mark} <<'END OF FILE'\n{body}END OF FILE\n"
            elif language == "sh" and mark == "background":
                log = f"background-{count}.log"
                script += f"( exec {body.strip()} ) > {log} 2>&1 &\npids+=($!)\nserves {log} $!\n"
                script += after_background(log)
                count += 1
            elif language == "sh" and not mark:
                script += body
    return script + TAIL


def follow(called, script, folder, path):
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-x", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
    )
    if done.returncode != 0 or not done.stdout.endswith("followed to the end\n"):
        shown = re.sub(r"eyJ[\w.-]+", "(token)", done.stdout)
        sys.exit(f"{shown}\nFAILED: following {called}, exit {done.returncode}")
    print(f"  {called}: followed word by word")
    return done.stdout


# What the demo's commands leave behind.
COPIES = ["copy.csv", "copy.ndjson", "copy.json", "bawaslu.csv", "kecamatan.csv", "head.txt"]


def paste(log):
    """What the demo prints from "Paste once" on, run as pasted."""
    lines = f"sed -n '/^Paste once/,$p' {log} | grep '^  ' | sed 's/^  //' > pasted.sh"
    whole = "\n".join(f"test -s {copy}" for copy in COPIES)
    return f"{lines}\n. ./pasted.sh\n{whole}\n"


def check_shown(page, got):
    """What the page shows is what one gets, where it is not shortened."""
    lines = set(got.splitlines())
    for language, mark, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in ("text", "json") and not mark:
            for line in body.splitlines():
                if line and "..." not in line and line not in lines:
                    sys.exit(f"FAILED: {page.name} shows a line that nothing printed: {line}")


def main():
    salinan = Path(sys.argv[1]).resolve()
    # Every file that the README's commands make stands in a folder of its own, beside links to what they use.
    with tempfile.TemporaryDirectory(prefix="salinan-readme-") as folder:
        for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split():
            first = name.split("/")[0]
            if first != "certs" and not Path(folder, first).exists():
                Path(folder, first).symlink_to(ROOT / first)
        Path(folder, "target").symlink_to(salinan.parents[1])
        pages = [ROOT / "README.md", ROOT / "docs/audit.md"]
        got = follow("README.md and docs/audit.md", script_of(pages, paste), folder, path_with(salinan))
        for name in ("background-0.log", "copy.csv"):
            got += Path(folder, name).read_text(encoding="utf-8")
        check_shown(ROOT / "README.md", got)

    with tempfile.TemporaryDirectory(prefix="salinan-setup-") as folder:
        shutil.copy(ROOT / "salinan.toml", folder)
        shutil.copytree(ROOT / "policies", Path(folder, "policies"))
        follow("docs/setup.md", script_of([ROOT / "docs/setup.md"], lambda _: ""), folder, path_with(salinan))

    checks = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for command in ("cargo test --locked",):
        if f"\n{command}\n" not in (ROOT / "README.md").read_text(encoding="utf-8") or f"    {command}\n" not in checks:
            sys.exit(f"FAILED: README.md and .ci/run do not both have the command {command}")


def path_with(salinan):
    """The program's folder, and that of this Python's own programs."""
    return f"{salinan.parent}:{Path(sys.executable).parent}"


main()
