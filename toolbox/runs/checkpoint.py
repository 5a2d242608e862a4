"""Checkpoints: tensors and plain values only, complete enough for a bit-exact resume."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolbox.runs.checkpoint_checks import SizeError, check_file, check_numbers, check_sizes, check_state, check_tensors
from toolbox.runs.folders import BEST, LATEST, PREVIOUS, checkpoint_name
from toolbox.runs.pickle_program import check_program
from toolbox.utils import UserError, atomic_write
from toolbox.utils.errors import warn

FORMAT = 2  # 1 knew no checkpoints within an epoch and had no checksum; it still loads
KEEP_EVERY = 5  # checkpoint_epochN.pth.tar stays for every fifth epoch
CHECKSUM = b"sha256:"  # and 64 hex digits: the comment of a checkpoint's zip archive


class DamagedError(UserError):
    """A file whose content is not as it was written."""


def add_checksum(archive: bytes) -> bytes:
    """A zip `archive` with the SHA-256 of its bytes (all but the two of the comment's length) as its comment."""
    comment = CHECKSUM + hashlib.sha256(archive[:-2]).hexdigest().encode()
    return archive[:-2] + len(comment).to_bytes(2, "little") + comment


def has_valid_checksum(content: bytes) -> bool:
    """Whether the checksum in `content` fits its bytes; also True for files without one (format 1)."""
    start = len(content) - len(CHECKSUM) - 64
    if not content.startswith(CHECKSUM, max(start, 0)):
        return True
    return hashlib.sha256(content[: start - 2]).hexdigest().encode() == content[start + len(CHECKSUM) :]


def put_link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, atomically; a copy where there are no hard links."""
    if target.exists() and target.samefile(source):
        return
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copy2(source, temporary)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> Path:
    """Write `state` (tensors and plain values) to `path`, atomically and with a checksum; keep the latest before it."""
    path = Path(path)
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    with atomic_write(path) as handle:
        handle.write(add_checksum(buffer.getvalue()))
        handle.flush()
        if path.name == LATEST and path.exists():
            put_link(path, path.with_name(PREVIOUS))
    return path


def save_epoch(folder: Path, epoch: int, state: dict[str, Any], best: bool) -> None:
    """The checkpoints after an epoch: the latest, the best if this is it, and one to keep every KEEP_EVERY epochs.

    The latest is written last: once it says that an epoch is finished, everything else of that epoch is there.
    """
    if best:
        save_checkpoint(folder / BEST, state)
    if epoch % KEEP_EVERY == 0:
        save_checkpoint(folder / checkpoint_name(epoch), state)
    save_checkpoint(folder / LATEST, state)


def load_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state in the checkpoint `path`; nothing in the file is executed.

    Raises:
        UserError: no such file, not a checkpoint of this project, or of a newer one; DamagedError: damaged.
    """
    path = Path(path)
    if not path.is_file():
        others = sorted(other.name for other in path.parent.glob("*.pth.tar"))
        raise UserError(f"no checkpoint {path}; there: {', '.join(others) or 'none'}")
    try:
        check_file(path)
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise UserError(f"cannot read {path}: memory is full") from error
    if not has_valid_checksum(content):
        raise DamagedError(f"{path} is damaged: its bytes do not have the SHA-256 that it was written with")
    try:
        check_sizes(io.BytesIO(content))
        check_program(io.BytesIO(content))
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        check_tensors(state, len(content))
    except MemoryError as error:
        raise UserError(f"cannot read {path}: memory is full") from error
    except Exception as error:  # damaged files raise all kinds
        _, separator, text = str(error).rpartition("WeightsUnpickler error:")  # advice stands before it
        if re.search("unsupported (global|class)|unrecognized function", text, re.IGNORECASE):
            raise UserError(
                f"{path} holds pickled objects, which could run code when read (predecessor's checkpoints do); "
                f"refused. --import-weights {path} reads its weights and runs nothing"
            ) from error
        reason = text.strip().splitlines()[0] if separator else type(error).__name__
        reason = str(error) if isinstance(error, SizeError) else reason
        raise DamagedError(f"{path} is damaged or not a checkpoint: {reason}") from error
    if not isinstance(state, dict) or not isinstance(state.get("format"), int) or not _is_weights(state.get("model")):
        way = f"; its weights can be used by --import-weights {path}" if _has_weights(state) else ""
        raise UserError(f"{path} is not a checkpoint of this project{way}")
    if state["format"] > FORMAT:
        raise UserError(f"{path} has format {state['format']}, this version reads up to {FORMAT}; update the project")
    check_state(state, path)
    return state


def _is_weights(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(part, torch.Tensor) for part in value.values())


def _has_weights(value: Any) -> bool:
    return isinstance(value, dict) and any(_is_weights(part) and part for part in (value, value.get("state_dict")))


def load_weights(
    model: nn.Module, weights: dict[str, torch.Tensor], source: str | Path, new_head: bool = False
) -> None:
    """Load `weights` into `model`; names and shapes must fit, but for the last layer when `new_head` is allowed.

    Raises:
        UserError: they do not fit, with the names that do not; or they are no finite numbers.
    """
    own = model.state_dict()
    if new_head:
        odd = {
            name
            for name in own
            if name.startswith("fc.") and name in weights and weights[name].shape != own[name].shape
        }
        if "fc.bias" in odd:
            classes = len(weights["fc.bias"]), len(own["fc.bias"])
            warn(f"{source} tells {classes[0]} classes apart, the data have {classes[1]}: the last layer begins anew")
        weights = {name: own[name] if name in odd else value for name, value in weights.items()}
    missing = sorted(own.keys() - weights.keys())
    extra = sorted(weights.keys() - own.keys())
    shapes = [
        f"{name} {tuple(weights[name].shape)} for {tuple(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    if missing or extra or shapes:
        problems = [
            f"{what} {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
            for what, names in (("lacks", missing), ("has unknown", extra), ("has shapes", shapes))
            if names
        ]
        raise UserError(f"{source} does not fit the model: it {'; '.join(problems)}")
    check_numbers(weights, own, source)
    model.load_state_dict(weights)
