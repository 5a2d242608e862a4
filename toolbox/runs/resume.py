"""Resume a run: choose its checkpoint, restore the training, truncate its folder to that point."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Protocol

from toolbox.logger import Experiment
from toolbox.metrics.epoch import monitored, waited
from toolbox.runs.checkpoint import (
    BEST,
    LATEST,
    PREVIOUS,
    DamagedError,
    checkpoint_name,
    load_checkpoint,
    put_link,
    save_checkpoint,
)
from toolbox.runs.checkpoint_checks import check_whole
from toolbox.runs.folders import remove_after, remove_leftovers
from toolbox.utils import UserError, sync_folder, warn


class Resumable(Protocol):
    """A trainer.Training, as far as resuming needs it; see there."""

    epoch: int
    best: dict[str, Any] | None
    monitor: str
    log: Experiment
    interrupted: Any

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""

    def state(self) -> dict[str, Any]:
        """The state as it is now."""


def load_resume_checkpoint(folder: Path, which: str, mend: bool = False) -> dict[str, Any]:
    """The state that --resume `which` means; for a damaged or lost latest the one before it, with a warning.

    Args:
        folder: of the run.
        which: "latest", "best" or an epoch.
        mend: put the one before in the damaged one's place; only for the holder of the run's lock.

    Raises:
        UserError: it cannot be loaded, with what else can.
    """
    path, previous = folder / checkpoint_name(which), folder / PREVIOUS
    try:
        if which != "latest" or path.exists() or not previous.exists():
            return _load(path)
        problem = f"no {path}"
    except DamagedError as error:
        if which != "latest" or not previous.exists():
            raise UserError(f"{error}; {_others(folder, path)}") from error
        problem = str(error)
    try:
        state = _load(previous)
    except DamagedError as error:
        raise UserError(f"{problem}; so is the one before; {_others(folder, path)}") from error
    warn(f"{problem}; taking the one before, {PREVIOUS}")
    if mend:
        put_link(previous, path)
        sync_folder(folder)
    return state


def _load(path: Path) -> dict[str, Any]:
    state = load_checkpoint(path)
    check_whole(state, path)
    return state


def _others(folder: Path, damaged: Path | None) -> str:
    """The checkpoints of the run that can be loaded, as flags."""
    flags = []
    for path in sorted(folder.glob("*.pth.tar")):
        which = {LATEST: "latest", BEST: "best"}.get(path.name, path.name.partition(".")[0].rpartition("epoch")[2])
        if path != damaged and (folder / checkpoint_name(which)) == path and _epoch(path) is not None:
            flags.append(f"--resume {which}")
    return f"what else there is: {', '.join(flags)}" if flags else "there is no other"


def _epoch(path: Path) -> int | None:
    """The epoch of a checkpoint, None when it cannot be loaded."""
    try:
        return _load(path)["epoch"]
    except UserError:
        return None


def restore_training(training: Resumable, state: dict[str, Any], folder: Path) -> None:
    """Restore `training` from a checkpoint of the run in `folder`.

    Raises:
        UserError: its parts do not fit together: it was made by hand, or by another version.
    """
    try:
        training.restore(state)
    except Exception as error:  # values of any kind may stand anywhere
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"the checkpoint of {folder} cannot be gone on with: {reason}; {_others(folder, None)}"
        ) from error


def is_finished(folder: Path, state: dict[str, Any], which: str, epochs: int, patience: int = 0) -> bool:
    """Whether nothing is left to train, and no curves and page to draw (after a stop just before the end)."""
    latest, page = folder / LATEST, folder / "report.html"
    drawn = page.is_file() and page.stat().st_mtime_ns >= latest.stat().st_mtime_ns
    over = state["epoch"] >= epochs or 0 < patience <= waited(state["epoch"], state["best"])
    return over and (drawn or which != "latest")


def truncate_run(folder: Path, which: str, training: Resumable) -> None:
    """Make the folder what it was at the point that `training` was restored to.

    The latest checkpoint is moved first: a process that dies in between leaves a run that can be resumed.
    """
    best, epoch = _best_epoch(folder, training.best), training.epoch
    if best > epoch and (which != "latest" or best == math.inf):
        entry = training.log.at("val", epoch) or {}
        score = monitored(training.monitor, entry, epoch)
        # The weights of the best epoch are gone: the best is counted from this epoch on.
        within = training.interrupted is not None
        training.best = None if within else {"epoch": epoch, "monitor": training.monitor, "score": score}
    if which != "latest":
        save_checkpoint(folder / LATEST, training.state())
    if best > epoch and training.interrupted is None and (training.best or {}).get("epoch") == epoch:
        save_checkpoint(folder / BEST, training.state())
    remove_after(folder, epoch)
    remove_leftovers(folder)
    training.log.to_json(folder / "logger.json")


def _best_epoch(folder: Path, best: dict[str, Any] | None) -> float:
    """The epoch whose weights are kept as the best; infinity when they are lost, 0 when there are none yet.

    It may lie one epoch ahead: the best is written before the latest, and the same epoch will write it again.
    """
    epoch = _epoch(folder / BEST)
    if epoch is not None:
        return epoch
    if best is None:
        return 0
    warn(f"{folder / BEST} is damaged or gone; the best epoch is counted anew from here")
    return math.inf
