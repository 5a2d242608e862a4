"""Line charts as inline SVG: the page's style sheet gives their colours, so that they follow the dark and print well.

A line's colour is a class of the page (see palette.css): a letter N, S, V, F, Q, or "ink" and "soft". Each has dashes
and marks of its own, too, so that no colour is needed to tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 420, 300  # of a chart, in its own units: about CSS pixels where there is room
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 40  # around the plot
MOST_MARKS = 24  # points of a line from which on only some of them are marked
SOME_MARKS = 7
MARKS = {
    "round": '<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>',
    "square": '<path d="M{x:.1f} {y:.1f}m-3-3h6v6h-6z"/>',
    "triangle": '<path d="M{x:.1f} {y:.1f}m0-4l3.8 6.6h-7.6z"/>',
    "diamond": '<path d="M{x:.1f} {y:.1f}m0-4.2l4.2 4.2-4.2 4.2-4.2-4.2z"/>',
    "cross": '<path class="open" d="M{x:.1f} {y:.1f}m-3.2-3.2l6.4 6.4m0-6.4l-6.4 6.4"/>',
}


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: for the legend.
        x, y: (n,) its points; one that is not finite lifts the pen.
        colour: a class of the page.
        dashes: as SVG has them, "" for none.
        mark: a key of MARKS, "" for none.
        hollow: (n,) bool, the points whose mark is not filled; None for none of them.
        low, high: (n,) ends of a whisker at each point; None for none.
        apart: whether the points stand by themselves, each with its mark, and no line joins them.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: str = "ink"
    dashes: str = ""
    mark: str = ""
    hollow: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    apart: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        label: what it shows.
        low, high: its ends; None for those of the lines.
        show: a value as text.
        log: whether it is logarithmic; all values are above 0 then.
        whole: whether only whole numbers have ticks.
    """

    label: str
    low: float | None = None
    high: float | None = None
    show: Callable[[float], str] = "{:g}".format
    log: bool = False
    whole: bool = False


def per_cent(value: float) -> str:
    """A fraction as the text of a tick."""
    return f"{100 * value:g} %"


def nice_ticks(low: float, high: float, most: int = 6, whole: bool = False) -> list[float]:
    """Round values from `low` to `high`, `most` of them at most: steps of 1, 2, 2.5 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    steps = [power * factor for factor in (1, 2, 2.5, 5, 10, 20)]
    step = next(step for step in steps if span / step + 1 <= most and (not whole or (step % 1 == 0 and step >= 1)))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten from `low` to `high`; powers alone where these are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if len(powers) > 4 else (1, 2, 5)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


class Scale:
    """The place of values along an axis, from pixel `start` to pixel `stop`."""

    def __init__(self, axis: Axis, values: np.ndarray, start: float, stop: float) -> None:
        self.axis, self.start, self.stop = axis, start, stop
        finite = values[np.isfinite(values)]
        ends = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        self.low = ends[0] if axis.low is None else axis.low
        self.high = ends[1] if axis.high is None else axis.high
        if self.high <= self.low:
            pad = 0.0 if axis.log else max(abs(self.low) * 0.05, 0.5 if axis.whole else 1e-9)
            self.low, self.high = (self.low / 2, self.high * 2) if axis.log else (self.low - pad, self.high + pad)
        elif not axis.whole:
            pad = 0.04 * (self.high - self.low)
            self.low -= pad if axis.low is None and not axis.log else 0.0
            self.high += pad if axis.high is None and not axis.log else 0.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        low, high, at = self.low, self.high, np.asarray(values, dtype=float)
        if self.axis.log:
            low, high, at = math.log(low), math.log(high), np.log(at)
        return self.start + (at - low) / (high - low) * (self.stop - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """(pixel, text) of the ticks."""
        axis = self.axis
        values = log_ticks(self.low, self.high) if axis.log else nice_ticks(self.low, self.high, whole=axis.whole)
        return [(float(self(np.array(value))), axis.show(value)) for value in values]


def line_chart(
    title: str, lines: Sequence[Line], x: Axis, y: Axis, diagonal: bool = False, bars: np.ndarray | None = None
) -> str:
    """A chart with its legend below, as a <figure>.

    Args:
        title: the caption, which names the chart for those who cannot see it as well.
        lines: at least one.
        x, y: the axes.
        diagonal: draw y = x.
        bars: (n,) counts, drawn as bars of their logarithm beneath the plot, in equal parts of the x axis.
    """
    beneath = 44 if bars is not None else 0
    bottom = HEIGHT - BOTTOM - beneath
    across = Scale(x, np.concatenate([line.x for line in lines]), LEFT, WIDTH - RIGHT)
    ends = [part for line in lines for part in (line.y, line.low, line.high) if part is not None]
    down = Scale(y, np.concatenate(ends), bottom, TOP)
    parts = [_grid(across, down, bottom, bottom + beneath)]
    if diagonal:
        parts.append(f'<path class="diagonal" d="M{LEFT} {bottom}L{WIDTH - RIGHT} {TOP}"/>')
    if bars is not None:
        parts.append(_bars(bars, bottom + 6, bottom + beneath))
    parts += [_draw(line, across, down) for line in lines]
    svg = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
    legend = "".join(f"<li>{_sample(line)}{escape(line.name)}</li>" for line in lines if line.name)
    return f'<figure>{svg}<ul class="legend">{legend}</ul><figcaption>{escape(title)}</figcaption></figure>'


def _grid(across: Scale, down: Scale, bottom: float, floor: float) -> str:
    """Ticks, grid lines and labels of both axes; the x axis' texts stand below `floor`."""
    parts = [
        f'<path class="grid" d="M{at:.1f} {TOP}V{bottom}"/>'
        f'<text x="{at:.1f}" y="{floor + 15}" class="mid">{escape(t)}</text>'
        for at, t in across.ticks()
    ]
    parts += [
        f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 5}" y="{at + 4:.1f}" class="end">{escape(t)}</text>'
        for at, t in down.ticks()
    ]
    middle, centre = (LEFT + WIDTH - RIGHT) / 2, (TOP + bottom) / 2
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}"/>')
    parts.append(f'<text x="{middle:g}" y="{floor + 32}" class="mid">{escape(across.axis.label)}</text>')
    parts.append(
        f'<text x="11" y="{centre:g}" class="mid" transform="rotate(-90 11 {centre:g})">'
        f"{escape(down.axis.label)}</text>"
    )
    return "".join(parts)


