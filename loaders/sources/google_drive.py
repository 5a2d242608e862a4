"""The predecessor's archive on Google Drive: fetched with gdown, checked, and its two CSV files published together.

No digest of the archive was ever published. In its place: the length that the server announces, the CRC-32 of each
member, and the members' names and sizes. gdown takes half a second to import: it is imported for a download only.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
import threading
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import requests
from tqdm import tqdm

from loaders.sources.download import check_address, pause, short_message
from loaders.sources.kaggle_csv import FILES, SCRATCH, remove_leftovers
from toolbox.utils import UserError, atomic_write, scratch_folder
from toolbox.utils.addresses import hide_secrets, public_address
from toolbox.utils.errors import note

FILE_ID = "17Rd4YpGwssSpk4xZAT5AyYskjvs95dAY"
URL = f"https://drive.google.com/uc?id={FILE_ID}"

# The real archive unpacks to 412 and 103 MB; numbers as text shrink about fivefold, an empty bomb a thousandfold.
LARGEST_ARCHIVE = 1 << 30  # bytes
LARGEST_MEMBER = 1 << 30  # bytes, unpacked
HIGHEST_RATIO = 100  # unpacked : packed, for members over SMALL
SMALL = 1 << 20  # bytes
CHUNK = 1 << 20  # bytes

_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError)


def describe_content(path: Path) -> str:
    """A few words on a file that is no archive: the title of a page, or its size and first bytes."""
    with open(path, "rb") as handle:
        head = handle.read(4096)
    size = path.stat().st_size
    if re.match(rb"\s*<(!doctype|html|head|\?xml)", head, re.IGNORECASE):
        title = re.search(rb"<title[^>]*>(.*?)</title>", head, re.IGNORECASE | re.DOTALL)
        text = " ".join((title[1] if title else head[:80]).decode("utf-8", "replace").split())
        return f"an HTML page of {size} bytes, {text!r}"
    return f"{size} bytes that begin with {head[:16]!r}" if size else "an empty file"


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The one member called `name`, in whatever folder; UserError when there is none or it must not be unpacked."""
    label = Path(str(archive.filename)).name
    members = [member for member in archive.infolist() if re.split(r"[/\\]", member.filename)[-1] == name]
    if len(members) != 1:
        content = ", ".join(repr(member.filename[:80]) for member in archive.infolist()[:4]) or "nothing"
        raise UserError(f"{label} should hold one {name} and holds {len(members)}; what is in it: {content}")
    member = members[0]
    if problem := _member_problem(member):
        raise UserError(f"{name} in {label} {problem}")
    return member


def _member_problem(member: zipfile.ZipInfo) -> str:
    """Why a member must not be unpacked; "" for a sound one."""
    if member.flag_bits & 1:
        return "is encrypted"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link, not a file"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is packed by method {member.compress_type}, expected deflate"
    if member.file_size > LARGEST_MEMBER:
        return f"claims {member.file_size} bytes, at most {LARGEST_MEMBER} are allowed"
    if member.file_size > max(SMALL, HIGHEST_RATIO * member.compress_size):
        return (
            f"claims to unpack from {member.compress_size} to {member.file_size} bytes, "
            f"more than {HIGHEST_RATIO}-fold: a zip bomb"
        )
    return ""


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: IO[bytes]) -> None:
    """Unpack `member` into `target`, no more than its declared size; zipfile checks its CRC-32 at the end."""
    written = 0
    with archive.open(member) as source:
        while written <= member.file_size and (block := source.read(CHUNK)):
            written += target.write(block)
    if written != member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} has not the {member.file_size} bytes that it declares")
    target.flush()
    os.fsync(target.fileno())  # a full disk shows here, before the first of the two is published


def unpack(archive: str | Path, folder: str | Path) -> tuple[Path, Path]:
    """Unpack the two CSV files of `archive` into `folder`, both or none; returns (train, test).

    Names in the archive only choose the members: what is written are the two names in FILES, nothing else.

    Raises:
        UserError: no zip archive, a damaged one, not the two files in it, or more bytes than they can have.
    """
    archive, folder = Path(archive), Path(folder)
    train, test = (folder / name for name in FILES.values())
    try:
        if not zipfile.is_zipfile(archive):
            raise UserError(f"{archive.name} is no whole zip archive but {describe_content(archive)}")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as opened, ExitStack() as files:
            members = [_member(opened, name) for name in FILES.values()]
            targets = [files.enter_context(atomic_write(path)) for path in (train, test)]
            for member, target in zip(members, targets, strict=True):
                _copy(opened, member, target)
    except _BROKEN as error:
        raise UserError(f"{archive.name} is a damaged zip archive: {error}") from error
    except OSError as error:
        raise UserError(f"cannot unpack {archive.name} into {folder}: {error}") from error
    return train, test


