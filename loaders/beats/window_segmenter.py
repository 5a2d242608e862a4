"""Windows and features of the beats of a recording, for networks that read more than Kaggle's rows.

The patient's typical beat and local rhythm come from the whole recording while it is short, as in training; in a longer
one from the half hour around each beat, so that memory does not grow with its length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from loaders.beats.input_spec import InputSpec
from loaders.beats.segmenter import BLOCK, EDGE
from loaders.beats.stand_in import values_of_good_leads
from loaders.dsp.chunks import Chunk, Chunker, iter_chunks
from loaders.dsp.quality import BadInterval
from loaders.dsp.resample import MITBIH_FS, positions
from loaders.io.recording import Recording
from toolbox.utils import one_blas_thread

WHOLE = 3600.0  # s; a recording up to that length is one chunk
LENGTH, CONTEXT = 1680.0, 60.0  # s of a chunk of a longer one, and before and after it
SLOWEST = 1.5  # s from beat to beat: the context of features that remember a number of beats is as many times longer
THREADS = 2  # chunks at once; each takes some 100 MB


def read_windows(
    recording: Recording,
    leads: Sequence[int],
    inverted: bool,
    sample: np.ndarray,
    spec: InputSpec,
    bad: Sequence[Sequence[BadInterval]] = (),
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Windows (n, leads, samples) float32 and features (n, k) float32 or None of beats, chunk by chunk, in order.

    Args:
        leads: positions of the leads: those that the network reads in its order, then others that may stand in for one
            that is bad. There may be fewer than the network reads: then one stands in throughout.
        inverted: whether the first one is upside down.
        sample: (N,) the beats, in the recording's own samples, rising; windows of all of them are returned.
        bad: of each lead, the intervals in which it shows no beats; () for none.

    Raises:
        UserError: the signal is damaged.
    """
    fs = recording.leads[leads[0]].fs
    good = good_beats(sample, bad or [[] for _ in leads], round(EDGE * fs))
    needed = _channels_needed(good, spec.leads)
    leads, good = leads[:needed], good[:, :needed]
    seconds = (int(sample[-1]) + 1) / fs if len(sample) else 0.0
    length, context = (LENGTH, max(CONTEXT, SLOWEST * spec.remembered)) if seconds > WHOLE else (2 * WHOLE, 0.0)
    chunkers = [Chunker(fs, span=(length, context), judge=False) for _ in leads]
    streams = [iter_chunks(recording.stream(k, BLOCK), chunker) for k, chunker in zip(leads, chunkers, strict=True)]

    def values(together: tuple[Chunk, ...], near: slice, inside: slice) -> tuple[np.ndarray, np.ndarray | None]:
        """Those `inside` of the beats `near`, which are all in these chunks and their context."""
        together = together[: _channels_needed(good[near], spec.leads)]
        chunk, size = together[0], min(len(each.signal) for each in together)
        turned = [-1.0 if inverted and k == 0 else 1.0 for k in range(len(together))]
        # One after the other: cleaning takes many times the memory of a lead.
        each_clean = [
            spec.clean(sign * each.signal[:size, None].astype(np.float64), MITBIH_FS)
            for sign, each in zip(turned, together, strict=True)
        ]
        signal = np.concatenate(each_clean, axis=1)
        at = positions((sample[near] - chunk.first) / chunk.step, MITBIH_FS, spec.rate, len(signal))
        x, features = values_of_good_leads(spec, signal, at, sample[near] / fs, good[near, : len(together)])
        return x[inside], None if features is None else features[inside]

    done = 0
    waiting: deque[Future[tuple[np.ndarray, np.ndarray | None]]] = deque()
    with one_blas_thread(), ThreadPoolExecutor(THREADS) as pool:
        for together in zip(*streams, strict=False):  # a lead that is shorter than the others ends them all
            first = together[0]
            stop = len(sample) if first.stop == len(first.signal) else int(np.searchsorted(sample, _own_stop(first)))
            end = first.first + len(first.signal) * first.step
            low, high = np.searchsorted(sample, [first.first, end]).tolist()
            if stop <= done or low == high:
                continue
            waiting.append(pool.submit(values, together, slice(low, high), slice(done - low, stop - low)))
            done = stop
            if len(waiting) == THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _own_stop(chunk: Chunk) -> float:
    """The recording's sample that a chunk itself, without its context, ends at."""
    return chunk.first + chunk.stop * chunk.step


def good_beats(sample: np.ndarray, bad: Sequence[Sequence[BadInterval]], edge: int) -> np.ndarray:
    """(n, leads) bool: whether each lead shows each beat at `sample` (n,), none of its bad intervals within `edge`."""
    good = np.ones((len(sample), len(bad)), dtype=bool)
    for k, intervals in enumerate(bad):
        for start, stop, _ in intervals:
            first, last = np.searchsorted(sample, [start - edge, stop + edge]).tolist()
            good[first:last, k] = False
    return good


def _channels_needed(good: np.ndarray, read: int) -> int:
    """How many channels, from the first on, show the leads that are `read` and what stands in for them, by good
    (n, channels)."""
    lacking = ~good[:, :read].all(axis=1) & good.any(axis=1)
    return max(read, 1 + int(good[lacking].argmax(axis=1).max())) if lacking.any() else read
