"""The MIT-BIH Arrhythmia Database from PhysioNet: several files at once, resumable, each verified by its SHA-256."""

from __future__ import annotations

import contextlib
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from toolbox.utils import UserError, sha256_of, sync_folder
from toolbox.utils import progress as progress_bar

BASE_URL = "https://physionet.org/files/mitdb/1.0.0/"
LIST = "SHA256SUMS.txt"
# The digest of PhysioNet's own list (704 files). The list comes from the server that it vouches for, so alone it
# proves that nothing broke on the way; with its digest known beforehand it also proves that this is MITDB 1.0.0.
LIST_SHA256 = "b61158a96d5f2ca80edfb354a9a66a6324836c390a84e1966dcee2b907d6be43"
RECORDS = (
    *("100", "101", "102", "103", "104", "105", "106", "107", "108", "109", "111", "112", "113", "114", "115", "116"),
    *("117", "118", "119", "121", "122", "123", "124", "200", "201", "202", "203", "205", "207", "208", "209", "210"),
    *("212", "213", "214", "215", "217", "219", "220", "221", "222", "223", "228", "230", "231", "232", "233", "234"),
)
EXTENSIONS = ("hea", "dat", "atr")

CHUNK = 1 << 16  # bytes
LARGEST = 64 << 20  # bytes; the largest file of MITDB has 1,950,000
PATIENCE = 10  # one attempt at one file may take so many time-outs, so that a trickle ends too

_RECORD_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")  # no dot, no slash: it stays in its folder
_LIST_LINE = re.compile(r"([0-9a-f]{64}) [ *]?(\S.*)")


class _FinalError(Exception):
    """No use in trying again."""


class _PassingError(Exception):
    """Worth another attempt."""


def check_address(url: str) -> None:
    """UserError unless `url` is a web address."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise UserError(f"cannot download from {url!r}: give an address that begins with https:// or http://")


def pause(attempt: int, backoff: float) -> float:
    """Seconds to wait after `attempt` (1, 2, ...): doubled each time, not the same for all who were cut off at once."""
    return backoff * 2 ** (attempt - 1) * random.uniform(1.0, 1.25)


def one_line(error: Exception) -> str:
    """What lies under `error`, where requests wraps a reason; without line breaks."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return " ".join(str(reason).split())[:300] or type(error).__name__


@dataclass
class _Fetcher:
    """Brings single files from one server into one folder; several threads may use it, all end once `stop` is set."""

    folder: Path
    base_url: str
    timeout: float  # s
    attempts: int
    backoff: float  # s
    stop: threading.Event = field(default_factory=threading.Event)
    verified: list[str] = field(default_factory=list)  # what is in the folder and has been checked
    local: threading.local = field(default_factory=threading.local)  # a session each: requests asks for it

    def fetch(self, name: str, problem: Callable[[Path], str], reuse: bool = True) -> None:
        """Have the file `name` in the folder, with no `problem`; `reuse` what is there of it and of NAME.part."""
        target, part = self.folder / name, self.folder / f"{name}.part"
        if reuse and target.is_file() and not problem(target):
            self.verified.append(name)
            return
        if not reuse:
            part.unlink(missing_ok=True)
        reason = ""
        for attempt in range(self.attempts):
            if attempt:
                self.stop.wait(pause(attempt, self.backoff))
            if self.stop.is_set():
                raise _FinalError("stopped")
            try:
                self._transfer(self.base_url + name, part)
            except _PassingError as error:
                reason = str(error)
                continue
            reason = problem(part)
            if not reason:
                part.replace(target)
                sync_folder(self.folder)
                self.verified.append(name)
                return
            part.unlink()
        raise _FinalError(f"{self.base_url}{name}: {reason} (attempt {self.attempts} of {self.attempts})")

    def _transfer(self, url: str, part: Path) -> None:
        """Bring `part` to the end of what `url` holds, from where it stands if the server can do that."""
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        start = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"}  # lengths and ranges count the file's own bytes
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self.local.session.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                if urlsplit(url).scheme == "https" and urlsplit(response.url).scheme != "https":
                    raise _FinalError(f"{url} redirects to {response.url}, which is not encrypted")
                self._save(response, part, start)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise _PassingError(f"nothing came for {self.timeout:g} s") from error
        except requests.exceptions.SSLError as error:
            raise _FinalError(f"{url}: no TLS connection that can be trusted: {one_line(error)}") from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            raise _PassingError(f"no connection, or it broke: {one_line(error)}") from error
        except requests.RequestException as error:
            raise _FinalError(f"{url}: {one_line(error)}") from error

    def _save(self, response: requests.Response, part: Path, start: int) -> None:
        if response.status_code == 416 and start:
            return  # nothing after `start`: part is whole, or its digest will show that it is not
        append = _continues(response, start)
        if response.status_code == 206 and not append:
            part.unlink(missing_ok=True)
            raise _PassingError(f"asked for bytes from {start}, got {response.headers.get('Content-Range')!r}")
        received = 0
        deadline = time.monotonic() + PATIENCE * self.timeout
        with open(part, "ab" if append else "wb") as handle:
            while block := response.raw.read1(CHUNK):  # what is there, not a full block: a trickle is seen as one
                if self.stop.is_set():
                    raise _FinalError("stopped")
                received += handle.write(block)
                if handle.tell() > LARGEST:
                    raise _FinalError(f"{response.url}: more than {LARGEST} bytes, no file of MITDB is that large")
                if time.monotonic() > deadline:
                    raise _PassingError(f"only {received} bytes came in {PATIENCE * self.timeout:g} s")
            handle.flush()
            os.fsync(handle.fileno())
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and received != int(announced):
            raise _PassingError(f"{received} of {announced} bytes came")


