"""A local HTTP server for tests of downloads: it serves bytes from memory, fails on request, logs each answer."""

from __future__ import annotations

import re
import signal
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

# A self-signed certificate for 127.0.0.1 with its key: made for these tests, trusted by nobody.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0YqO48OVB4wfjXQL
rAIS+/kWyxgj7HdNvIIYF5UjvZWhRANCAAQ35wOyt0b/R3gHWZd2wsEkAt6Lf7K3
9RCHeC8u3dD1E9HoWsw/l7Fdm20UiYpBaerbo3z05W5kGMxw4I1AtLA0
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBbjCCARSgAwIBAgIBATAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDAp0ZXN0cyBv
bmx5MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAVMRMwEQYDVQQD
DAp0ZXN0cyBvbmx5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEN+cDsrdG/0d4
B1mXdsLBJALei3+yt/UQh3gvLt3Q9RPR6FrMP5exXZttFImKQWnq26N89OVuZBjM
cOCNQLSwNKNTMFEwDwYDVR0RBAgwBocEfwAAATAPBgNVHRMBAf8EBTADAQH/MA4G
A1UdDwEB/wQEAwIChDAdBgNVHQ4EFgQUB/MwHiF4+/9uFJlEth19dKY/jy8wCgYI
KoZIzj0EAwIDSAAwRQIgP3TiB9ZFATsl5UswDUN8EPZMPdaK/EsfFIKGvEIo4HoC
IQCOLpVrrBvH2J2j05tm591zJhhDU4QY6Z1TB7JX1liWCQ==
-----END CERTIFICATE-----
"""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer.

    Attributes:
        status: this status with a short page, instead of the file.
        body: these bytes instead of the file's.
        cut: end the body after so many bytes, though Content-Length announces all of them.
        stall: after `cut` bytes (none: at once, before the status line) say nothing more, but keep the line open.
        trickle: seconds between single bytes of the body.
        ignore_range: send the whole file, status 200, whatever range was asked for.
        shift: answer a range that starts so many bytes off the one asked for.
        location: redirect to this URL.
    """

    status: int = 200
    body: bytes | None = None
    cut: int | None = None
    stall: bool = False
    trickle: float = 0.0
    ignore_range: bool = False
    shift: int = 0
    location: str = ""


@dataclass
class Request:
    """One line of the log: what was asked for, and what was sent."""

    name: str
    range: str | None
    status: int = 0
    sent: int = 0  # bytes of the body


@dataclass
class FaultyServer:
    """The state that the tests set and read.

    Attributes:
        url: where the files are, with a slash at the end.
        files: name -> content; other names are answered 404.
        once: name -> faults of its next answers, the first of them first.
        always: name -> the fault of every answer after those.
        log: every request, in order.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    once: defaultdict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, Fault] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def requests(self, name: str) -> list[Request]:
        """The log's lines about one file."""
        return [request for request in self.log if request.name == name]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out apart: 40 ms each time otherwise
    state: FaultyServer

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the tests read `FaultyServer.log`."""

    def do_GET(self) -> None:
        name = self.path.lstrip("/").split("?")[0]
        state = self.state
        fault = state.once[name].pop(0) if state.once[name] else state.always.get(name, Fault())
        request = Request(name, self.headers.get("Range"))
        state.log.append(request)
        if fault.stall and fault.cut is None:
            self._hang()
        elif fault.location:
            self._answer(request, 302, b"", {"Location": fault.location})
        elif fault.status != 200:
            self._answer(request, fault.status, b"<html>an error page</html>")
        elif name not in state.files:
            self._answer(request, 404, b"<html>no such file</html>")
        else:
            self._send_file(request, state.files[name] if fault.body is None else fault.body, fault)

    def _send_file(self, request: Request, body: bytes, fault: Fault) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", request.range or "")
        if asked is None or fault.ignore_range:
            self._answer(request, 200, body, fault=fault)
            return
        start = int(asked[1]) + fault.shift
        if start >= len(body):
            self._answer(request, 416, b"", {"Content-Range": f"bytes */{len(body)}"})
            return
        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        self._answer(request, 206, body[start:], headers, fault)

    def _answer(
        self,
        request: Request,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        fault: Fault = Fault(),
    ) -> None:
        request.status = status
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        step = 1 if fault.trickle else max(1, len(body))
        body = body[: fault.cut]
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            request.sent += len(body[start : start + step])
            if self.state.closing.wait(fault.trickle) if fault.trickle else False:
                break
        self.wfile.flush()
        if fault.stall:
            self._hang()
        if fault.cut is not None:
            self.close_connection = True

    def _hang(self) -> None:
        self.state.closing.wait()
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news here."""


@contextmanager
def serve(files: dict[str, bytes] | None = None, certificate: Path | None = None) -> Iterator[FaultyServer]:
    """Serve `files` on 127.0.0.1; over TLS when `certificate` is a file with CERTIFICATE in it."""
    state = FaultyServer(files=dict(files or {}))
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    state.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def ctrl_c(after: float, within: float) -> Iterator[None]:
    """Send Ctrl-C to the main thread `after` seconds; the block must raise it `within` seconds from its start."""
    main = threading.main_thread().ident
    assert main is not None
    started = time.monotonic()
    timer = threading.Timer(after, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        yield
    timer.join()
    assert time.monotonic() - started < within
