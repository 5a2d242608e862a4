"""A PostgreSQL of the tests' own: in a temporary folder, on a free port of this machine, gone when they end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

SECRET = "pass-word-of-tests"
FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4))
PROGRAMS = next(
    (folder for folder in map(Path, [*os.environ.get("PATH", "").split(":"), *map(str, FOLDERS[::-1])])
     if (folder / "initdb").is_file() and (folder / "postgres").is_file()),
    None,
)  # fmt: skip

needs_postgres = pytest.mark.skipif(
    PROGRAMS is None, reason="needs the programs of PostgreSQL, initdb and postgres (apt-get install postgresql)"
)


def _user() -> str | None:
    """The user to start it as, for root, as which it refuses to run; None for the user of the tests."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started() -> Iterator[str]:
    """Start a server; the address of its database, with user and password."""
    assert PROGRAMS is not None
    user, port = _user(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    try:
        (folder / "password").write_text(SECRET)
        if user is not None:
            shutil.chown(folder, user)
            shutil.chown(folder / "password", user)
        create = [PROGRAMS / "initdb", "-D", folder / "data", "-U", "searcher", "-N", "--locale=C", "-E", "UTF8"]
        create += ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
        subprocess.run(create, user=user, cwd=folder, check=True, capture_output=True)
        serve = [PROGRAMS / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-F"]
        server = subprocess.Popen(
            [*serve, "-c", "listen_addresses=127.0.0.1"], user=user, cwd=folder, stderr=(folder / "log").open("w")
        )
        try:
            address = f"postgresql://searcher:{SECRET}@127.0.0.1:{port}/postgres"
            _wait_for(address, server)
            yield address
        finally:
            server.send_signal(signal.SIGINT)  # at once, whoever is connected
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(address, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None and time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.05)
