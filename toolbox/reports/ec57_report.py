"""EC57's scores as text and as files of --score."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from toolbox.metrics.ec57 import LETTERS, OTHER
from toolbox.metrics.ec57_scores import ratio
from toolbox.reports.episode_report import episode_lines, measure_lines
from toolbox.reports.latex import NEEDS, escaped, latex_table
from toolbox.utils import UserError, atomic_write, printable, read_json, write_json

TEX_START = f"{NEEDS}; written by --score"
COLUMNS = [("QRS", "Se"), ("QRS", "+P"), *((group, name) for group in ("VEB", "SVEB") for name in ("Se", "+P", "FPR"))]


def result_files(path: str | Path) -> tuple[Path, Path, Path]:
    """PATH.json, PATH.txt and PATH.tex; an ending of these kinds in `path` is taken off first.

    Raises:
        UserError: one of them is there, and not as `write` wrote it: the text is the report of the numbers.
    """
    path = Path(path)
    path = path.with_suffix("") if path.suffix in (".json", ".txt", ".tex") else path
    as_json, as_text, as_tex = (path.with_name(path.name + ending) for ending in (".json", ".txt", ".tex"))
    there = [file for file in (as_json, as_text) if os.path.lexists(file)]
    if there and not _are_own(as_json, as_text):
        raise UserError(
            f"{there[0]} is not as --score wrote it: it was changed since, or is another's, and is kept; take another "
            "--out, or delete it"
        )
    if os.path.lexists(as_tex) and not _begins_as_ours(as_tex):
        raise UserError(f"{as_tex} is not of --score, and is kept; take another --out, or delete it")
    return as_json, as_text, as_tex


def _begins_as_ours(path: Path) -> bool:
    plain = path.is_file() and not path.is_symlink()
    return plain and path.read_text(encoding="utf-8", errors="replace").startswith(TEX_START)


def _are_own(as_json: Path, as_text: Path) -> bool:
    try:
        result = read_json(as_json)
        text = report(result) + "\n"
    except Exception:  # of another content it cannot be made
        return False
    plain = not as_json.is_symlink() and as_json.read_text(encoding="utf-8") == json.dumps(result, indent=1) + "\n"
    if os.path.lexists(as_text):
        plain = plain and as_text.is_file() and not as_text.is_symlink()
        return plain and as_text.read_text(encoding="utf-8", errors="replace") == text
    return plain


def write(path: str | Path, result: dict[str, Any]) -> list[Path]:
    """Write `result` as PATH.json, its report as PATH.txt and the scores by record as PATH.tex.

    Raises:
        UserError: see `result_files`.
    """
    as_json, as_text, as_tex = result_files(path)
    as_json.parent.mkdir(parents=True, exist_ok=True)
    write_json(as_json, result)
    with atomic_write(as_text, "w") as handle:
        handle.write(report(result) + "\n")
    with atomic_write(as_tex, "w") as handle:
        handle.write(as_latex(result))
    return [as_json, as_text, as_tex]


def as_latex(result: dict[str, Any]) -> str:
    """A LaTeX table of EC57's scores in per cent of each record, below them gross and average."""
    head = ["Record", *(escaped(f"{group} {name} (%)") for group, name in COLUMNS)]
    rows = [[escaped(name), *_latex_cells(entry)] for name, entry in result["records"].items()]
    foot = [[of, *_latex_cells(result[of])] for of in ("gross", "average")]
    sides = f"{escaped(result['test_annotator'])} with {escaped(result['ref_annotator'])}"
    settings = f"from {result['score_start']:g} s, match window {result['match_window']:g} s"
    caption = f"Beat-by-beat comparison (ANSI/AAMI EC57) of {sides}, {settings}."
    return f"{TEX_START}\n" + latex_table(caption, "EC57 by record", "l" + "r" * len(COLUMNS), head, rows, foot)


def _latex_cells(entry: dict[str, Any]) -> list[str]:
    cells = [_percent(entry["scores"][group][score], score).strip() for group, score in COLUMNS]
    return ["--" if cell == "-" else cell for cell in cells]


def report(result: dict[str, Any]) -> str:
    """The result of `summary` and the settings of the comparison as text: a line of per cent scores for each record and
    for all, the table of all pairs, the gross scores with their counts, then episodes and measurements."""
    records = {printable(name): entry for name, entry in result["records"].items()}
    wide = max(len("average"), *map(len, records))
    lines = [
        f"Beat-by-beat comparison (ANSI/AAMI EC57), {result['ref_annotator']} / {result['test_annotator']}: from "
        f"{result['score_start']:g} s, match window {result['match_window']:g} s, escape beats (e, j, n) are S",
        "",
        " ".join([f"{'':{wide}}", *(f"{group:>8}" for group, _ in COLUMNS), f"{'RR':>8}", f"{'shut':>6}"]),
        " ".join([f"{'record':{wide}}", *(f"{name:>8}" for _, name in COLUMNS), f"{'ms':>8}", f"{'s':>6}"]),
    ]
    rows = {**records, "gross": result["gross"], "average": result["average"]}
    for name, entry in rows.items():
        cells = [_percent(entry["scores"][group][score], score) for group, score in COLUMNS]
        error = entry["rr_rms_ms"]
        lines.append(
            f"{name:{wide}} {' '.join(cells)} {'-' if error is None else f'{error:.2f}':>8} "
            f"{entry.get('shutdown_s', ''):>6}"
        )
    lines += ["", "     " + "".join(f"{letter.lower():>8}" for letter in LETTERS)]
    for k, counts in enumerate(result["gross"]["matrix"]):
        shown = counts if k < OTHER else counts[:OTHER]
        lines.append(f"  {LETTERS[k]} |" + "".join(f"{count:>8}" for count in shown))
    lines.append("")
    for group, named in result["gross"]["counts"].items():
        for name, (part, whole) in named.items():
            lines.append(f"{group + ' ' + name:>8}: {_percent(ratio(part, whole), name)} % ({part}/{whole})")
    return "\n".join([*lines, *episode_lines(result), *measure_lines(result)])


def _percent(value: float | None, name: str) -> str:
    if value is None:
        return f"{'-':>8}"
    return f"{100 * value:>8.3f}" if name == "FPR" else f"{100 * value:>8.2f}"
