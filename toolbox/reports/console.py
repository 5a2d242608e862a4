"""Text for the terminal: scores, epochs, progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from toolbox.reports.score_names import FRACTIONS, NAMES, SHORT, name_of
from toolbox.utils import printable
from toolbox.utils.aami import LETTERS, SUPRAVENTRICULAR, VENTRICULAR
from toolbox.utils.colour import coloured
from toolbox.utils.process import LINE_SECONDS

LINE_WIDTH = 79  # characters of a terminal's line that stay free of its edge
EPOCH_WIDTHS = (7, 7, 8, 6, 6, 6, 8, 8, 6, 6)  # of the columns, a space between; " *" follows
BAR_SECONDS = 0.5  # between two readings of the loss on a terminal
LOSS_KEPT = 0.7  # share of the running loss that stays when another loss is read
BAR_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


def percent(score: float | None) -> str:
    """A fraction as per cent, "-" where it is not defined."""
    return "-" if score is None else f"{100 * score:.2f} %"


def duration(seconds: float) -> str:
    """A time as "12 s", "12 min" or "3.4 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def aligned(facts: Mapping[str, str]) -> str:
    """Lines of names and values, the values below each other."""
    width = max(map(len, facts), default=0)
    return "\n".join(f"{name:{width}}  {printable(value)}" for name, value in facts.items())


def class_counts(names: Sequence[str], counts: Sequence[int]) -> str:
    """How many rows each class has, by its letter: "N 72,471  S 2,223"."""
    return "  ".join(f"{LETTERS.get(name, name)} {count:,}" for name, count in zip(names, counts, strict=True))


def _columns(monitor: str, classes: Sequence[str]) -> dict[str, Callable[[Mapping[str, Any]], float | None]]:
    """The scores of an epoch's line: column -> score out of those of an epoch."""

    def f1_of(name: str) -> Callable[[Mapping[str, Any]], float | None]:
        return lambda scores: scores.get("per_class", {}).get(name, {}).get("F1")

    ectopic = (SUPRAVENTRICULAR, VENTRICULAR)
    shown = ectopic if set(ectopic) <= set(classes) else tuple(classes)[-2:]
    last = "macro_f1" if monitor in ("loss", "last", "acc1") else monitor
    return {
        "acc": lambda scores: scores.get("acc1"),
        **{f"{LETTERS.get(name, name[:3])} F1": f1_of(name) for name in shown},
        SHORT[last]: lambda scores: scores.get(last),
    }


def _in_columns(cells: Iterable[str]) -> str:
    return "".join(f" {cell:>{width}}" for cell, width in zip(cells, EPOCH_WIDTHS, strict=True)).removeprefix(" ")


def epoch_header(monitor: str, classes: Sequence[str]) -> str:
    """The line above those of epochs; `monitor` is the score that chooses the best, marked with "*"."""
    return _in_columns(["epoch", "loss", "val loss", *_columns(monitor, classes), "lr", "time", "left"])


def epoch_row(
    epoch: int,
    epochs: int,
    train: Mapping[str, Any],
    val: Mapping[str, Any],
    monitor: str,
    classes: Sequence[str],
    best: bool,
    left: float,
) -> str:
    """The scores of an epoch, below `epoch_header`: losses of training and validation rows, validation's scores in
    per cent (accuracy, F1 of the ectopic classes, macro F1 or the score that chooses), learning rate, time of the
    epoch and time left, in s."""
    scores = [score(val) for score in _columns(monitor, classes).values()]
    cells = [f"{epoch}/{epochs}", f"{train['loss']:.4f}", f"{val['loss']:.4f}"]
    cells += ["-" if score is None else f"{100 * score:.2f}" for score in scores]
    cells += [f"{train['lr']:.3g}", duration(train["seconds"] + val["seconds"]), duration(left)]
    return coloured(f"{_in_columns(cells)} *", "bold", sys.stdout) if best else _in_columns(cells)


def stop_line(stop: Mapping[str, Any]) -> str:
    """A line on an early stop, as the log holds it (toolbox.logger.STOP)."""
    best, patience, chosen_by = stop["best"], stop["patience"], name_of(stop["best"]["monitor"])
    if not patience:
        return f"stopped early, after epoch {stop['epoch']} of {stop['epochs']}: the search gave it up"
    score = "" if best["score"] is None else f": {best['score']:.4f}"
    waited = f"{patience} epoch{'s' * (patience > 1)} without a better {chosen_by} than that of epoch {best['epoch']}"
    return f"stopped early, after epoch {stop['epoch']} of {stop['epochs']}: {waited}{score}"


