"""The places of a study: its trials as they count, repetitions after the end of a worker taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

RETRY_OF, WORKER, ERROR, STOPPED = "retry_of", "worker", "error", "stopped"  # attributes of a trial
MOST_DEATHS = 3  # of workers at one trial, which counts as failed then: it may be the trial that kills them


@dataclass(frozen=True)
class Place:
    """A trial of the study, with its repetitions after a worker was stopped or died.

    Attributes:
        number: 1-based, in the order in which trials were begun.
        trials: Optuna's, the last of them counts.
    """

    number: int
    trials: tuple[FrozenTrial, ...]

    @property
    def last(self) -> FrozenTrial:
        """The trial that counts."""
        return self.trials[-1]

    @property
    def state(self) -> str:
        """complete, pruned, failed, lost (to be entered anew), running or waiting."""
        state = self.last.state
        if state is TrialState.FAIL:
            return "failed" if ERROR in self.last.user_attrs or self.deaths >= MOST_DEATHS else "lost"
        return state.name.lower()

    @property
    def deaths(self) -> int:
        """How many workers died at it."""
        failed = [one for one in self.trials if one.state is TrialState.FAIL]
        return sum(ERROR not in one.user_attrs and STOPPED not in one.user_attrs for one in failed)

    @property
    def error(self) -> str:
        """Why it failed."""
        return str(self.last.user_attrs.get(ERROR, f"{self.deaths} workers died at it"))


def places_of(trials: Sequence[FrozenTrial]) -> list[Place]:
    """The places of a study, in their order."""
    by_first: dict[int, list[FrozenTrial]] = {}
    for trial in sorted(trials, key=lambda one: one.number):
        by_first.setdefault(trial.user_attrs.get(RETRY_OF, trial.number), []).append(trial)
    return [Place(k, tuple(each)) for k, each in enumerate(by_first.values(), start=1)]
