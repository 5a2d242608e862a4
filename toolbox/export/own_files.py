"""The files of an export: those that are as --export wrote them may be replaced."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolbox.export.onnx_file import CARD, FACTS, INT8, MODEL
from toolbox.utils import UserError, read_json, sha256_of

NAMES = (MODEL, INT8, FACTS, CARD)


def check_own(folder: Path) -> dict[str, str]:
    """Refuse to replace what --export did not write into `folder`, or what was changed since.

    Returns:
        The digests of the files that are there.

    Raises:
        UserError: the first such file.
    """
    there = [folder / name for name in NAMES if os.path.lexists(folder / name)]
    facts = _read_facts(folder / FACTS)
    for path in there:
        if not _is_own(path, facts):
            raise UserError(
                f"{path} is not as --export wrote it: it was changed since, or is another's, and is kept; take another "
                "--out, or delete it"
            )
    return {path.name: sha256_of(path) for path in there}


def _is_own(path: Path, facts: Mapping[str, Any] | None) -> bool:
    if facts is None or not path.is_file() or path.is_symlink():
        return False
    if path.name == FACTS:
        return True
    known = facts["files"].get(path.name)
    if path.name == CARD and known is None:  # of before cards were in export.json
        heading = f"# {facts['model'].get('model')}, epoch {facts['model'].get('epoch')} of "
        return path.read_text(encoding="utf-8", errors="replace").startswith(heading)
    digests = [known.get("sha256") if isinstance(known, dict) else None, facts.get("before", {}).get(path.name)]
    return sha256_of(path) in digests


def _read_facts(path: Path) -> dict[str, Any] | None:
    """The content of an export.json; None where it is no such file."""
    try:
        facts = read_json(path)
    except UserError:
        return None
    whole = isinstance(facts, dict) and all(isinstance(facts.get(key), dict) for key in ("model", "verified", "files"))
    return facts if whole and isinstance(facts.get("before", {}), dict) else None


def listed(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Sizes and digests of files, as export.json keeps them."""
    return {name: {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()} for name, part in files.items()}
