"""Where a training can be watched: one file for each tracker, behind one interface, any number of them at once."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from functools import partial

from toolbox.reports.null_logger import NullLogger
from toolbox.reports.tensorboard import TensorBoardLogger
from toolbox.reports.trackers.facts import RunFacts
from toolbox.reports.trackers.guarded import Guarded, Several
from toolbox.utils import UserError


def tensorboard(facts: RunFacts, first_epoch: int | None) -> NullLogger:
    """TensorBoard's events in RUN/tensorboard."""
    return TensorBoardLogger(facts.folder / "tensorboard", first_epoch)


def _of(module: str) -> Callable[[RunFacts, int | None], NullLogger]:
    """A builder whose module, which imports the tracker's package, is imported when it is needed."""

    def build(facts: RunFacts, first_epoch: int | None) -> NullLogger:
        built: NullLogger = importlib.import_module(f"toolbox.reports.trackers.{module}").build(facts, first_epoch)
        return built

    return build


# Name -> the package that it needs, and what makes a logger of a run and the first epoch that follows.
TRACKERS: dict[str, tuple[str, Callable[[RunFacts, int | None], NullLogger]]] = {
    "tensorboard": ("tensorboard", tensorboard),
    "mlflow": ("mlflow", _of("mlflow_runs")),
    "wandb": ("wandb", _of("wandb_runs")),
    "trackio": ("trackio", _of("trackio_runs")),
}
PIP = {"mlflow": "mlflow-skinny sqlalchemy alembic"}  # where it is another than the package's name


def check_packages(names: Sequence[str]) -> None:
    """Raise UserError, with the line that installs it, when the package of a tracker is missing."""
    for name in names:
        package = TRACKERS[name][0]
        if importlib.util.find_spec(package) is None:
            raise UserError(f"--tracker {name} needs the package {package}: pip install {PIP.get(name, package)}")


def open_trackers(names: Sequence[str], facts: RunFacts, first_epoch: int | None) -> NullLogger:
    """A logger to all trackers of these names; one that fails is left out with a warning, and the training goes on.

    Args:
        first_epoch: whose events follow, for a resumed run; None after its end.
    """
    return Several([Guarded(name, partial(TRACKERS[name][1], facts, first_epoch)) for name in names])
