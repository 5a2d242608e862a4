"""Reads the file of a search, and checks it before anything is trained."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from args import ACTION_FLAGS, FREE_FLAGS, GROUPS, LABELS, args_of, find_recipe, get_parser, run_options
from commands.compare import PLACES
from commands.label_options import tag_name
from commands.sweep_options import NOT_BESIDE
from toolbox.metrics.epoch import MONITORS
from toolbox.search.space import Dimension, parse_space
from toolbox.utils import UserError, nearest
from toolbox.utils.options import Refusing, parse_values, read_config, spelling

PRUNERS = ("median", "hyperband", "none")
OBJECTIVES = ("score", "latency", "weights")
KEYS = ("name", "base", "space", "trials", "monitor", "objectives", "folds", "pruner", "seed", "heartbeat")
LENGTHS = ("epochs", "patience")  # free to change on --resume, and yet settings of a training
EVERY = {one.name for options in GROUPS.values() for one in fields(options)}
SEARCHED = EVERY - {*ACTION_FLAGS, *NOT_BESIDE, *LABELS, *PLACES} - ({*FREE_FLAGS} - {*LENGTHS})


@dataclass(frozen=True)
class Plan:
    """A search, as its file describes it; docs/sweep.md says what each key means.

    Attributes:
        values: the flags that all trials share: of the base recipe, and over them of the command line.
        folds: K groups of patients that validate in turn; 0 for the base's own validation rows.
        heartbeat: seconds without a sign of life after which a worker counts as dead.
    """

    name: str
    base: str
    values: Mapping[str, Any]
    space: tuple[Dimension, ...]
    trials: int
    monitor: str
    objectives: tuple[str, ...]
    folds: int
    pruner: str
    seed: int
    heartbeat: int

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """Of each objective, as Optuna calls it."""
        best: Literal["maximize", "minimize"] = "maximize" if MONITORS[self.monitor] else "minimize"
        return [best if name == "score" else "minimize" for name in self.objectives]

    def facts(self) -> dict[str, Any]:
        """All that makes two searches the same one, as plain values; more trials may be added to it."""
        kept = run_options(self.first_args())
        return {
            "base": {key: kept[key] for key in sorted(self.values) if key in (*SEARCHED, "monitor")},
            "space": {one.name: one.describe() for one in self.space},
            "monitor": self.monitor,
            "objectives": list(self.objectives),
            "folds": self.folds,
            "pruner": self.pruner,
            "seed": self.seed,
        }

    def flags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The flags of the winner's recipe: those that all trials share, and its own."""
        return {**self.values, **{one.name: one.value(params[one.name]) for one in self.space if one.name in params}}

    def first_args(self) -> Namespace:
        """All flags of a trial in the first corner of the space."""
        return self.trial_args({one.name: one.first for one in self.space}, 1, self.name)

    def trial_args(self, params: Mapping[str, Any], fold: int, title: str) -> Namespace:
        """All flags of a trial's run, of fold number `fold`, 1-based; 0 where there are no folds.

        Raises:
            UserError: its flags make no sense together.
        """
        flags = self.flags(params)
        flags |= {"validate_on": "val", "name": title, "tag": [*flags.get("tag", []), self.name]}
        if self.folds:
            flags["fold"] = f"{fold}/{self.folds}"
        return args_of(flags)


def read_plan(args: Namespace) -> Plan:
    """The search that --sweep and the flags beside it describe.

    Raises:
        UserError: the file cannot be read, or holds what a search cannot be; the message names it.
    """
    try:
        path = find_recipe(args.sweep)
        return _plan(path, read_config(str(path)), args)
    except UserError as error:
        raise UserError(f"--sweep {args.sweep}: {error}") from error


def _plan(path: Path, content: dict[Any, Any], args: Namespace) -> Plan:
    for key in content:
        if key not in KEYS:
            raise UserError(
                f"unknown key {str(key)[:40]!r}{nearest(str(key), list(KEYS)) or ';'} keys: {', '.join(KEYS)}"
            )
    typed = {key: getattr(args, key) for key in args.given - {"sweep", "storage"}}
    values = {**_base(content.get("base")), **typed}
    parser = get_parser(Refusing)
    space = parse_space(content.get("space"), parser, SEARCHED)
    if both := next((one.name for one in space if one.name in typed), None):
        raise UserError(f"{spelling(both)} is searched; leave it out of the command line, or of the space")
    monitor = content.get("monitor", "macro_f1")
    if not isinstance(monitor, str) or monitor not in MONITORS or monitor == "last":
        names = ", ".join(name for name in MONITORS if name != "last")
        raise UserError(f"monitor: {monitor!r}: expected a score of validation, {names}; test rows choose nothing")
    if values.get("monitor") != "last":
        values["monitor"] = monitor
    plan = Plan(
        name=_name(content.get("name", path.stem)),
        base=content["base"] if isinstance(content["base"], str) else path.name,
        values=values,
        space=tuple(space),
        trials=_whole(content, "trials", None, 1, 1_000_000),
        monitor=monitor,
        objectives=_objectives(content.get("objectives", ["score"])),
        folds=_folds(content),
        pruner=content.get("pruner", "median"),
        seed=_whole(content, "seed", 0, 0, 2**31),
        heartbeat=_whole(content, "heartbeat", 120, 2, 86_400),
    )
    if plan.pruner not in PRUNERS:
        raise UserError(f"pruner: {plan.pruner!r}: expected {', '.join(PRUNERS)}")
    if plan.folds and values.get("split", "kaggle") == "kfold":
        raise UserError("folds: with --split kfold a fold tests, and test rows choose nothing; take another split")
    plan.first_args()  # flags that never go together are found before the first trial
    return plan


def _base(base: Any) -> dict[str, Any]:
    """The flags of the base: a recipe by its name or path, or flags in the file itself."""
    if not isinstance(base, str | dict):
        raise UserError(f"base: expected a recipe's name or path, or lines `flag: value`, got {base!r}")
    try:
        flags = read_config(str(find_recipe(base))) if isinstance(base, str) else base
        return parse_values(flags, get_parser(Refusing), without=ACTION_FLAGS)
    except UserError as error:
        raise UserError(f"base: {error}") from error


def _name(name: Any) -> str:
    try:
        return tag_name(str(name))
    except Exception as error:
        raise UserError(f"name: {error}") from error


def _whole(content: Mapping[Any, Any], key: str, default: int | None, low: int, high: int) -> int:
    value = content.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UserError(f"{key}: expected a whole number from {low} to {high}, got {value!r}")
    return value


def _folds(content: Mapping[Any, Any]) -> int:
    folds = _whole(content, "folds", 0, 0, 100)
    if folds == 1:
        raise UserError("folds: expected 2 or more, each of which validates once; or 0 for none")
    return folds


def _objectives(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or not set(map(str, names)) <= set(OBJECTIVES):
        raise UserError(f"objectives: expected a list of {', '.join(OBJECTIVES)}, got {names!r}")
    if len(set(names)) < len(names) or names[0] != "score":
        raise UserError(f"objectives: expected score first and each once, got {', '.join(names)}")
    return tuple(names)
