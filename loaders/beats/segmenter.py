"""Goes through a recording from its start to its end: where its beats are, and the rows that show them to a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from loaders.beats.features.causal import LAST
from loaders.beats.features.rr import RECENT
from loaders.beats.input_spec import InputSpec
from loaders.beats.table import RATE
from loaders.dsp.chunks import Chunk, bridged, iter_chunks, segment_chunk
from loaders.dsp.quality import BadInterval, polarity
from loaders.dsp.rpeaks import detect
from loaders.io.annotations import read_beats
from loaders.io.recording import Recording

BLOCK = 1 << 20  # samples read at once
REFRACTORY = 0.2  # s; two detections closer than that are one beat, seen from two pieces
OVERLAP = 0.1  # s before a piece in which its neighbour may have missed a beat at the edge
SEEN = 2  # R peaks after a beat that its row reaches to
REMEMBERED = max(RECENT, LAST) + 2  # beats before one that its features look at
ENOUGH = 10  # beats that tell which way up a lead is
PLAUSIBLE = (0.03, 20.0)  # mV of a QRS complex; anything else is in another unit


class SegmentedChunk(NamedTuple):
    """What one piece of a recording gives.

    Attributes:
        sample: (n,) int64, where its beats are, in the recording's own samples.
        begins: (n,) whether a beat begins a stretch: no RR interval leads to it.
        seen: (n,) how many of the two R peaks that a row's end depends on were there: 0, 1 or 2.
        rows: (n, 187) float32, or (n, 1, samples) windows where a recipe of those is given.
        features: (n, k) float32 beside windows, None where there are none.
        skipped: what could not be judged, in the recording's samples.
        shown: (m,) the signal at 360 Hz as it was recorded, NaN where there is none.
    """

    sample: np.ndarray
    begins: np.ndarray
    seen: np.ndarray
    rows: np.ndarray
    features: np.ndarray | None
    skipped: list[BadInterval]
    shown: np.ndarray


class Reader:
    """Reads the beats off the pieces of one lead, in order; it takes no more memory for a longer one.

    Args:
        fs: Hz, of the lead.
        polarity: "auto" turns a lead around that is upside down, "keep" does not, "invert" does in any case.
        given: where its beats are, in its own samples; None to detect them.
        recipe: of windows to cut instead of Kaggle's rows; one that `InputSpec.check_live` lets pass.

    Attributes:
        samples: how many have been read.
        height: mV of the QRS complex in the average beat, negative where it points down.
        inverted: whether the lead is turned around.
    """

    def __init__(
        self, fs: float, polarity: str, given: np.ndarray | None = None, recipe: InputSpec | None = None
    ) -> None:
        self.fs = fs
        self.polarity = polarity
        self.given = given
        self.samples = 0
        self.height = 0.0
        self.inverted = polarity == "invert"
        self._looked_at = False  # which way up the lead is
        self._last = -1  # the beat before
        self._recipe = recipe
        self._before = np.zeros(0, dtype=np.int64)  # the last beats, which features compare one with

    def part(self, piece: Chunk) -> SegmentedChunk:
        """What the next piece gives."""
        self.samples += piece.own
        peaks, own, begin = self._peaks(piece)
        self._look(piece, peaks)
        signal = -piece.signal if self.inverted else piece.signal
        kept, rows, begins = segment_chunk(piece, signal, peaks, begin)
        sample, features = own[kept], None
        if len(kept):
            begins[0] |= self._last < 0
            self._last = int(sample[-1])
            if self._recipe is not None:
                rows, features = self._windows(piece, signal, sample, own[kept[-1] + 1 : kept[-1] + 2])
        seen = np.minimum(len(peaks) - 1 - kept, SEEN)
        return SegmentedChunk(sample, begins, seen, rows, features, _skipped(piece), _shown(piece))

    def _windows(
        self, piece: Chunk, signal: np.ndarray, sample: np.ndarray, following: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows and features of the beats at `sample`; `following` is the beat after them, if it has come."""
        recipe, before = self._recipe, self._before
        assert recipe is not None
        near = np.concatenate([before, sample, following])
        x, features = recipe.values_in(piece, signal[:, None], near, self.fs)
        inside = slice(len(before), len(before) + len(sample))
        self._before = np.concatenate([before, sample])[-REMEMBERED:]
        return x[inside], None if features is None else features[inside]

    def _look(self, piece: Chunk, peaks: np.ndarray) -> None:
        if not self._looked_at:
            self.height, upside_down = polarity(piece.signal, peaks, RATE)
            self._looked_at = len(peaks) >= ENOUGH
            if self.polarity == "auto":
                self.inverted = upside_down and self._looked_at

    def _peaks(self, piece: Chunk) -> tuple[np.ndarray, np.ndarray, int]:
        """(n,) R peaks of a piece and its context, in its samples and in the recording's, and where new ones begin."""
        if self.given is not None:
            end = piece.first + len(piece.signal) * piece.step
            near = self.given[np.searchsorted(self.given, piece.first) : np.searchsorted(self.given, end)]
            return np.minimum(piece.from_own(near), len(piece.signal) - 1), near, piece.start
        at = detect(bridged(piece), RATE)
        begin = piece.start - round(OVERLAP * RATE)
        if self._last >= 0:
            begin = max(begin, int(piece.from_own(np.array(self._last)) + REFRACTORY * RATE))
        return at, np.minimum(piece.to_own(at), self.samples - 1 + round(len(piece.signal) * piece.step)), begin


class Reading(Reader):
    """One lead of a recording, to be gone through once.

    Args:
        recording: what is read.
        lead: the position of the lead.
        peaks: "detect", or the annotator whose beats are taken.
        polarity: see `Reader`.
        live: read it as if it came live: a beat knows the 3 s after its R peak.
        recipe: see `Reader`.

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
        recipe: InputSpec | None = None,
    ) -> None:
        self.recording = recording
        self.lead = recording.leads[lead]
        self.position = lead
        self.live = live
        given = None if peaks == "detect" else read_beats(recording.stem, peaks, self.lead.fs)
        # Which way up a lead is takes minutes to tell.
        super().__init__(self.lead.fs, "keep" if live and polarity == "auto" else polarity, given, recipe)

    @property
    def in_millivolts(self) -> bool:
        """Whether the unit is known, and what was read makes sense in it."""
        return self.lead.scale is not None and PLAUSIBLE[0] <= abs(self.height) <= PLAUSIBLE[1]

    def __iter__(self) -> Iterator[SegmentedChunk]:
        stream = self.recording.stream(self.position, BLOCK)
        for piece in iter_chunks(stream, self.lead.fs, self.lead.low, self.lead.high, self.live):
            yield self.part(piece)


def _skipped(piece: Chunk) -> list[BadInterval]:
    """What of the piece itself could not be judged, in the recording's samples."""
    found = []
    for stretch in piece.bad:
        inside = np.clip([stretch.start, stretch.stop], piece.start, piece.stop)
        if inside[1] > inside[0]:
            start, stop = piece.to_own(inside).tolist()
            found.append(BadInterval(start, stop, stretch.kind))
    return found


def _shown(piece: Chunk) -> np.ndarray:
    """The signal of the piece itself, without the lines that bridge its gaps."""
    signal = piece.signal.copy()
    for stretch in piece.bad:
        if stretch.kind == "gap":
            signal[stretch.start : stretch.stop] = np.nan
    return signal[piece.start : piece.stop]
