"""The run as one HTML page: scores, tables, pictures, flags. It needs no network, no script and no other file."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolbox.utils import atomic_write

ABSENT = "–"  # a score that does not exist, such as the sensitivity of a class without beats
SCORES = {  # name in the scores -> heading
    "acc1": "Accuracy",
    "acc_class": "Average per-class accuracy",
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
    ("val", "acc_class", "Average per class"),
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
CSS = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6570; --paper: #ffffff; --panel: #f4f6f8; --line: #d9dee3;
  --accent: #0072b2; --note: #fff4d6; --note-line: #d99a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #a0aab4; --paper: #14171a; --panel: #1e2327;
  --line: #353c43; --accent: #56b4e9; --note: #3a2f10; --note-line: #e69f00; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.3; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); font-size: 1.2rem; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; }
.soft, figcaption { color: var(--soft); }
.note { margin: 1rem 0 0; padding: .6rem .9rem; border-left: 4px solid var(--note-line); background: var(--note); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.card { padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); }
.card b { display: block; font-size: 1.7rem; line-height: 1.2; color: var(--accent); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
thead th { vertical-align: bottom; color: var(--soft); font-size: .85rem; font-weight: 600; }
th:first-child { text-align: left; }
tbody th { font-weight: 600; white-space: nowrap; }
tr.best td, tr.best th { background: var(--panel); font-weight: 700; }
.pairs td { text-align: left; overflow-wrap: anywhere; }
.pairs th { font-weight: 400; color: var(--soft); }
.confusion { margin-top: 1rem; }
.confusion td, .confusion thead th { text-align: center; min-width: 6rem; max-width: 9rem; }
.confusion th:first-child { text-align: left; max-width: none; }
.confusion small { display: block; color: inherit; opacity: .8; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; border: 1px solid var(--line); border-radius: 8px; }
figcaption { margin-top: .3rem; font-size: .85rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def _text(value: Any) -> str:
    return html.escape(str(value))


def _percent(fraction: float | None) -> str:
    return ABSENT if fraction is None else f"{100 * fraction:.2f}%"


def _show(score: str, value: float | None) -> str:
    """A score as the page prints it: per cent, except what is no fraction."""
    if value is None:
        return ABSENT
    formats = {"loss": "{:.4f}", "lr": "{:.3g}", "seconds": "{:,.1f}", "kappa": "{:.3f}", "j_kappa": "{:.3f}"}
    return formats[score].format(value) if score in formats else _percent(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", best: int = -1) -> str:
    """A table of cells that are HTML already, with or without <td>; a row's first heads it, row `best` stands out."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    top = f"<thead><tr>{top}</tr></thead>" if head else ""
    body = []
    for k, (first, *rest) in enumerate(rows):
        cells = "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in rest)
        body.append(f'<tr{" class=best" if k == best else ""}><th scope="row">{first}</th>{cells}</tr>')
    return f'<div class="scroll"><table class="{kind}">{top}<tbody>{"".join(body)}</tbody></table></div>'


def _section(title: str, *parts: str) -> str:
    content = "\n".join(filter(None, parts))
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>" if content else ""


