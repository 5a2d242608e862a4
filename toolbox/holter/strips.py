"""Rhythm strips on ECG paper, 25 mm/s and 10 mm/mV: which parts of a recording to show, and drawing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolbox.holter.episodes import Episode
from toolbox.holter.trace import CompressedTrace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPEED, GAIN = 25.0, 10.0  # mm/s and mm/mV: IEC 60601-2-25, and what electrocardiographs print by default
STRIP = 10.0  # s of a strip: 250 mm
HEIGHT, TALLEST = 4.0, 12.0  # mV of a strip, at least and at most
INK, MINOR, MAJOR, PAPER = "#1b1b1b", "#f7d9d5", "#e8a39b", "#fffaf8"
# After Okabe & Ito (2008), dark enough for white letters; normal beats stay grey.
COLOURS = {"N": "#6b6b6b", "S": "#0072b2", "V": "#c1440e", "F": "#8e44ad", "Q": "#4d4d4d", "A": "#c1440e"}
RANKS = ("V run", "S run", "pause", "V couplet", "V bigeminy", "S bigeminy", "S couplet")  # what to show first


@dataclass(frozen=True)
class BeatMarks:
    """The beats of a recording as pictures show them.

    Attributes:
        times: (n,) s.
        letters: (n,) their classes.
        bad: (start s, stop s, why) of what was skipped.
    """

    times: np.ndarray
    letters: np.ndarray
    bad: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Window:
    """A strip's part of the recording, from `start` to `stop` s, and what it shows."""

    start: float
    stop: float
    title: str


def clock(seconds: float) -> str:
    """h:mm:ss of a time in s."""
    whole = int(seconds + 1e-6)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def select_strips(seconds: float, marks: BeatMarks, found: Sequence[Episode], most: int = 6) -> list[Window]:
    """The strips that tell most of a recording, in order of time: all of a short one, else its start, the foremost
    episodes of each kind, and an abnormal beat of each class."""
    if seconds <= most * STRIP:
        starts = np.arange(0, max(seconds, 0.1), STRIP).tolist()
        return [Window(start, min(start + STRIP, seconds), "") for start in starts]
    wanted = [(0.0, "Start")]
    by_kind = {kind: sorted((e for e in found if e.kind == kind), key=_rank) for kind in RANKS}
    for rank in range(2):  # the foremost of each kind, then the second
        wanted += [(of[rank].start - 2.0, of[rank].title) for of in by_kind.values() if len(of) > rank]
    for letter in ("V", "S", "F", "A", "Q"):
        wanted += [(float(t) - 4.0, f"{letter} beat") for t in marks.times[marks.letters == letter][:2]]
    chosen: list[Window] = []
    for start, title in wanted:
        begin = min(max(start, 0.0), seconds - STRIP)
        if len(chosen) < most and all(abs(begin - other.start) > STRIP / 2 for other in chosen):
            chosen.append(Window(begin, begin + STRIP, title))
    return sorted(chosen, key=lambda window: window.start)


def _rank(episode: Episode) -> tuple[float, float]:
    """Sorts the longest first, of equally many beats the fastest; of pauses the longest."""
    return -episode.beats, -(episode.rate or episode.stop - episode.start)


def _span(signal: np.ndarray) -> tuple[float, float]:
    """mV at a strip's lower and upper edge, multiples of 0.5: room for the signal and, above it, for the letters."""
    signal = signal[np.isfinite(signal)]
    if not len(signal):
        return -HEIGHT / 2, HEIGHT / 2
    low, high = np.floor(2 * signal.min() - 0.4) / 2, np.ceil(2 * signal.max() + 1.4) / 2
    middle = np.median(signal)
    low, high = max(low, middle - TALLEST / 2), min(high, middle + TALLEST / 2)
    missing = max(0.0, HEIGHT - (high - low)) / 2
    low = np.floor(2 * (low - missing)) / 2
    return float(low), float(max(low + HEIGHT, np.ceil(2 * high) / 2))