def _continues(response: requests.Response, start: int) -> bool:
    """Whether the body goes on at byte `start`; raises for a status without a file in it."""
    status = f"the server answers {response.status_code} {response.reason}"
    if response.status_code in (408, 429) or response.status_code >= 500:
        raise _PassingError(status)
    if response.status_code not in (200, 206):
        raise _FinalError(f"{response.url}: {status}")
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _digest_problem(path: Path, expected: str) -> str:
    found = sha256_of(path)
    return "" if found == expected else f"wrong bytes, SHA-256 {found[:16]}... instead of {expected[:16]}..."


def _read_list(path: Path) -> dict[str, str]:
    """name -> SHA-256 of a file as sha256sum writes it; empty when it is none."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    matches = [_LIST_LINE.fullmatch(line) for line in lines]
    return {match[2]: match[1] for match in matches if match} if all(matches) else {}


def _list_problem(path: Path) -> str:
    return "" if _read_list(path) else f"this is no list of SHA-256 digests: {path.read_bytes()[:60]!r}"


def _record_files(fetcher: _Fetcher, digests: dict[str, str]) -> list[str]:
    """The files of every record that RECORDS names; fetches RECORDS and ANNOTATORS."""
    for name in ("RECORDS", "ANNOTATORS"):
        if name not in digests:
            raise _FinalError(f"{fetcher.base_url}{LIST} has no line for {name}")
        fetcher.fetch(name, partial(_digest_problem, expected=digests[name]))
    records = (fetcher.folder / "RECORDS").read_text(encoding="utf-8", errors="replace").split()
    for record in records:
        if not _RECORD_NAME.fullmatch(record):
            raise _FinalError(f"{fetcher.base_url}RECORDS names {record!r}, which cannot be a record's name")
    names = [f"{record}.{extension}" for record in dict.fromkeys(records) for extension in EXTENSIONS]
    unknown = [name for name in names if name not in digests]
    if unknown or not names:
        raise _FinalError(f"{fetcher.base_url}{LIST} has no line for {', '.join(unknown[:3]) or 'any record'}")
    return names


def _fetch_all(fetcher: _Fetcher, digests: dict[str, str], jobs: int, progress: bool) -> None:
    """Fetch the files in `digests`, `jobs` at once. The first failure, or Ctrl-C, stops the others."""

    def one(name: str) -> None:
        fetcher.fetch(name, partial(_digest_problem, expected=digests[name]))

    with ThreadPool(jobs) as pool:
        done: Iterable[None] = pool.imap_unordered(one, digests)
        try:
            for _ in progress_bar(done, "downloading", total=len(digests)) if progress else done:
                pass
        except BaseException as error:
            fetcher.stop.set()
            if isinstance(error, Exception):  # Ctrl-C does not wait for lines that hang; the threads are daemons
                pool.close()
                pool.join()
            raise


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other download works in `folder`: two that append to one .part would spoil it (POSIX only)."""
    if os.name != "posix":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another download into {folder} is at work, waiting for it", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def download(
    folder: str | Path,
    base_url: str | None = None,
    *,
    jobs: int = 4,
    timeout: float = 30.0,
    attempts: int = 4,
    progress: bool = True,
    backoff: float = 1.0,
    list_sha256: str | None = None,
) -> Path:
    """Have every record of MITDB in `folder`, verified; returns the folder.

    Files that are there and right are kept. What was cut off stays as NAME.part, and the next call goes on with it.

    Args:
        base_url: where SHA256SUMS.txt, RECORDS, ANNOTATORS and the records are, http or https; None means `BASE_URL`.
        jobs: how many files at once.
        timeout: seconds to wait for the server; one attempt at one file may take ten times as long.
        attempts: how often each file is tried; `backoff` seconds before the second time, doubled after each.
        list_sha256: the digest that SHA256SUMS.txt must have. None means the published one for `BASE_URL`; any other
            server's list is taken as it is, which proves that nothing broke on the way, not whose files they are.

    Raises:
        UserError: no such server or file, bytes that stay wrong, a folder that cannot be written.
    """
    base_url = BASE_URL if base_url is None else base_url.rstrip("/") + "/"
    check_address(base_url)
    if base_url == BASE_URL and list_sha256 is None:
        list_sha256 = LIST_SHA256
    fetcher = _Fetcher(Path(folder), base_url, timeout, attempts, backoff)
    try:
        fetcher.folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(fetcher.folder):
            check = partial(_digest_problem, expected=list_sha256) if list_sha256 else _list_problem
            fetcher.fetch(LIST, check, reuse=list_sha256 is not None)
            digests = _read_list(fetcher.folder / LIST)
            wanted = {name: digests[name] for name in _record_files(fetcher, digests)}
            if progress:
                print(f"{len(wanted)} files from {base_url} to {folder}", file=sys.stderr)
            _fetch_all(fetcher, wanted, jobs, progress)
    except _FinalError as error:
        raise UserError(
            f"{error}; {len(fetcher.verified)} files in {folder} are verified, the same command goes on from there"
        ) from error
    except OSError as error:
        raise UserError(f"cannot write the records to {folder}: {error}") from error
    if progress:
        print(f"{len(fetcher.verified)} files in {folder} verified", file=sys.stderr)
    return fetcher.folder
