"""Files: written atomically, read with clear errors, hashed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from toolbox.utils.errors import UserError
from toolbox.utils.temporary import lock

LARGEST_TEXT = 1 << 30  # bytes


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable (POSIX; a no-op where a folder cannot be opened)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; at the end of the block flush, fsync and rename it onto `path`.

    A reader sees the old file or the new one, never a part; when the block raises, the old file stays. An OSError
    names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less what the umask takes away
        lock(descriptor)  # so that nobody takes it for a killed process's
        encoding, errors = (None, None) if "b" in mode else ("utf-8", "backslashreplace")  # names may be no UTF-8
        with os.fdopen(descriptor, mode, encoding=encoding, errors=errors) as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # not the temporary one, and where a write knows none
        raise


def write_json(path: str | Path, value: Any, indent: int | None = 1) -> None:
    """Write `value` to `path` as JSON, atomically."""
    with atomic_write(path, "w") as handle:
        json.dump(value, handle, indent=indent)
        handle.write("\n")


def read_text(path: str | Path) -> str:
    """The text of the UTF-8 file `path`.

    Raises:
        ValueError: a pipe or a device, which would be waited for or never end; a file too large; or no UTF-8.
    """
    facts = Path(path).stat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("not a file")
    if facts.st_size > LARGEST_TEXT:
        raise ValueError(f"{facts.st_size:,} bytes are more than such a file has")
    return Path(path).read_text(encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """The value in the JSON file `path`; UserError when it cannot be read."""
    try:
        return json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_array(array: Any) -> str:
    """The SHA-256 of a C-contiguous array's bytes (NumPy ``array.tobytes()``), without copying it."""
    return hashlib.sha256(memoryview(array).cast("B") if array.size else b"").hexdigest()
