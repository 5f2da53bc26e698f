#!/usr/bin/env python3
"""In which order one streaming release writes to the disk and to its requester, watched from outside with strace:

    order.py SALINAN

1. No byte of the body is written to the requester's connection before a sync of the intent has returned.
2. No byte past a ceiling is, before a sync of its grant has.
3. The end of the body, the last chunk or the frame with `END_STREAM`, is not, before a sync of the completion has.

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
# Syncs take long, so that who does not wait for them is seen.
SLOW = "inject=fsync,fdatasync:delay_enter=700000"
WRITES = ("write", "writev", "sendto", "sendmsg")
PAGE = 4_200  # a page of the database is shown whole
ENTRY = re.compile(
    r'"type":"release\.(intent|grant|complete)",.*?"release":"([0-9a-f-]{36})",(?:"intent":\d+,"ceiling_bytes":(\d+))?'
)
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

    port: int
    records: list
    bytes: int


class Http1:
    """HTTP/1.1: a head, then chunks."""

    alpn = "http/1.1"

    def request(self, host, path, bearer):
        return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {bearer}\r\n\r\n".encode()

    def answers(self, new):
        return b""

    def is_ended(self, plain):
        return plain.endswith(b"\r\n0\r\n\r\n")

    def pieces(self, plain):
        """Where a piece of the body begins, where its bytes do, how many they are, and whether it is the last."""
        at = plain.index(b"\r\n\r\n") + 4
        while True:
            line = plain.index(b"\r\n", at)
            size = int(plain[at:line], 16)
            yield at, line + 2, size, size == 0
            if size == 0:
                return
            at = line + 2 + size + 2


class Http2:
    """HTTP/2, as much as one request takes: a window that all of the copy fits, headers as they are, frames."""

    alpn = "h2"
    DATA, HEADERS, SETTINGS, WINDOW = 0, 1, 4, 8
    END_STREAM, ACK, END_HEADERS = 1, 1, 4
    WINDOW_BYTES = (1 << 31) - 1

    def __init__(self):
        self.seen = 0

    def frame(self, kind, flags, stream, payload):
        return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload

    def request(self, host, path, bearer):
        def literal(text):
            # A length of up to 126 stands in one byte; a longer one goes on in sevens of bits (RFC 7541, section 5.1).
            data, length = text.encode(), b""
            rest = len(data) - 127
            if rest < 0:
                return bytes((len(data),)) + data
            while rest >= 128:
                length, rest = length + bytes((rest % 128 + 128,)), rest // 128
            return b"\x7f" + length + bytes((rest,)) + data

        fields = {":method": "GET", ":scheme": "https", ":authority": host, ":path": path, "authorization": bearer}
        head = b"".join(b"\x10" + literal(name) + literal(value) for name, value in fields.items())
        return (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + self.frame(self.SETTINGS, 0, 0, (4).to_bytes(2, "big") + self.WINDOW_BYTES.to_bytes(4, "big"))
            + self.frame(self.WINDOW, 0, 0, (self.WINDOW_BYTES - 65_535).to_bytes(4, "big"))
            + self.frame(self.HEADERS, self.END_STREAM | self.END_HEADERS, 1, head)
        )

    def frames(self, plain, at=0):
        while at + 9 <= len(plain):
            size, kind, flags = int.from_bytes(plain[at : at + 3], "big"), plain[at + 3], plain[at + 4]
            if at + 9 + size > len(plain):
                return
            yield at, kind, flags, size
            at += 9 + size

    def answers(self, plain):
        """What the server wants to be told: that its settings were seen."""
        answers = b""
        for at, kind, flags, size in self.frames(plain, self.seen):
            self.seen = at + 9 + size
            if kind == self.SETTINGS and not flags & self.ACK:
                answers += self.frame(self.SETTINGS, self.ACK, 0, b"")
            self.ended = kind in (self.DATA, self.HEADERS) and bool(flags & self.END_STREAM)
        return answers

    def is_ended(self, _):
        return self.seen > 0 and self.ended

    def pieces(self, plain):
        for at, kind, flags, size in self.frames(plain):
            if kind in (self.DATA, self.HEADERS):
                yield at, at + 9, size if kind == self.DATA else 0, bool(flags & self.END_STREAM)


def fetch(demo, protocol):
    """One copy, record by record."""
    host, port = demo.facts["address"].rsplit(":", 1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=demo.facts["ca"])
    context.set_alpn_protocols([protocol.alpn])
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    wire, held, plain, opened = 0, b"", bytearray(), []
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
        require("the protocol is spoken", tls.selected_alpn_protocol() == protocol.alpn)
        tls.write(protocol.request(host, urlsplit(demo.facts["urls"]["ndjson"]).path, demo.bearer("partai_kabkota")))
        while not protocol.is_ended(plain):
            connection.sendall(outgoing.read())
            begins = record()
            try:
                while piece := tls.read(1 << 16):
                    plain += piece
            except ssl.SSLWantReadError:
                pass
            opened.append((begins, len(plain)))
            if answers := protocol.answers(plain):
                tls.write(answers)
    pieces = list(protocol.pieces(plain))
    records, at, total, ended = [], 0, 0, False
    for begins, length in opened:
        # Pieces that are whole, and of the next one what there is; the last counts with its first byte.
        while at < len(pieces) and pieces[at][1] + pieces[at][2] <= length:
            total, ended, at = total + pieces[at][2], ended or pieces[at][3], at + 1
        part = max(0, length - pieces[at][1]) if at < len(pieces) else 0
        begun = at < len(pieces) and pieces[at][3] and length > pieces[at][0]
        records.append((begins, total + part, ended or begun))
    return Seen(own_port, records, sum(size for _, _, size, _ in pieces))


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


def durable_at(calls):
    """Where each entry of the release became durable: when the first sync that began after its page was written had
    returned. Ceilings come with intent and grants."""
    found, waiting = [], []
    known, only = set(), None
    for call in sorted(calls, key=lambda call: call.returned):
        if not call.file.endswith("/ledger.sqlite-wal") or call.result < 0:
            continue
        if call.name == "pwrite64":
            for kind, release, ceiling in ENTRY.findall(call.text):
                if (kind, ceiling) in known:
                    continue
                known.add((kind, ceiling))
                require("there is one release", release == (only := only or release))
                if kind == "intent":
                    ceiling = INTENT_CEILING.search(call.text[call.text.index(release) :])[1]
                waiting.append((call.returned, kind, int(ceiling or 0)))
        elif call.name in ("fsync", "fdatasync"):
            found += [(call.returned, kind, ceiling) for written, kind, ceiling in waiting if written < call.begun]
            waiting = [entry for entry in waiting if entry[0] >= call.begun]
    return found


def check(calls, seen):
    """Raises `Disorder`; gives how many writes were looked at."""
    durable = durable_at(calls)
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
    durable = {kind: at for at, kind, _ in durable_at(calls)}  # of grants the last
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
    strace = ["strace", "-D", "-f", "-yy", "-s", str(PAGE), "-e", CALLS, "-e", SLOW, "-e", "signal=none", "-o"]
    try:
        subprocess.run([*strace, "/dev/null", "true"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"  SKIPPED: the order of writes (strace is not there or may not watch: {error})")
        return
    for protocol in (Http1(), Http2()):
        with tempfile.TemporaryDirectory(prefix="salinan-") as folder:
            watch(salinan, Path(folder), strace, protocol)


def watch(salinan, folder, strace, protocol):
    trace = folder / "trace"
    demo = Demo(salinan, folder, VOTERS, before=[*strace, str(trace)])
    try:
        seen = fetch(demo, protocol)
    finally:
        require("the demo ends with 0", demo.stop() == 0)
    until = time.monotonic() + 30
    while "+++ exited with 0 +++" not in trace.read_text(errors="replace"):
        require("strace writes its last line", time.monotonic() < until)
        time.sleep(0.05)
    calls = read_trace(trace.read_text(errors="replace"))
    try:
        looked_at = check(calls, seen)
    except Disorder as why:
        sys.exit(f"FAILED: {why}")
    grants = [ceiling for _, kind, ceiling in durable_at(calls) if kind == "grant"]
    require(f"two ceilings are passed: {grants}", len(grants) >= 2 and seen.bytes > 16 << 20)
    refused = []
    for what, wrong in doctored(calls, seen):
        try:
            check(wrong, seen)
        except Disorder as why:
            refused.append(f"{what}: {why}")
            continue
        sys.exit(f"FAILED: a trace is accepted in which {what}")
    print(f"  {protocol.alpn}: {looked_at} writes of {seen.bytes} bytes after intent, {len(grants)} grants and completion")
    print(f"  {len(refused)} doctored traces refused:")
    for line in refused:
        print(f"    {line}")


if __name__ == "__main__":
    main()
