"""Files over HTTP: several threads at once, each attempt timed, broken transfers resumed, wrong files removed."""

from __future__ import annotations

import os
import random
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests
import urllib3

from toolbox.utils import UserError, sync_folder
from toolbox.utils.addresses import address_problem, public_address

CHUNK = 1 << 16  # bytes
LARGEST = 64 << 20  # bytes; the largest file of MITDB has 1,950,000
TIMEOUTS_PER_ATTEMPT = 10  # the longest attempt, so that a trickle of bytes ends too


class FinalError(Exception):
    """A failure that another attempt would not change."""


class TemporaryError(Exception):
    """A failure that another attempt may get over."""


def check_address(url: str) -> None:
    """UserError unless `url` is a web address."""
    if problem := address_problem(url):
        raise UserError(f"cannot download from {public_address(url)!r}: {problem}")


def pause(attempt: int, backoff: float) -> float:
    """Seconds to wait after `attempt` (1, 2, ...): doubled each time, and at random so that clients spread."""
    return backoff * 2 ** (attempt - 1) * random.uniform(1.0, 1.25)


def short_message(error: Exception) -> str:
    """The reason that requests wrapped in `error`, in one line."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return " ".join(str(reason).split())[:300] or type(error).__name__


@dataclass
class Fetcher:
    """Fetch single files from one server into one folder; several threads may use it, all end once `stop` is set."""

    folder: Path
    base_url: str
    timeout: float  # s
    attempts: int
    backoff: float  # s
    stop: threading.Event = field(default_factory=threading.Event)
    verified: list[str] = field(default_factory=list)  # names of sound files in the folder
    local: threading.local = field(default_factory=threading.local)  # a session for each thread, as requests asks

    def fetch(self, name: str, problem: Callable[[Path], str], reuse: bool = True) -> None:
        """Have the file `name` in the folder, with no `problem`; `reuse` an existing one, or its NAME.part."""
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
                raise FinalError("stopped")
            try:
                self._transfer(self.base_url + name, part)
            except TemporaryError as error:
                reason = str(error)
                continue
            reason = problem(part)
            if not reason:
                part.replace(target)
                sync_folder(self.folder)
                self.verified.append(name)
                return
            part.unlink()
        raise FinalError(f"{self.base_url}{name}: {reason} (attempt {self.attempts} of {self.attempts})")

    def _transfer(self, url: str, part: Path) -> None:
        """Append the rest of `url` to `part`, or all of it if the server cannot resume."""
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        start = _size_of_part(part)
        headers = {"Accept-Encoding": "identity"}  # lengths and ranges count the file's own bytes
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self.local.session.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                if urlsplit(url).scheme == "https" and urlsplit(response.url).scheme != "https":
                    raise FinalError(f"{url} redirects to {response.url}, which is not encrypted")
                self._save(response, part, start)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise TemporaryError(f"no bytes for {self.timeout:g} s") from error
        except requests.exceptions.SSLError as error:
            raise FinalError(f"{url}: no TLS connection that can be trusted: {short_message(error)}") from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            raise TemporaryError(f"no connection, or it broke: {short_message(error)}") from error
        except requests.RequestException as error:
            raise FinalError(f"{url}: {short_message(error)}") from error

    def _save(self, response: requests.Response, part: Path, start: int) -> None:
        if response.status_code == 416 and start:
            return  # nothing after `start`: part is whole, or its digest will show that it is not
        append = _continues(response, start)
        if response.status_code == 206 and not append:
            part.unlink(missing_ok=True)
            raise TemporaryError(f"asked for bytes from {start}, got {response.headers.get('Content-Range')!r}")
        received = 0
        deadline = time.monotonic() + TIMEOUTS_PER_ATTEMPT * self.timeout
        with _open_part(part, append) as handle:
            while block := response.raw.read1(CHUNK):  # what is there, not a full block: a trickle is seen as one
                if self.stop.is_set():
                    raise FinalError("stopped")
                received += handle.write(block)
                if handle.tell() > LARGEST:
                    raise FinalError(f"{response.url}: more than {LARGEST} bytes, no file of MITDB is that large")
                if time.monotonic() > deadline:
                    raise TemporaryError(f"only {received} bytes came in {TIMEOUTS_PER_ATTEMPT * self.timeout:g} s")
            handle.flush()
            os.fsync(handle.fileno())
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and received != int(announced):
            raise TemporaryError(f"{received} of {announced} bytes came")


def _size_of_part(part: Path) -> int:
    """The bytes that are there; a link, or whatever else is no file of its own, is removed, and its target stays."""
    try:
        status = part.lstat()
    except FileNotFoundError:
        return 0
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return status.st_size
    part.unlink()
    return 0


def _open_part(part: Path, append: bool) -> IO[bytes]:
    """Open a file to write the bytes to; a link that was put in its place since is an error."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    mode = os.O_APPEND if append else os.O_TRUNC
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | mode | no_link, 0o666), "ab" if append else "wb")


def _continues(response: requests.Response, start: int) -> bool:
    """Check whether the body resumes at byte `start`; raises for a status without a file in it."""
    status = f"the server answers {response.status_code} {response.reason}"
    if response.status_code in (408, 429) or response.status_code >= 500:
        raise TemporaryError(status)
    if response.status_code not in (200, 206):
        raise FinalError(f"{response.url}: {status}")
    return response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
