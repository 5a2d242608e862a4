"""Scores by age and sex, and how often a probability came true by class, as lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolbox.utils.aami import LETTERS, SUPRAVENTRICULAR, VENTRICULAR

COLUMNS = (("V F1, %", 17), ("S F1, %", 17), ("j-kappa", 18))  # and their widths; all of a line are 79 characters


def subgroup_lines(subgroups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table of groups: patients, beats, and with intervals over the patients of the group F1 of V and S, j-kappa."""
    if not subgroups:
        return []
    wide = max(map(len, subgroups))
    lines = [f"{'age and sex':{wide}} patients  beats{''.join(f'{head:>{width}}' for head, width in COLUMNS)}"]
    for group, each in subgroups.items():
        f1 = [each["per_class"][name]["F1"] for name in (VENTRICULAR, SUPRAVENTRICULAR)]
        texts = [*(_short(figure, 100, ".1f", ".0f") for figure in f1), _short(each["j_kappa"], 1, ".2f", ".2f")]
        cells = "".join(f"{text:>{width}}" for text, (_, width) in zip(texts, COLUMNS, strict=True))
        lines.append(f"{group:{wide}} {each['patients']:8d} {sum(map(sum, each['confusion'])):6d}{cells}")
    return [*lines, "as the records' headers say; in brackets 95 % over the patients of a group"]


def _short(figure: Mapping[str, float | None], scale: int, places: str, ends: str) -> str:
    """A score and its interval, times `scale`, in the formats `places` and `ends`."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return "-"
    text = f"{scale * value:{places}}"
    return text if low is None or high is None else f"{text} [{scale * low:{ends}}, {scale * high:{ends}}]"


def reliability_lines(by_class: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> list[str]:
    """A table: of the beats that were called a class, the share that was so, by the probability given.

    Args:
        by_class: of `metrics.calibration.reliability_by_class`.
        title: above the names of the rows, at most 13 characters.
    """
    steps = next(iter(by_class.values()))
    heads = [_range(step["above"], step["to"]) for step in steps]
    wide = 13  # "tempered 1.23"
    lines = [f"{title:{wide}}{''.join(f' {head:>15}' for head in heads)}"]
    for name, bins in by_class.items():
        cells = "".join(f" {_came_true(each):>15}" for each in bins)
        lines.append(f"{'called ' + LETTERS.get(name, name):{wide}}{cells}")
    return lines


def _came_true(step: Mapping[str, Any]) -> str:
    """The share of the beats of a step that were what they were called."""
    return f"{100 * step['right'] / step['beats']:.1f}% of {step['beats']}" if step["beats"] else "-"


def _range(above: float, to: float) -> str:
    """A stretch of probabilities in per cent."""
    if not above:
        return f"to {100 * to:g} %"
    return f"above {100 * above:g} %" if to == 1 else f"{100 * above:g} to {100 * to:g} %"
