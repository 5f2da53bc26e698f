#!/usr/bin/env python3
"""Checks Salinan from outside, against a built binary: `run.py SALINAN [clients|ledger|operated|policies|size|witness]...`

Needs curl, openssl and what requirements.txt names. Ends with 1 at the first thing that is not as it should be.
"""

import sys
from pathlib import Path

import clients
import ledger
import operated
import policies
import size
import witness

CHECKS = {
    "clients": clients.check,
    "ledger": ledger.check,
    "operated": operated.check,
    "policies": policies.check,
    "size": size.check,
    "witness": witness.check,
}

salinan, *names = sys.argv[1:]
for name in names or CHECKS:
    CHECKS[name](str(Path(salinan).resolve()))
print("outside: all accepted")
