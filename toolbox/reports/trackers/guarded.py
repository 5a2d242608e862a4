"""Trackers that harm no training: each failure is a warning, and the tracker is left out from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolbox.reports.null_logger import NullLogger
from toolbox.utils import UserError, os_error_text, warn


class Guarded:
    """A tracker that may fail.

    Args:
        name: of the tracker, for the warning.
        build: makes its logger.
    """

    def __init__(self, name: str, build: Callable[[], NullLogger]) -> None:
        self.name = name
        self.logger: NullLogger = NullLogger()
        self.logger = self.attempt(build) or self.logger

    def attempt(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call a function of the tracker; after an error of any kind, none any more."""
        try:
            return call(*args)
        except Exception as error:  # a tracker's package, its server or the disk: none of it is the training's
            self.logger = NullLogger()
            text = os_error_text(error) if isinstance(error, OSError) else str(error)
            reason = " ".join(text.split())[:300] or type(error).__name__
            reason = reason if isinstance(error, UserError | OSError) else f"{type(error).__name__}: {reason}"
            warn(f"--tracker {self.name} is left out from here on, the run goes on without it: {reason}")
            return None


class Several(NullLogger):
    """A logger to several trackers; `NullLogger` documents the methods."""

    def __init__(self, trackers: Sequence[Guarded]) -> None:
        self.trackers = trackers

    def _each(self, method: str, *args: Any) -> list[Any]:
        return [one.attempt(getattr(one.logger, method), *args) for one in self.trackers]

    def about(self, texts: Mapping[str, str]) -> None:
        self._each("about", texts)

    def scalars(self, split: str, scores: Mapping[str, Any], epoch: int) -> None:
        self._each("scalars", split, scores, epoch)

    def within(self, epoch: int, losses: Sequence[tuple[float, float]]) -> None:
        self._each("within", epoch, losses)

    def learning_rate(self, lr: float, epoch: int) -> None:
        self._each("learning_rate", lr, epoch)

    def graph(self, model: Any, example_input: Any) -> None:
        self._each("graph", model, example_input)

    def histograms(self, model: Any, epoch: int) -> None:
        self._each("histograms", model, epoch)

    def pictures(
        self, split: str, confusion: Any, probabilities: Any, labels: Any, class_names: Sequence[str], epoch: int
    ) -> None:
        self._each("pictures", split, confusion, probabilities, labels, class_names, epoch)

    def lacks(self, split: str, scores: Mapping[str, Any], epoch: int) -> bool:
        return any(self._each("lacks", split, scores, epoch))

    def hparams(self, options: Mapping[str, Any], scores: Mapping[str, Any], planned: Sequence[str] = ()) -> None:
        self._each("hparams", options, scores, planned)

    def flush(self) -> None:
        self._each("flush")

    def close(self) -> None:
        self._each("close")
