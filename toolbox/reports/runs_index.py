"""All runs of a dataset on one page, ROOT/DATASET/runs/index.html: a table to sort and filter, with links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from toolbox.logger import STOPPED
from toolbox.reports.comparison import KAGGLE, LABELS, ONLY_BY_PATIENT, TestedRun, best_validation, read_tested
from toolbox.reports.comparison_tables import number
from toolbox.reports.console import duration
from toolbox.reports.html import ABSENT, load_template, script_digest
from toolbox.reports.line_charts import svg_points
from toolbox.runs.folders import list_runs
from toolbox.utils import UserError, atomic_write, printable

INDEX = "index.html"
LOCK = ".index.lock"
LOCK_SECONDS = 20.0  # to wait for another process that writes the page
TEMPLATE = Path(__file__).with_name("runs_index.html")
SCRIPTS = [Path(__file__).with_name(name) for name in ("sort_tables.js", "filter_rows.js")]
MARK = "written by pytorch-ecg: all runs"  # in a comment; tells our own page from others
VALIDATION = ("acc1", "macro_f1", "j_kappa")  # scores on validation rows
TEST = ("acc1", "macro_f1", "S F1", "V F1", "j_kappa")
WIDTH, HEIGHT, EDGE = 90, 26, 3  # of a small curve, in its own units


def write_runs_index(folder: Path) -> Path:
    """Write the page over the runs in `folder`, ROOT/DATASET/runs; several processes may do so at once.

    Raises:
        UserError: an index.html of somebody else is there.
        OSError: it cannot be written.
    """
    path = folder / INDEX
    with FileLock(folder / LOCK, timeout=LOCK_SECONDS):  # who writes last has read last
        if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise UserError("another page has this name, and is kept")
        runs = list_runs(folder.parents[1], folder.parent.name)[::-1]
        rows, notes = [], []
        for run in runs:
            try:
                rows.append(_row(read_tested(run)))
            except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:  # files may be damaged
                notes.append(f"{printable(run.name)} is left out: {printable(error)}")
        script = "".join(each.read_text(encoding="utf-8") for each in SCRIPTS)
        page = load_template(TEMPLATE).render(
            title=f"Runs on {printable(folder.parent.name)}",
            mark=MARK,
            state=f"{len(rows)} run{'s' * (len(rows) != 1)}, the newest first · {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            notes=notes,
            comparison="../compare.html" if (folder.parent / "compare.html").is_file() else "",
            head=_head(),
            rows=rows,
            script=script,
            script_sha256=script_digest(script),
        )
        with atomic_write(path) as handle:
            handle.write(page.encode(errors="replace"))
    return path


def _head() -> list[tuple[str, bool]]:
    """The headings of the table's columns, and whether they hold text."""
    texts = ("Run", "Tags", "Network", "Split, seed", "Started")
    scores = [f"val {LABELS[key]}" for key in VALIDATION] + [f"test {LABELS[key]}" for key in TEST]
    return [(text, True) for text in texts] + [(text, False) for text in ("Epochs", "Time", "Curve", *scores)]


def _row(tested: TestedRun) -> dict[str, Any]:
    """A run as the template shows it; of numbers the text and the value that they are sorted by."""
    run, options, logged = tested.run, tested.run.options, tested.logged
    val = logged["val"]
    best = best_validation(logged, str(options.get("monitor", "macro_f1"))) if val else {}
    at_best = TestedRun(run, "val", best.get("epoch", 0), best, logged)
    test = tested if tested.part == "test" else TestedRun(run, "", 0, {}, logged)
    values = [at_best.score(key) for key in VALIDATION] + [test.score(key) for key in TEST]
    texts = [number(key, value, ABSENT) for key, value in zip((*VALIDATION, *TEST), values, strict=True)]
    curve = _curve(val, _main_score(options), best.get("epoch"))
    date = printable(run.config["started"])[:16].replace("T", " ")
    return {
        "title": printable(run.title),
        "folder": printable(run.name) if run.title != run.name else "",
        "note": printable(run.remark),
        "link": f"{run.name}/{run.page.name}" if run.page.is_file() else "",
        "tags": run.tags,
        "network": printable(options.get("model_name", "?")),
        "split": printable(_split(options)),
        "date": date,
        "when": "".join(filter(str.isdigit, date)),
        "epochs": (printable(f"{len(val)}/{options.get('epochs', '?')}"), len(val)),
        "remarks": ["stopped early"] * (STOPPED in logged) + ["trial"] * run.trial,
        "time": (duration(tested.seconds), tested.seconds),
        "scores": list(zip(texts, values, strict=True)),
        "curve": curve,
        "last": curve["last"] if curve else "",
    }


def _split(options: Mapping[str, Any]) -> str:
    """The split of a run, its fold or databases, and its seed."""
    parts = [str(options.get("split", "kaggle"))]
    parts += [f"fold {options['fold']}"] if options.get("fold") else []
    return f"{' '.join([*parts, *map(str, options.get('train_on') or [])])}, {options.get('seed', '?')}"


def _main_score(options: Mapping[str, Any]) -> str:
    """The main score of a run's split."""
    return (KAGGLE if options.get("split", "kaggle") == "kaggle" else ONLY_BY_PATIENT)[-1]


def _curve(val: Sequence[Mapping[str, Any]], key: str, best: int | None) -> dict[str, Any] | None:
    """A score by epoch as the points of a small drawing; None of fewer than two epochs."""
    logged = [(row["epoch"], row[key]) for row in val if row.get(key) is not None]
    points = np.array(logged, dtype=float).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        return None
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    at = (points - low) / np.where(span > 0, span, 1.0)
    x, y = EDGE + at[:, 0] * (WIDTH - 2 * EDGE), HEIGHT - EDGE - at[:, 1] * (HEIGHT - 2 * EDGE)
    k = int(np.argmin(np.abs(points[:, 0] - (best or points[-1, 0]))))
    label = f"{LABELS[key]} on validation from {points[0, 1]:.4f} to {points[-1, 1]:.4f}"
    return {
        "points": svg_points(x, y),
        "best": (f"{x[k]:.1f}", f"{y[k]:.1f}"),
        "label": label,
        "last": float(points[-1, 1]),
    }
