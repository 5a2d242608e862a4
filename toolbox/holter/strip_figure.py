"""Rhythm strips as a matplotlib figure in true size."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toolbox.holter.strips import (
    GAIN,
    INK,
    MAJOR,
    MINOR,
    PAPER,
    SPEED,
    STRIP_SECONDS,
    BeatMarks,
    Window,
    clock,
    voltage_range,
)
from toolbox.holter.trace import CompressedTrace
from toolbox.utils import printable
from toolbox.utils.aami import CLASS_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN, GAP = 8.0, 9.0  # mm, beside and between the strips
MM_PER_INCH = 25.4
SHAPES = {"S": "circle,pad=0.25", "V": "square,pad=0.25"}  # of classes, as on pages: colour is not needed


def draw_strips(
    trace: CompressedTrace, marks: BeatMarks, windows: Sequence[Window], title: str, note: str, unit: str = "mV"
) -> Figure:
    """Draw all strips under each other, in true size at the figure's dpi."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)  # such letters are boxes
    parts = [trace.read(window.start, window.stop) for window in windows]
    ranges = [voltage_range(signal) for _, signal in parts]
    heights = [(high - low) * GAIN for low, high in ranges]
    width, total = STRIP_SECONDS * SPEED + 2 * MARGIN, sum(heights) + GAP * (len(windows) + 2)
    figure = Figure(figsize=(width / MM_PER_INCH, total / MM_PER_INCH), facecolor="white")
    FigureCanvasAgg(figure)
    top = total - GAP
    # a name may hold $, which is no formula
    figure.text(
        MARGIN / width, (top + 1) / total, printable(title), fontsize=12, weight="bold", va="bottom", parse_math=False
    )
    for window, (times, signal), (low, high), height in zip(windows, parts, ranges, heights, strict=True):
        top -= GAP + height
        axes = figure.add_axes((MARGIN / width, top / total, STRIP_SECONDS * SPEED / width, height / total))
        _draw_paper(axes, low, high)
        label = f"{clock(window.start)}   {window.title}"
        axes.text(0, high + 0.1, label.rstrip(), fontsize=9, va="bottom")
        axes.plot(times - window.start, signal, color=INK, linewidth=0.8)
        _draw_marks(axes, marks, window, low, high)
        _draw_scale_bar(axes, low, unit)
    figure.text(MARGIN / width, 2.5 / total, note, fontsize=8, color=CLASS_COLOURS["N"], va="bottom")
    return figure


def _draw_paper(axes: Axes, low: float, high: float) -> None:
    axes.set(xlim=(0, STRIP_SECONDS), ylim=(low, high), xticks=(), yticks=(), facecolor=PAPER)
    axes.vlines(np.arange(0, STRIP_SECONDS + 0.01, 0.04), low, high, color=MINOR, linewidth=0.3)
    axes.hlines(np.arange(low, high + 0.01, 0.1), 0, STRIP_SECONDS, color=MINOR, linewidth=0.3)
    axes.vlines(np.arange(0, STRIP_SECONDS + 0.01, 0.2), low, high, color=MAJOR, linewidth=0.6)
    axes.hlines(np.arange(low, high + 0.01, 0.5), 0, STRIP_SECONDS, color=MAJOR, linewidth=0.6)
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_marks(axes: Axes, marks: BeatMarks, window: Window, low: float, high: float) -> None:
    for start, stop, reason in marks.bad_within(window):
        hatch = "//" if reason == "noise" else None
        axes.axvspan(start, stop, facecolor="#9a9a9a", edgecolor="#5a5a5a", alpha=0.35, linewidth=0, hatch=hatch)
        axes.text(start + 0.04, low + 0.1, reason, fontsize=7, color="#444444", clip_on=True)
    for time, letter in marks.beats_within(window):
        colour = CLASS_COLOURS[letter]
        if letter == "N":
            axes.text(time, high - 0.3, letter, fontsize=7, color=colour, ha="center", va="center")
            continue
        axes.vlines(time, low, high - 0.5, color=colour, linewidth=0.7, linestyle=(0, (4, 3)))
        box = {"boxstyle": SHAPES.get(letter, "round4,pad=0.3"), "facecolor": colour, "linewidth": 0}
        axes.text(
            time, high - 0.3, letter, fontsize=7, color="white", weight="bold", ha="center", va="center", bbox=box
        )


def _draw_scale_bar(axes: Axes, low: float, unit: str) -> None:
    """The calibration mark, a pulse of 1 mV and 0.2 s, at the start of a bar of 1 s in the lower right corner."""
    left, bottom = STRIP_SECONDS - 3 / SPEED - 1, low + 3 / GAIN
    x, y = [left, left, left + 0.2, left + 0.2, left + 1], [bottom, bottom + 1, bottom + 1, bottom, bottom]
    axes.plot(x, y, color=INK, linewidth=1, solid_joinstyle="miter")
    axes.text(left + 0.6, bottom + 1 / GAIN, "1 s", fontsize=7, ha="center", va="bottom")
    axes.text(left - 1 / SPEED, bottom + 0.5, f"1 {unit}", fontsize=7, ha="right", va="center")
