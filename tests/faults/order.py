#!/usr/bin/env python3
"""In which order one streaming release writes to the disk and to its requester, watched from outside with strace:

    order.py SALINAN

1. No byte of the body is written to the requester's connection before a sync of the intent has returned.
2. No byte past a ceiling is, before a sync of its grant has.
3. The last chunk is not, before a sync of the completion has.

The requester takes the connection apart record by record (TLS), and so knows for every byte on the wire how much of the body
it opens; the trace says when that byte was written. Entries are found in the pages that are written to the write-ahead
log. A call counts as begun where strace shows it begin, and as returned where it shows it return: what a thread does
because another's sync returned is always shown after it. A trace with any of the three turned round has to be refused:
`DOCTORED` does so.
"""

import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

sys.path.append(str(Path(__file__).resolve().parents[1] / "outside"))
from demo import Demo, require  # noqa: E402

VOTERS = 130_000  # 19 MB as NDJSON: two ceilings are passed
CALLS = "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg"
WRITES = ("write", "writev", "sendto", "sendmsg")
PAGE = 4_200  # a page of the database is shown whole
ENTRY = re.compile(r'"type":"release\.(intent|grant|complete)",.*?"release":"([0-9a-f-]{36})",(?:"intent":\d+,"ceiling_bytes":(\d+))?')
INTENT_CEILING = re.compile(r'"ceiling_bytes":(\d+)')


class Disorder(Exception):
    """Something was written before what it needs was durable."""


@dataclass(frozen=True)
class Call:
    begun: int
    returned: int
    name: str
    file: str
    result: int
    text: str


@dataclass(frozen=True)
class Seen:
    """What the requester saw: for each TLS record where it begins on the wire, and after it how many bytes of the body are
    open, and whether the end of the body is."""

    release: str
    port: int
    records: list
    bytes: int


def fetch(demo):
    """One copy over HTTP/1.1, record by record."""
    host, port = demo.facts["address"].rsplit(":", 1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=demo.facts["ca"]).wrap_bio(incoming, outgoing, server_hostname=host)
    wire, held, plain, opened = 0, b"", b"", []
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        own_port = connection.getsockname()[1]

        def record():
            """Feeds one more record; gives where it begins on the wire."""
            nonlocal wire, held
            while len(held) < 5 or len(held) < 5 + int.from_bytes(held[3:5], "big"):
                piece = connection.recv(1 << 16)
                require("the connection goes on", piece)
                held += piece
            length = 5 + int.from_bytes(held[3:5], "big")
            incoming.write(held[:length])
            begins, wire, held = wire, wire + length, held[length:]
            return begins

        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                record()
        connection.sendall(outgoing.read())
        path = urlsplit(demo.facts["urls"]["ndjson"]).path
        tls.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {demo.bearer('partai_kabkota')}\r\n\r\n".encode())
        connection.sendall(outgoing.read())
        while not plain.endswith(b"\r\n0\r\n\r\n"):
            begins = record()
            try:
                while piece := tls.read(1 << 16):
                    plain += piece
            except ssl.SSLWantReadError:
                pass
            opened.append((begins, len(plain)))
    head, _, body = plain.partition(b"\r\n\r\n")
    release = re.search(rb"(?im)^release-id: (\S+)\r$", head + b"\r\n")[1].decode()
    marks = body_marks(body)
    records, before = [], len(head) + 4
    for begins, length in opened:
        records.append((begins, *progress(marks, length - before)))
    return Seen(release, own_port, records, marks[-1][1])


def body_marks(body):
    """Chunk by chunk: where it begins in the stream and how much of the body is before it; the last chunk at the end."""
    marks, at, total = [], 0, 0
    while True:
        line = body.index(b"\r\n", at)
        size = int(body[at:line], 16)
        marks.append((at, total, line + 2, size))
        if size == 0:
            return marks
        at, total = line + 2 + size + 2, total + size


def progress(marks, length):
    """How much of the body, and whether its end, the first `length` bytes of the stream hold."""
    open_bytes = 0
    for begins, before, data, size in marks:
        if length > data:
            open_bytes = before + min(size, length - data)
        if size == 0:
            return open_bytes, length > begins
    raise AssertionError