def draw_svg(tracing: CompressedTrace, marks: BeatMarks, window: Window) -> str:
    """A strip as SVG, in millimetres; its paper is a pattern of the page."""
    times, signal = tracing.read(window.start, window.stop)
    low, high = _span(signal)
    width, height = STRIP * SPEED, (high - low) * GAIN
    under, over = [], []
    for start, stop, kind in _bad_within(marks, window):
        left, right = start * SPEED, stop * SPEED
        under.append(f'<rect class="bad" x="{left:.1f}" width="{right - left:.1f}" height="{height:g}"/>')
        over.append(f'<text class="why" x="{left + 1:.1f}" y="{height - 1.5:g}">{kind}</text>')
    for t, letter in _beats_within(marks, window):
        at, colour = t * SPEED, COLOURS[letter]
        if letter != "N":
            over.append(f'<path class="mark" stroke="{colour}" d="M{at:.2f} 5.5V{height:g}"/>')
            over.append(f'<circle cx="{at:.2f}" cy="3.2" r="2.4" fill="{colour}"/>')
            colour = "#fff"
        over.append(f'<text class="beat" x="{at:.2f}" y="4.3" fill="{colour}">{letter}</text>')
    path, pen = [], "M"
    y = np.clip((high - signal) * GAIN, 0, height)
    for across, down in zip(((times - window.start) * SPEED).tolist(), y.tolist(), strict=True):
        if math.isnan(down):
            pen = "M"
            continue
        path.append(f"{pen}{across:.2f} {down:.2f}")
        pen = "L"
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="rhythm strip at {clock(window.start)}">'
        f'<rect width="100%" height="100%" fill="url(#paper)"/>{"".join(under)}'
        f'<path class="trace" d="{"".join(path)}"/>{"".join(over)}</svg>'
    )


def _bad_within(marks: BeatMarks, window: Window) -> list[tuple[float, float, str]]:
    """(start, stop, why) of what was skipped of a window, in s from its start."""
    length = window.stop - window.start
    shifted = [(start - window.start, stop - window.start, kind) for start, stop, kind in marks.bad]
    return [(max(start, 0.0), min(stop, length), kind) for start, stop, kind in shifted if stop > 0 and start < length]


def _beats_within(marks: BeatMarks, window: Window) -> list[tuple[float, str]]:
    """(s from the window's start, letter) of its beats."""
    inside = (marks.times >= window.start) & (marks.times < window.stop)
    return list(zip((marks.times[inside] - window.start).tolist(), marks.letters[inside].tolist(), strict=True))


def draw_strips(tracing: CompressedTrace, marks: BeatMarks, windows: Sequence[Window], title: str, note: str) -> Figure:
    """All strips under each other in true size (at the figure's dpi), for a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    parts = [tracing.read(window.start, window.stop) for window in windows]
    spans = [_span(signal) for _, signal in parts]
    margin, gap = 8.0, 9.0  # mm
    heights = [(high - low) * GAIN for low, high in spans]
    width, total = STRIP * SPEED + 2 * margin, sum(heights) + gap * (len(windows) + 2)
    figure = Figure(figsize=(width / 25.4, total / 25.4), facecolor="white")
    FigureCanvasAgg(figure)
    top = total - gap
    figure.text(margin / width, (top + 1) / total, title, fontsize=12, weight="bold", va="bottom")
    for window, (times, signal), (low, high), height in zip(windows, parts, spans, heights, strict=True):
        top -= gap + height
        axes = figure.add_axes((margin / width, top / total, STRIP * SPEED / width, height / total))
        _paper(axes, low, high)
        label = f"{clock(window.start)}   {window.title}"
        axes.text(0, high + 0.1, label.rstrip(), fontsize=9, va="bottom")
        axes.plot(times - window.start, signal, color=INK, linewidth=0.8)
        _mark(axes, marks, window, low, high)
    figure.text(margin / width, 2.5 / total, note, fontsize=8, color=COLOURS["N"], va="bottom")
    return figure


def _paper(axes: Axes, low: float, high: float) -> None:
    axes.set(xlim=(0, STRIP), ylim=(low, high), xticks=(), yticks=(), facecolor=PAPER)
    axes.vlines(np.arange(0, STRIP + 0.01, 0.04), low, high, color=MINOR, linewidth=0.3)
    axes.hlines(np.arange(low, high + 0.01, 0.1), 0, STRIP, color=MINOR, linewidth=0.3)
    axes.vlines(np.arange(0, STRIP + 0.01, 0.2), low, high, color=MAJOR, linewidth=0.6)
    axes.hlines(np.arange(low, high + 0.01, 0.5), 0, STRIP, color=MAJOR, linewidth=0.6)
    for side in axes.spines.values():
        side.set_visible(False)


def _mark(axes: Axes, marks: BeatMarks, window: Window, low: float, high: float) -> None:
    for start, stop, kind in _bad_within(marks, window):
        axes.axvspan(start, stop, color="#9a9a9a", alpha=0.35, linewidth=0)
        axes.text(start + 0.04, low + 0.1, kind, fontsize=7, color="#444444", clip_on=True)
    for t, letter in _beats_within(marks, window):
        if letter == "N":
            axes.text(t, high - 0.3, letter, fontsize=7, color=COLOURS[letter], ha="center", va="center")
            continue
        axes.vlines(t, low, high - 0.5, color=COLOURS[letter], linewidth=0.7, linestyle=(0, (4, 3)))
        box = {"boxstyle": "circle,pad=0.25", "facecolor": COLOURS[letter], "linewidth": 0}
        axes.text(t, high - 0.3, letter, fontsize=7, color="white", weight="bold", ha="center", va="center", bbox=box)
