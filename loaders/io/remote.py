"""Files behind addresses (s3://, https:// and all that fsspec reads): found, fetched, written."""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from toolbox.utils import UserError
from toolbox.utils.addresses import hide_secrets, public_address
from toolbox.utils.program import missing_package

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
MARKS = ("ETag", "etag", "LastModified", "last_modified", "mtime", "md5Hash", "created")  # of a file's content


def is_remote(text: str) -> bool:
    """Check whether a word of the command line is an address of files elsewhere; file:// is not."""
    match = ADDRESS.match(text)
    return match is not None and match[1].lower() != "file"


def is_web(text: str) -> bool:
    """Check whether an address is one of the web, which nothing can be written to."""
    return text.lower().startswith(("http://", "https://"))


def local_path(text: str) -> str:
    """A path as it is; of file:///data the path."""
    return unquote(text.removeprefix("file://")) if text.lower().startswith("file://") else text


def under(address: str, *names: str) -> str:
    """The address of a file below a folder's."""
    return "/".join([address.rstrip("/"), *(name for name in names if name not in ("", "."))])


def parent_of(address: str) -> str:
    """The address of the folder that a file is in."""
    return address.rstrip("/").rpartition("/")[0]


def name_of(address: str) -> str:
    """The file name at the end of an address."""
    return unquote(public_address(address).rstrip("/").rpartition("/")[2])


@contextlib.contextmanager
def reaching(address: str) -> Iterator[None]:
    """In this block all that goes wrong is a UserError that names `address`, but for the secrets in it."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        if error.__cause__ is None or isinstance(error.__cause__, FileNotFoundError) or not is_web(address):
            raise UserError(f"{public_address(address)}: no such file or folder") from error
        reason = _reason(error.__cause__, address)  # of the web fsspec says so whatever was wrong
        raise UserError(f"{public_address(address)} cannot be reached: {reason}") from error
    except ModuleNotFoundError as error:
        raise UserError(f"{public_address(address)}: {missing_package(error) or error}") from error
    except ImportError as error:  # fsspec says which package reads such addresses
        raise UserError(f"{public_address(address)}: {error}") from error
    except Exception as error:  # each kind of store raises its own
        raise UserError(f"{public_address(address)} cannot be reached: {_reason(error, address)}") from error


def _reason(error: BaseException, address: str) -> str:
    return hide_secrets(" ".join(f"{type(error).__name__}: {error}".split())[:200], [address])


class Store:
    """The files behind an address's scheme, by their addresses; what goes wrong is a UserError.

    Args:
        address: of any file or folder there.
    """

    def __init__(self, address: str) -> None:
        with reaching(address):
            from fsspec.core import url_to_fs

            self.fs: Any = url_to_fs(address)[0]

    def _path(self, address: str) -> str:
        path: str = self.fs._strip_protocol(address)
        return path

    def files(self, folder: str) -> list[str]:
        """The names of all files in a folder and below, relative to it, sorted."""
        with reaching(folder):
            root = self._path(folder).rstrip("/")
            paths = self.fs.find(root)
            if not paths:
                self.fs.info(root)  # finding passes over errors; this says what is wrong
        return sorted(posixpath.relpath(path, root) for path in paths if path.rstrip("/") != root)

    def matches(self, pattern: str) -> list[str]:
        """The addresses of the files that a pattern with * ? [ ] names, sorted."""
        with reaching(pattern):
            return sorted(str(self.fs.unstrip_protocol(path)) for path in self.fs.glob(self._path(pattern)))

    def is_file(self, address: str) -> bool:
        """Check whether there is such a file."""
        with reaching(address):
            return bool(self.fs.isfile(self._path(address)))

    def read(self, address: str, limit: int | None = None) -> bytes:
        """The bytes of a file, at most `limit` from its start."""
        with reaching(address):
            content: bytes = self.fs.cat_file(self._path(address), start=None if limit is None else 0, end=limit)
        return content

    def mark(self, address: str) -> str:
        """Size and what changes with the content of a file (ETag, time of modification): the same as long as it is."""
        with reaching(address):
            info = self.fs.info(self._path(address))
        return " ".join(str(value) for value in (info.get("size"), *(info.get(key) for key in MARKS)) if value)

    def fetch(self, address: str, target: Path) -> None:
        """Copy a file here, piece by piece."""
        with reaching(address):
            self.fs.get_file(self._path(address), str(target))

    def fetch_existing(self, addresses: Iterable[str], folder: Path) -> list[Path]:
        """Copy those files here that exist, into `folder`."""
        copies = []
        for address in addresses:
            target = folder / name_of(address)
            with reaching(address), contextlib.suppress(FileNotFoundError):
                self.fs.get_file(self._path(address), str(target))
                copies.append(target)
                continue
            target.unlink(missing_ok=True)
        return copies

    def put(self, source: Path, address: str) -> None:
        """Copy a file there; in object stores a reader sees the old one or the new one, whole."""
        with reaching(address):
            with contextlib.suppress(Exception):  # where folders are made at all; writing says what is wrong
                self.fs.makedirs(self._path(parent_of(address)), exist_ok=True)
            self.fs.put_file(str(source), self._path(address))
