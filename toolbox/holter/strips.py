"""Rhythm strips: which parts of a recording to show, and the paper that they are drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolbox.holter.episodes import ATRIAL_FIBRILLATION, FIBRILLATION, PACED, SHUT_DOWN, SILENCES, Episode

SPEED, GAIN = 25.0, 10.0  # mm/s and mm/mV: IEC 60601-2-25, and the default of electrocardiographs
STRIP_SECONDS = 10.0  # 250 mm
LEAST_HEIGHT, MOST_HEIGHT = 4.0, 12.0  # mV of a strip
INK, MINOR, MAJOR, PAPER = "#1b1b1b", "#f7d9d5", "#e8a39b", "#fffaf8"
PRIORITY = (  # shown first comes first
    FIBRILLATION,
    "V run",
    ATRIAL_FIBRILLATION,
    "S run",
    *(kind for kind in SILENCES if kind not in (FIBRILLATION, SHUT_DOWN)),
    PACED,
    "V couplet",
    "V bigeminy",
    "S bigeminy",
    "S couplet",
    SHUT_DOWN,
)


@dataclass(frozen=True)
class BeatMarks:
    """The beats of a recording as pictures show them.

    Attributes:
        times: (n,) s.
        letters: (n,) their classes.
        bad: (start s, stop s, reason) of each skipped interval.
    """

    times: np.ndarray
    letters: np.ndarray
    bad: list[tuple[float, float, str]]

    def bad_within(self, window: Window) -> list[tuple[float, float, str]]:
        """The skipped intervals of a window, in s from its start."""
        length = window.stop - window.start
        shifted = [(start - window.start, stop - window.start, reason) for start, stop, reason in self.bad]
        return [
            (max(start, 0.0), min(stop, length), reason)
            for start, stop, reason in shifted
            if stop > 0 and start < length
        ]

    def beats_within(self, window: Window) -> list[tuple[float, str]]:
        """(s from the window's start, letter) of each beat of a window."""
        inside = (self.times >= window.start) & (self.times < window.stop)
        return list(zip((self.times[inside] - window.start).tolist(), self.letters[inside].tolist(), strict=True))


@dataclass(frozen=True)
class Window:
    """A strip's part of the recording, from `start` to `stop` s, and its title."""

    start: float
    stop: float
    title: str


def clock(seconds: float) -> str:
    """h:mm:ss of a time in s."""
    whole = int(seconds + 1e-6)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def select_strips(seconds: float, marks: BeatMarks, episodes: Sequence[Episode], most: int = 6) -> list[Window]:
    """Choose at most `most` strips of a recording, in order of time.

    A short recording is shown whole. Of a longer one: its start, the longest episodes of each kind, and abnormal beats
    of each class.
    """
    if seconds <= most * STRIP_SECONDS:
        starts = np.arange(0, max(seconds, 0.1), STRIP_SECONDS).tolist()
        return [Window(start, min(start + STRIP_SECONDS, seconds), "") for start in starts]
    chosen: list[Window] = []
    for start, title in _candidates(marks, episodes):
        begin = min(max(start, 0.0), seconds - STRIP_SECONDS)
        if len(chosen) < most and all(abs(begin - other.start) > STRIP_SECONDS / 2 for other in chosen):
            chosen.append(Window(begin, begin + STRIP_SECONDS, title))
    return sorted(chosen, key=lambda window: window.start)


def _candidates(marks: BeatMarks, episodes: Sequence[Episode]) -> list[tuple[float, str]]:
    """(start s, title) of the strips of a long recording, the most important first."""
    candidates = [(0.0, "Start")]
    by_kind = [sorted((e for e in episodes if e.kind == kind), key=_longest_first) for kind in PRIORITY]
    for rank in range(2):  # the longest of each kind, then the second
        candidates += [(of[rank].start - 2.0, of[rank].title) for of in by_kind if len(of) > rank]
    for letter in ("V", "S", "F", "A", "Q"):
        times = marks.times[marks.letters == letter][:2].tolist()
        candidates += [(time - 4.0, f"{letter} beat") for time in times]
    return candidates


def _longest_first(episode: Episode) -> tuple[float, float]:
    """Sorting key: most beats first, of equally many the fastest; of stretches without beats the longest."""
    return -(episode.beats if episode.rate else 0), -(episode.rate or episode.stop - episode.start)


def voltage_range(signal: np.ndarray) -> tuple[float, float]:
    """mV at a strip's lower and upper edge, multiples of 0.5: room for the signal and, above it, for the letters."""
    signal = signal[np.isfinite(signal)]
    if not len(signal):
        return -LEAST_HEIGHT / 2, LEAST_HEIGHT / 2
    low, high = np.floor(2 * signal.min() - 0.4) / 2, np.ceil(2 * signal.max() + 1.4) / 2
    middle = np.median(signal)
    low, high = max(low, middle - MOST_HEIGHT / 2), min(high, middle + MOST_HEIGHT / 2)
    missing = max(0.0, LEAST_HEIGHT - (high - low)) / 2
    low = np.floor(2 * (low - missing)) / 2
    return float(low), float(max(low + LEAST_HEIGHT, np.ceil(2 * high) / 2))