def _is_temporary(error: Exception) -> bool:
    """Check whether another attempt may succeed."""
    from gdown.exceptions import DownloadError, FileURLRetrievalError

    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        return status in (408, 429) or status >= 500
    if isinstance(error, (requests.exceptions.SSLError, FileURLRetrievalError)):
        return False  # no certificate to trust; Google's pages: not shared, gone, too many downloads
    return isinstance(error, (requests.ConnectionError, requests.Timeout, DownloadError))


def _attempt(url: str, archive: Path, timeout: float, cancel: threading.Event, bar: tqdm) -> Exception | None:
    """Let gdown try once, from where the last attempt stopped; the error, or None.

    gdown keeps the bytes received in a .part file beside `archive`. If it did not grow, the server does not answer the
    range that resumes there: the next attempt begins anew.
    """
    import gdown

    def watch(received: int, total: int | None) -> None:
        if max(received, total or 0) > LARGEST_ARCHIVE:
            raise UserError(f"{url}: {max(received, total or 0)} bytes, at most {LARGEST_ARCHIVE} are allowed")
        bar.total, bar.n = total, received
        bar.refresh()

    before = {part: part.stat().st_size for part in archive.parent.glob("*.part")}
    try:
        gdown.download(
            url=url,
            output=str(archive),
            quiet=True,
            use_cookies=False,  # the archive is public: leave the cookies in the user's home alone
            resume=True,
            timeout=timeout,
            cancel=cancel,
            progress=watch,
        )
    except (UserError, gdown.DownloadCancelled):
        raise
    except Exception as error:  # its own, those of requests, and KeyError and the like for odd answers
        for part, size in before.items():
            if part.stat().st_size == size:
                part.unlink()
        return error
    return None


def _fetch(url: str, archive: Path, *, timeout: float, attempts: int, backoff: float, bar: tqdm, limit: float) -> None:
    """Fetch `url` to `archive`; UserError when `attempts` are used up, or `limit` seconds."""
    import gdown

    cancel = threading.Event()
    alarm = threading.Timer(limit, cancel.set)  # `timeout` is from byte to byte, a trickle would outlast any
    alarm.daemon = True
    alarm.start()
    try:
        for attempt in range(1, attempts + 1):
            error = _attempt(url, archive, timeout, cancel, bar)
            if error is None:
                return
            if attempt == attempts or not _is_temporary(error):
                raise UserError(
                    f"cannot download {url}: {short_message(error)} (attempt {attempt} of {attempts})"
                ) from error
            cancel.wait(pause(attempt, backoff))
    except gdown.DownloadCancelled as error:
        raise UserError(f"cannot download {url}: not done after {limit:g} s") from error
    finally:
        alarm.cancel()


def download(
    folder: str | Path,
    url: str | None = None,
    *,
    timeout: float = 30.0,
    attempts: int = 4,
    progress: bool = True,
    backoff: float = 1.0,
    limit: float = 3600.0,
) -> tuple[Path, Path]:
    """Have mitbih_train.csv and mitbih_test.csv in `folder`; returns (train, test).

    Nothing is downloaded if both exist; otherwise both are written anew. The archive itself is never kept.

    Args:
        url: another address of the archive, on Google Drive or anywhere; http or https.
        timeout: seconds to wait for the server to connect, or to send a byte.
        attempts: each resumes where the last one stopped if the server can do that.
        backoff: seconds before the second attempt; doubled after each.
        limit: seconds for the whole download.

    Raises:
        UserError: the download failed, is not that archive, or cannot be written.
    """
    folder, url = Path(folder), URL if url is None else url
    shown = url if url == URL else public_address(url)
    train, test = (folder / name for name in FILES.values())
    remove_leftovers(folder)
    if train.is_file() and test.is_file():
        return train, test
    check_address(url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            scratch_folder(folder, SCRATCH) as scratch,
            tqdm(unit="B", unit_scale=True, leave=False, disable=not (progress and sys.stderr.isatty())) as bar,
        ):
            archive = scratch / "archive.zip"
            _fetch(url, archive, timeout=timeout, attempts=attempts, backoff=backoff, bar=bar, limit=limit)
            if progress:
                note(f"{archive.stat().st_size} bytes from {shown}, unpacking them to {folder}")
            try:
                return unpack(archive, folder)
            except UserError as error:
                raise UserError(f"the download from {shown} was removed: {error}") from error
    except UserError as error:
        ways = f"put {train.name} and {test.name} into {folder}, name another address, or take PhysioNet's records"
        reason = str(error) if url == URL else hide_secrets(str(error), [url])
        raise UserError(f"{reason}; {ways}") from None  # whose message may have the whole address
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error}") from error