def _state(config: Mapping[str, Any], logged: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
    done = max((row["epoch"] for row in logged.get("train", ())), default=0)
    asked = config.get("options", {}).get("epochs")
    trained = f"epochs trained: {done}" + (f" of {asked}" if asked else "")
    parts = [config.get("state"), trained, "tested" if test else "not tested yet"]
    if config.get("started"):
        parts.append(f"started {config['started']}")
    return " · ".join(_text(part) for part in parts if part)


def _headline(named: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Cards of the last split's scores (test, once there is one), and every score of every split in a table."""
    if not named:
        return '<p class="soft">No scores yet.</p>'
    title, scores = named[-1]
    cards = [f'<div class="card"><b>{_show(k, scores.get(k))}</b>{_text(SCORES[k])}</div>' for k in HEADLINE]
    columns = [key for key in ("loss", *SCORES) if any(s.get(key) is not None for _, s in named)]
    rows = [[_text(name), *(_show(key, s.get(key)) for key in columns)] for name, s in named]
    head = ["", *(_text(SCORES.get(key, key.capitalize())) for key in columns)]
    return f'<h3>{_text(title)}</h3>\n<div class="cards">{"".join(cards)}</div>\n{_table(head, rows)}'


def _per_class(scores: Mapping[str, Any]) -> str:
    rows = []
    for name, of in (scores.get("per_class") or {}).items():
        support = of.get("support")
        counted = ABSENT if support is None else f"{int(support):,}"
        rows.append([_text(name), *(_percent(of.get(key)) for key in ("Se", "+P", "F1")), counted])
    head = ["Class", "Sensitivity (Se)", "Positive predictivity (+P)", "F1", "Beats"]
    return _table(head, rows) if rows else ""


def _confusion(scores: Mapping[str, Any], class_names: Sequence[str]) -> str:
    """Counts, with per cent of the true class below, shaded by it."""
    confusion = scores.get("confusion") or []
    names = [*map(str, class_names), *map(str, range(len(class_names), len(confusion)))]
    rows = []
    for name, counts in zip(names, confusion, strict=False):
        total = sum(counts)
        cells = [_text(name)]
        for count in counts:
            share = count / total if total else 0.0
            small = f"{100 * share:.1f}%" if total else ABSENT
            shade = f"background:rgba(0,114,178,{0.5 * share:.3f})"
            cells.append(f'<td style="{shade}">{int(count):,}<small>{small}</small></td>')
        rows.append(cells)
    return _table(["True ↓ Predicted →", *map(_text, names)], rows, "confusion") if rows else ""


def _classes(title: str, scores: Mapping[str, Any], class_names: Sequence[str]) -> str:
    tables = _per_class(scores) + _confusion(scores, class_names)
    return f"<h3>{_text(title)}</h3>\n{tables}" if tables else ""


def _pictures(pictures: Sequence[Path]) -> str:
    """The PNG files, inside the page; a file that is not there is named."""
    figures = []
    for path in map(Path, pictures):
        stem, _, epoch = path.stem.partition("_ep")
        caption = _text(CAPTIONS.get(stem, stem) + (f", epoch {epoch}" if epoch else ""))
        if not path.is_file():
            figures.append(f"<figure><figcaption>{caption}: {_text(path.name)} is missing</figcaption></figure>")
            continue
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
        figures.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
    return f'<div class="pictures">{"".join(figures)}</div>' if figures else ""


def _epochs(logged: Mapping[str, Any], best: Mapping[str, Any] | None) -> str:
    by_split = {split: {row["epoch"]: row for row in logged.get(split, ())} for split in ("train", "val")}
    epochs = sorted({*by_split["train"], *by_split["val"]})

    def value(epoch: int, split: str, score: str) -> Any:
        return by_split[split].get(epoch, {}).get(score)

    columns = [c for c in EPOCH_COLUMNS if any(value(epoch, c[0], c[1]) is not None for epoch in epochs)]
    rows = [[str(n), *(_show(score, value(n, split, score)) for split, score, _ in columns)] for n in epochs]
    chosen = epochs.index(best["epoch"]) if best and best.get("epoch") in epochs else -1
    return _table(["Epoch", *(heading for _, _, heading in columns)], rows, best=chosen) if rows else ""


def _pairs(values: Mapping[str, Any] | None) -> str:
    """A table of names and values; nested values as JSON."""

    def plain(value: Any) -> str:
        if isinstance(value, Mapping | list | tuple):
            return json.dumps(value, ensure_ascii=False, default=str)
        return ABSENT if value in (None, "") else str(value)

    rows = [[_text(name), _text(plain(value))] for name, value in (values or {}).items()]
    return _table([], rows, "pairs") if rows else ""


def write_report(
    path: str | Path,
    config: Mapping[str, Any],
    logged: Mapping[str, Any],
    best: Mapping[str, Any] | None,
    test: Mapping[str, Any] | None,
    pictures: Sequence[Path],
    warnings: Sequence[str] = (),
) -> Path:
    """Write the run's page to `path`, atomically. Pieces that do not exist yet are left out.

    Args:
        path: the page.
        config: name, class_names, options (the flags), versions, git, data, started; warnings, state if any.
        logged: one dict of scores per epoch, under "train" and "val".
        best: scores of the best validation epoch (fractions in [0, 1]; None for a score that does not exist).
        test: scores on the test split.
        pictures: PNG files to put into the page.
        warnings: what a reader has to know, shown on top together with `config["warnings"]`.
    """
    named = [("Validation", "best epoch", best), ("Test", "epoch", test)]
    present = [(f"{split}, {word} {s['epoch']}" if "epoch" in s else split, s) for split, word, s in named if s]
    options = {"--" + str(name).replace("_", "-"): value for name, value in config.get("options", {}).items()}
    git = {f"git {key}": value for key, value in (config.get("git") or {}).items()}
    notes = dict.fromkeys([*config.get("warnings", ()), *warnings])
    name, class_names = _text(config.get("name", "run")), config.get("class_names", ())
    body = [
        f'<header>\n<h1>{name}</h1>\n<div class="soft">{_state(config, logged, test)}</div>\n</header>',
        *(f'<p class="note" role="note"><strong>Note:</strong> {_text(note)}</p>' for note in notes),
        _section("Scores", _headline(present)),
        _section("Classes", *(_classes(title, s, class_names) for title, s in present[::-1])),
        _section("Pictures", _pictures(pictures)),
        _section("Epochs", _epochs(logged, best)),
        _section("Flags", _pairs(options)),
        _section("Data", _pairs(config.get("data"))),
        _section("Versions", _pairs({**config.get("versions", {}), **git})),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # the browser itself refuses the network
    page = f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{name}</title>
<style>{CSS}</style>
{chr(10).join(filter(None, body))}
</html>
"""
    with atomic_write(path) as handle:
        handle.write(page.encode(errors="replace"))  # the name of a folder may hold what is no character
    return Path(path)
