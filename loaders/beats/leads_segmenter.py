"""Segment the beats of several leads of a recording together; see lead_fusion.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from loaders.beats.input_spec import InputSpec
from loaders.beats.lead_fusion import STEP, FusedChunk, fuse
from loaders.beats.lead_trust import LeadTrust, trust
from loaders.beats.segmenter import BLOCK, LeadPolarity, LeadSegmenter, SegmentedChunk, intervals_of
from loaders.dsp.chunks import Chunk, Chunker, iter_chunks, recorded
from loaders.dsp.noise import LeadReader, LeadReading
from loaders.dsp.quality import BadInterval, beside, covered, merge_intervals
from loaders.io.recording import Recording
from toolbox.utils import one_blas_thread

THREADS = 3  # leads that are read at once: with two, one core waits while the third is read


class ReadSpan(NamedTuple):
    """The recording's samples `start` up to `stop`, in which the lead with this number is read."""

    start: int
    stop: int
    lead: int


class LeadsSegmenter(LeadSegmenter):
    """Several leads of a recording of one rate, the one to annotate first; to be iterated over once.

    Args:
        positions: of the leads.
        voters: how many of them, from the first on, beats are looked for in; of the others only the quality is told.
        recording, peaks, polarity, live, input_spec: see `LeadSegmenter`; a live one has one lead.

    Attributes:
        bad: of each lead, the intervals so far that are gaps, flat, saturated or noise, in the recording's samples.
        spans: which lead was read when, so far.
        polarities: of each lead.

    Raises:
        UserError: the signal or the annotations are damaged.
    """

    def __init__(
        self,
        recording: Recording,
        positions: Sequence[int],
        peaks: str,
        polarity: str,
        live: bool = False,
        input_spec: InputSpec | None = None,
        voters: int = 1,
    ) -> None:
        super().__init__(recording, positions[0], peaks, polarity, live, input_spec)
        self.positions, self.voters = list(positions), voters
        others = positions[1:]
        self.polarities = [self.upright, *(LeadPolarity("keep" if polarity == "keep" else "auto") for _ in others)]
        self.bad: list[list[BadInterval]] = [[] for _ in positions]
        self.spans: list[ReadSpan] = []
        self._readers = [self._reader, *(LeadReader() for _ in others)]
        self._trusts = [LeadTrust() for _ in range(voters)]
        self._together: list[tuple[Chunk, LeadReading | None]] = []
        self._fused: FusedChunk | None = None

    @property
    def height(self) -> float:
        """Of the first lead that shows beats, see `LeadPolarity`."""
        return next((lead.height for lead in self.polarities[: self.voters] if lead.height), 0.0)

    def __iter__(self) -> Iterator[SegmentedChunk]:
        streams = [self._read(number) for number in range(len(self.positions))]
        if len(streams) == 1:
            yield from (self._segment([one]) for one in streams[0])
            return
        with one_blas_thread(), ThreadPoolExecutor(THREADS) as pool:
            coming = [pool.submit(next, stream, None) for stream in streams]
            while (first := coming[0].result()) is not None:
                others = [_as_long(each.result() or _nothing(first[0]), first[0]) for each in coming[1:]]
                coming = [pool.submit(next, stream, None) for stream in streams]
                yield self._segment([first, *others])

    @property
    def shown(self) -> list[np.ndarray]:
        """(m,) of each lead: the signal of the last chunk at 360 Hz as it was recorded, NaN where there is none."""
        first = self._together[0][0]
        return [recorded(replace(chunk, start=first.start, stop=first.stop)) for chunk, _ in self._together]

    @property
    def switched(self) -> bool:
        """True where another lead than the first was read in a part of the last chunk."""
        return self._fused is not None and bool(self._fused.lead.any())

    def _read(self, number: int) -> Iterator[tuple[Chunk, LeadReading | None]]:
        """The chunks of a lead with all of their bad intervals, and what was read of each unless beats are given."""
        lead, reader = self.recording.leads[self.positions[number]], self._readers[number]
        stream = self.recording.stream(self.positions[number], BLOCK)
        for chunk in iter_chunks(stream, Chunker(lead.fs, lead.low, lead.high, self.live)):
            reading = None if self.given is not None else reader.read(chunk)
            yield (replace(chunk, bad=beside(reading.noise, chunk.bad)) if reading else chunk), reading

    def _segment(self, together: list[tuple[Chunk, LeadReading | None]]) -> SegmentedChunk:
        """Beats and model inputs of the next chunk of all leads."""
        together = self._trusted(together)
        self._together = together
        for intervals, (chunk, _) in zip(self.bad, together, strict=True):
            intervals[-1:] = merge_intervals([*intervals[-1:], *intervals_of(chunk)])
        return self.segment(together[0][0])

    def _trusted(self, together: list[tuple[Chunk, LeadReading | None]]) -> list[tuple[Chunk, LeadReading | None]]:
        """The chunks of all leads, without the noise in which a lead that beats are looked for in is trusted."""
        chunks, readings = zip(*together[: self.voters], strict=True)
        if self.given is not None:
            return together
        trusted = trust(chunks, readings, self._trusts)
        return [*zip(trusted, readings, strict=True), *together[self.voters :]]

    def _peaks(self, chunk: Chunk) -> tuple[Chunk, np.ndarray, np.ndarray, int, np.ndarray]:
        """See `Segmenter`, of all leads."""
        chunks, readings = zip(*self._together[: self.voters], strict=True)
        before = self.spans[-1].lead if self.spans else 0
        self._fused = fuse(chunks, None if self.given is not None else readings, before)
        self._note_spans(chunk, self._fused.lead)
        if self.given is not None:
            return self._fused.chunk, *self._given_peaks(chunk), np.zeros(0)
        peaks = self._fused.peaks
        doubt = np.min([reading.doubt for reading in readings if len(reading.doubt) == len(readings[0].doubt)], axis=0)
        return self._fused.chunk, peaks, *self._placed(chunk, peaks), doubt

    def _note_spans(self, chunk: Chunk, lead: np.ndarray) -> None:
        """Add the chunk's own part to `spans`."""
        number = np.repeat(lead, STEP)[chunk.start : chunk.stop]
        edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)]
        for start, stop in pairwise(edges):
            if start < stop:
                a, b = chunk.to_own(np.array([start, stop]) + chunk.start).tolist()
                if self.spans and self.spans[-1].lead == number[start]:
                    self.spans[-1] = self.spans[-1]._replace(stop=b)
                else:
                    self.spans.append(ReadSpan(a, b, int(number[start])))

    def _upright_signal(self, chunk: Chunk, peaks: np.ndarray) -> np.ndarray:
        """See `Segmenter`: each lead is looked at by the beats in which it is good."""
        assert self._fused is not None
        for (own, _), lead in zip(self._together, self.polarities, strict=True):
            lead.look(own.signal, _outside(peaks, own))
        turned = np.array([lead.inverted for lead in self.polarities])
        if not turned.any():
            return chunk.signal
        number = np.repeat(self._fused.lead, STEP)[: len(chunk.signal)]
        return np.where(turned[number], -chunk.signal, chunk.signal)


