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
from loaders.beats.segmenter import BLOCK
from loaders.dsp.chunks import Chunk, Chunker, iter_chunks
from loaders.dsp.quality import SignalShare
from loaders.io.recording import Recording
from toolbox.utils import one_blas_thread

WHOLE = 3600.0  # s; a recording up to that length is one chunk
LENGTH, CONTEXT = 1680.0, 60.0  # s of a chunk of a longer one, and before and after it
THREADS = 2  # chunks at once; each takes some 100 MB


def read_windows(
    recording: Recording,
    leads: list[int],
    inverted: bool,
    sample: np.ndarray,
    spec: InputSpec,
    shares: Sequence[SignalShare] = (),
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Windows (n, leads, samples) float32 and features (n, k) float32 or None of beats, chunk by chunk, in order.

    Args:
        leads: positions of the leads, the one that the beats were found in first.
        inverted: whether that one is upside down.
        sample: (N,) the beats, in the recording's own samples, rising; windows of all of them are returned.
        shares: to be measured, of the leads but the first.

    Raises:
        UserError: the signal is damaged.
    """
    fs = recording.leads[leads[0]].fs
    seconds = (int(sample[-1]) + 1) / fs if len(sample) else 0.0
    length, context = (LENGTH, CONTEXT) if seconds > WHOLE else (2 * WHOLE, 0.0)
    chunkers = [Chunker(fs, span=(length, context), judge=False) for _ in leads]
    blocks = [recording.stream(k, BLOCK) for k in leads]
    blocks[1:] = [share.watch(each) for share, each in zip(shares, blocks[1:], strict=True)] if shares else blocks[1:]
    streams = [iter_chunks(each, chunker) for each, chunker in zip(blocks, chunkers, strict=True)]

    def values(together: tuple[Chunk, ...], near: slice, inside: slice) -> tuple[np.ndarray, np.ndarray | None]:
        """Those `inside` of the beats `near`, which are all in these chunks and their context."""
        x, features = spec.values_in(together[0], _stacked(together, inverted), sample[near], fs)
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


def _stacked(together: tuple[Chunk, ...], inverted: bool) -> np.ndarray:
    """(samples, leads) float64 at 360 Hz."""
    samples = min(len(chunk.signal) for chunk in together)
    signal = np.stack([chunk.signal[:samples] for chunk in together], axis=1).astype(np.float64)
    if inverted:
        signal[:, 0] *= -1
    return signal
