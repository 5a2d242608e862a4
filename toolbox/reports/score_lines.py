"""Test scores as lines for the terminal: each table once, within 79 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from toolbox.metrics.ec57_scores import ECTOPIC_SCORES
from toolbox.metrics.patients import EC57_MAP, OVERALL, most_decisive_record
from toolbox.metrics.proportions import Share, shares
from toolbox.reports.console import overall_scores, percent, wrapped
from toolbox.reports.score_names import FRACTIONS, NAMES
from toolbox.reports.score_text import ALIKE, score_text
from toolbox.reports.subgroup_lines import reliability_lines, subgroup_lines
from toolbox.utils.aami import LETTERS

KINDS = ("Se", "+P", "F1")
WITH_INTERVAL, ALONE = 21, 8  # characters of a score in per cent


def other_scores(scores: Mapping[str, Any]) -> list[str]:
    """The scores over all classes that `as_lines` does not print."""
    return overall_scores(scores, ("acc_class", "meanIoU", "fwavacc", "mAP", "AUROC"))


def as_lines(results: Mapping[str, Any]) -> list[str]:
    """All tables of `patient_results`: of each database, where they are several, of all, by age and sex, and what a
    probability is worth."""
    lines = []
    for database, each in results.get("databases", {}).items():
        lines += [f"database {database}", *map_lines(each), ""]
    lines += ["all databases"] if lines else []
    calibrated = results["calibration"]
    texts, temperature = [f"calibration: expected error {percent(calibrated['ece'])}"], calibrated["temperature"]
    if temperature is not None:
        texts.append(f"{percent(calibrated['ece_tempered'])} at temperature {temperature:.2f}, fitted on validation")
    groups = subgroup_lines(results.get("subgroups") or {})
    lines += [*map_lines(results), *([""] if groups else []), *groups, "", *wrapped(texts, "; ")]
    if reliability := results.get("reliability"):
        lines += ["of the beats called a class, the share that was so, by the probability given:"]
        titles = {"as it is": "as it is", "tempered": f"tempered {temperature or 1:.2f}"}
        lines += [line for way, each in reliability.items() for line in reliability_lines(each, titles[way])]
    return lines


def map_lines(results: Mapping[str, Any]) -> list[str]:
    """The tables of each label map; of the second only the classes that differ from the first."""
    lines: list[str] = []
    if results["intervals"]:
        unit = "records" if "over records" in results["intervals"] else "patients"
        lines.append(f"{results['patients']} {unit}; in brackets {results['intervals']}")
    printed: set[str] = set()
    for name, result in results["maps"].items():
        rows = _class_rows(result["per_class"], shares(result, results["classes"]))
        new = {of: row for of, row in rows.items() if row not in printed}
        same = [LETTERS.get(of, of) for of in rows if of not in new]
        lines += ["", f"labels by {name}{'; ' + ', '.join(same) + ' as above' if same else ''}"]
        lines += [_class_header(result["per_class"]), *new.values()]
        if any("*" in row for row in new.values()):
            lines.append(f"* {ALIKE}; in brackets 95 % over beats (Wilson), a floor")
        header, *counts = _confusion_lines(result["confusion"], results["classes"])
        lines += ["", header, *(row for row in counts if row not in printed)]
        printed |= {*rows.values(), *counts}
        lines += ["", *wrapped(_shown(key, result[key]) for key in OVERALL if result[key]["value"] is not None)]
        if "ec57" in result:
            lines += ["", *_ec57_lines(result["ec57"], by_record=name == EC57_MAP)]
        if (record := most_decisive_record(result)) is not None:
            rest = result["without"][record]
            figures = (_shown(key, {"value": rest[key], "low": None, "high": None}) for key in OVERALL)
            lines += [f"without record {record}, which moves j-kappa most:", f"  {'  '.join(figures)}"]
    return lines


def _shown(key: str, figure: Mapping[str, float | None]) -> str:
    """A score over all classes with its name and interval."""
    return f"{NAMES[key]} {score_text(key, figure).joined(unit='' if key in FRACTIONS else ' %')}"


def _width(per_class: Mapping[str, Any]) -> int:
    some = any(each[kind]["low"] is not None for each in per_class.values() for kind in KINDS)
    return WITH_INTERVAL if some else ALONE


def _labels(per_class: Mapping[str, Any]) -> dict[str, str]:
    """Classes by their names where these leave room, else by their letters, all of one width."""
    names = {of: LETTERS.get(of, of) if _width(per_class) > ALONE else of for of in per_class}
    width = max(4, *map(len, names.values()))
    return {of: f"{name:{width}}" for of, name in names.items()}


def _class_header(per_class: Mapping[str, Any]) -> str:
    label, width = next(iter(_labels(per_class).values())), _width(per_class)
    return f"{'in %':{len(label)}}{''.join(f' {kind:>{width}}' for kind in KINDS)} {'beats':>7}"


def _class_rows(per_class: Mapping[str, Any], counts: Mapping[tuple[str, str], Share]) -> dict[str, str]:
    """A row of each class: sensitivity, positive predictivity and F1 in per cent, with intervals, and its beats."""
    labels, width = _labels(per_class), _width(per_class)
    rows = {}
    for of, each in per_class.items():
        cells = "".join(f" {_counted(kind, each[kind], counts.get((of, kind))):>{width}}" for kind in KINDS)
        rows[of] = f"{labels[of]}{cells} {each['beats']:7d}"
    return rows


def _counted(kind: str, figure: Mapping[str, float | None], share: Share | None) -> str:
    """A score of a class; so many of so many beats, if there is room, where its interval says nothing of patients."""
    text = score_text(kind, figure, share)
    if len(text.joined()) > WITH_INTERVAL:
        text = text._replace(value=_number(figure["value"]))
    return text.joined()


def _number(score: float | None) -> str:
    return percent(score).removesuffix(" %")


def _confusion_lines(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[str]:
    """The counts, true classes in rows, predicted ones in columns."""
    letters = [LETTERS.get(name, name) for name in names]
    width = max(*map(len, names), len("true, in columns called"))
    lines = [f"{'true, in columns called':{width}} {' '.join(f'{letter:>7}' for letter in letters)}"]
    return lines + [
        f"{name:{width}} {' '.join(f'{count:7d}' for count in counts)}"
        for name, counts in zip(names, confusion, strict=True)
    ]


def _ec57_lines(ec57: Mapping[str, Any], by_record: bool) -> list[str]:
    """EC57's scores in per cent: gross, average and, if `by_record`, of each record with its beats."""
    records = ec57["records"] if by_record else {}
    width = max((len(record) + 8 for record in records), default=0)
    width = max(width, len("EC57 average"))
    lines = [f"{'EC57, in %':{width}}{_cells(ECTOPIC_SCORES)}"]
    for of in ("gross", "average"):
        lines.append(f"{f'EC57 {of}':{width}}{_cells(_number(ec57[of][key]) for key in ECTOPIC_SCORES)}")
    if records:
        lines.append(f"{'record':{width - 7}} {'beats':>6}")
    for record, each in records.items():
        beats = int(np.sum(each["confusion"]))
        cells = _cells(_number(each[key]) for key in ECTOPIC_SCORES)
        lines.append(f"{record:{width - 7}} {beats:6d}{cells}")
    return lines


def _cells(texts: Iterable[str]) -> str:
    return "".join(f" {text:>8}" for text in texts)
