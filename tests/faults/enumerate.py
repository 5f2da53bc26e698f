#!/usr/bin/env python3
"""Every sync, write and send of one streaming release fails, or is the last thing the process does:

    enumerate.py SALINAN [--every N]

One copy of more than a ceiling's bytes is fetched once, and its calls are counted: syncs, writes and moves of the ledger's
files, sends to the requester. Then it is fetched again for each call and each of: EIO, ENOSPC, half of it done, SIGKILL
before it, SIGKILL after it; a process that was killed loses, every other time, what was not synced (`Site.cut_power`).
Afterwards a new copy has to come whole within seconds, and what everybody saw has to be in the ledger (account.py).
`--every N` tries each N-th of the sends, which are many and alike, and five times as many of the others.
"""

import argparse
import errno
import random
import tempfile
import time
from collections import Counter

from account import Account
from requester import Requester
from served import (
    FAIL_ONCE,
    HALF,
    KILL_AFTER,
    KILL_BEFORE,
    KINDS,
    RECOVERS_SECONDS,
    SEND,
    Site,
    build_shim,
    recovered,
    require,
    until,
)

VOTERS = 60_000  # 8.8 MB as NDJSON: one ceiling and a grant
ANCHOR_SECONDS = 0.7  # it follows the ledger by half a second
SEED = 4
# Cases that share a ledger: a new one is begun before verifying it takes long.
CASES_A_LEDGER = 60
ACTIONS = {
    "EIO": (FAIL_ONCE, errno.EIO),
    "ENOSPC": (FAIL_ONCE, errno.ENOSPC),
    "half": (HALF, 0),
    "killed before": (KILL_BEFORE, 0),
    "killed after": (KILL_AFTER, 0),
}


def cases_of(counts):
    for kind, name in enumerate(KINDS):
        for action, (code, error) in ACTIONS.items():
            # A sync or a rename has no half, and a socket no full disk; before one send is after the one before it.
            if (action == "half" and name in ("sync", "move")) or (action == "ENOSPC" and kind == SEND):
                continue
            last = 1 if action == "killed before" and kind == SEND else counts[name]
            # Half a send is nothing unusual: every eighth.
            step = 8 if action == "half" and kind == SEND else 1
            for at in range(1, last + 1, step):
                yield kind, at, action, code, error


def one(site, account, case, dice, totals):
    kind, at, action, code, error = case
    what = f"{action} at {KINDS[kind]} {at}"
    requester = Requester(site.demo)
    site.arm(kind, at, code, error)
    copy = requester.ask(site.demo.facts["urls"]["ndjson"])
    # The anchor and housekeeping come a little later.
    late = time.monotonic() + ANCHOR_SECONDS
    while copy.is_whole and site.is_running() and not site.counts()[0] and time.monotonic() < late:
        time.sleep(0.01)
    hits, _ = site.counts()
    site.disarm()
    account.copies.append(copy)
    account.see_anchor()
    totals["reached" if hits else "not reached"] += 1
    if code in (KILL_BEFORE, KILL_AFTER):
        require(f"{what}: the process is gone", not hits or site.demo.process.wait(10) == -9)
    if not site.is_running():
        totals["killed"] += 1
        if at % 2:
            totals["power cut"] += 1
            totals["changes not synced"] += site.cut_power(dice)
        account.check()
        site.start()
    until(lambda: recovered(site, account), RECOVERS_SECONDS, f"{what}: serving goes on")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("salinan")
    parser.add_argument("--every", type=int, default=1)
    chosen = parser.parse_args()
    dice, totals, began = random.Random(SEED), Counter(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="salinan-") as folder:
        shim = build_shim(folder)
        cases, of_kind, number = None, Counter(), 0
        while cases is None or cases:
            number += 1
            with tempfile.TemporaryDirectory(dir=folder) as own:
                site = Site(chosen.salinan, shim, own, VOTERS)
                site.start()
                try:
                    account = Account(site)
                    if cases is None:
                        counts = baseline(site, account)
                        cases = list(cases_of(counts))
                        of_sends = [case for case in cases if case[0] == SEND]
                        others = [case for case in cases if case[0] != SEND]
                        cases = others[:: max(1, chosen.every // 5)] + of_sends[:: chosen.every]
                        print(f"  one release: {', '.join(f'{count} {kind}' for kind, count in counts.items())}")
                    now, cases = cases[:CASES_A_LEDGER], cases[CASES_A_LEDGER:]
                    for case in now:
                        one(site, account, case, dice, totals)
                        of_kind[f"{case[2]}, {KINDS[case[0]]}"] += 1
                    site.stop()
                    account.check()
                    totals.update(account.totals)
                finally:
                    site.kill()
    for name, count in sorted(of_kind.items()):
        print(f"  {name}: {count}")
    require("most calls were reached", totals["reached"] > 9 * totals["not reached"])
    for name in ("whole", "cut", "killed", "power cut", "changes not synced"):
        require(f"some were {name}", totals[name])
    facts = ", ".join(f"{count} {name}" for name, count in sorted(totals.items()))
    print(f"  {sum(of_kind.values())} faults in {time.monotonic() - began:.0f} s: {facts}")
    print("  no acknowledged entry lost, no byte past a ceiling, no whole copy without its completion, no fork")


def baseline(site, account):
    """The calls of one release without a fault."""
    site.arm()
    copy = Requester(site.demo).ask(site.demo.facts["urls"]["ndjson"])
    require("the copy is whole and longer than a ceiling", copy.is_whole and copy.bytes > 8 << 20)
    time.sleep(ANCHOR_SECONDS)
    account.copies.append(copy)
    _, counts = site.counts()
    site.disarm()
    for kind in KINDS[:3]:
        require(f"calls of {kind} are seen: {counts}", counts[kind])
    return counts


if __name__ == "__main__":
    main()
