"""A requester that asks over TLS and HTTP/1.1 and keeps what it saw: how much came, its digest, and whether it ended."""

import hashlib
import json
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

WAIT_SECONDS = 20
PIECE = 64 * 1024


@dataclass
class Copy:
    """What came of one request."""

    status: int = 0
    release: str | None = None
    bytes: int = 0
    rows: int = 0
    sha256: str = ""
    is_whole: bool = False
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    trailers: dict = field(default_factory=dict)

    @property
    def is_coded(self):
        return "content-encoding" in self.headers


class Requester:
    def __init__(self, demo):
        self.facts = demo.facts
        host, port = demo.facts["address"].rsplit(":", 1)
        self.address = (host, int(port))
        self.tls = ssl.create_default_context(cafile=demo.facts["ca"])

    def ask(self, url, who="partai_kabkota", method="GET", headers=(), keep=False, pause=None):
        """One request on a connection of its own. An answer that breaks off is an answer."""
        copy, digest = Copy(), hashlib.sha256()
        try:
            with socket.create_connection(self.address, timeout=WAIT_SECONDS) as plain:
                with self.tls.wrap_socket(plain, server_hostname=self.address[0]) as connection:
                    parts = urlsplit(url)
                    target = parts.path + (f"?{parts.query}" if parts.query else "")
                    lines = [f"{method} {target} HTTP/1.1", f"host: {self.address[0]}", "te: trailers", *headers]
                    lines.append(f"authorization: Bearer {self.facts['tokens'][who]}")
                    connection.sendall("".join(f"{line}\r\n" for line in [*lines, "content-length: 0", ""]).encode())
                    with connection.makefile("rb") as stream:
                        self._read(stream, copy, digest, keep, pause)
        except TimeoutError:
            raise
        except OSError:
            pass
        copy.sha256 = digest.hexdigest()
        return copy

    def _read(self, stream, copy, digest, keep, pause):
        copy.headers = headers = {}
        first = stream.readline()
        if not first.endswith(b"\r\n"):
            return
        headers.update(_fields(stream))
        if headers.pop("", None) is None:
            return
        copy.status = int(first.split()[1])
        copy.release = headers.get("release-id")

        def take(size):
            while size:
                piece = stream.read1(min(size, PIECE))
                if not piece:
                    return False
                digest.update(piece)
                copy.bytes += len(piece)
                copy.rows += piece.count(b"\n")
                if keep:
                    copy.body += piece
                size -= len(piece)
                if pause:
                    pause()
            return True

        if headers.get("transfer-encoding") != "chunked":
            copy.is_whole = take(int(headers["content-length"]))
            return
        while line := stream.readline():
            if not line.endswith(b"\r\n"):
                return
            size = int(line, 16)
            if size == 0:
                copy.trailers = dict(_fields(stream))
                copy.is_whole = copy.trailers.pop("", None) is not None
                return
            if not take(size) or stream.readline() != b"\r\n":
                return

    def receipt(self, release):
        """The receipt's text; `None` when there was no whole answer."""
        copy = self.ask(self.facts["urls"]["receipts"] + release, keep=True)
        return copy.body.decode() if copy.is_whole and copy.status == 200 else None

    def acknowledge(self, copy):
        """The answer to a true statement, read; `None` when there was none."""
        said = f"rows={max(copy.rows - 1, 0)}&bytes={copy.bytes}&sha256={copy.sha256}"
        url = f"{self.facts['urls']['receipts']}{copy.release}/ack?{said}"
        answer = self.ask(url, method="POST", keep=True)
        return json.loads(answer.body) if answer.is_whole and answer.status == 200 else None


def _fields(stream):
    """Header lines, and at last one without a name when their end was seen."""
    while (line := stream.readline()).endswith(b"\r\n"):
        if line == b"\r\n":
            yield "", ""
            return
        name, _, value = line.decode("latin-1").partition(":")
        yield name.lower(), value.strip()
