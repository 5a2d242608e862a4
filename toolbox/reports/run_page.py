"""The run as one HTML page: what to quote, tables, curves, wrong beats, flags. It loads no other file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.logger import NUMBER
from toolbox.logger import SCORES as SCORES_SHAPE
from toolbox.metrics.patients import OVERALL
from toolbox.reports.html import load_template, script_digest
from toolbox.reports.run_curves import history_charts, ranking_charts, reliability_charts
from toolbox.reports.run_facts import (
    Guide,
    best_name,
    described,
    flags,
    held_name,
    labels_of,
    pairs,
    progress,
    title_of,
)
from toolbox.reports.run_scores import all_scores, by_record, of_databases, of_epoch, of_map, per_cent, quoted, show
from toolbox.reports.score_text import ALIKE_NOTE
from toolbox.reports.scored_beats import ScoredBeats, read_scored_beats
from toolbox.reports.wrong_beats import examples_path, read_examples, shown
from toolbox.runs.folders import Run
from toolbox.utils import UserError, atomic_write
from toolbox.utils.errors import warn
from toolbox.utils.validation import read_json_of_shape

TEMPLATE = Path(__file__).with_name("run_page.html")
FIGURE = {"value": NUMBER, "low": NUMBER, "high": NUMBER}
RESULTS = {  # the parts of scores_epN.json that are read
    "classes": [str],
    "intervals": (str, type(None)),
    "maps": {
        str: {
            "confusion": [[int]],
            **dict.fromkeys(OVERALL, FIGURE),
            "per_class": {str: {"Se": FIGURE, "+P": FIGURE, "F1": FIGURE, "beats": int}},
            "without?": {str: dict.fromkeys(OVERALL, NUMBER)},
            "ec57?": {"gross": dict, "average": dict, "records": {str: {"confusion": [[int]]}}},
        }
    },
    "calibration?": dict,
}
SCRIPTS = ("sort_tables.js", "run_page.js")
EPOCH_COLUMNS = [  # (split, score, heading)
    ("train", "lr", "Learning rate"),
    ("train", "loss", "Training loss"),
    ("train", "acc1", "Training accuracy"),
    ("val", "loss", "{held} loss"),
    ("val", "acc1", "{held} accuracy"),
    ("val", "acc_class", "Mean sensitivity"),
    ("val", "macro_f1", "Macro F1"),
    ("val", "j_kappa", "j-kappa"),
    ("train", "seconds", "Seconds"),
]
CAPTIONS = {  # of pictures of tests that kept no probabilities
    "norm_cm": "Confusion matrix, per cent of each true class",
    "roc": "ROC curve",
    "reliability": "Reliability: what a probability is worth",
}


@dataclass(frozen=True)
class RunReport:
    """All that is on a run's page; parts that do not exist yet are left out.

    Attributes:
        config: the content of config.json.
        log: the content of logger.json.
        best: scores of the epoch that is kept (fractions in [0, 1]; None for a score that does not exist).
        test: scores on the test rows.
        results: scores_epN.json of the same test.
        beats: those that were scored, of the test or else of validation.
        examples: of beats called wrong, see wrong_beats.FILE.
        links: record -> address of its annotated page.
        pictures: PNG files, where there are no `beats` to draw from.
        guide: commands and defaults.
        warnings: shown at the top together with `config["warnings"]`.
    """

    config: Mapping[str, Any]
    log: Mapping[str, Any] = field(default_factory=dict)
    best: Mapping[str, Any] | None = None
    test: Mapping[str, Any] | None = None
    results: Mapping[str, Any] | None = None
    beats: ScoredBeats | None = None
    examples: Mapping[str, Any] | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[Path] = ()
    guide: Guide = field(default_factory=Guide)
    warnings: Sequence[str] = ()

    @property
    def options(self) -> Mapping[str, Any]:
        """The run's flags."""
        return self.config.get("options", {})

    def splits(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The rows that were scored, with the epoch, and their scores; the test is the last."""
        held = f"{held_name(self.options)}, {best_name(self.options)}"
        named = [(held, self.best), ("Test, epoch", self.test)]
        return [(f"{title} {s['epoch']}" if "epoch" in s else title.split(",")[0], s) for title, s in named if s]


def write_report(path: str | Path, report: RunReport) -> Path:
    """Write the run's page to `path`, atomically."""
    config, options, splits = report.config, report.options, report.splits()
    script = "\n".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in SCRIPTS)
    git = {f"git {key}": value for key, value in (config.get("git") or {}).items()}
    title, name = title_of(config)
    changed, unchanged = flags(options, report.guide.defaults)
    page = load_template(TEMPLATE).render(
        title=title,
        name=name,
        labels=labels_of(options),
        index=report.guide.index,
        described=described(config, report.log),
        state=progress(config, report.log.get("logged", {}), report.test),
        notes=list(dict.fromkeys([*config.get("warnings", ()), *report.warnings])),
        **_scores(report, splits),
        **_curves(report),
        examples=_examples(report),
        epochs=_epochs(report),
        commands=report.guide.commands,
        changed=changed,
        unchanged=unchanged,
        settings={
            "Data": pairs(config.get("data")),
            "Versions": pairs({**config.get("versions", {}), **git}),
            "Machine": pairs(config.get("hardware")),
        },
        alike=ALIKE_NOTE,
        script=script,
        script_sha256=script_digest(script),
    )
    with atomic_write(path) as handle:
        handle.write(page.encode(errors="replace"))  # a folder's name may hold bytes that are no characters
    return Path(path)


