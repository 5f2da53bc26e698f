#!/usr/bin/env python3
"""Faults at random moments of several streaming copies:

    kill.py SALINAN [--runs N] [--seed S]

In each run a few requesters fetch copies of all sizes at once, some slowly, take receipts and acknowledge what they hold,
until one of FAULTS strikes at a moment drawn from the seed. Then the process is killed, if it is not gone already, and what
everybody saw is held against the ledger (account.py). The next run starts on what is left. Prints the totals; ends with 1
at the first thing that is not as it should be, with the run's number.
"""

import argparse
import errno
import random
import signal
import tempfile
import threading
import time
from collections import Counter

from account import Account
from requester import Requester
from served import (
    FAIL_ON,
    FAIL_ONCE,
    KILL_AFTER,
    KILL_BEFORE,
    LIE_ON,
    RECOVERS_SECONDS,
    SEND,
    SMALL,
    SYNC,
    WRITE,
    Site,
    build_shim,
    recovered,
    require,
    until,
)

VOTERS = 60_000
REQUESTERS = 3
LATEST_SECONDS = 0.5
# Runs on one ledger: verifying it grows with it.
RUNS_A_LEDGER = 25
JOIN_SECONDS = 60


class Requesters:
    """Several at once, until told to stop or until nobody answers."""

    def __init__(self, site, account, dice):
        self.site, self.account, self.ended, self.errors = site, account, threading.Event(), []
        seeds = [dice.randrange(2**32) for _ in range(REQUESTERS)]
        self.threads = [threading.Thread(target=self.run, args=(random.Random(seed),)) for seed in seeds]
        for thread in self.threads:
            thread.start()

    def run(self, dice):
        try:
            while not self.ended.is_set() and self.one(dice):
                pass
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self.errors.append(error)

    def one(self, dice):
        requester, urls = Requester(self.site.demo), self.site.demo.facts["urls"]
        name = dice.choice(("small", "small", "kecamatan", "csv", "ndjson", "json"))
        url = urls["csv"] + SMALL if name == "small" else urls[name]
        who = "partai_kecamatan" if name == "kecamatan" else "partai_kabkota"
        pause = (lambda: time.sleep(0.002)) if dice.random() < 0.3 else None
        coding = ("accept-encoding: gzip",) if dice.random() < 0.1 else ()
        copy = requester.ask(url, who, headers=coding, pause=pause)
        self.account.copies.append(copy)
        if copy.is_whole and copy.status == 200 and not copy.is_coded and name != "kecamatan":
            if dice.random() < 0.5 and (receipt := requester.receipt(copy.release)):
                self.account.saw_receipt(receipt)
            # Rows are lines under a heading.
            if name in ("small", "csv") and dice.random() < 0.5 and (answer := requester.acknowledge(copy)):
                self.account.acks.append((copy, answer))
        return copy.is_whole

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(JOIN_SECONDS)
            require("a requester ends", not thread.is_alive())
        require(f"requesters see nothing odd: {self.errors!r}", not self.errors)


def killed(site, dice):
    site.kill()


def stopped(site, dice):
    """SIGSTOP, and a while later SIGCONT."""
    site.demo.process.send_signal(signal.SIGSTOP)
    time.sleep(dice.uniform(0.05, 0.4))
    site.demo.process.send_signal(signal.SIGCONT)
    time.sleep(dice.uniform(0, 0.2))


def disk_full(site, dice):
    """No more fits, for a while."""
    site.arm(WRITE, 1, FAIL_ON, errno.ENOSPC)
    time.sleep(dice.uniform(0.02, 0.4))
    site.disarm()


def call_fails(site, dice):
    """EIO or ENOSPC at one call to come."""
    kind = dice.choice((SYNC, WRITE, SEND))
    error = errno.EIO if kind == SEND else dice.choice((errno.EIO, errno.ENOSPC))
    site.arm(kind, dice.randint(1, (6, 40, 200)[kind]), FAIL_ONCE, error)
    time.sleep(dice.uniform(0.1, 0.4))
    site.disarm()


def killed_at_a_call(site, dice):
    """The process goes at one call to come, before or after it."""
    kind = dice.choice((SYNC, WRITE, SEND))
    site.arm(kind, dice.randint(1, (6, 40, 200)[kind]), dice.choice((KILL_BEFORE, KILL_AFTER)))
    time.sleep(dice.uniform(0.1, 0.5))
    site.kill()


FAULTS = (killed, stopped, disk_full, call_fails, killed_at_a_call)
PASSING = (stopped, disk_full, call_fails)


