"""Rhythm strips as SVG, for pages."""

from __future__ import annotations

import numpy as np

from toolbox.holter.strips import GAIN, SPEED, STRIP_SECONDS, BeatMarks, Window, clock, voltage_range
from toolbox.holter.trace import CompressedTrace
from toolbox.utils.aami import CLASS_COLOURS


def draw_svg(trace: CompressedTrace, marks: BeatMarks, window: Window, unit: str = "mV") -> str:
    """Draw a strip with 1 unit of its user space per millimetre; the page holds its paper, the pattern "paper"."""
    times, signal = trace.read(window.start, window.stop)
    low, high = voltage_range(signal)
    width, height = STRIP_SECONDS * SPEED, (high - low) * GAIN
    behind, before = [], [_scale_bar(width, height, unit)]
    for start, stop, reason in marks.bad_within(window):
        left, right = start * SPEED, stop * SPEED
        kind = "bad noise" if reason == "noise" else "bad"
        behind.append(f'<rect class="{kind}" x="{left:.1f}" width="{right - left:.1f}" height="{height:g}"/>')
        before.append(f'<text class="why" x="{left + 1:.1f}" y="{height - 1.5:g}">{reason}</text>')
    for time, letter in marks.beats_within(window):
        x, colour = time * SPEED, CLASS_COLOURS[letter]
        if letter != "N":
            before.append(f'<path class="mark" stroke="{colour}" d="M{x:.2f} 5.5V{height:g}"/>')
            before.append(_badge(letter, x, colour))
            colour = "#fff"
        before.append(f'<text class="beat" x="{x:.2f}" y="4.3" fill="{colour}">{letter}</text>')
    line = _line((times - window.start) * SPEED, np.clip((high - signal) * GAIN, 0, height))
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="rhythm strip at {clock(window.start)}">'
        f'<rect width="100%" height="100%" fill="url(#paper)"/>{"".join(behind)}'
        f'<path class="trace" d="{line}"/>{"".join(before)}</svg>'
    )


def _badge(letter: str, x: float, colour: str) -> str:
    """A class's shape, so that its colour is not needed: S round, V square, others with a corner up."""
    if letter == "S":
        return f'<circle cx="{x:.2f}" cy="3.2" r="2.4" fill="{colour}"/>'
    if letter == "V":
        return f'<rect x="{x - 2.2:.2f}" y="1" width="4.4" height="4.4" fill="{colour}"/>'
    return f'<path fill="{colour}" d="M{x:.2f} .1l3.1 3.1-3.1 3.1-3.1-3.1z"/>'


def _line(x: np.ndarray, y: np.ndarray) -> str:
    """The path through points (n,) in mm; NaN lifts the pen."""
    drawn = np.isfinite(y)
    starts = drawn & ~np.append(False, drawn[:-1])
    points = zip(starts[drawn].tolist(), x[drawn].tolist(), y[drawn].tolist(), strict=True)
    return "".join(f"{'M' if start else 'L'}{across:.2f} {down:.2f}" for start, across, down in points)


def _scale_bar(width: float, height: float, unit: str) -> str:
    """The calibration mark, a pulse of 1 mV and 0.2 s, at the start of a bar of 1 s in the lower right corner."""
    x, y, pulse = width - 3 - SPEED, height - 3, 0.2 * SPEED
    return (
        f'<path class="scale" d="M{x:g} {y:g}v{-GAIN:g}h{pulse:g}v{GAIN:g}H{x + SPEED:g}"/>'
        f'<text class="measure" x="{x + 0.6 * SPEED:g}" y="{y - 1:g}">1 s</text>'
        f'<text class="measure" x="{x - 1:g}" y="{y - GAIN / 2 + 1:g}" style="text-anchor: end">1 {unit}</text>'
    )