def batch_bar(batches: Iterable[Any], title: str, total: int) -> LossLines:
    """The batches of an epoch, with a bar on stderr where that is a terminal, elsewhere with a line now and then."""
    return (BatchBar if sys.stderr.isatty() else LossLines)(batches, title, total)


class LossLines:
    """The batches of an epoch; a line on stderr each minute says how far it is, the loss and the speed.

    Args:
        title: of the epoch.
        total: how many batches there are.
    """

    every = LINE_SECONDS

    def __init__(self, batches: Iterable[Any], title: str, total: int) -> None:
        self.batches, self.title, self.total = batches, title, total
        self.begun = self.shown = time.perf_counter()
        self.done = 0  # batches
        self.before = 0  # batches of this epoch that came before the first of these
        self.loss: float | None = None  # running mean of those that were shown

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def show(self, losses: Sequence[Any], sizes: Sequence[int]) -> None:
        """Show the running loss and the speed after a batch. Reading a loss waits for the device, so it is read only
        when it is shown.

        Args:
            losses, sizes: of all batches of the epoch so far.
        """
        now = time.perf_counter()
        if self.done == 0:
            self.before = len(sizes) - 1
        self.done += 1
        if now - self.shown >= self.every:
            self.shown = now
            last = float(losses[-1])
            self.loss = last if self.loss is None else LOSS_KEPT * self.loss + (1 - LOSS_KEPT) * last
            self.draw(f"loss {self.loss:.4f}, {sum(sizes[self.before :]) / (now - self.begun):,.0f} beats/s")

    def draw(self, text: str) -> None:
        """Show `text` with the number of batches."""
        print(f"{self.title}: {self.done} of {self.total} batches, {text}", file=sys.stderr, flush=True)


class BatchBar(LossLines):
    """The batches of an epoch, with a bar that carries the running loss and how many beats a second it takes."""

    every = BAR_SECONDS

    def __init__(self, batches: Iterable[Any], title: str, total: int) -> None:
        super().__init__(batches, title, total)
        self.bar = tqdm(total=total, desc=title, leave=False, dynamic_ncols=True, bar_format=BAR_FORMAT)

    def __iter__(self) -> Iterator[Any]:
        with self.bar:
            yield from self.batches

    def show(self, losses: Sequence[Any], sizes: Sequence[int]) -> None:
        """See LossLines."""
        self.bar.update()
        super().show(losses, sizes)

    def draw(self, text: str) -> None:
        """Show `text` behind the bar."""
        self.bar.set_postfix_str(text)


def print_predictions(results: dict[str, list[int]], names: tuple[str, ...]) -> None:
    """Print a line for each beat of {beat id: [predicted, true]}."""
    for beat, (predicted, label) in results.items():
        print(f"beat {beat}: {names[predicted]}, is {names[label]}{'' if predicted == label else '  WRONG'}")


def scores_table(scores: dict[str, Any]) -> str:
    """The scores of a split as lines, of each class and over all."""
    per_class = scores.get("per_class", {})
    width = max(map(len, per_class), default=0)
    lines = [f"{'':{width}} {'Se':>9} {'+P':>9} {'F1':>9} {'beats':>8}"]
    for name, of_class in per_class.items():
        cells = " ".join(f"{percent(of_class.get(key)):>9}" for key in ("Se", "+P", "F1"))
        lines.append(f"{name:{width}} {cells} {of_class.get('support', 0):8d}")
    return "\n".join([*lines, *overall_scores(scores, tuple(NAMES))])


def overall_scores(scores: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Those scores over all classes that are there, with their names, in lines."""
    texts = []
    for key in keys:
        if key not in scores or (key in FRACTIONS and scores[key] is None):
            continue
        texts.append(f"{NAMES[key]} {f'{scores[key]:.3f}' if key in FRACTIONS else percent(scores[key])}")
    return wrapped(texts)


def wrapped(texts: Iterable[str], gap: str = "  ") -> list[str]:
    """Texts side by side, as many to a line as fit."""
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + len(gap) + len(text) <= LINE_WIDTH:
            lines[-1] += gap + text
        else:
            lines.append(text)
    return lines