def _nothing(chunk: Chunk) -> tuple[Chunk, LeadReading]:
    """A silent chunk, in place of a lead that has ended before `chunk` of another."""
    silent = np.zeros_like(chunk.signal)
    reading = LeadReading(np.zeros(0, np.int64), silent[::STEP], np.zeros(0, np.float32), [])
    return replace(chunk, signal=silent, bad=[BadInterval(0, len(silent), "gap")]), reading


def _as_long(one: tuple[Chunk, LeadReading | None], first: Chunk) -> tuple[Chunk, LeadReading | None]:
    """A lead's chunk, as long as that of the first lead."""
    chunk, reading = one
    size, wanted = len(chunk.signal), len(first.signal)
    if size == wanted:
        return one
    signal = np.pad(chunk.signal, (0, max(wanted - size, 0)), mode="edge")[:wanted]
    gap = [BadInterval(size, wanted, "gap")] if size < wanted else []
    within = [each._replace(stop=min(each.stop, wanted)) for each in chunk.bad if each.start < wanted]
    return replace(chunk, signal=signal, bad=[*within, *gap]), reading


def _outside(peaks: np.ndarray, chunk: Chunk) -> np.ndarray:
    """The peaks (n,) that lie in no bad interval of a chunk, and within its signal."""
    bad = covered(chunk.bad, len(chunk.signal))
    within = peaks[peaks < len(bad)]
    return within[~bad[within]]
