"""Episodes and measurements of --score as text."""

from __future__ import annotations

from typing import Any

from toolbox.metrics.rhythm_episodes import SCORES
from toolbox.utils import printable

TITLES = {
    "AF": "Atrial fibrillation, episode by episode (EC57, as epicmp)",
    "VF": "Ventricular flutter and fibrillation, episode by episode (EC57, as epicmp)",
    "AF/AFL": "Atrial fibrillation and flutter as one, episode by episode (epicmp's rules)",
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
    """A table for each measurement: normalized RMS error in per cent, RMS error, mean of the reference, n, and the
    first one as mxm's program reckons it."""
    lines: list[str] = []
    for measure, summary in result.get("measures", {}).items():
        rows = {**summary["records"], "gross": summary["gross"], "average": summary["average"]}
        wide = _width(rows)
        lines += ["", f"{measure}, measurement by measurement (EC57, as mxm)"]
        names = [f"{'error %':>9}", *(f"{name:>10}" for name in ("RMS", "ref mean")), f"{'n':>7}", f"{'mxm %':>9}"]
        lines.append(" ".join([f"{'record':{wide}}", *names]))
        for name, entry in rows.items():
            cells = [_cell(entry["normalized_rms"], 9, 4, 100), _cell(entry["rms"], 10, 4)]
            cells += [_cell(entry["reference_mean"], 10, 4), f"{entry.get('n', ''):>7}"]
            cells += [_cell(entry["as_mxm"]["normalized_rms"], 9, 4, 100)] if "as_mxm" in entry else []
            lines.append(" ".join([f"{printable(name):{wide}}", *cells]).rstrip())
    return lines


def _width(rows: dict[str, Any]) -> int:
    return max(len("average"), *(len(printable(name)) for name in rows))


def _cell(value: float | None, width: int, digits: int, factor: float = 1, blank: str = "-") -> str:
    return f"{blank:>{width}}" if value is None else f"{factor * value:>{width}.{digits}f}"
