"""Compare runs on the same test beats: which scores, which flags differ, which differences are more than chance."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from toolbox.logger import Experiment
from toolbox.reports.paired_beats import Pair, corrected, paired
from toolbox.reports.run_page import newest_test
from toolbox.reports.scored_beats import ScoredBeats, read_scored_beats
from toolbox.runs.folders import Run
from toolbox.utils import UserError
from toolbox.utils.aami import SUPRAVENTRICULAR, VENTRICULAR

LABELS = {  # a score's key -> its heading
    "acc1": "acc",
    "macro_f1": "macro F1",
    "acc_class": "mean Se",
    "S F1": "S F1",
    "V F1": "V F1",
    "kappa": "kappa",
    "j_kappa": "j-kappa",
    "AUROC": "AUROC",
}
ONLY_BY_PATIENT = ("acc1", "S F1", "V F1", "j_kappa")  # columns of splits that go by patient, the last is the main one
KAGGLE = ("acc1", "acc_class", "macro_f1")


class TestedRun(NamedTuple):
    """A run with its scores.

    Attributes:
        run: its folder and config.
        part: "test", "val" where it has not been tested, "" where there is no score yet.
        epoch: that was scored, 0 for none.
        scores: as logger.json and test_results_epN.json hold them.
        logged: the scores of each epoch, under "train" and "val".
    """

    run: Run
    part: str
    epoch: int
    scores: Mapping[str, Any]
    logged: Mapping[str, Any]

    def score(self, key: str) -> float | None:
        """A score by its key in LABELS; None where it is not defined."""
        if key in ("S F1", "V F1"):
            name = SUPRAVENTRICULAR if key[0] == "S" else VENTRICULAR
            value = (self.scores.get("per_class") or {}).get(name, {}).get("F1")
        else:
            value = self.scores.get(key)
        return float(value) if isinstance(value, int | float) and np.isfinite(value) else None

    @property
    def seconds(self) -> float:
        """Of all its epochs, validation included."""
        return sum(entry.get("seconds") or 0.0 for part in ("train", "val") for entry in self.logged.get(part, ()))


@dataclass(frozen=True)
class Entry:
    """A row of a comparison: a run, or the runs of several seeds whose other flags are equal.

    Attributes:
        tested: at least one run, oldest first.
    """

    tested: tuple[TestedRun, ...]

    @property
    def first(self) -> TestedRun:
        """The run that stands for all of them."""
        return self.tested[0]

    @property
    def title(self) -> str:
        """The network, and how many seeds there are."""
        titles = {one.run.title for one in self.tested if one.run.title != one.run.name}
        model = titles.pop() if len(titles) == 1 else str(self.first.run.options.get("model_name", "?"))
        return model if len(self.tested) == 1 else f"{model} ({len(self.tested)} seeds)"

    def values(self, key: str) -> list[float]:
        """A score of each run that has it."""
        return [value for value in (one.score(key) for one in self.tested) if value is not None]

    def mean(self, key: str) -> float | None:
        """The mean of a score over the seeds."""
        values = self.values(key)
        return float(np.mean(values)) if values else None

    def deviation(self, key: str) -> float | None:
        """The standard deviation (n - 1) of a score over the seeds; None of fewer than two."""
        values = self.values(key)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    @cached_property
    def beats(self) -> list[ScoredBeats]:
        """The test beats of each seed; empty unless all have kept them."""
        kept = [read_scored_beats(one.run.path, one.epoch) if one.part == "test" else None for one in self.tested]
        return [each for each in kept if each is not None] if None not in kept else []


@dataclass(frozen=True)
class Comparison:
    """Comparable entries, the reference first, and what was left out.

    Attributes:
        entries: in the order of the table.
        differing: flags whose values differ between the entries.
        columns: keys of the scores that are shown; the last is the main one.
        pairs: of each entry but the first, by its position.
        refused: (run's name, why it is not comparable with the reference).
        notes: for the reader, as that commits differ.
    """

    entries: list[Entry]
    differing: list[str]
    columns: tuple[str, ...]
    pairs: dict[int, Pair]
    refused: list[tuple[str, str]]
    notes: list[str]

    def flags(self, entry: Entry) -> dict[str, str]:
        """The differing flags of an entry."""
        return {name: shown(entry.first.run.options.get(name)) for name in self.differing}


def shown(value: Any) -> str:
    """A flag's value for people."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "on", False: "off"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_tested(run: Run) -> TestedRun:
    """A run with the scores of its newest test, else of the best epoch's validation.

    Raises:
        UserError: its logger.json is damaged.
    """
    path = run.path / "logger.json"
    logged = Experiment.from_json(path).logged if path.is_file() else {"train": [], "val": []}
    test = newest_test(run.path)
    if test is not None:
        return TestedRun(run, "test", test["epoch"], test, logged)
    if not logged["val"]:
        return TestedRun(run, "", 0, {}, logged)
    best = best_validation(logged, str(run.options.get("monitor", "macro_f1")))
    return TestedRun(run, "val", best["epoch"], best, logged)


def best_validation(logged: Mapping[str, Any], monitor: str) -> Mapping[str, Any]:
    """The validation scores of the best epoch by `monitor`; there must be one."""
    last: Mapping[str, Any] = logged["val"][-1]
    return last if monitor == "last" else max(logged["val"], key=lambda entry: _monitored(entry, monitor))


def _monitored(entry: Mapping[str, Any], monitor: str) -> float:
    value = entry.get(monitor)
    return -np.inf if value is None else -value if monitor == "loss" else value


def compare_runs(
    tested: Sequence[TestedRun], ignored: Collection[str], sort: str | None, with_beats: bool = True
) -> Comparison:
    """Compare runs with the first of them, or with the best by `sort`.

    Args:
        ignored: flags that change no result, which do not tell runs apart.
        sort: key of the score that the entries are sorted by, greatest first; None to keep their order.
        with_beats: whether to compare beat by beat, too.

    Raises:
        UserError: no run has a score.
    """
    scored = [one for one in tested if one.part]
    refused = [(one.run.name, "no epoch is finished yet") for one in tested if not one.part]
    if not scored:
        raise UserError("none of these runs has a score yet; train one to the end of an epoch first")
    entries = _folded(scored, {*ignored, "seed"})
    if sort is not None:
        entries.sort(key=lambda entry: _descending(entry.mean(sort)))
    reference = entries[0]
    alike = [entry for entry in entries if not _obstacle(reference.first, entry.first)]
    for entry in entries:
        if obstacle := _obstacle(reference.first, entry.first):
            refused += [(one.run.name, obstacle) for one in entry.tested]
    by_patient = reference.first.run.options.get("split", "kaggle") != "kaggle"
    columns = ONLY_BY_PATIENT if by_patient else KAGGLE
    pairs = corrected({k: paired(reference.beats, alike[k].beats) for k in range(1, len(alike))}) if with_beats else {}
    return Comparison(alike, _differing(alike, {*ignored, "seed"}), columns, pairs, refused, _notes(alike))


def _folded(tested: Sequence[TestedRun], ignored: Collection[str]) -> list[Entry]:
    """Runs whose flags differ by their seed alone, on the same data, as one entry."""
    groups: dict[str, list[TestedRun]] = {}
    for one in tested:
        options = {key: value for key, value in one.run.options.items() if key not in ignored}
        facts = [options, one.run.config.get("data", {}).get("fingerprint"), one.part, one.run.path.parent.as_posix()]
        groups.setdefault(json.dumps(facts, sort_keys=True, default=str), []).append(one)
    entries = []
    for group in groups.values():
        seeds = [one.run.options.get("seed") for one in group]
        twice = len(set(seeds)) < len(seeds)  # the same seed again is a run of its own, not another seed
        entries += [Entry((one,)) for one in group] if twice else [Entry(tuple(group))]
    return entries


def _descending(value: float | None) -> float:
    return np.inf if value is None else -value


# What a network reads of a beat: where it differs, so does the fingerprint of the same beats.
INPUT_FLAGS = ("context", "window_before", "window_after", "leads", "scale", "features", "neighbours")


def _obstacle(reference: TestedRun, other: TestedRun) -> str:
    """Why two runs cannot be compared; "" where they can."""
    ours, theirs = (
        {
            "--dataset": one.run.options.get("dataset"),
            "--split": one.run.options.get("split"),
            "--fold": one.run.options.get("fold"),
            "classes": ", ".join(one.run.config.get("class_names", ())),
            "scores of": one.part,
            "test records": (one.run.config["data"].get("records") or {}).get("test"),
        }
        for one in (reference, other)
    )
    inputs = [[one.run.options.get(flag) for flag in INPUT_FLAGS] for one in (reference, other)]
    if inputs[0] == inputs[1]:
        ours["data"], theirs["data"] = (_unnamed_data(one) for one in (reference, other))
    for name, value in ours.items():
        if shown(theirs[name]) != shown(value):  # an edited one may hold a NaN, which nothing equals
            if name == "test records":
                return "other records test it"
            return f"{name} {shown(theirs[name])}, not {shown(value)}"
    return ""


def _unnamed_data(tested: TestedRun) -> str | None:
    """The data of a run whose test records have no names, which can only be the same as a whole."""
    data = tested.run.config["data"]
    return None if (data.get("records") or {}).get("test") else f"{data['source']} ({data['fingerprint'][:8]})"


def _differing(entries: Sequence[Entry], ignored: Collection[str]) -> list[str]:
    """The flags that have several values, in alphabetical order."""
    options = [entry.first.run.options for entry in entries]
    names = sorted({name for each in options for name in each} - set(ignored) - {"model_name"})
    return [name for name in names if len({shown(each.get(name)) for each in options}) > 1]


def _notes(entries: Sequence[Entry]) -> list[str]:
    """Remarks on what may differ beside the flags, and on how much choosing can be trusted."""
    runs = [one.run for entry in entries for one in entry.tested]
    notes = []
    commits: dict[str, list[str]] = {}
    for run in runs:
        if commit := (run.config.get("git") or {}).get("commit"):
            commits.setdefault(str(commit)[:10], []).append(run.title)
    if len(commits) > 1:
        each = "; ".join(f"{commit}: {', '.join(names)}" for commit, names in commits.items())
        notes.append(
            f"the runs are of {len(commits)} commits of the code, which may differ in more than the flags ({each})"
        )
    if any((run.config.get("git") or {}).get("dirty") for run in runs):
        notes.append("some of the runs are of code that was changed and not committed")
    if entries[0].first.part == "val":
        notes.append("the scores are of validation: none of these runs has been tested yet")
    elif len(entries) > 1:
        notes.append(
            "the best of several by their test scores is chosen on the test beats: choose by validation, then test once"
        )
    return notes
