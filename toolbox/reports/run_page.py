"""The run as one HTML page: scores, tables, pictures, flags. It loads no script and no other file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolbox.logger import SCORES as SCORES_SHAPE
from toolbox.reports.html import ABSENT, load_template
from toolbox.runs.folders import Run
from toolbox.utils import UserError, atomic_write, read_json, schema_error
from toolbox.utils.errors import warn

TEMPLATE = Path(__file__).with_name("run_page.html")
SCORES = {  # name in the scores -> heading
    "acc1": "Accuracy",
    "acc_class": "Mean sensitivity",
    "macro_f1": "Macro F1",
    "AUROC": "AUROC",
    "mAP": "mAP",
    "meanIoU": "Mean IoU",
    "fwavacc": "Frequency-weighted IoU",
    "kappa": "Cohen's kappa",
    "j_kappa": "j-kappa",
}
HEADLINE = ("acc1", "acc_class", "macro_f1", "AUROC")
EPOCH_COLUMNS = [  # (split, score, heading)
    ("train", "lr", "Learning rate"),
    ("train", "loss", "Training loss"),
    ("train", "acc1", "Training accuracy"),
    ("val", "loss", "Validation loss"),
    ("val", "acc1", "Validation accuracy"),
    ("val", "acc_class", "Mean sensitivity"),
    ("val", "macro_f1", "Macro F1"),
    ("train", "seconds", "Seconds"),
]
CAPTIONS = {
    "cm": "Confusion matrix",
    "norm_cm": "Confusion matrix, per cent of each true class",
    "roc": "ROC curve",
    "reliability": "Reliability: what a probability is worth",
    "pr": "Precision-recall curve",
    "loss": "Loss",
    "accuracy": "Accuracy and macro F1",
    "learning_rate": "Learning rate",
}


def _percent(fraction: float | None) -> str:
    return ABSENT if fraction is None else f"{100 * fraction:.2f}%"


def _show(score: str, value: float | None) -> str:
    """A score as text: per cent if it is a fraction."""
    if value is None:
        return ABSENT
    formats = {"loss": "{:.4f}", "lr": "{:.3g}", "seconds": "{:,.1f}", "kappa": "{:.3f}", "j_kappa": "{:.3f}"}
    return formats[score].format(value) if score in formats else _percent(value)


def _state(config: Mapping[str, Any], logged: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
    """One line on how far the run has come."""
    done = max((row["epoch"] for row in logged.get("train", ())), default=0)
    epochs = config.get("options", {}).get("epochs")
    trained = f"epochs trained: {done}" + (f" of {epochs}" if epochs else "")
    parts = [config.get("state"), trained, "tested" if test else "not tested yet"]
    if config.get("started"):
        parts.append(f"started {config['started']}")
    return " · ".join(str(part) for part in parts if part)


def _scores(splits: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any] | None:
    """Cards of the last split's scores (test, once there is one), and every score of every split in a table."""
    if not splits:
        return None
    title, last = splits[-1]
    columns = [key for key in ("loss", *SCORES) if any(scores.get(key) is not None for _, scores in splits)]
    return {
        "title": title,
        "cards": [(_show(key, last.get(key)), SCORES[key]) for key in HEADLINE],
        "head": ["", *(SCORES.get(key, key.capitalize()) for key in columns)],
        "rows": [[name, *(_show(key, scores.get(key)) for key in columns)] for name, scores in splits],
    }


def _classes(title: str, scores: Mapping[str, Any], class_names: Sequence[str]) -> dict[str, Any]:
    """The scores of each class and the confusion matrix of a split."""
    per_class = []
    for name, of_class in (scores.get("per_class") or {}).items():
        support = of_class.get("support")
        beats = ABSENT if support is None else f"{int(support):,}"
        per_class.append([name, *(_percent(of_class.get(key)) for key in ("Se", "+P", "F1")), beats])
    counts = scores.get("confusion") or []
    names = [*map(str, class_names), *map(str, range(len(class_names), len(counts)))]
    confusion = [(name, _confusion_cells(row)) for name, row in zip(names, counts, strict=False)]
    return {"title": title, "per_class": per_class, "names": names, "confusion": confusion}


def _confusion_cells(counts: Sequence[int]) -> list[dict[str, str]]:
    """A true class's row of the confusion matrix: counts, their share of the row, and how dark that is drawn."""
    total = sum(counts)
    shares = [count / total if total else 0.0 for count in counts]
    return [
        {
            "count": f"{int(count):,}",
            "share": f"{100 * share:.1f}%" if total else ABSENT,
            "opacity": f"{0.5 * share:.3f}",
        }
        for count, share in zip(counts, shares, strict=True)
    ]


