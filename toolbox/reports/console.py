"""Text for the terminal: scores, epochs, progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from toolbox.utils import printable
from toolbox.utils.aami import LETTERS

EPOCH_WIDTHS = (7, 9, 9, 8, 10, 9, 9, 8, 8)  # of the columns; "*" follows
BAR_SECONDS = 0.5  # between two readings of the loss


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


def _last_column(monitor: str) -> str:
    return "macro_f1" if monitor in ("loss", "last", "acc1", "acc_class") else monitor


def epoch_header(monitor: str) -> str:
    """The line above those of epochs; `monitor` is the score that chooses the best, marked with "*"."""
    names = ("epoch", "loss", "val loss", "acc1", "acc_class", _last_column(monitor), "lr", "time", "left")
    return "".join(f"{name:>{width}}" for name, width in zip(names, EPOCH_WIDTHS, strict=True))


def epoch_row(
    epoch: int, epochs: int, train: Mapping[str, Any], val: Mapping[str, Any], monitor: str, best: bool, left: float
) -> str:
    """The scores of an epoch, below `epoch_header`: losses of training and validation rows, validation's scores in
    per cent, learning rate, time of the epoch and time left."""
    scores = [val.get(key) for key in ("acc1", "acc_class", _last_column(monitor))]
    cells = [f"{epoch}/{epochs}", f"{train['loss']:.4f}", f"{val['loss']:.4f}"]
    cells += ["-" if score is None else f"{100 * score:.2f}" for score in scores]
    cells += [f"{train['lr']:.3g}", duration(train["seconds"] + val["seconds"]), duration(left)]
    row = "".join(f"{cell:>{width}}" for cell, width in zip(cells, EPOCH_WIDTHS, strict=True))
    return f"{row} *" if best else row


def stop_line(stop: Mapping[str, Any]) -> str:
    """A line on an early stop, as the log holds it (toolbox.logger.STOP)."""
    best, patience = stop["best"], stop["patience"]
    score = "" if best["score"] is None else f": {best['score']:.4f}"
    waited = (
        f"{patience} epoch{'s' * (patience > 1)} without a better {best['monitor']} than that of epoch {best['epoch']}"
    )
    return f"stopped early, after epoch {stop['epoch']} of {stop['epochs']}: {waited}{score}"


def batch_bar(batches: Iterable[Any], title: str, total: int) -> NullBar:
    """The batches of an epoch, with a bar on stderr where that is a terminal."""
    return BatchBar(batches, title, total) if sys.stderr.isatty() else NullBar(batches)


class NullBar:
    """The batches of an epoch; nothing is drawn."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def show(self, losses: Sequence[Any], sizes: Sequence[int]) -> None:
        """Show the loss and the speed after a batch."""


class BatchBar(NullBar):
    """The batches of an epoch, with a bar that carries the loss and how many beats a second it takes."""

    def __init__(self, batches: Iterable[Any], title: str, total: int) -> None:
        super().__init__(batches)
        self.bar = tqdm(total=total, desc=title, leave=False, dynamic_ncols=True, unit="batch")
        self.begun = self.shown = time.perf_counter()
        self.before = 0  # batches of this epoch that came before those of this bar

    def __iter__(self) -> Iterator[Any]:
        with self.bar:
            yield from self.batches

    def show(self, losses: Sequence[Any], sizes: Sequence[int]) -> None:
        """See NullBar. Reading a loss waits for the device, so it is read only when the bar is drawn."""
        now = time.perf_counter()
        if self.bar.n == 0:
            self.before = len(sizes) - 1
        self.bar.update()
        if now - self.shown >= BAR_SECONDS:
            self.shown = now
            speed = sum(sizes[self.before :]) / (now - self.begun)
            self.bar.set_postfix_str(f"loss {float(losses[-1]):.4f}, {speed:,.0f} beats/s")


def print_predictions(results: dict[str, list[int]], names: tuple[str, ...]) -> None:
    """Print a line for each beat of {beat id: [predicted, true]}."""
    for beat, (predicted, label) in results.items():
        print(f"beat {beat}: {names[predicted]}, is {names[label]}{'' if predicted == label else '  WRONG'}")


def scores_table(scores: dict[str, Any]) -> str:
    """The scores of a split as lines, of each class and over all."""
    per_class = scores.get("per_class", {})
    width = max(map(len, per_class), default=0)
    lines = [f"{'':{width}} {'Se':>9} {'+P':>9} {'F1':>9} {'rows':>8}"]
    for name, of_class in per_class.items():
        cells = " ".join(f"{percent(of_class.get(key)):>9}" for key in ("Se", "+P", "F1"))
        lines.append(f"{name:{width}} {cells} {of_class.get('support', 0):8d}")
    keys = ("acc1", "acc_class", "macro_f1", "meanIoU", "fwavacc", "mAP", "AUROC")
    overall = [f"{key} {percent(scores[key])}" for key in keys if key in scores]
    overall += [f"{key} {scores[key]:.3f}" for key in ("kappa", "j_kappa") if scores.get(key) is not None]
    lines.append("  ".join(overall))
    return "\n".join(lines)