def one_run(site, account, dice, totals):
    if not site.demo or not site.is_running():
        site.start()
    fault = dice.choice(FAULTS)
    requesters = Requesters(site, account, dice)
    until_fault = time.monotonic() + dice.uniform(0.005, LATEST_SECONDS)
    while time.monotonic() < until_fault:
        account.see_anchor()
        time.sleep(min(0.05, max(0, until_fault - time.monotonic())))
    fault(site, dice)
    totals[fault.__name__] += 1
    if fault in PASSING and dice.random() < 0.5:
        # It has to get over it by itself.
        until(lambda: recovered(site, account), RECOVERS_SECONDS, "serving goes on")
        totals["recovered running"] += 1
    account.see_anchor()
    site.kill()
    requesters.end()
    if fault is killed_at_a_call or dice.random() < 0.5:
        totals["power cuts"] += 1
        totals["changes not synced"] += site.cut_power(dice)
    account.check()


def check_itself(salinan, shim, folder):
    """A disk that says it synced and did not loses what was acknowledged: the harness has to find that out, and what
    requesters cannot have seen."""
    dice = random.Random(0)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        site = Site(salinan, shim, own, VOTERS)
        site.start()
        try:
            account = Account(site)
            requester, urls = Requester(site.demo), site.demo.facts["urls"]
            copy = requester.ask(urls["csv"] + SMALL)
            lied = requester.ask(urls["csv"] + SMALL)
            require("copies come whole", copy.is_whole and lied.is_whole)
            require("its statement is taken", answer := requester.acknowledge(copy))
            site.kill()
            account.copies.append(copy)
            account.check()
            wrong = {
                "more bytes than were granted": {**copy.__dict__, "bytes": (8 << 20) + 1},
                "other bytes": {**copy.__dict__, "sha256": lied.sha256[::-1]},
                "a release that was never opened": {**copy.__dict__, "release": "none"},
            }
            for what, facts in wrong.items():
                account.copies = [type(copy)(**facts)]
                require(f"{what} is found out", finds_fault(account))
            account.copies, account.acks = [], [(copy, {**answer, "index": answer["index"] + 1})]
            require("a lost acknowledgement is found out", finds_fault(account))
            account.acks = []
            site.start()
            site.arm(SYNC, 1, LIE_ON)
            account.copies = [Requester(site.demo).ask(site.demo.facts["urls"]["csv"] + SMALL)]
            require("a copy comes whole", account.copies[0].is_whole)
            site.kill()
            require("changes are not synced", site.cut_power(dice, kept=0.0))
            require("a sync that was none is found out", finds_fault(account))
        finally:
            site.kill()


def finds_fault(account):
    try:
        account.check()
    except SystemExit:
        return True
    return False


def number_of(entries, *kinds):
    return sum(entry["type"] in [f"release.{kind}" for kind in kinds] for entry in entries)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("salinan")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    chosen = parser.parse_args()
    print(f"  seed {chosen.seed}", flush=True)
    totals, began, run = Counter(), time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="salinan-") as folder:
        shim = build_shim(folder)
        check_itself(chosen.salinan, shim, folder)
        while run < chosen.runs:
            with tempfile.TemporaryDirectory(dir=folder) as own:
                site = Site(chosen.salinan, shim, own, VOTERS)
                site.start()
                account = Account(site)
                try:
                    for run in range(run, min(run + RUNS_A_LEDGER, chosen.runs)):
                        one_run(site, account, random.Random(f"{chosen.seed} {run}"), totals)
                    run += 1
                    # The last start closes what is open, and the ledger ends as it should.
                    site.start()
                    until(lambda: recovered(site, account), RECOVERS_SECONDS, "serving goes on")
                    site.stop()
                    entries = account.check()
                    require("every release has ended", number_of(entries, "intent") == number_of(entries, "complete", "reconciled"))
                    totals.update(account.totals, reconciled=number_of(entries, "reconciled"), entries=len(entries))
                except SystemExit as failed:
                    print(f"run {run} of seed {chosen.seed}")
                    raise failed
                finally:
                    site.kill()
            print(f"  {run} runs in {time.monotonic() - began:.0f} s", flush=True)
    for name, count in sorted(totals.items()):
        print(f"  {name.replace('_', ' ')}: {count}")
    for name in ("whole", "cut"):
        require(f"some copies were {name}", totals[name])
    print(f"  {run} runs: no acknowledged entry lost, no whole body without its completion, no fork")


if __name__ == "__main__":
    main()
