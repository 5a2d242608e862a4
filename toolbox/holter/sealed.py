"""Tables of recordings that end with the SHA-256 of their own lines: those of others, and changed ones, are kept."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from toolbox.utils import UserError, atomic_write


def is_sealed(path: Path, seal: re.Pattern[bytes]) -> bool:
    """Check whether a file ends with the digest of what stands before, so that nobody has changed it.

    Args:
        seal: finds the last line; its first group is the digest.
    """
    if path.is_symlink() or not path.is_file():
        return False
    content = path.read_bytes()
    last = seal.search(content)
    return last is not None and hashlib.sha256(content[: last.start()]).hexdigest().encode() == last[1]


def write_sealed(path: Path, content: bytes, line: str, seal: re.Pattern[bytes]) -> None:
    """Write `content` and its seal, atomically; nothing but an older table is replaced.

    Args:
        line: the last one, with {} for the digest.
        seal: finds it, see `is_sealed`.

    Raises:
        UserError: the file that is there is another's, or was changed since it was written.
    """
    if os.path.lexists(path) and not is_sealed(path, seal):
        raise UserError(f"{path} exists and is not as --predict wrote it; it is kept, and no table of recordings made")
    with atomic_write(path) as handle:
        handle.write(content + line.format(hashlib.sha256(content).hexdigest()).encode())
