"""A study in a database: any number of workers take its trials in turn, each once, and take over those of the dead.

A trial is claimed, given back or recovered only by the worker whose turn it is: the holder of a lock that the system,
or the database, frees when the worker dies. A trial whose worker died, or was stopped, is entered anew with the same
parameters; the two are one place of the study, and count once.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from toolbox.search.places import ERROR, RETRY_OF, STOPPED, WORKER, Place, places_of
from toolbox.utils import UserError
from toolbox.utils.addresses import hide_secrets, public_address

PLAN, BEGUN = "plan", "begun"  # attributes of the study
CONNECT_SECONDS = 10
Direction = Literal["maximize", "minimize"]
LOST = (SQLAlchemyError, StorageInternalError)  # the database is away


class StorageLost(UserError):
    """The database of a search cannot be reached any more; the trial under way is for others to take over."""


class SharedStudy:
    """A study that is open; see the module's docstring.

    Args:
        address: of PostgreSQL; None for a file of SQLite.
        file: the file of SQLite.
        name: of the study.
        directions: "maximize" or "minimize" of each objective.
        pruner: of Optuna.
        facts: all that makes two searches the same one, as plain values.
        trials: how many places there are.
        heartbeat: seconds without a sign of life after which a worker counts as dead.

    Raises:
        UserError: the database cannot be reached, or holds another search under this name.
    """

    def __init__(
        self, address: str | None, file: Path, name: str, directions: Sequence[Direction],
        pruner: optuna.pruners.BasePruner, facts: Mapping[str, Any], trials: int, heartbeat: int,
    ) -> None:  # fmt: skip
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.address, self.file, self.name, self.trials = address, file, name, trials
        self.seed, self.heartbeat = facts["seed"], heartbeat
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        with self.reachable(), self.turn():
            self.storage = RDBStorage(
                self.url,
                engine_kwargs=self.connection,
                heartbeat_interval=self.beat_seconds,
                grace_period=heartbeat,
            )
            self.study = self._open(directions, pruner, json.loads(json.dumps(facts)))
        self.study_id = self.storage.get_study_id_from_name(name)

    @property
    def beat_seconds(self) -> int:
        """Seconds between two signs of life."""
        return max(1, self.heartbeat // 4)

    @property
    def url(self) -> str:
        """The database's address, as SQLAlchemy takes it."""
        return f"sqlite:///{self.file}" if self.address is None else self.address.replace(":", "+psycopg:", 1)

    @property
    def connection(self) -> dict[str, Any]:
        """Arguments of SQLAlchemy's engine."""
        if self.address is None:
            return {"connect_args": {"timeout": 60}}
        return {"connect_args": {"connect_timeout": CONNECT_SECONDS}, "pool_pre_ping": True}

    @property
    def where(self) -> str:
        """The database as it may be shown."""
        return str(self.file) if self.address is None else public_address(self.address)

    @contextlib.contextmanager
    def reachable(self) -> Iterator[None]:
        """Raise UserError where the database cannot be reached in this block."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                warnings.filterwarnings("ignore", message="Heartbeat of storage")  # this one's own thread keeps it
                yield
        except LOST as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
            text = hide_secrets(" ".join(str(getattr(cause, "orig", cause)).split()), [self.address or ""])
            raise StorageLost(f"the search's database {self.where} cannot be used: {text[:300]}") from error

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock of the study: one worker at a time, of all machines; it is free when its holder dies."""
        if self.address is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.with_suffix(".lock")):
                yield
            return
        arguments = self.connection["connect_args"]
        engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool, connect_args=arguments)
        with engine.begin() as connection:
            key = zlib.crc32(self.name.encode())
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield

    def _open(
        self, directions: Sequence[Direction], pruner: optuna.pruners.BasePruner, facts: dict[str, Any]
    ) -> optuna.Study:
        names = optuna.get_all_study_names(self.storage)
        if self.name not in names:
            study = optuna.create_study(
                storage=self.storage, study_name=self.name, directions=list(directions), pruner=pruner
            )
            study.set_user_attr(BEGUN, datetime.now(UTC).isoformat(timespec="microseconds"))
            study.set_user_attr(PLAN, facts)
            return study
        study = optuna.load_study(study_name=self.name, storage=self.storage, pruner=pruner)
        begun_as = study.user_attrs.get(PLAN) or {}
        if differing := [key for key in facts if begun_as.get(key) != facts[key]]:
            raise UserError(
                f"{self.where} has a search {self.name!r} with another {' and another '.join(differing)}; put that "
                "back to go on with it, or give this one another name: in its file"
            )
        return study

    @property
    def begun(self) -> str:
        """The time at which the study began, which tells it from others of its name."""
        return str(self.study.user_attrs.get(BEGUN, ""))

    def places(self) -> list[Place]:
        """The places that there are so far."""
        with self.reachable():
            return places_of(self.study.get_trials(deepcopy=False))

    def claim(self, suggest: Callable[[Trial], Any]) -> tuple[Place, Trial] | None:
        """Take the next trial, those to be repeated first; None where all are taken.

        Args:
            suggest: draws the parameters of a trial.
        """
        with self.reachable(), self.turn():
            self._recover()
            places = places_of(self.study.get_trials(deepcopy=False))
            waiting = [place for place in places if place.state == "waiting"]
            if not waiting and len(places) >= self.trials:
                return None
            number = min(waiting, key=lambda one: one.last.number).number if waiting else len(places) + 1
            self.study.sampler = sampler(self.seed, number)
            trial = self.study.ask()
            self.storage.record_heartbeat(self._id(trial.number))
            suggest(trial)
            trial.set_user_attr(WORKER, self.worker)  # last: without it, the trial was not claimed whole
            place = next(
                one for one in places_of(self.study.get_trials(deepcopy=False)) if one.last.number == trial.number
            )
            return place, trial

    def release(self, trial: Trial) -> None:
        """Give back a trial that was stopped, for this worker or another one to go on with."""
        with self.reachable(), self.turn():
            if self._is_ours(trial):
                self._fail(trial.number, stopped=True)
            self._recover()

    def finish(self, trial: Trial, state: TrialState, values: Sequence[float] | None = None, error: str = "") -> bool:
        """Note how a trial ended; False where another worker has taken it over, since this one seemed dead.

        Args:
            values: of each objective, of a complete trial.
            error: why it failed, of a failed one.
        """
        with self.reachable(), self.turn():
            if not self._is_ours(trial):
                return False
            if error:
                trial.set_user_attr(ERROR, error)
            self.study.tell(trial.number, values, state)
            return True

    def _is_ours(self, trial: Trial) -> bool:
        """Check that this worker's claim on a trial still stands."""
        return self.storage.get_trial(self._id(trial.number)).state is TrialState.RUNNING

    def _fail(self, number: int, stopped: bool = False) -> None:
        """Note that the worker of a trial died, or was stopped."""
        identity = self._id(number)
        if stopped:
            self.storage.set_trial_user_attr(identity, STOPPED, True)
        self.storage.set_trial_state_values(identity, TrialState.FAIL)

    def _recover(self) -> None:
        """Enter the trials of dead workers anew; call it in turn."""
        optuna.storages.fail_stale_trials(self.study)
        for place in places_of(self.study.get_trials(deepcopy=False)):
            if place.state == "running" and self._is_dead(place.last.user_attrs.get(WORKER)):
                self._fail(place.last.number)
        for place in places_of(self.study.get_trials(deepcopy=False)):
            if place.state == "lost":
                first = place.trials[0].number
                self.study.enqueue_trial(dict(place.last.params), user_attrs={RETRY_OF: first})

    def _is_dead(self, worker: Any) -> bool:
        """Check whether a worker is dead for sure: it never claimed its trial whole; or, of SQLite, whose workers are
        processes of one machine, its process has ended."""
        if not isinstance(worker, str):
            return True
        host, _, process = worker.rpartition(":")
        if self.address is not None or host != socket.gethostname():
            return False
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)

    @contextlib.contextmanager
    def alive(self, trial: Trial) -> Iterator[None]:
        """Give signs of life of a trial in this block."""
        over, identity = threading.Event(), self._id(trial.number)

        def beat() -> None:
            while not over.wait(self.beat_seconds):
                with contextlib.suppress(*LOST):  # it may be back next time
                    self.storage.record_heartbeat(identity)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def sampler(seed: int, number: int) -> optuna.samplers.TPESampler:
    """The sampler of a trial: what it draws depends on the trials before it, the search's seed and its number alone, so
    that a search that was stopped goes on as if it never had been."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.samplers.TPESampler(
            multivariate=True, constant_liar=True, seed=zlib.crc32(f"{seed}/{number}".encode())
        )


def make_pruner(name: str, steps: int) -> optuna.pruners.BasePruner:
    """The pruner of this name for trials of so many steps, epochs or folds."""
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=steps)
    return optuna.pruners.NopPruner()
