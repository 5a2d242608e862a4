"""The space of a search: for each flag a list of values, or a range; read from YAML and checked as if it were typed."""

from __future__ import annotations

import argparse
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolbox.utils import UserError, nearest
from toolbox.utils.options import parse_values, spelling

ENDS = ("from", "to", "log", "step")  # of a range


@dataclass(frozen=True)
class Choices:
    """A flag with a list of values.

    Attributes:
        name: of the flag, as "batch_size".
        values: text of each value -> the value.
    """

    name: str
    values: Mapping[str, Any]

    def suggest(self, trial: Any) -> Any:
        """Draw what an Optuna trial takes, see `value`."""
        return trial.suggest_categorical(self.name, list(self.values))

    def value(self, suggested: Any) -> Any:
        """The flag's value of what a study keeps."""
        return self.values[suggested]

    def describe(self) -> Any:
        """The dimension as plain values."""
        return list(self.values)

    @property
    def first(self) -> Any:
        """One of what a study keeps of it."""
        return next(iter(self.values))


@dataclass(frozen=True)
class Range:
    """A flag with a range of numbers, both ends included.

    Attributes:
        name: of the flag, as "weight_decay".
        low, high: its ends; whole numbers where the flag takes those.
        log: whether the logarithm is drawn evenly.
        step: between two values; None for any.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def suggest(self, trial: Any) -> Any:
        """Draw what an Optuna trial takes, see `value`."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, self.low, self.high, log=self.log, step=int(self.step or 1))
        return trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)

    def value(self, suggested: Any) -> Any:
        """The flag's value of what a study keeps: to four digits, which names of runs and recipes show."""
        if isinstance(suggested, int):
            return suggested
        return min(max(float(f"{suggested:.4g}"), self.low), self.high)

    def describe(self) -> Any:
        """The dimension as plain values."""
        return {"from": self.low, "to": self.high, "log": self.log, "step": self.step}

    @property
    def first(self) -> Any:
        """One of what a study keeps of it."""
        return self.low


Dimension = Choices | Range


def parse_space(space: Any, parser: argparse.ArgumentParser, searched: Container[str]) -> list[Dimension]:
    """The dimensions of a search, from `space` of its file: {flag: [values] or {from, to, log, step}}.

    Args:
        parser: of all flags; raises UserError.
        searched: names of the flags that a search may change.

    Raises:
        UserError: an unknown flag, one that is no setting of a training, a value that it cannot have, an empty range.
    """
    if not isinstance(space, dict) or not space:
        raise UserError("space: expected lines `flag: [values]` or `flag: {from: LOW, to: HIGH}`")
    flags = {action.dest for action in parser._actions}
    dimensions: list[Dimension] = []
    for key, content in space.items():
        name = str(key).replace("-", "_")
        if name not in flags:
            raise UserError(f"space: unknown flag {str(key)[:40]!r}{nearest(name, sorted(flags))}")
        if name not in searched:
            raise UserError(f"space: {spelling(name)} is no setting of a training that a search may change")
        if any(one.name == name for one in dimensions):
            raise UserError(f"space: {spelling(name)} is there twice")
        if isinstance(content, dict):
            dimensions.append(_range(name, content, parser))
        elif isinstance(content, list):
            dimensions.append(_choices(name, content, parser))
        else:
            raise UserError(f"space: {key}: expected a list of values or {{from: LOW, to: HIGH}}, got {content!r}")
    return dimensions


def _value(name: str, value: Any, parser: argparse.ArgumentParser) -> Any:
    """A value as its flag understands it."""
    if value is None:
        raise UserError(f"space: {name}: an empty value; expected one that {spelling(name)} takes")
    try:
        return parse_values({name: value}, parser).get(name, parser.get_default(name))
    except UserError as error:
        raise UserError(f"space: {error}") from error


def _choices(name: str, values: Sequence[Any], parser: argparse.ArgumentParser) -> Choices:
    texts = [" ".join(map(str, value)) if isinstance(value, list) else str(value) for value in values]
    if len(set(texts)) < 2 or len(set(texts)) < len(texts):
        raise UserError(f"space: {name}: expected two different values or more, got {values!r}")
    return Choices(name, {text: _value(name, value, parser) for text, value in zip(texts, values, strict=True)})


def _range(name: str, content: Mapping[str, Any], parser: argparse.ArgumentParser) -> Range:
    if not {"from", "to"} <= content.keys() or not content.keys() <= set(ENDS):
        raise UserError(f"space: {name}: expected {{from: LOW, to: HIGH}}, perhaps with log: true or step: X")
    ends = [_value(name, content[end], parser) for end in ("from", "to")]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        raise UserError(f"space: {name}: {spelling(name)} takes no range of numbers; expected a list of values")
    low, high = ends
    if low >= high:
        raise UserError(f"space: {name}: an empty range, from {low:g} to {high:g}; expected from below to")
    log, step = content.get("log", False), content.get("step")
    whole = isinstance(low, int)
    if not isinstance(log, bool):
        raise UserError(f"space: {name}: log: expected true or false, got {log!r}")
    if log and (low <= 0 or step is not None):
        raise UserError(f"space: {name}: log: true goes with a range above 0 and without step")
    is_number = isinstance(step, int if whole else int | float) and not isinstance(step, bool)
    if step is not None and not (is_number and 0 < step <= high - low):
        kind = "whole number" if whole else "number"
        raise UserError(f"space: {name}: step: expected a {kind} above 0, at most {high - low:g}, got {step!r}")
    return Range(name, low, high, log, step)
