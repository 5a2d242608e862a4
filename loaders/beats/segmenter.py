"""Detect the beats of a recording and cut model inputs, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from loaders.beats.edges import EDGE, are_cut_off, with_cut_off_ends, with_t_wave
from loaders.beats.features.base import RECENT, Remembered
from loaders.beats.features.causal import LAST
from loaders.beats.input_spec import InputSpec
from loaders.beats.table import cut_kaggle_rows, extend_peaks
from loaders.dsp.chunks import Chunk, Chunker, iter_chunks, recorded
from loaders.dsp.noise import LeadReader
from loaders.dsp.quality import BadInterval, beside, polarity
from loaders.dsp.resample import MITBIH_FS
from loaders.io.annotations import read_beats
from loaders.io.recording import Recording
from toolbox.utils.aami import KAGGLE_ROW

BLOCK = 1 << 18  # samples read at once
LONGEST_RR = 10.0  # s; the beat after a longer pause belongs to another rhythm
REFRACTORY = 0.2  # s; two detections closer than that are one beat, seen from two chunks
OVERLAP = 0.1  # s before a chunk in which its neighbour may have missed a beat at the edge
SEEN = 2  # R peaks after a beat that its row reaches to
REMEMBERED = max(RECENT, LAST) + 2  # beats before one that its features look at
ENOUGH = 10  # beats that show which way up a lead is
PLAUSIBLE = (0.03, 20.0)  # mV of a QRS complex; anything else is in another unit


class SegmentedChunk(NamedTuple):
    """Beats and model inputs of one chunk of a recording.

    Attributes:
        sample: (n,) int64, the R peaks, in the recording's own samples.
        begins: (n,) whether a beat follows a gap or a long pause: no RR interval leads to it.
        seen: (n,) how many of the two R peaks that a row's end depends on were there: 0, 1 or 2.
        rows: (n, 187) float32, or (n, 1, samples) windows.
        features: (n, k) float32 beside windows, None without.
        skipped: intervals that could not be judged, in the recording's samples.
        shown: (m,) the signal at 360 Hz as it was recorded, NaN where there is none.
        doubt: (s,) of each second, see `LeadReading`; none where the R peaks are given.
        quality: why the end of the chunk and its context cannot be judged, else "".
    """

    sample: np.ndarray
    begins: np.ndarray
    seen: np.ndarray
    rows: np.ndarray
    features: np.ndarray | None
    skipped: list[BadInterval]
    shown: np.ndarray
    doubt: np.ndarray
    quality: str


def segment_chunk(
    chunk: Chunk, signal: np.ndarray, peaks: np.ndarray, begin: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the beats of a chunk that can be judged: those between its bad intervals and not cut off by an end of
    the recording, cut by the rhythm there.

    Args:
        chunk: its bad intervals are left out; beats of its context only tell where the rows of others end.
        signal: (n,) its signal, the right way up.
        peaks: (m,) samples of its R peaks, context included, rising.
        begin: the first sample of a beat that does not belong to the chunk before.

    Returns:
        Numbers of the `peaks` that have rows (k,), the rows (k, 187) float32, and whether each follows a bad interval
        or a pause (k,), so that no RR interval leads to it.
    """
    edge = round(EDGE * MITBIH_FS)
    starts = [0, *(interval.stop + edge for interval in chunk.bad)]
    stops = [*(interval.start - edge for interval in chunk.bad), len(signal) + edge]
    cut_off = are_cut_off(chunk, peaks)
    kept, rows, begins = [np.zeros(0, np.int64)], [np.zeros((0, KAGGLE_ROW), np.float32)], [np.zeros(0, bool)]
    for start, stop in zip(starts, stops, strict=True):
        usable = np.flatnonzero((peaks >= start) & (peaks < stop))
        pauses = np.flatnonzero(np.diff(peaks[usable]) > LONGEST_RR * MITBIH_FS) + 1
        for together in np.split(usable, pauses):
            inside = np.flatnonzero((peaks[together] >= begin) & (peaks[together] < chunk.stop) & ~cut_off[together])
            if len(inside):
                lead = with_t_wave(signal[: max(stop + edge, 0)], peaks[together])
                x, _ = cut_kaggle_rows(lead, extend_peaks(peaks[together]), inside)
                kept, rows, begins = [*kept, together[inside]], [*rows, x], [*begins, inside == 0]
    return np.concatenate(kept), np.concatenate(rows), np.concatenate(begins)


