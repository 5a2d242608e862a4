"""Which checkpoint --resume means, and what a run's folder must look like before it is gone on with."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from toolbox.metrics.epoch import monitored
from toolbox.reports.run_files import remove_after, remove_leftovers
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
from toolbox.utils import UserError, sync_folder


def load_resume_checkpoint(folder: Path, which: str, mend: bool = False) -> dict[str, Any]:
    """The state that --resume `which` means; of a damaged or lost latest the one before, and stderr says so.

    Args:
        folder: of the run.
        which: "latest", "best" or an epoch.
        mend: put the one before in the damaged one's place, for whoever goes on to write (and holds the lock).

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
    print(f"warning: {problem}; taking the one before, {PREVIOUS}", file=sys.stderr)
    if mend:
        put_link(previous, path)
        sync_folder(folder)
    return state


def _load(path: Path) -> dict[str, Any]:
    state = load_checkpoint(path)
    check_whole(state, path)
    return state


def _others(folder: Path, damaged: Path | None) -> str:
    """Which checkpoints of the run can be loaded, as flags."""
    whole = []
    for path in sorted(folder.glob("*.pth.tar")):
        which = {LATEST: "latest", BEST: "best"}.get(path.name, path.name.partition(".")[0].rpartition("epoch")[2])
        if path != damaged and (folder / checkpoint_name(which)) == path and _epoch(path) is not None:
            whole.append(f"--resume {which}")
    return f"what else there is: {', '.join(whole)}" if whole else "there is no other"


def _epoch(path: Path) -> int | None:
    """The epoch of a checkpoint, None when it cannot be loaded."""
    try:
        return _load(path)["epoch"]
    except UserError:
        return None


def restore_training(training: Any, state: dict[str, Any], folder: Path) -> None:
    """Let `training` (a trainer.Training) go on from a checkpoint of the run in `folder`.

    Raises:
        UserError: what is in it does not fit together: it was made by hand, or by another version.
    """
    try:
        training.restore(state)
    except Exception as error:  # values of any kind may stand anywhere
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"the checkpoint of {folder} cannot be gone on with: {reason}; {_others(folder, None)}"
        ) from error


def is_finished(folder: Path, state: dict[str, Any], which: str, epochs: int) -> bool:
    """Whether there is nothing left to train, nor (after a stop just before the end) curves and page to draw."""
    latest, page = folder / LATEST, folder / "report.html"
    drawn = page.is_file() and page.stat().st_mtime_ns >= latest.stat().st_mtime_ns
    return state["epoch"] >= epochs and (drawn or which != "latest")


def truncate_run(folder: Path, which: str, training: Any) -> None:
    """Make the folder what it was at the point that `training` (a trainer.Training) was restored to.

    The latest checkpoint is moved first: a process that dies in between leaves a run that can be gone on with.
    """
    best, training_epoch = _best_epoch(folder, training.best), training.epoch
    if best > training_epoch and (which != "latest" or best == math.inf):
        entry = training.log.at("val", training_epoch) or {}
        score = monitored(training.monitor, entry, training_epoch)
        # The weights of the best epoch are gone: the best is counted from this epoch on.
        within = training.broken_off is not None
        training.best = None if within else {"epoch": training_epoch, "monitor": training.monitor, "score": score}
    if which != "latest":
        save_checkpoint(folder / LATEST, training.state())
    if best > training_epoch and training.broken_off is None and (training.best or {}).get("epoch") == training_epoch:
        save_checkpoint(folder / BEST, training.state())
    remove_after(folder, training_epoch)
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
    print(f"warning: {folder / BEST} is damaged or gone; the best epoch is counted anew from here", file=sys.stderr)
    return math.inf