def _bars(counts: np.ndarray, top: float, bottom: float) -> str:
    """Counts as bars of their logarithm, the number above each."""
    width = (WIDTH - RIGHT - LEFT) / len(counts)
    longest = math.log10(max(int(counts.max()), 1) + 1)
    parts = []
    for k, count in enumerate(counts.tolist()):
        if not count:
            continue
        height = (bottom - top - 12) * math.log10(count + 1) / longest
        left = LEFT + k * width
        parts.append(f'<path class="bar" d="M{left + 1:.1f} {bottom:g}v{-height:.1f}h{width - 2:.1f}v{height:.1f}z"/>')
        parts.append(
            f'<text class="tiny mid" x="{left + width / 2:.1f}" y="{bottom - height - 2:.1f}">{brief(count)}</text>'
        )
    return "".join(parts)


def brief(count: int) -> str:
    """A count in few characters: 847, 2.3k, 41k."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:.0f}k"


def _draw(line: Line, across: Scale, down: Scale) -> str:
    """A line with its marks and whiskers."""
    inside = np.isfinite(line.x) & np.isfinite(line.y)
    x, y = across(np.where(inside, line.x, np.nan)), down(np.where(inside, line.y, np.nan))
    parts = [] if line.apart else [f'<path class="line" stroke-dasharray="{line.dashes}" d="{pen(x, y)}"/>']
    if line.low is not None and line.high is not None:
        low, high = down(line.low), down(line.high)
        whiskers = "".join(f"M{x[k]:.1f} {low[k]:.1f}V{high[k]:.1f}" for k in np.flatnonzero(inside))
        parts.append(f'<path class="whisker" d="{whiskers}"/>')
    if line.mark:
        shown = np.flatnonzero(inside)
        if len(shown) > MOST_MARKS and not line.apart:
            shown = shown[np.unique(np.linspace(0, len(shown) - 1, SOME_MARKS).astype(int))]
        for k in shown.tolist():
            mark = MARKS[line.mark].format(x=x[k], y=y[k])
            is_hollow = line.hollow is not None and bool(line.hollow[k])
            parts.append(mark.replace("/>", ' class="hollow"/>') if is_hollow else mark)
    return f'<g class="series c{line.colour}">{"".join(parts)}</g>'


def svg_points(x: np.ndarray, y: np.ndarray) -> str:
    """Points (n,) and (n,) as a polyline and a polygon have them."""
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def pen(x: np.ndarray, y: np.ndarray) -> str:
    """The path through points (n,), to a tenth, those alike once; one that is not finite lifts the pen."""
    words, before = [], None
    for across, down in zip(np.round(x, 1).tolist(), np.round(y, 1).tolist(), strict=True):
        if not (math.isfinite(across) and math.isfinite(down)):
            before = None
            continue
        if (across, down) == before:
            continue
        words.append(f"{'M' if before is None else 'L'}{across:g} {down:g}")
        before = (across, down)
    return "".join(words)


def _sample(line: Line) -> str:
    """A piece of a line for the legend."""
    mark = MARKS[line.mark].format(x=17, y=6) if line.mark else ""
    path = "" if line.apart else f'<path class="line" stroke-dasharray="{line.dashes}" d="M1 6H33"/>'
    return f'<svg viewBox="0 0 34 12" aria-hidden="true"><g class="series c{line.colour}">{path}{mark}</g></svg>'