def _picture(path: Path) -> dict[str, str]:
    """A PNG file's caption and content; no content when it is missing."""
    stem, _, epoch = path.stem.partition("_ep")
    png = base64.b64encode(path.read_bytes()).decode("ascii") if path.is_file() else ""
    caption = CAPTIONS.get(stem, stem) + (f", epoch {epoch}" if epoch else "")
    return {"caption": caption, "file": path.name, "png": png}


def _epochs(logged: Mapping[str, Any], best: Mapping[str, Any] | None) -> dict[str, Any]:
    """The table of the epochs, and which of its rows is the best epoch (-1: none)."""
    by_split = {split: {row["epoch"]: row for row in logged.get(split, ())} for split in ("train", "val")}
    epochs = sorted({*by_split["train"], *by_split["val"]})

    def value(epoch: int, split: str, score: str) -> Any:
        return by_split[split].get(epoch, {}).get(score)

    columns = [column for column in EPOCH_COLUMNS if any(value(epoch, *column[:2]) is not None for epoch in epochs)]
    return {
        "head": ["Epoch", *(heading for _, _, heading in columns)],
        "rows": [
            [epoch, *(_show(score, value(epoch, split, score)) for split, score, _ in columns)] for epoch in epochs
        ],
        "best": epochs.index(best["epoch"]) if best and best.get("epoch") in epochs else -1,
    }


def _pairs(values: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Names and values; nested values as JSON."""

    def plain(value: Any) -> str:
        if isinstance(value, Mapping | list | tuple):
            return json.dumps(value, ensure_ascii=False, default=str)
        return ABSENT if value in (None, "") else str(value)

    return [(name, plain(value)) for name, value in (values or {}).items()]


def write_report(
    path: str | Path,
    config: Mapping[str, Any],
    logged: Mapping[str, Any],
    best: Mapping[str, Any] | None,
    test: Mapping[str, Any] | None,
    pictures: Sequence[Path],
    warnings: Sequence[str] = (),
) -> Path:
    """Write the run's page to `path`, atomically. Parts that do not exist yet are left out.

    Args:
        path: the page.
        config: name, class_names, options (the flags), versions, git, data, started; warnings, state if any.
        logged: one dict of scores per epoch, under "train" and "val".
        best: scores of the best validation epoch (fractions in [0, 1]; None for a score that does not exist).
        test: scores on the test split.
        pictures: PNG files to put into the page.
        warnings: shown at the top together with `config["warnings"]`.
    """
    named = [("Validation", "best epoch", best), ("Test", "epoch", test)]
    splits = [(f"{split}, {word} {s['epoch']}" if "epoch" in s else split, s) for split, word, s in named if s]
    class_names = config.get("class_names", ())
    classes = [_classes(title, scores, class_names) for title, scores in splits[::-1]]
    flags = {"--" + str(name).replace("_", "-"): value for name, value in config.get("options", {}).items()}
    git = {f"git {key}": value for key, value in (config.get("git") or {}).items()}
    page = load_template(TEMPLATE).render(
        title=config.get("name", "run"),
        state=_state(config, logged, test),
        notes=list(dict.fromkeys([*config.get("warnings", ()), *warnings])),
        scores=_scores(splits),
        classes=[split for split in classes if split["per_class"] or split["confusion"]],
        pictures=[_picture(Path(picture)) for picture in pictures],
        epochs=_epochs(logged, best),
        settings={
            "Flags": _pairs(flags),
            "Data": _pairs(config.get("data")),
            "Versions": _pairs({**config.get("versions", {}), **git}),
        },
    )
    with atomic_write(path) as handle:
        handle.write(page.encode(errors="replace"))  # a folder's name may hold bytes that are no characters
    return Path(path)


def write_page(run: Run, logged: dict[str, Any], best: dict[str, Any] | None) -> Path:
    """Write report.html, with the newest test of the run."""
    test = newest_test(run.path)
    pictures = sorted((run.path / "pics").glob("*.png"))
    if test is not None:
        pictures += [run.path / "pred" / f"{kind}_ep{test['epoch']}.png" for kind in ("norm_cm", "roc")]
        pictures += sorted((run.path / "pred").glob(f"reliability_ep{test['epoch']}.png"))  # older runs have none
    at_best = next((entry for entry in logged["val"] if best and entry["epoch"] == best["epoch"]), None)
    return write_report(run.path / "report.html", run.config, logged, at_best, test, pictures)


def newest_test(folder: Path) -> dict[str, Any] | None:
    """Read the scores of the newest test, None when there is none; warn of files that cannot be read."""
    tests = sorted((folder / "pred").glob("test_results_ep*.json"), key=lambda path: path.stat().st_mtime)
    for path in reversed(tests):
        try:
            test = read_json(path)
            if not (problem := schema_error(test, SCORES_SHAPE, "it")):
                return test
        except UserError as error:
            problem = str(error)
        warn(f"{path} is passed over: {problem}")
    return None
