"""Stretches of a recording without a beat: pauses, no signal or asystole, noise, and a signal that moves without."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from toolbox.holter.episodes import MOVING, NO_SIGNAL, PAUSE, PAUSE_SECONDS, SHUT_DOWN, Episode
from toolbox.holter.trace import CompressedTrace

WINDOW, HOP = 360, 90  # samples of 360 Hz: a stretch is judged by its seconds
AFTER_BEAT, BEFORE_BEAT = 0.45, 0.2  # s beside a beat that belong to it: its T wave, its P wave
SMALL = 0.025  # mV (or QRS heights) from peak to peak: a lead that moves less shows no heart
# Of a usual beat's second, from peak to peak and as rms: pauses of MIT-BIH and svdb, with their P waves, come to 0.16
# and 0.21 at most; flutter and fibrillation (207, cu01) to 0.27 and 0.43 at least.
MOVES, MOVES_RMS = 0.3, 0.35
UNSEEN_BEAT = 0.33  # mV, the usual beat's height where there is none: what moves less than 0.1 mV shows no heart
MEASURED_BEATS = 240  # whose median is the usual beat
AROUND_BEAT = 0.5  # s before and after an R peak that are measured
MOST_READ = 600.0  # s of a stretch that are looked at; longer ones are judged by their start


def find_silences(
    times: np.ndarray,
    seconds: float,
    kind: Callable[[float, float, bool], str],
    flutter: Sequence[tuple[float, float]] = (),
    noise: Sequence[tuple[float, float]] = (),
) -> list[Episode]:
    """List every stretch of PAUSE_SECONDS and more without a beat, in order of time.

    Args:
        times: (n,) s, of the beats.
        seconds: the length of the recording.
        kind: names the stretch from its start to its stop; the flag says whether a beat lies at each end.
        flutter: (start, stop) in s of stretches that are listed already, in order; no beat lies in them.
        noise: (start, stop) in s of those that were shut down, outside of `flutter`.
    """
    edges = np.concatenate([[0.0], times, [max([seconds, *times[-1:]])]])
    # Noise that moves less than beats hides none: such a stretch is as quiet as another.
    shut = [span for span in noise if kind(*span, False) == MOVING]
    named_before = sorted([*flutter, *shut])
    silences = []
    for k in np.flatnonzero(np.diff(edges) >= PAUSE_SECONDS - 1e-9).tolist():
        begin, end = float(edges[k]), float(edges[k + 1])
        pieces = _without(begin, end, named_before)
        between_beats = 0 < k < len(times) and len(pieces) == 1
        named = [(start, stop, SHUT_DOWN) for start, stop in _within(begin, end, shut)]
        named += [(start, stop, kind(start, stop, between_beats)) for start, stop in pieces if _lasts(start, stop)]
        beside = max(k - 1, 0), min(k, len(times) - 1)
        silences += [Episode(name, start, stop, *beside, None) for start, stop, name in named if _lasts(start, stop)]
    return sorted(silences, key=lambda episode: episode.start)


def _lasts(start: float, stop: float) -> bool:
    return stop - start >= PAUSE_SECONDS - 1e-9


def _within(start: float, stop: float, spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The parts of `spans` between `start` and `stop`."""
    return [(max(a, start), min(b, stop)) for a, b in spans if a < stop and b > start]


def _without(start: float, stop: float, left_out: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The pieces of a stretch from `start` to `stop` that lie outside those `left_out`."""
    pieces = []
    for begin, end in left_out:
        if begin < stop and end > start:
            pieces.append((start, begin))
            start = max(start, end)
    return [*pieces, (start, stop)]


class SilenceJudge:
    """Names the stretches without beats of a recording by how much its signal moves there.

    Args:
        trace: the signal.
        times: (n,) s, of the beats, whose heights are the measure.
    """

    def __init__(self, trace: CompressedTrace, times: np.ndarray) -> None:
        self.trace = trace
        chosen = times[np.unique(np.linspace(0, len(times) - 1, MEASURED_BEATS).astype(int))] if len(times) else times
        spans = [_motion(trace, time - AROUND_BEAT, time + AROUND_BEAT) for time in chosen.tolist()]
        spans = [span[:, :1] for span in spans if span.size and not np.isnan(span[:, :1]).any()]
        usual = np.median(np.concatenate(spans, axis=1), axis=1).tolist() if spans else [UNSEEN_BEAT, np.inf]
        self.height: float = usual[0]
        self.rms: float = usual[1]

    def kind(self, start: float, stop: float, between_beats: bool) -> str:
        """PAUSE, NO_SIGNAL or MOVING, by most of the seconds from `start` to `stop`."""
        begin, end = start + AFTER_BEAT, min(stop - BEFORE_BEAT, start + MOST_READ)
        height, rms = _motion(self.trace, begin, end)
        if not len(height):
            return PAUSE if between_beats else NO_SIGNAL
        moves = (height >= SMALL) & ((height >= MOVES * self.height) | (rms >= MOVES_RMS * self.rms))
        still = np.isnan(height) | (height < SMALL)
        if moves.mean() >= 0.5:
            return MOVING
        return PAUSE if between_beats and still.mean() < 0.5 else NO_SIGNAL


def _motion(trace: CompressedTrace, start: float, stop: float) -> np.ndarray:
    """(2, windows) peak to peak and rms of each second from `start` to `stop` s, less its slope; NaN where most is
    missing."""
    _, signal = trace.read(max(start, 0.0), min(stop, trace.seconds))
    size, hop = WINDOW // trace.step, HOP // trace.step
    if len(signal) < size // 2:
        return np.zeros((2, 0))
    size = min(size, len(signal))
    windows = np.lib.stride_tricks.sliding_window_view(signal, size)[::hop]
    missing = np.isnan(windows)
    lost = missing.mean(axis=1) > 0.5
    filled = np.where(missing, 0.0, windows)
    level = filled.sum(axis=1) / np.maximum((~missing).sum(axis=1), 1)
    centred = np.where(missing, 0.0, windows - level[:, None])
    half = size // 2
    slope = (centred[:, -half:].mean(axis=1) - centred[:, :half].mean(axis=1)) / max(size - half, 1)
    centred -= slope[:, None] * (np.arange(size) - (size - 1) / 2)  # of the wandering baseline
    motion = np.stack([centred.max(axis=1) - centred.min(axis=1), np.sqrt((centred**2).mean(axis=1))])
    return np.where(lost, np.nan, motion)
