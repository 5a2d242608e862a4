"""Episodes and measurements of --score as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from toolbox.metrics.rhythm_episodes import SCORES
from toolbox.utils import printable

TITLES = {
    "AF": "Atrial fibrillation, episode by episode (EC57, as epicmp)",
    "VF": "Ventricular flutter and fibrillation, episode by episode (EC57, as epicmp)",
    "AF/AFL": "Atrial fibrillation and flutter as one, episode by episode (epicmp's rules)",
}
HEADINGS = {  # measure -> its column, and its unit
    "heart_rate": ("HR", " /min"),
    "sdnn_ms": ("SDNN", " ms"),
    "rmssd_ms": ("RMSSD", " ms"),
    "pnn50": ("pNN50", ""),
    "lf_ms2": ("LF", " ms^2"),
    "hf_ms2": ("HF", " ms^2"),
    "sdann_ms": ("SDANN", " ms"),
}


def episode_lines(result: dict[str, Any]) -> list[str]:
    """A table for each kind of episode: counts, per cent scores, and s that the episodes last."""
    lines: list[str] = []
    for kind, summary in result.get("episodes", {}).items():
        rows = {**summary["records"], "gross": summary["gross"], "average": summary["average"]}
        wide = _width(rows)
        names = [*(f"{name:>5}" for name in ("TPs", "FN", "TPp", "FP")), *(f"{name:>7}" for name in SCORES)]
        lines += ["", TITLES[kind], " ".join([f"{'record':{wide}}", *names, f"{'ref s':>9}", f"{'test s':>9}"])]
        for name, entry in rows.items():
            counts = entry.get("episodes", dict.fromkeys(("TPs", "FN", "TPp", "FP"), ""))
            seconds = entry.get("seconds", {"reference": None, "test": None})
            cells = [*(f"{count:>5}" for count in counts.values())]
            cells += [_cell(entry["scores"][score], 7, 2, 100) for score in SCORES]
            cells += [_cell(seconds[side], 9, 1, blank="") for side in ("reference", "test")]
            lines.append(" ".join([f"{printable(name):{wide}}", *cells]).rstrip())
    return lines


def measure_lines(result: dict[str, Any]) -> list[str]:
    """A table of the normalized RMS errors, in per cent, then a line on each measurement of all records together."""
    measures = result.get("measures", {})
    if not measures:
        return []
    names = list(dict.fromkeys(record for summary in measures.values() for record in summary["records"]))
    wide = _width(names)
    headings = [HEADINGS.get(measure, (measure.replace("measurement_", "number "), ""))[0] for measure in measures]
    lines = ["", "Measurements (EC57, as mxm): RMS error in per cent of the reference's mean"]
    lines.append(" ".join([f"{'record':{wide}}", *(f"{heading:>9}" for heading in headings)]))
    for name in [*names, "gross", "average"]:
        rows = [summary["records"] if name in names else summary for summary in measures.values()]
        cells = [_cell(row[name]["normalized_rms"] if name in row else None, 9, 2, 100) for row in rows]
        lines.append(" ".join([f"{printable(name):{wide}}", *cells]))
    lines.append("")
    for heading, (measure, summary) in zip(headings, measures.items(), strict=True):
        gross, unit = summary["gross"], HEADINGS.get(measure, ("", ""))[1]
        error, mean = (_cell(gross[key], 1, 4) for key in ("rms", "reference_mean"))
        lines.append(f"{heading:>9}: RMS error {error}{unit}, reference mean {mean}{unit} ({gross['n']})")
    return lines


def _width(names: Iterable[str]) -> int:
    return max(len("average"), *(len(printable(name)) for name in names))


def _cell(value: float | None, width: int, digits: int, factor: float = 1, blank: str = "-") -> str:
    return f"{blank:>{width}}" if value is None else f"{factor * value:>{width}.{digits}f}"
