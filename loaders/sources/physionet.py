"""Databases from PhysioNet: several files at once, resumable, each verified by its SHA-256."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

from filelock import FileLock, Timeout

from loaders.io.wfdb_record import MITDB
from loaders.sources.databases.mitdb import DATABASE
from loaders.sources.download import Fetcher, FinalError, check_address
from toolbox.utils import UserError, sha256_of
from toolbox.utils import progress as progress_bar
from toolbox.utils.addresses import hide_secrets, public_address
from toolbox.utils.errors import note

BASE_URL = DATABASE.url
LIST = "SHA256SUMS.txt"
LIST_SHA256 = DATABASE.list_sha256
RECORDS = MITDB
EXTENSIONS = ("hea", "dat", "atr")

_RECORD_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")  # no dot, no slash: it stays in its folder
_LIST_LINE = re.compile(r"([0-9a-f]{64}) [ *]?(\S.*)")


def _digest_problem(path: Path, expected: str) -> str:
    digest = sha256_of(path)
    return "" if digest == expected else f"wrong bytes, SHA-256 {digest[:16]}... instead of {expected[:16]}..."


def _read_list(path: Path) -> dict[str, str]:
    """name -> SHA-256, as sha256sum writes them; empty for any other file."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    matches = [_LIST_LINE.fullmatch(line) for line in lines]
    return {match[2]: match[1] for match in matches if match} if all(matches) else {}


def _list_problem(path: Path) -> str:
    return "" if _read_list(path) else f"not a list of SHA-256 digests: {path.read_bytes()[:60]!r}"


def _record_files(fetcher: Fetcher, digests: dict[str, str], some_annotated: bool) -> list[str]:
    """Fetch RECORDS and ANNOTATORS; the names of the files of all records."""
    for name in ("RECORDS", "ANNOTATORS"):
        if some_annotated and name == "ANNOTATORS" and name not in digests:
            continue
        if name not in digests:
            raise FinalError(f"{fetcher.base_url}{LIST} has no line for {name}")
        fetcher.fetch(name, partial(_digest_problem, expected=digests[name]))
    records = (fetcher.folder / "RECORDS").read_text(encoding="utf-8", errors="replace").split()
    for record in records:
        if not _RECORD_NAME.fullmatch(record):
            raise FinalError(f"{fetcher.base_url}RECORDS names {record!r}, which cannot be a record's name")
    if some_annotated:
        records = [record for record in records if f"{record}.{EXTENSIONS[-1]}" in digests]
    names = [f"{record}.{extension}" for record in dict.fromkeys(records) for extension in EXTENSIONS]
    unknown = [name for name in names if name not in digests]
    if unknown or not names:
        raise FinalError(f"{fetcher.base_url}{LIST} has no line for {', '.join(unknown[:3]) or 'any record'}")
    return names


def _fetch_all(fetcher: Fetcher, digests: dict[str, str], jobs: int, progress: bool) -> None:
    """Fetch the files in `digests`, `jobs` at once. The first failure, or Ctrl-C, stops the others."""
    failures: list[BaseException] = []  # the first is raised: the others may fail only because they were stopped

    def fetch_one(name: str) -> None:
        try:
            fetcher.fetch(name, partial(_digest_problem, expected=digests[name]))
        except Exception as error:
            failures.append(error)
            fetcher.stop.set()
            raise

    with ThreadPool(jobs) as pool:
        finished: Iterable[None] = pool.imap_unordered(fetch_one, digests)
        try:
            for _ in progress_bar(finished, "downloading", total=len(digests)) if progress else finished:
                pass
        except BaseException as error:
            first = (failures or [error])[0]
            fetcher.stop.set()
            if not isinstance(error, Exception):
                raise  # Ctrl-C does not wait for lines that hang; the threads are daemons
            pool.close()
            pool.join()
            raise first from None


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other download works in `folder`: two that append to one .part would spoil it."""
    if not os.access(folder, os.W_OK):
        yield  # nothing can be written there
        return
    lock = FileLock(folder / ".download.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        note(f"another download into {folder} is at work, waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows: removed by its release
            Path(lock.lock_file).unlink()
        lock.release()


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
    some_annotated: bool = False,
) -> Path:
    """Have every record of a database in `folder`, verified; returns the folder.

    Sound files are kept. A file that was cut off stays as NAME.part, and the next call resumes it.

    Args:
        base_url: the folder of SHA256SUMS.txt, RECORDS, ANNOTATORS and the records, http or https; None: `BASE_URL`,
            MIT-BIH's.
        jobs: files at once.
        timeout: seconds to wait for the server; one attempt at one file may take ten times as long.
        attempts: per file; `backoff` seconds before the second, doubled after each.
        list_sha256: the digest that SHA256SUMS.txt must have. None means the published one for `BASE_URL`; any other
            server's list is taken as it is, which proves that the transfer is sound, not whose files they are.
        some_annotated: records without annotations are left out; else each must have them.

    Raises:
        UserError: no such server or file, bytes that stay wrong, a folder that cannot be written.
    """
    base_url = BASE_URL if base_url is None else base_url.rstrip("/") + "/"
    check_address(base_url)
    if base_url == BASE_URL and list_sha256 is None:
        list_sha256 = LIST_SHA256
    fetcher = Fetcher(Path(folder), base_url, timeout, attempts, backoff)
    try:
        fetcher.folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(fetcher.folder):
            _fetch_records(fetcher, list_sha256, jobs, progress, some_annotated)
    except FinalError as error:
        reason = hide_secrets(str(error), [base_url])
        raise UserError(
            f"{reason}; {len(fetcher.verified)} files in {folder} are verified, the same command resumes from there"
        ) from None  # whose message has the whole address
    except OSError as error:
        raise UserError(f"cannot write the records to {folder}: {error}") from error
    if progress:
        note(f"{len(fetcher.verified)} files in {folder} verified")
    return fetcher.folder


def _fetch_records(fetcher: Fetcher, list_sha256: str | None, jobs: int, progress: bool, some_annotated: bool) -> None:
    """Fetch the list of digests, and then the files of all records that it vouches for."""
    check = partial(_digest_problem, expected=list_sha256) if list_sha256 else _list_problem
    fetcher.fetch(LIST, check, reuse=list_sha256 is not None)
    digests = _read_list(fetcher.folder / LIST)
    wanted = {name: digests[name] for name in _record_files(fetcher, digests, some_annotated)}
    if progress:
        note(f"{len(wanted)} files from {public_address(fetcher.base_url)} to {fetcher.folder}")
    _fetch_all(fetcher, wanted, jobs, progress)
