"""Features of rhythm: the intervals before, after and around a beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from loaders.beats.features.base import USUAL, FeatureGroup, FeatureInput, around, following, intervals, recent_mean
from loaders.dsp.medians import median

WIDE = (21, 81)  # beats around a beat, itself in the middle, that make its local rhythm
EARLY = 0.88  # of the local interval; a shorter one is early
REACH = 8  # intervals to either side that the pattern holds
SHORTEST, LONGEST = 0.2, 3.0  # s; an interval outside counts as that
NEAR, FAR = 10, 25  # beats to either side of a beat
BEHIND = (-2, -1, 1, 2)  # neighbours whose intervals come along


def rr_past(recording: FeatureInput) -> np.ndarray:
    """(n, 3): interval before; the same against the recent mean; the recent mean."""
    rr = intervals(recording.times)
    recent = recent_mean(rr)
    return np.log(np.stack([rr / USUAL, rr / recent, recent / USUAL], axis=1))


def rr_both(recording: FeatureInput) -> np.ndarray:
    """(n, 6): those of `rr_past`; interval after; the same against the recent mean; before against after."""
    rr = intervals(recording.times)
    after, recent = following(rr), recent_mean(rr)
    return np.concatenate(
        [rr_past(recording), np.log(np.stack([after / USUAL, after / recent, rr / after], axis=1))], axis=1
    )


def rhythm(recording: FeatureInput) -> np.ndarray:
    """(n, 14): over 21 and over 81 beats around, the median interval; before and after against it; spread of the
    intervals; their change from beat to beat; the share of early ones; then before and local against the record's
    median interval."""
    rr = intervals(recording.times)
    after, columns = following(rr), []
    for width in WIDE:
        near = around(rr, width)  # (n, width)
        local = median(near)
        relative = np.log(near / local[:, None])
        columns += [np.log(local / USUAL), np.log(rr / local), np.log(after / local)]
        columns += [relative.std(axis=1), np.abs(np.diff(relative, axis=1)).mean(axis=1)]
        columns += [(near < EARLY * local[:, None]).mean(axis=1)]
    whole = np.median(rr) if len(rr) else USUAL
    return np.stack([*columns, np.log(rr / whole), np.log(local / whole)], axis=1)


def pattern(recording: FeatureInput) -> np.ndarray:
    """(n, 16): the intervals from 7 before to 8 after the beat's own, each against the local median of 21."""
    rr = intervals(recording.times)
    local = median(around(rr, WIDE[0]))
    return np.log(around(rr, 2 * REACH + 1)[:, 1:] / local[:, None])


class Tempo(NamedTuple):
    """Logarithms of the interval before each beat (n,), against the mean of 25 beats to either side, and against the
    recording's mean."""

    local: np.ndarray
    mean: np.ndarray


def rolling(values: np.ndarray, reach: int, of: Callable[..., np.ndarray]) -> np.ndarray:
    """(n,): `of` the values (n,) within `reach` beats of each; mirrored at the ends of the recording."""
    padded = np.pad(values, reach, "reflect") if len(values) > reach else np.pad(values, reach, "edge")
    return of(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)


def clipped_intervals(recording: FeatureInput) -> tuple[np.ndarray, np.ndarray]:
    """(n,) s, (n,) s: the intervals before and after each beat, clipped to the heart's range."""
    rr = intervals(recording.times)
    return np.clip(rr, SHORTEST, LONGEST), np.clip(following(rr), SHORTEST, LONGEST)


def lateness(before: np.ndarray) -> Tempo:
    """The lateness of each beat; `before` (n,) s are the intervals before the beats."""
    return Tempo(np.log(before / rolling(before, FAR, np.mean)), np.log(before / before.mean()))


def tempo(recording: FeatureInput) -> np.ndarray:
    """(n, 20) logarithms, see TEMPO_NAMES."""
    if not len(recording.times):
        return np.zeros((0, len(TEMPO_NAMES)))
    before, after = clipped_intervals(recording)
    log = np.log(before)
    late = lateness(before)
    p80, p95, p15, p90 = rolling(before, FAR, lambda view, axis: np.percentile(view, (80, 95, 15, 90), axis=axis))

    change = np.abs(np.diff(log, prepend=log[0]))
    columns = [log, np.log(after), late.mean, np.log(after / before.mean())]
    columns += [np.log(before / recent_mean(before)), np.log(before / rolling(before, NEAR, np.mean))]
    columns += [np.log(after / before), late.local]
    columns += [np.log(before / quantile) for quantile in (p80, p95, p15)]
    columns += [np.log(before / rolling(before, NEAR, median))]
    columns += [rolling(log, NEAR, np.std), rolling(change, NEAR, median)]
    columns += [np.log(p90 / rolling(before, FAR, median))]
    columns += [np.roll(late.local, -k) for k in BEHIND]  # the first and last beats see the other end: no matter
    return np.stack([*columns, log - np.roll(log, 1)], axis=1)


PAST_NAMES = ["RR", "RR/recent", "recent"]
BOTH_NAMES = [*PAST_NAMES, "RR after", "RR after/recent", "RR/RR after"]
WIDE_NAMES = ("median", "RR/median", "RR after/median", "spread", "change", "early")
RHYTHM_NAMES = [f"{name} of {width}" for width in WIDE for name in WIDE_NAMES] + ["RR/record", "local/record"]
TEMPO_NAMES = [
    "RR", "RR after", "RR/record", "RR after/record", "RR/10 past", "RR/10 around", "RR after/RR", "RR/25 around",
    "RR/80 % of 25", "RR/95 % of 25", "RR/15 % of 25", "RR/median of 10", "spread of 10", "change of 10",
    "90 %/median of 25", *(f"RR{k:+d}/25 around" for k in BEHIND), "RR/RR before",
]  # fmt: skip

RR_PAST = FeatureGroup(lambda leads: PAST_NAMES, "nothing", rr_past, ("RR", "recent"), live=True)
RR = FeatureGroup(lambda leads: BOTH_NAMES, "the next beat's time", rr_both, ("RR", "recent", "RR after"), live=True)
RHYTHM = FeatureGroup(
    lambda leads: RHYTHM_NAMES,
    f"{WIDE[-1] // 2} beats, and the recording's median interval",
    rhythm,
    tuple(f"median of {width}" for width in WIDE),
)
PATTERN = FeatureGroup(
    lambda leads: [f"RR{k:+d}" for k in range(1 - REACH, REACH + 1)], f"{WIDE[0] // 2} beats", pattern
)
TEMPO = FeatureGroup(
    lambda leads: TEMPO_NAMES, f"{FAR} beats, and the recording's mean interval", tempo, ("RR", "RR after")
)
