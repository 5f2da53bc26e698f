"""A million voters in each format: memory, rows, time; the ledger afterwards; stopping in the middle of a copy."""

import csv
import json
import signal
import subprocess
import time

from demo import MIB, expect, require, running

FEW, MANY = 10_000, 1_000_000
PEAK_MAX = 64 * MIB
GROWTH_MAX = 8 * MIB


def rows_of_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.DictReader(file))


def rows_of_ndjson(path):
    with path.open(encoding="utf-8") as file:
        return sum(1 for line in file if json.loads(line))


def rows_of_json(path):
    """Elements of an array, one at a time: the whole of it as objects would take gigabytes."""
    text = path.read_text(encoding="utf-8")
    decoder, at, rows = json.JSONDecoder(), text.index("[") + 1, 0
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "]":
            require("nothing follows the array", not text[at + 1 :].strip())
            return rows
        _, at = decoder.raw_decode(text, at)
        rows += 1


FORMATS = {"csv": rows_of_csv, "ndjson": rows_of_ndjson, "json": rows_of_json}


def peak_of(salinan, kind, voters):
    with running(salinan, voters) as (demo, folder):
        path = folder / "copy"
        seconds = demo.fetch(demo.urls[kind], path)
        peak = demo.peak_bytes()
        expect(f"rows as {kind}", FORMATS[kind](path), voters)
        demo.verify()
        return seconds, peak, path.stat().st_size, demo.start_seconds


def check_memory(salinan):
    print(f"  {'format':<8}{'voters':>9}{'MB':>8}{'wall s':>8}{'peak MiB':>10}{'growth MiB':>12}{'start s':>9}")
    for kind in FORMATS:
        few = peak_of(salinan, kind, FEW)
        many = peak_of(salinan, kind, MANY)
        for voters, (seconds, peak, size, start) in ((FEW, few), (MANY, many)):
            growth = (peak - few[1]) / MIB
            print(f"  {kind:<8}{voters:>9}{size / 1e6:>8.1f}{seconds:>8.2f}{peak / MIB:>10.1f}{growth:>12.1f}{start:>9.2f}")
        require(f"peak memory as {kind} below {PEAK_MAX // MIB} MiB", many[1] < PEAK_MAX)
        require(f"growth as {kind} below {GROWTH_MAX // MIB} MiB", many[1] - few[1] < GROWTH_MAX)


def begun(path, process):
    """Waits until a part of the copy is there."""
    while not (path.exists() and path.stat().st_size > MIB):
        expect("curl while its copy begins", process.poll(), None)
        time.sleep(0.02)


def outcomes(demo):
    code, said = demo.log("query", "--type", "release.complete", "--format", "json")
    expect("exit of `log query`", code, 0)
    return [json.loads(line) for line in said.splitlines()]


def check_stop(salinan):
    """SIGTERM while a copy runs: the copy ends whole, and so does the ledger."""
    with running(salinan, MANY) as (demo, folder):
        path = folder / "copy"
        client = demo.curl(demo.urls["ndjson"], path, "--limit-rate", "25M")
        begun(path, client)
        require("the copy runs on when the signal comes", client.poll() is None)
        started = time.monotonic()
        demo.process.send_signal(signal.SIGTERM)
        expect("curl's exit", client.wait(60), 0)
        expect("exit of the demo", demo.process.wait(60), 0)
        expect("rows", rows_of_ndjson(path), MANY)
        demo.verify()
        print(f"  SIGTERM in a copy: drained in {time.monotonic() - started:.1f} s, {MANY} rows whole, exit 0")


def check_leaver(salinan):
    """A client that leaves in the middle is in the ledger as aborted."""
    with running(salinan, MANY) as (demo, folder):
        path = folder / "copy"
        client = demo.curl(demo.urls["csv"], path, "--limit-rate", "5M")
        begun(path, client)
        client.send_signal(signal.SIGKILL)
        client.wait()
        deadline = time.monotonic() + 60
        while "aborted" not in demo.log("query", "--type", "release.complete")[1]:
            require("the ledger says aborted within a minute", time.monotonic() < deadline)
            time.sleep(0.1)
        demo.verify()
        print("  a client that left: recorded as aborted")


def check(salinan):
    check_memory(salinan)
    check_stop(salinan)
    check_leaver(salinan)


def machine():
    done = subprocess.run(["nproc"], capture_output=True, text=True)
    return f"{done.stdout.strip()} cores"
