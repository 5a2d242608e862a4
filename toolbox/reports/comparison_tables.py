"""A comparison of runs as text for the terminal, as CSV and as a LaTeX table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from toolbox.metrics.paired import Difference
from toolbox.reports.comparison import LABELS, Comparison, Entry
from toolbox.reports.console import duration
from toolbox.reports.html import ABSENT
from toolbox.reports.latex import NEEDS, escaped, latex_table
from toolbox.utils import printable
from toolbox.utils.aami import LETTERS

PLAIN = ("kappa", "j_kappa")  # scores that are no per cent
MAIN = {"j_kappa": "j_kappa", "macro_f1": "macro_f1"}  # a column's key -> the score of its paired difference


def number(key: str, value: float | None, missing: str = "-") -> str:
    """A score for people: per cent, but for kappas."""
    if value is None:
        return missing
    return f"{value:.3f}" if key in PLAIN else f"{100 * value:.2f}"


def with_spread(key: str, entry: Entry, missing: str = "-", sign: str = "+-") -> str:
    """A score of an entry, with its standard deviation over seeds."""
    spread = entry.deviation(key)
    mean = number(key, entry.mean(key), missing)
    return mean if spread is None else f"{mean} {sign} {number(key, spread)}"


def interval(key: str, difference: Difference) -> str:
    """A difference with its interval: "+0.014 [-0.006, +0.040]"; a remark where there is none, or all draws agree."""
    scale, digits = (1, 3) if key in PLAIN else (100, 2)
    parts = [None if value is None else f"{scale * value:+.{digits}f}" for value in difference[:3]]
    if parts[0] is None:
        return ABSENT
    if parts[1] is None or difference.low == difference.high:
        return f"{parts[0]} ({'no interval' if parts[1] is None else 'the same in every draw'})"
    return f"{parts[0]} [{parts[1]}, {parts[2]}]"


def p_value(p: float | None) -> str:
    """A p value for people."""
    return ABSENT if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def as_text(comparison: Comparison) -> list[str]:
    """Lines for a terminal of 80 columns: a table, the flags of each entry, differences to the first, remarks."""
    columns = comparison.columns
    rows = [["#", "network", "ep", "time", *(LABELS[key] for key in columns)]]
    for k, entry in enumerate(comparison.entries, start=1):
        minutes = duration(sum(one.seconds for one in entry.tested) / len(entry.tested))
        scores = [with_spread(key, entry) + "*" * _is_best(comparison, entry, key) for key in columns]
        rows.append([str(k), printable(entry.title), str(entry.first.epoch), minutes, *scores])
    lines = _aligned(rows, left=(1,))
    for k, entry in enumerate(comparison.entries, start=1):
        lines += _described(comparison, entry, k)
    lines += list(_differences(comparison))
    for name, reason in comparison.refused:
        lines += _wrapped(f"not compared: {printable(name)}: {reason}")
    return [*lines, *(line for note in comparison.notes for line in _wrapped(f"note: {note}"))]


def _is_best(comparison: Comparison, entry: Entry, key: str) -> bool:
    values = [one.mean(key) for one in comparison.entries]
    best = max((value for value in values if value is not None), default=None)
    return len(comparison.entries) > 1 and best is not None and entry.mean(key) == best


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """The rows with columns below each other, numbers to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(
            f"{cell:{'<' if k in left else '>'}{width}}"
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _described(comparison: Comparison, entry: Entry, number_of_entry: int) -> list[str]:
    """The differing flags of an entry and the names of its runs."""
    flags = "  ".join(f"{name.replace('_', '-')}={value}" for name, value in comparison.flags(entry).items())
    names = ", ".join(one.run.name for one in entry.tested)
    tags = " ".join(dict.fromkeys(tag for one in entry.tested for tag in one.run.tags))
    remarks = "; ".join(dict.fromkeys(one.run.remark for one in entry.tested if one.run.remark))
    parts = [flags, names, f"tags: {tags}" if tags else "", f"note: {remarks}" if remarks else ""]
    return [line for part in parts if part for line in _wrapped(f"{number_of_entry}: {printable(part)}")]


def _differences(comparison: Comparison) -> Iterator[str]:
    """Lines of each entry's main score less that of the first."""
    main = comparison.columns[-1]
    for k, pair in comparison.pairs.items():
        if pair.reason:
            yield from _wrapped(f"{k + 1} against 1: {pair.reason}")
            continue
        difference = pair.differences[MAIN[main]]
        text = f"{k + 1} against 1: {LABELS[main]} {interval(main, difference)}"
        if pair.unit:
            patients = f"95 % by paired bootstrap over {pair.unit}"
            text += f", {patients}, p {p_value(pair.corrected[MAIN[main]])} after Holm"
        yield from _wrapped(f"{text}; alone right: {pair.only_entry:,} beats, and 1: {pair.only_reference:,}")


def _wrapped(text: str) -> list[str]:
    """Lines of 79 columns at most; a name is broken where it is longer than that."""
    return textwrap.wrap(text, 79, subsequent_indent="   ", break_on_hyphens=False)


def as_csv(comparison: Comparison) -> str:
    """A line for each run: its place, name, seed, differing flags, all scores as fractions."""
    rows = []
    for k, entry in enumerate(comparison.entries, start=1):
        for one in entry.tested:
            row: dict[str, Any] = {"entry": k, "run": one.run.name, "model": one.run.options.get("model_name")}
            row |= {"seed": one.run.options.get("seed"), "scores of": one.part, "epoch": one.epoch}
            row |= {"name": one.run.title, "tags": " ".join(one.run.tags), "note": one.run.remark}
            row |= {
                "seconds": round(one.seconds, 1),
                **{f"--{key}": value for key, value in comparison.flags(entry).items()},
            }
            rows.append(row | {LABELS[key]: one.score(key) for key in LABELS})
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def as_latex(comparison: Comparison) -> str:
    r"""A table for a paper, with the rules of booktabs: \usepackage{booktabs}."""
    columns = comparison.columns
    flags = [escaped(name.replace("_", "-")) for name in comparison.differing]
    part = "test beats" if comparison.entries[0].first.part == "test" else "validation beats"
    rows = []
    for entry in comparison.entries:
        cells = [escaped(entry.title), *map(escaped, comparison.flags(entry).values())]
        rows.append(cells + [f"${with_spread(key, entry, '-', chr(92) + 'pm')}$" for key in columns])
    heads = ["Network", *flags, *map(_latex_label, columns)]
    kinds = f"l{'l' * len(flags)}{'r' * len(columns)}"
    return f"{NEEDS}; scores in per cent but for kappas, +- standard deviation over seeds\n" + latex_table(
        f"Scores on the {part}.", "comparison", kinds, heads, rows
    )


def _latex_label(key: str) -> str:
    plain = {"kappa": r"$\kappa$", "j_kappa": r"$j$-$\kappa$"}
    return plain.get(key, rf"{escaped(LABELS[key])} (\%)")


def class_differences(differences: Mapping[str, Difference]) -> list[tuple[str, str, str]]:
    """Keys, names and differences of the scores that a page shows: overall, then of each class."""
    shown = {"accuracy": "accuracy", "macro_f1": "macro F1", "kappa": "kappa", "j_kappa": "j-kappa"}
    for key in differences:
        kind, _, name = key.partition(" ")
        if kind in ("Se", "+P", "F1"):
            shown[key] = f"{LETTERS.get(name, name)} {kind}"
    return [(key, title, interval(key, differences[key])) for key, title in shown.items() if key in differences]