def _scores(report: RunReport, splits: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """What to quote, all scores, the label maps, the records and databases."""
    results, names = report.results, report.config.get("class_names", ())
    by_patient = (report.options.get("split") or "kaggle") != "kaggle"
    top = {"title": splits[-1][0], "cards": quoted(splits[-1][1], results, by_patient)} if splits else {}
    if splits:
        top["intervals"] = f"Intervals: {results['intervals']}" if results and results["intervals"] else ""
    plain = [of_epoch(title, scores, names) for title, scores in splits[::-1]][1 if results else 0 :]
    for k, one in enumerate(plain):
        one["folded"] = bool(results) or k > 0
    return {
        "quoted": top,
        "scores": all_scores(splits),
        "maps": [of_map(name, each, results["classes"]) for name, each in results["maps"].items()] if results else [],
        "plain": [one for one in plain if one["classes"] or one["confusion"]],
        "records": by_record(results) if results else None,
        "databases": of_databases(results) if results else None,
    }


def _curves(report: RunReport) -> dict[str, Any]:
    """The charts, or the pictures that stand for them."""
    charts = history_charts(report.log.get("logged", {}), held_name(report.options).lower())
    calibrated = (report.results or {}).get("calibration") or {}
    text = ""
    if calibrated.get("temperature") is not None:
        text = (
            f"Expected error {per_cent(calibrated['ece'])}; {per_cent(calibrated['ece_tempered'])} with logits divided "
            f"by {calibrated['temperature']:.2f}, the temperature that fits validation best."
        )
    return {
        "charts": [*charts, *(ranking_charts(report.beats) if report.beats else [])],
        "reliability": reliability_charts(report.beats) if report.beats else [],
        "calibration": text,
        "pictures": [_picture(Path(picture)) for picture in report.pictures],
    }


def _examples(report: RunReport) -> dict[str, Any] | None:
    """The beats called wrong, for the template; None where none were looked for."""
    content = report.examples
    if not content or not content["examples"]:
        return None
    cards = shown(content["examples"], report.links)
    records = any(one["record"] for one in cards)
    return {
        "wrong": f"{content['wrong']:,}",
        "rows": f"{content['rows']:,}",
        "part": "test" if report.test else held_name(report.options).lower(),
        "method": content.get("method", ""),
        "reason": content.get("reason", ""),
        "unit": any((one.get("strip") or {}).get("unit") for one in content["examples"]),
        "command": report.guide.records if records else "",
        "groups": [
            ("Called wrong with most confidence", [one for one in cards if one["kind"] == "surest"]),
            ("Others called wrong, at random", [one for one in cards if one["kind"] == "random"]),
        ],
    }


def _picture(path: Path) -> dict[str, str]:
    """A PNG file's caption and content; no content when it is missing."""
    stem, _, epoch = path.stem.partition("_ep")
    png = base64.b64encode(path.read_bytes()).decode("ascii") if path.is_file() else ""
    caption = CAPTIONS.get(stem, stem) + (f", epoch {epoch}" if epoch else "")
    return {"caption": caption, "file": path.name, "png": png}


def _epochs(report: RunReport) -> dict[str, Any]:
    """The table of the epochs, and which of its rows is the epoch that is kept (-1: none)."""
    logged, best, held = report.log.get("logged", {}), report.best, held_name(report.options)
    by_split = {split: {row["epoch"]: row for row in logged.get(split, ())} for split in ("train", "val")}
    epochs = sorted({*by_split["train"], *by_split["val"]})

    def value(epoch: int, split: str, score: str) -> Any:
        return by_split[split].get(epoch, {}).get(score)

    columns = [column for column in EPOCH_COLUMNS if any(value(epoch, *column[:2]) is not None for epoch in epochs)]
    return {
        "head": ["Epoch", *(heading.format(held=held) for _, _, heading in columns)],
        "rows": [
            [epoch, *(show(score, value(epoch, split, score)) for split, score, _ in columns)] for epoch in epochs
        ],
        "best": epochs.index(best["epoch"]) if best and best.get("epoch") in epochs else -1,
    }


def write_page(run: Run, log: Mapping[str, Any], best: Mapping[str, Any] | None, guide: Guide) -> Path:
    """Write report.html of a run from its files, with its newest test.

    Args:
        log: the content of logger.json.
        best: {"epoch"} of the epoch that is kept, None before the first.
    """
    test = newest_test(run.path)
    part, epoch = ("test", test["epoch"]) if test else ("val", best["epoch"] if best else 0)
    try:
        beats = read_scored_beats(run.path, epoch, part)
    except UserError as error:
        beats = None
        warn(f"the page goes without their curves: {error}")
    pictures: list[Path] = []
    if test and beats is None:  # tested by an older version
        kinds = ("norm_cm", "roc", "reliability")
        pictures = [path for kind in kinds if (path := run.path / "pred" / f"{kind}_ep{epoch}.png").is_file()]
    examples = read_examples(examples_path(run.path, part, epoch))
    at_best = next((entry for entry in log["logged"]["val"] if best and entry["epoch"] == best["epoch"]), None)
    report = RunReport(
        run.config, log, at_best, test, _results(run.path, epoch) if test else None, beats, examples,
        guide.pages(examples), pictures, guide,
    )  # fmt: skip
    return write_report(run.page, report)


def _results(folder: Path, epoch: int) -> dict[str, Any] | None:
    """The scores with intervals of a test; None where there are none, or where they cannot be read."""
    path = folder / "pred" / f"scores_ep{epoch}.json"
    return read_json_of_shape(path, RESULTS) if path.is_file() else None


def newest_test(folder: Path) -> dict[str, Any] | None:
    """Read the scores of the newest test, None when there is none; warn of files that cannot be read."""
    tests = sorted((folder / "pred").glob("test_results_ep*.json"), key=lambda path: path.stat().st_mtime)
    read = (read_json_of_shape(path, SCORES_SHAPE) for path in reversed(tests))
    return next((test for test in read if test is not None), None)
