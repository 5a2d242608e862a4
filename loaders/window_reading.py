"""Windows and features of the beats of a recording, for networks that read more than Kaggle's rows.

What such a network knows of a patient (a typical beat, local rhythm) comes from the whole recording while it is short,
as in training; of a longer one, from the half hour around each beat, so that memory does not grow with its length.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loaders.beats import RATE
from loaders.pieces import Piece, pieces
from loaders.reading import BLOCK
from loaders.recipe import Recipe
from loaders.recordings import Recording
from loaders.windows import cleaned
from toolbox.utils import UserError

WHOLE = 3600.0  # s; up to that a recording is looked at as a whole
LENGTH, CONTEXT = 1680.0, 60.0  # s of a piece of a longer one, and before and after it


def other_leads(recording: Recording, chosen: int, count: int) -> list[int]:
    """The positions of `count` leads: the chosen one, then the others of the same rate, in their order.

    Raises:
        UserError: there are too few.
    """
    fs = recording.leads[chosen].fs
    rest = [k for k, lead in enumerate(recording.leads) if k != chosen and lead.fs == fs]
    if len(rest) < count - 1:
        alike = "" if len(recording.leads) < count else f" of {fs:g} samples per second"
        raise UserError(
            f"{recording.path} has {len(rest) + 1} lead(s){alike}; the network reads {count}. Take one trained with "
            "--leads 1"
        )
    return [chosen, *rest[: count - 1]]


def read_windows(
    recording: Recording, leads: list[int], inverted: bool, sample: np.ndarray, recipe: Recipe
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Windows (n, leads, samples) float32 and features (n, k) float32 or None of beats, piece by piece, in order.

    Args:
        leads: positions of the leads, the one that the beats were found in first.
        inverted: whether that one is upside down.
        sample: (N,) where the beats are, in the recording's own samples, rising; all of them come out.

    Raises:
        UserError: the signal is damaged.
    """
    fs = recording.leads[leads[0]].fs
    seconds = (int(sample[-1]) + 1) / fs if len(sample) else 0.0
    length, context = (LENGTH, CONTEXT) if seconds > WHOLE else (2 * WHOLE, 0.0)
    streams = [
        pieces(recording.stream(k, BLOCK), fs, recording.leads[k].low, recording.leads[k].high, span=(length, context))
        for k in leads
    ]
    done = 0
    for together in zip(*streams, strict=False):  # a lead that is shorter than the others ends them all
        first = together[0]
        signal = _stacked(together, inverted)
        signal = cleaned(signal, RATE, recipe.rate, recipe.highpass, recipe.baseline)
        stop = len(sample) if first.stop == len(first.signal) else np.searchsorted(sample, _own_stop(first))
        low, high = np.searchsorted(sample, [first.first, first.first + len(first.signal) * first.step])
        near = sample[low:high]
        if stop <= done or not len(near):
            continue
        at = np.round((near - first.first) / first.step * (recipe.rate / RATE)).astype(np.int64)
        x, features = recipe.values(signal, np.minimum(at, len(signal) - 1), near / fs)
        inside = slice(done - low, stop - low)
        yield x[inside], None if features is None else features[inside]
        done = int(stop)


def _own_stop(piece: Piece) -> float:
    """The recording's sample that a piece itself, without its context, ends at."""
    return piece.first + piece.stop * piece.step


def _stacked(together: tuple[Piece, ...], inverted: bool) -> np.ndarray:
    """(samples, leads) float64 at 360 Hz."""
    samples = min(len(piece.signal) for piece in together)
    signal = np.stack([piece.signal[:samples] for piece in together], axis=1).astype(np.float64)
    if inverted:
        signal[:, 0] *= -1
    return signal
