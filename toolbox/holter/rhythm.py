"""The rhythms of an annotated recording, and the beats that they rename or take away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from toolbox.holter.annotation import PACED_SYMBOL, AnnotatedRecording
from toolbox.holter.beat_context import BeatContext
from toolbox.holter.episodes import (
    ATRIAL_FIBRILLATION,
    BRADYCARDIA,
    FIBRILLATION,
    PACED,
    SINUS_TACHYCARDIA,
    Episode,
)
from toolbox.holter.rhythm_atrial import find_fibrillation
from toolbox.holter.rhythm_flutter import find_flutter
from toolbox.holter.rhythm_gate import after_interpolated, chains_of, in_sinus_arrhythmia
from toolbox.holter.rhythm_rate import find_fast_sinus, find_slow

SHORTEST_PACED = 8  # beats of an episode
BRIDGED = 8  # other beats within one, fused ones mostly
IN_FIBRILLATION = "N instead of S: in atrial fibrillation"
IN_ARRHYTHMIA = "N instead of S: in sinus arrhythmia"
INTERPOLATED = "N instead of S: on time after an interpolated V"
BY_PACEMAKER = "Q: paced"


def with_rhythms(beats: AnnotatedRecording, paced: np.ndarray | None = None) -> AnnotatedRecording:
    """The recording with its rhythms.

    Beats within ventricular flutter or fibrillation are taken away, paced ones are called Q, and those called S are
    called N in atrial fibrillation (where "premature" means nothing), in sinus arrhythmia, and on time after an
    interpolated ventricular beat. What a person named stays.

    Args:
        beats: the recording, with a person's corrections.
        paced: (n,) whether each beat follows a pacing spike; None for none.
    """
    flutter = find_flutter(beats.trace)
    paced = np.zeros(len(beats.sample), bool) if paced is None else paced
    beats, paced = _without_beats(beats, paced, flutter)
    skipped = _judged(beats.skipped, [(round(a * beats.fs), round(b * beats.fs)) for a, b in flutter])
    rhythms = [Episode(FIBRILLATION, a, b, *_beside(beats.times, a, b), None) for a, b in flutter]
    if not len(beats.sample):
        return replace(beats, skipped=skipped, rhythms=tuple(rhythms))
    times, rr, letters = beats.times, beats.rr, beats.letters
    context = BeatContext(times, rr, letters, beats.trace)
    by_pacemaker = [(a, b - 1) for a, b in chains_of(_bridged(paced)).tolist() if b - a >= SHORTEST_PACED]
    is_paced = paced & _covered(len(times), by_pacemaker)
    fibrillation = _outside(by_pacemaker, find_fibrillation(context))
    called, reasons = _called(context, is_paced, _covered(len(times), fibrillation))
    others = _covered(len(times), [*fibrillation, *by_pacemaker])
    for kind, spans in (
        (ATRIAL_FIBRILLATION, fibrillation),
        (PACED, by_pacemaker),
        (BRADYCARDIA, find_slow(times, rr)),
        (SINUS_TACHYCARDIA, find_fast_sinus(times, rr, np.where(others, "", called))),
    ):
        rhythms += [_episode(kind, times, first, last) for first, last in spans]
    changed = bool((called != letters).any())
    return replace(beats, skipped=skipped, rhythms=tuple(rhythms), called=called if changed else None, reasons=reasons)


def paced_warning(beats: AnnotatedRecording) -> list[str]:
    """What the reader of a recording with paced beats should know; nothing without."""
    count = int((beats.symbols == PACED_SYMBOL).sum())
    if not count:
        return []
    return [f"a pacemaker leads {count} beats: they are called Q, and no network here has learned from paced hearts"]


def _without_beats(
    beats: AnnotatedRecording, paced: np.ndarray, spans: Sequence[tuple[float, float]]
) -> tuple[AnnotatedRecording, np.ndarray]:
    """The recording without the beats within `spans`, in s, but for those that a person named."""
    keep, begins = np.ones(len(beats.sample), bool), beats.begins.copy()
    for start, stop in spans:
        inside = slice(*np.searchsorted(beats.times, [start, stop]).tolist())
        keep[inside] = beats.is_corrected[inside]
        begins[inside.stop : inside.stop + 1] = True
    if keep.all():
        return beats, paced
    named = None if beats.named is None else beats.named[keep]
    kept = replace(
        beats, sample=beats.sample[keep], begins=begins[keep], probabilities=beats.probabilities[keep], named=named
    )
    return kept, paced[keep]


def _judged(skipped: Sequence[tuple[int, int, str]], spans: Sequence[tuple[int, int]]) -> list[tuple[int, int, str]]:
    """The skipped intervals but for what lies within `spans`, in samples: flutter is no noise."""
    left = [(int(start), int(stop), kind) for start, stop, kind in skipped]
    for begin, end in spans:
        pieces = [
            piece
            for start, stop, kind in left
            for piece in ((start, min(stop, begin), kind), (max(start, end), stop, kind))
        ]
        left = list(dict.fromkeys((start, stop, kind) for start, stop, kind in pieces if stop > start))
    return left


def _called(context: BeatContext, paced: np.ndarray, fibrillating: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """(n,) letters after what the rhythms say, and how many beats of each reason are called otherwise than likely."""
    called, reasons = context.letters.astype("<U1"), {}
    outside = (called == "S") & ~fibrillating
    for reason, letter, chosen in (
        (IN_FIBRILLATION, "N", (called == "S") & fibrillating),
        (INTERPOLATED, "N", after_interpolated(context, outside)),
        (IN_ARRHYTHMIA, "N", in_sinus_arrhythmia(context, outside)),
        (BY_PACEMAKER, "Q", paced),
    ):
        changed = chosen & (called != letter)
        if changed.any():
            reasons[reason] = int(changed.sum())
        called[changed] = letter
    return called, reasons


def _bridged(paced: np.ndarray) -> np.ndarray:
    """`paced` (n,) with up to BRIDGED other beats between two paced ones."""
    at = np.flatnonzero(paced)
    bridged = paced.copy()
    for before, after in zip(at[:-1].tolist(), at[1:].tolist(), strict=True):
        bridged[before:after] |= after - before <= BRIDGED + 1
    return bridged


def _covered(count: int, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """(count,) which beats lie in (first, last) spans."""
    covered = np.zeros(count, dtype=bool)
    for first, last in spans:
        covered[first : last + 1] = True
    return covered


def _outside(others: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of `spans` that are not mostly covered by `others`."""
    count = 1 + max((last for _, last in [*others, *spans]), default=0)
    covered = _covered(count, others)
    return [(first, last) for first, last in spans if covered[first : last + 1].mean() < 0.5]


def _beside(times: np.ndarray, start: float, stop: float) -> tuple[int, int]:
    """The beats beside a stretch without any; the same one twice at a recording's end."""
    after = int(np.searchsorted(times, stop))
    before = int(np.searchsorted(times, start)) - 1
    return max(before, 0), min(after, len(times) - 1)


def _episode(kind: str, times: np.ndarray, first: int, last: int) -> Episode:
    start, stop = float(times[first]), float(times[last])
    return Episode(kind, start, stop, first, last, 60 * (last - first) / (stop - start))
