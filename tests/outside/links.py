#!/usr/bin/env python3
"""Every link between the Markdown files of this repository leads to a file, and to a heading where it names one; and
every path in backticks that begins like one of ours is there."""

import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

PATH = re.compile(r"`((?:src|tests|docs|policies|\.ci)/[\w./-]*)`")


def anchors(path):
    """The names GitHub gives to headings."""
    names = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            text = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            names.add(text.replace(" ", "-"))
    return names


def main():
    listed = subprocess.check_output(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], text=True)
    problems, links = [], 0
    for page in map(Path, listed.split()):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            links += 1
            name, _, heading = target.partition("#")
            path = (page.parent / name) if name else page
            if not path.exists():
                problems.append(f"{page}: {target} is not there")
            elif heading and heading not in anchors(path):
                problems.append(f"{page}: {target} has no such heading")
        for target in PATH.findall(text):
            links += 1
            if not Path(target).exists():
                problems.append(f"{page}: {target} is not there")
    for problem in problems:
        print(f"  {problem}")
    print(f"  {links} links and paths, {len(problems)} broken")
    sys.exit(bool(problems))


main()
