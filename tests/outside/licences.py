#!/usr/bin/env python3
"""Holds what is built into Salinan against deny.toml: licences, sources, second versions, banned crates.

For machines without cargo-deny; reads the same file. Advisories are not checked here, and the output says so.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict


def allowed(expression, licences):
    """Whether an SPDX expression can be met with the allowed licences; `/` is an old way to write OR."""
    words = re.findall(r"\(|\)|[^\s()/]+|/", expression)
    words = ["OR" if word == "/" else word for word in words]

    def either():
        met = both()
        while words and words[0] == "OR":
            words.pop(0)
            met = both() or met
        return met

    def both():
        met = one()
        while words and words[0] == "AND":
            words.pop(0)
            met = one() and met
        return met

    def one():
        word = words.pop(0)
        if word == "(":
            met = either()
            if words.pop(0) != ")":
                raise ValueError(expression)
            return met
        if words and words[0] == "WITH":
            words.pop(0)
            word += " WITH " + words.pop(0)
        return word in licences

    met = either()
    if words:
        raise ValueError(expression)
    return met


def matches(spec, package):
    """`name`, or `name@` and the beginning of a version."""
    name, _, version = spec.partition("@")
    return name == package["name"] and (not version or (package["version"] + ".").startswith(version + "."))


def main():
    with open("deny.toml", "rb") as file:
        deny = tomllib.load(file)
    built = set()
    for target in deny["graph"]["targets"]:
        # Not `cargo metadata`: its graph holds crates of features that are off.
        tree = ["cargo", "tree", "--locked", "--target", target, "--edges", "all", "--prefix", "none"]
        lines = subprocess.check_output([*tree, "--format", "{p}"], text=True).splitlines()
        built |= set(re.findall(r"^(\S+) v(\S+)", "\n".join(lines), re.M))
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--locked"]))
    packages = [one for one in metadata["packages"] if (one["name"], one["version"]) in built]
    skipped, banned = deny["bans"]["skip"], deny["bans"]["deny"]
    problems, versions, sources = [], defaultdict(list), set()

    for package in packages:
        called = f"{package['name']} {package['version']}"
        licence = package["license"]
        if not licence or not allowed(licence, deny["licenses"]["allow"]):
            problems.append(f"{called}: licence {licence!r} is not among the allowed")
        source = package["source"]
        if source is not None:
            sources.add(source)
            if not source.startswith("registry+"):
                problems.append(f"{called}: comes from a source that is not a registry")
        problems += [f"{called}: banned, {ban['reason']}" for ban in banned if matches(ban["crate"], package)]
        if not any(matches(skip["crate"], package) for skip in skipped):
            versions[package["name"]].append(package["version"])

    if len(sources) > 1:
        problems.append(f"the crates come from {len(sources)} sources, not from one")
    for name, found in versions.items():
        if len(found) > 1:
            problems.append(f"{name}: several versions, {', '.join(sorted(found))}")
    for skip in skipped:
        if not any(matches(skip["crate"], package) for package in packages):
            problems.append(f"deny.toml skips {skip['crate']}, which is not built any more")

    for problem in problems:
        print(f"  {problem}")
    print(f"  {len(packages)} crates: licences, sources, versions and bans; {len(problems)} problems")
    print("  SKIPPED: security advisories (no database here; run `cargo deny check advisories` where there is one)")
    sys.exit(bool(problems))


main()
