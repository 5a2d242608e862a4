"""Charts of a search as inline SVG: its history, the importance of its flags, and all trials over parallel axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.reports.line_charts import Axis, Line, line_chart, pen
from toolbox.search.space import Choices, Dimension

TEMPLATE = Path(__file__).with_name("search_page.html")
ROW, LABEL, BAR = 24, 130, 230  # of the bars of importance, in units of the drawing
AXIS_GAP, AXIS_TOP, AXIS_BOTTOM = 110, 30, 250  # of parallel axes
BEST_SHARE = 0.25  # of the trials, drawn in colour


def history_chart(
    complete: Mapping[int, float], pruned: Mapping[int, float], maximize: bool, score: str, trials: int
) -> str:
    """The score of each trial by its number, and the best so far.

    Args:
        complete, pruned: number of a trial -> its score, of pruned ones the last.
    """
    numbers = sorted(complete)
    values = np.array([complete[number] for number in numbers], dtype=float)
    best = (np.maximum if maximize else np.minimum).accumulate(values)
    x = np.array(numbers, dtype=float)
    lines = [
        Line("the best so far", np.repeat(x, 2)[1:], np.repeat(best, 2)[:-1], "ink"),
        Line("a trial", x, values, "accent", mark="round", apart=True),
    ]
    if pruned:
        left = sorted(pruned)
        ends = np.array([pruned[number] for number in left], dtype=float)
        lines.append(Line("given up", np.array(left, dtype=float), ends, "soft", mark="cross", apart=True))
    return line_chart(
        f"History: {score} on validation", lines, Axis("trial", 1, max(trials, 2), whole=True), Axis(score)
    )


def importance_chart(importances: Mapping[str, float]) -> str:
    """The share of the score's variance that each flag explains, as bars."""
    height = ROW * len(importances) + 8
    parts = []
    for k, (name, share) in enumerate(importances.items()):
        y = 4 + ROW * k
        parts.append(f'<text x="{LABEL - 6}" y="{y + 15}" class="end">{escape(name)}</text>')
        parts.append(
            f'<path class="bar" d="M{LABEL} {y + 3}h{max(share * BAR, 1):.1f}v{ROW - 8}h-{max(share * BAR, 1):.1f}z"/>'
        )
        parts.append(f'<text x="{LABEL + share * BAR + 6:.1f}" y="{y + 15}">{100 * share:.0f} %</text>')
    return _figure("Importance: the share of the score's variance that each flag explains", 420, height, parts)


def _figure(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width: {1.25 * width:g}px"'
    svg = f'<svg class="chart" {size} role="img" aria-label="{escape(title)}">'
    return f"<figure>{svg}{''.join(parts)}</svg><figcaption>{escape(title)}</figcaption></figure>"


class ParallelAxis:
    """One of the parallel axes: of a flag, or of the score (`dimension` None).

    Args:
        values: of all trials.
    """

    def __init__(self, name: str, dimension: Dimension | None, values: Sequence[Any]) -> None:
        self.name = name
        self.names = list(dimension.values) if isinstance(dimension, Choices) else []
        self.log = dimension is not None and not isinstance(dimension, Choices) and dimension.log
        if self.names:
            self.low, self.high = 0.0, float(len(self.names) - 1)
        elif dimension is not None and not isinstance(dimension, Choices):
            self.low, self.high = float(dimension.low), float(dimension.high)
        else:
            self.low, self.high = float(min(values)), float(max(values))

    def place(self, value: Any) -> float:
        """The height of a value in the drawing."""
        at, low, high = float(self.names.index(value) if self.names else value), self.low, self.high
        if self.log:
            at, low, high = math.log(at), math.log(low), math.log(high)
        share = (at - low) / (high - low) if high > low else 0.5
        return AXIS_BOTTOM - share * (AXIS_BOTTOM - AXIS_TOP)

    def draw(self, x: float) -> str:
        """The axis at `x`, its name above and its values beside it."""
        texts = [(name, self.place(name)) for name in self.names]
        texts = texts or [(f"{end:.3g}", self.place(end)) for end in dict.fromkeys((self.low, self.high))]
        labels = "".join(f'<text x="{x + 5:g}" y="{y + 4:.1f}">{escape(text)}</text>' for text, y in texts)
        return (
            f'<path class="axis" d="M{x:g} {AXIS_TOP}V{AXIS_BOTTOM}"/>{labels}'
            f'<text x="{x:g}" y="{AXIS_TOP - 14}" class="mid name">{escape(self.name)}</text>'
        )


def parallel_chart(
    space: Sequence[Dimension], params: Sequence[Mapping[str, Any]], scores: Sequence[float], maximize: bool, score: str
) -> str:
    """Each complete trial as a line over the axes of its flags and its score, the best quarter in colour.

    Args:
        params: of each trial, as the study keeps them.
        scores: (n,) of the same trials.
    """
    axes = [ParallelAxis(one.name.replace("_", "-"), one, [each[one.name] for each in params]) for one in space]
    axes.append(ParallelAxis(score, None, scores))
    x = np.array([60.0 + AXIS_GAP * k for k in range(len(axes))])
    order = np.argsort(scores)[:: 1 if maximize else -1]  # the best last, above the others
    parts = []
    for rank, k in enumerate(order.tolist(), start=1):
        values = [*(params[k][one.name] for one in space), scores[k]]
        y = np.array([axis.place(value) for axis, value in zip(axes, values, strict=True)])
        is_good, is_best = rank > (1 - BEST_SHARE) * len(order), rank == len(order)
        colour = "ink" if is_best else "accent" if is_good else "soft"
        kind = "best" if is_best else "good" if is_good else "other"
        parts.append(f'<g class="series c{colour} {kind}"><path class="line" d="{pen(x, y)}"/></g>')
    parts += [axis.draw(float(at)) for axis, at in zip(axes, x, strict=True)]
    title = "All complete trials: flags and score; the best in bold, the best quarter in colour"
    return _figure(title, 120 + AXIS_GAP * (len(axes) - 1), AXIS_BOTTOM + 16, parts)