def read_trace(text):
    """The calls, in the order in which they began."""
    calls, open_ = [], {}
    form = re.compile(r"^\d+ +(\w+)\(\d+<(TCP[^\]]*\]|[^>]*)>(.*?)\) += (-?\d+)( .*)?$")
    for number, line in enumerate(text.split("\n")):
        if begun := re.match(r"^(\d+) +(\w+\(.*) <unfinished \.\.\.>$", line):
            open_[begun[1]] = (number, begun[2])
            continue
        first = number
        if resumed := re.match(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$", line):
            if resumed[1] not in open_:
                continue
            first, start = open_.pop(resumed[1])
            line = f"{resumed[1]} {start}{resumed[2]}"
        if parts := form.match(line):
            name, file, rest, result, _ = parts.groups()
            calls.append(Call(first, number, name, file, int(result), rest.replace('\\"', '"')))
    return sorted(calls, key=lambda call: call.begun)


def durable_at(calls, seen):
    """Where each entry of the release became durable: when the first sync that began after its page was written had
    returned. Ceilings come with intent and grants."""
    found, waiting = [], []
    known = set()
    for call in sorted(calls, key=lambda call: call.returned):
        if not call.file.endswith("/ledger.sqlite-wal") or call.result < 0:
            continue
        if call.name == "pwrite64":
            for kind, release, ceiling in ENTRY.findall(call.text):
                if release != seen.release or (kind, ceiling) in known:
                    continue
                known.add((kind, ceiling))
                if kind == "intent":
                    ceiling = INTENT_CEILING.search(call.text[call.text.index(seen.release) :])[1]
                waiting.append((call.returned, kind, int(ceiling or 0)))
        elif call.name in ("fsync", "fdatasync"):
            found += [(call.returned, kind, ceiling) for written, kind, ceiling in waiting if written < call.begun]
            waiting = [entry for entry in waiting if entry[0] >= call.begun]
    return found


def check(calls, seen):
    """Raises `Disorder`; gives how many writes were looked at."""
    durable = durable_at(calls, seen)
    wire, looked_at, records = 0, 0, list(seen.records)
    opened, ended = 0, False
    for call in calls:
        if call.name not in WRITES or f":{seen.port}]" not in call.file or call.result <= 0:
            continue
        wire += call.result
        # A record counts with its first byte.
        while records and records[0][0] < wire:
            _, opened, ended = records.pop(0)
        before = [(kind, ceiling) for at, kind, ceiling in durable if at < call.begun]
        looked_at += 1
        if opened and not any(kind == "intent" for kind, _ in before):
            raise Disorder(f"{opened} bytes of the body without a durable intent")
        ceiling = max((ceiling for kind, ceiling in before if kind != "complete"), default=0)
        if opened > ceiling:
            raise Disorder(f"{opened} bytes of the body past a durable ceiling of {ceiling}")
        if ended and not any(kind == "complete" for kind, _ in before):
            raise Disorder("the end of the body without a durable completion")
    require(f"all of the body is in the trace, {opened} of {seen.bytes} bytes", ended and opened == seen.bytes)
    return looked_at


def is_sync(call):
    return call.name in ("fsync", "fdatasync") and call.file.endswith("/ledger.sqlite-wal")


def doctored(calls, seen):
    """Traces of programs that do it wrong."""
    durable = {kind: at for at, kind, _ in durable_at(calls, seen)}  # of grants the last
    to_requester = [call for call in calls if call.name in WRITES and f":{seen.port}]" in call.file and call.result > 0]
    last = max(call.returned for call in calls) + 1

    def later(at):
        """The sync that made an entry durable returns only after everything."""
        return [replace(call, returned=last) if is_sync(call) and call.returned == at else call for call in calls]

    yield "the intent is synced too late", later(durable["intent"])
    yield "the last grant is synced too late", later(durable["grant"])
    yield "the completion is synced too late", later(durable["complete"])
    yield "nothing is synced", [call for call in calls if not is_sync(call)]
    yield "syncs fail", [replace(call, result=-1) if is_sync(call) else call for call in calls]
    yield "syncs begin before the pages are written", [replace(call, begun=0) if is_sync(call) else call for call in calls]
    early = to_requester[-1]
    moved = replace(early, begun=durable["complete"] - 1)
    yield "the end leaves just before its sync returns", sorted(
        [moved if call is early else call for call in calls], key=lambda call: call.begun
    )


def main():
    (salinan,) = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="salinan-") as folder:
        trace = Path(folder) / "trace"
        strace = ["strace", "-D", "-f", "-yy", "-s", str(PAGE), "-e", CALLS, "-e", "signal=none", "-o", str(trace)]
        try:
            subprocess.run([*strace, "true"], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"  SKIPPED: the order of writes (strace is not there or may not watch: {error})")
            return
        demo = Demo(salinan, folder, VOTERS, before=strace)
        try:
            seen = fetch(demo)
        finally:
            require("the demo ends with 0", demo.stop() == 0)
        while "+++ exited with 0 +++" not in trace.read_text(errors="replace"):
            time.sleep(0.05)
        calls = read_trace(trace.read_text(errors="replace"))
        grants = [ceiling for _, kind, ceiling in durable_at(calls, seen) if kind == "grant"]
        require(f"two ceilings are passed: {grants}", len(grants) >= 2 and seen.bytes > 16 << 20)
        looked_at = check(calls, seen)
        refused = []
        for what, wrong in doctored(calls, seen):
            try:
                check(wrong, seen)
            except Disorder as why:
                refused.append(f"{what}: {why}")
                continue
            sys.exit(f"FAILED: a trace is accepted in which {what}")
        print(f"  {looked_at} writes of {seen.bytes} bytes after their intent, {len(grants)} grants and completion")
        print(f"  {len(refused)} doctored traces refused:")
        for line in refused:
            print(f"    {line}")


if __name__ == "__main__":
    main()