class LeadPolarity:
    """Which way up a lead is, by its first chunk with beats enough.

    Args:
        mode: "auto" turns a lead around that is upside down, "keep" does not, "invert" does in any case.

    Attributes:
        height: mV of the QRS complex in the average beat, negative where it points down; 0 before the first beat.
        inverted: whether the lead is turned around.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.height = 0.0
        self.inverted = mode == "invert"
        self._settled = False

    def look(self, signal: np.ndarray, peaks: np.ndarray) -> None:
        """Look at the next chunk's signal (n,) mV and R peaks (m,)."""
        if self._settled or not len(peaks):
            return
        self.height, upside_down = polarity(signal, peaks, MITBIH_FS)
        self._settled = len(peaks) >= ENOUGH
        if self.mode == "auto":
            self.inverted = upside_down and self._settled


class Segmenter:
    """Segments the chunks of one lead, in order; memory does not grow with its length.

    Args:
        fs: Hz, of the lead.
        polarity: "auto" turns a lead around that is upside down, "keep" does not, "invert" does in any case.
        given: the R peaks, in its own samples; None to detect them.
        input_spec: the windows to cut instead of Kaggle's rows; `InputSpec.check_live` must let them pass.
        live: whether the chunks are live ones.

    Attributes:
        samples: the number of samples read so far.
        upright: which way up the lead is.
    """

    def __init__(
        self,
        fs: float,
        polarity: str,
        given: np.ndarray | None = None,
        input_spec: InputSpec | None = None,
        live: bool = False,
    ) -> None:
        self.fs = fs
        self.given = given
        self.samples = 0
        self.upright = LeadPolarity(polarity)
        self._last = -1  # the beat before
        self._reader = LeadReader(live)
        self._spec = input_spec
        self._before = np.zeros(0, dtype=np.int64)  # the last beats, which features compare one with
        self._earlier: Remembered | None = None  # the shapes of more of them, where features ask for that

    @property
    def height(self) -> float:
        """See `LeadPolarity`."""
        return self.upright.height

    @property
    def inverted(self) -> bool:
        """See `LeadPolarity`."""
        return self.upright.inverted

    def segment(self, chunk: Chunk) -> SegmentedChunk:
        """Beats and model inputs of the next chunk."""
        self.samples += chunk.own
        chunk, peaks, own, begin, doubt = self._peaks(chunk)
        signal = self._upright_signal(chunk, peaks)
        kept, rows, begins = segment_chunk(chunk, signal, peaks, begin)
        sample, features = own[kept], None
        if len(kept):
            begins[0] |= self._last < 0
            self._last = int(sample[-1])
            if self._spec is not None:
                awaited = 2 if self._spec.remembered else 1
                rows, features = self._windows(chunk, signal, sample, own[kept[-1] + 1 : kept[-1] + 1 + awaited])
        seen = np.minimum(len(peaks) - 1 - kept, SEEN)
        quality = "".join([bad.kind for bad in chunk.bad if bad.stop >= len(chunk.signal)][-1:])
        skipped = intervals_of(replace(chunk, bad=with_cut_off_ends(chunk, peaks)))
        return SegmentedChunk(sample, begins, seen, rows, features, skipped, recorded(chunk), doubt, quality)

    def _windows(
        self, chunk: Chunk, signal: np.ndarray, sample: np.ndarray, following: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows and features of the beats at `sample`; `following` are the next one or two, if they have come."""
        spec, before = self._spec, self._before
        assert spec is not None
        near = np.concatenate([before, sample, following])
        x, features, beats = spec.values_in(chunk, signal[:, None], near, self.fs, self._earlier)
        inside = slice(len(before), len(before) + len(sample))
        if beats is not None:
            new, most = beats.part(slice(0, len(sample))), max(REMEMBERED, spec.remembered)
            self._earlier = new if self._earlier is None else self._earlier.followed_by(new, most)
        self._before = np.concatenate([before, sample])[-REMEMBERED:]
        return x[inside], None if features is None else features[inside]

    def _upright_signal(self, chunk: Chunk, peaks: np.ndarray) -> np.ndarray:
        """(n,) the signal of a chunk with these R peaks, the right way up."""
        self.upright.look(chunk.signal, peaks)
        return -chunk.signal if self.upright.inverted else chunk.signal

    def _peaks(self, chunk: Chunk) -> tuple[Chunk, np.ndarray, np.ndarray, int, np.ndarray]:
        """The chunk with its noise marked, (n,) R peaks of it and its context, in its samples and in the recording's,
        where new ones begin, and the doubt of its seconds."""
        if self.given is not None:
            return chunk, *self._given_peaks(chunk), np.zeros(0)
        reading = self._reader.read(chunk)
        placed = self._placed(chunk, reading.peaks)
        return replace(chunk, bad=beside(reading.noise, chunk.bad)), reading.peaks, *placed, reading.doubt

    def _given_peaks(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray, int]:
        """The given R peaks of a chunk, in its samples and in the recording's, and where those of the chunk begin."""
        assert self.given is not None
        end = chunk.first + len(chunk.signal) * chunk.step
        near = self.given[np.searchsorted(self.given, chunk.first) : np.searchsorted(self.given, end)]
        return np.minimum(chunk.from_own(near), len(chunk.signal) - 1), near, chunk.start

    def _placed(self, chunk: Chunk, at: np.ndarray) -> tuple[np.ndarray, int]:
        """(n,) the R peaks `at` samples of a chunk in the recording's samples, and where those of the chunk begin."""
        begin = chunk.start - round(OVERLAP * MITBIH_FS)
        if self._last >= 0:
            begin = max(begin, int(chunk.from_own(np.array(self._last)) + REFRACTORY * MITBIH_FS))
        return np.minimum(chunk.to_own(at), self.samples - 1 + round(len(chunk.signal) * chunk.step)), begin


class LeadSegmenter(Segmenter):
    """One lead of a recording, to be iterated over once.

    Args:
        recording: the file.
        lead: the position of the lead.
        peaks: "detect", or the annotator whose beats are taken.
        polarity: see `Segmenter`.
        live: read it as if it came live: a beat is segmented with the 3 s after its R peak.
        input_spec: see `Segmenter`.

    Raises:
        UserError: the signal or the annotations are damaged.
    """

    def __init__(
        self,
        recording: Recording,
        lead: int,
        peaks: str,
        polarity: str,
        live: bool = False,
        input_spec: InputSpec | None = None,
    ) -> None:
        self.recording = recording
        self.lead = recording.leads[lead]
        self.position = lead
        self.live = live
        given = None if peaks == "detect" else read_beats(recording.stem, peaks, self.lead.fs)
        # Polarity shows only after minutes.
        super().__init__(self.lead.fs, "keep" if live and polarity == "auto" else polarity, given, input_spec, live)

    @property
    def in_millivolts(self) -> bool:
        """True where the unit is known, and the QRS complexes, if there are any, are plausible in it."""
        return self.lead.scale is not None and (not self.height or PLAUSIBLE[0] <= abs(self.height) <= PLAUSIBLE[1])

    def __iter__(self) -> Iterator[SegmentedChunk]:
        stream = self.recording.stream(self.position, BLOCK)
        for chunk in iter_chunks(stream, Chunker(self.lead.fs, self.lead.low, self.lead.high, self.live)):
            yield self.segment(chunk)


def intervals_of(chunk: Chunk) -> list[BadInterval]:
    """The intervals of the chunk itself that could not be judged, in the recording's samples."""
    skipped = []
    for interval in chunk.bad:
        inside = np.clip([interval.start, interval.stop], chunk.start, chunk.stop)
        if inside[1] > inside[0]:
            start, stop = chunk.to_own(inside).tolist()
            skipped.append(BadInterval(start, stop, interval.kind))
    return skipped
