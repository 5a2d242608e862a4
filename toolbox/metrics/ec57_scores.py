"""EC57 figures from the counts of toolbox.metrics.ec57: by record, gross and average, as values and as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.metrics.ec57 import LETTERS, OTHER, Comparison, samples
from toolbox.utils import atomic_write, write_json

COLUMNS = [("QRS", "Se"), ("QRS", "+P"), *((group, name) for group in ("VEB", "SVEB") for name in ("Se", "+P", "FPR"))]


def scores(matrix: np.ndarray) -> dict[str, dict[str, tuple[int, int]]]:
    """EC57's figures from the table, each as (numerator, denominator); a denominator of 0 leaves it undefined.

    QRS, VEB (V) and SVEB (S): Se, +P and for the two kinds of ectopic beats FPR. F or Q called V, and Q called S, are
    neither rewarded nor punished. sumstats, which sums up bxb's line format, cannot tell F called S from Q called S
    there and leaves both out of a gross SVEB +P; here, as in bxb's own figures, F called S is punished.
    """
    m = matrix.astype(np.int64)
    beats = slice(0, OTHER)
    found, missed, extra = int(m[beats, beats].sum()), int(m[beats, OTHER:].sum()), int(m[OTHER:, beats].sum())
    figures = {"QRS": {"Se": (found, found + missed), "+P": (found, found + extra)}}
    for name, k, pardoned in (("VEB", 2, (3, 4)), ("SVEB", 1, (4,))):
        hit, called = int(m[k, k]), int(m[:, k].sum())
        wrong = called - hit - sum(int(m[row, k]) for row in pardoned)
        negative = int(m[:, beats].sum()) - int(m[k, beats].sum()) - called + hit  # pairs that neither calls so
        figures[name] = {"Se": (hit, int(m[k].sum())), "+P": (hit, hit + wrong), "FPR": (wrong, wrong + negative)}
    return figures


def summary(compared: Mapping[str, Comparison]) -> dict[str, Any]:
    """The figures of each record, of all together (gross: from the summed table) and their mean over the records that
    define them (average). Plain values; scores are fractions, None where undefined."""
    records = {name: _entry([one]) for name, one in compared.items()}
    gross = _entry(list(compared.values()))
    average: dict[str, Any] = {}
    for group, names in gross["scores"].items():
        average[group] = {name: _mean([entry["scores"][group][name] for entry in records.values()]) for name in names}
    return {
        "records": records,
        "gross": gross,
        "average": {"scores": average, "rr_rms_ms": _mean([entry["rr_rms_ms"] for entry in records.values()])},
    }


def write(path: str | Path, result: dict[str, Any]) -> list[Path]:
    """Write `result` as PATH.json and its report as PATH.txt; an ending of either kind in `path` is taken off first."""
    path = Path(path)
    path = path.with_suffix("") if path.suffix in (".json", ".txt") else path
    path.parent.mkdir(parents=True, exist_ok=True)
    as_json, as_text = (path.with_name(path.name + ending) for ending in (".json", ".txt"))
    write_json(as_json, result)
    with atomic_write(as_text, "w") as handle:
        handle.write(report(result) + "\n")
    return [as_json, as_text]


def _entry(parts: list[Comparison]) -> dict[str, Any]:
    matrix = sum((part.matrix for part in parts), np.zeros((len(LETTERS), len(LETTERS)), dtype=np.int64))
    pairs = sum(part.rr_pairs for part in parts)
    squares = sum(part.rr_squares * (1000 / samples(1, part.fs)) ** 2 for part in parts if part.rr_pairs)
    counts = scores(matrix)
    return {
        "scores": {group: {name: _ratio(*count) for name, count in named.items()} for group, named in counts.items()},
        "counts": {group: {name: list(count) for name, count in named.items()} for group, named in counts.items()},
        "matrix": matrix.tolist(),
        "rr_rms_ms": (squares / pairs) ** 0.5 if pairs else None,
        "shutdown_s": sum(part.shutdown for part in parts),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def report(result: dict[str, Any]) -> str:
    """What `summary` gave, with what was compared, as text: a line of per cent figures for each record and for all, the
    table of all pairs, and the gross figures with the counts they come from."""
    wide = max(len("average"), *(len(name) for name in result["records"]))
    lines = [
        f"Beat-by-beat comparison (ANSI/AAMI EC57), {result['ref_annotator']} / {result['test_annotator']}: from "
        f"{result['score_start']:g} s, match window {result['match_window']:g} s, escape beats (e, j, n) are S",
        "",
        " ".join([f"{'':{wide}}", *(f"{group:>8}" for group, _ in COLUMNS), f"{'RR':>8}", f"{'shut':>6}"]),
        " ".join([f"{'record':{wide}}", *(f"{name:>8}" for _, name in COLUMNS), f"{'ms':>8}", f"{'s':>6}"]),
    ]
    rows = {**result["records"], "gross": result["gross"], "average": result["average"]}
    for name, entry in rows.items():
        figures = [_percent(entry["scores"][group][figure], figure) for group, figure in COLUMNS]
        error = entry["rr_rms_ms"]
        lines.append(
            f"{name:{wide}} {' '.join(figures)} {'-' if error is None else f'{error:.2f}':>8} "
            f"{entry.get('shutdown_s', ''):>6}"
        )
    lines += ["", "     " + "".join(f"{letter.lower():>8}" for letter in LETTERS)]
    for k, counts in enumerate(result["gross"]["matrix"]):
        shown = counts if k < OTHER else counts[:OTHER]
        lines.append(f"  {LETTERS[k]} |" + "".join(f"{count:>8}" for count in shown))
    lines.append("")
    for group, named in result["gross"]["counts"].items():
        for name, (part, whole) in named.items():
            lines.append(f"{group + ' ' + name:>8}: {_percent(_ratio(part, whole), name)} % ({part}/{whole})")
    return "\n".join(lines)


def _percent(value: float | None, name: str) -> str:
    if value is None:
        return f"{'-':>8}"
    return f"{100 * value:>8.3f}" if name == "FPR" else f"{100 * value:>8.2f}"
