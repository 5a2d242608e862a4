"""Annotates one lead as its samples come: each beat within 3 s of its R peak.

The network arrives as an argument, as it does in inference/annotate.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from inference.classifier import Classifier
from loaders.beats.segmenter import Reader
from loaders.dsp.chunks import Chunk, Chunker
from loaders.io.csv_recording import CsvLayout, CsvRecording, detect_layout, parse_cell
from loaders.io.recording import LOWEST_RATE, CsvFormat, choose_lead
from toolbox.utils import UserError
from toolbox.utils.aami import LETTER_SYMBOLS, LETTERS
from toolbox.utils.signals import Ended

LOOKED_AT = 100  # lines that the layout of what comes is read off; beats come later anyway


class Beat(NamedTuple):
    """One annotated heartbeat.

    Attributes:
        sample: of its R peak, counted from the first that was pushed.
        time: s, of the same.
        rr: s since the beat before; None where no interval leads to it.
        letter: its class: N S V F Q after AAMI EC57, A for abnormal of a model of two classes.
        symbol: the same as a WFDB annotation code.
        probabilities: of each class, in the order of `Stream.names`.
        seen: how many of the two R peaks that its row's end depends on had come: 0, 1 or 2. Where they had not, the
            rhythm before tells when they are due.
    """

    sample: int
    time: float
    rr: float | None
    letter: str
    symbol: str
    probabilities: tuple[float, ...]
    seen: int


class Stream:
    """Takes the samples of one lead as they come, and gives its beats.

    A beat comes out with the sample that lies 2.75 to 3 s behind its R peak, however many samples are pushed at a
    time; it costs a few milliseconds for each quarter of a second, and as much memory as 24 s of signal take, for
    ever. It goes through the same code as --predict, which cuts a recording into longer pieces, and finds the same R
    peaks: what the detector looks at ends 2.2 s behind them. What a beat's annotation cannot know yet:

    - Where the next two R peaks lie, when they are more than about 2.5 s away; Kaggle's rows end 0.2 RR intervals
      behind the next and are scaled up to there. Peaks less than 2.2 s old are taken as they look now, and those that
      have not come as the rhythm before lets expect them (`Beat.seen` tells). So a row, and its probabilities, can
      differ from --predict's at less than some 60 beats a minute and before a pause.
    - In the first 2 s, how high beats are: --predict learns that from the first 4 s.
    - That a stretch of less than 2 s is going to stand still (flat) or lies between two such; and over what a long gap
      is going to be bridged. A beat within 2 s before may be told that --predict skips, or differ.
    - Whether the lead is upside down, which takes minutes to tell: `polarity` says it.

    A network of windows is fed the same windows as by --predict, and the same features, provided that they are causal
    but for what lies within 2.75 s (`InputSpec.check_live`): one lead, scaled by itself or not at all, beside it
    comparisons with the last beats (`rr_past`, `past`) and the time of the next (`rr`, `tempo_past`; an interval that
    has not ended within some 2.5 s counts as long as the last). With baseline "median" or no high-pass filter they are
    equal; a zero-phase high-pass of 0.5 Hz feels what comes later still, by some hundredths of a window's standard
    deviation.

    `--predict --live` gives exactly these beats for a recording, to be scored.

    Args:
        classifier: the network, of Kaggle's rows or of windows.
        fs: samples per second, at least 50; of any rate.
        gain: what 1 mV is given as: 1000 for microvolts.
        polarity: "keep", or "invert" for a lead that is upside down.
        low, high: the least and greatest value that the digitizer gives, in the samples' unit, to know saturation by.

    Attributes:
        names: the letters of the classes.
        quality: "gap", "flat" or "saturated" when the signal at hand cannot be judged, else "".

    Raises:
        UserError: a rate too low for an ECG, a gain that is none, another polarity, or a network that has to know more.
    """

    def __init__(
        self, classifier: Classifier, fs: float, gain: float = 1.0, polarity: str = "keep",
        low: float = -np.inf, high: float = np.inf,
    ) -> None:  # fmt: skip
        if not (np.isfinite(fs) and fs >= LOWEST_RATE):
            raise UserError(f"fs={fs}: expected samples per second, at least {LOWEST_RATE:g} for an ECG")
        if not (np.isfinite(gain) and gain > 0):
            raise UserError(f"gain={gain}: expected what 1 mV is given as, a number above 0")
        if polarity not in ("keep", "invert"):
            raise UserError(f"polarity={polarity!r}: expected 'keep' or 'invert'; a stream cannot know before it ends")
        if classifier.input_spec is not None:
            classifier.input_spec.check_live(classifier.name)
        self.classifier = classifier
        self.fs, self.gain = fs, gain
        self.names = tuple(LETTERS[name] for name in classifier.class_names)
        self.quality = ""
        self._cutter = Chunker(fs, low / gain, high / gain, live=True)
        self._reader = Reader(fs, polarity, input_spec=classifier.input_spec)
        self._last = 0
        self._finished = False

    def push(self, samples: float | Iterable[float] | np.ndarray) -> list[Beat]:
        """Take the next samples, one or (n,); NaN stands for one that is missing, and holds its place.

        Returns:
            The beats that are known now, in order; most often none.

        Raises:
            UserError: the samples are no row of numbers, or the stream has been finished.
        """
        if self._finished:
            raise UserError("this stream is finished; a new recording takes a new Stream")
        try:
            block = np.atleast_1d(np.asarray(samples, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise UserError(f"samples are numbers: {error}") from error
        if block.ndim != 1:
            raise UserError(f"a stream takes the samples of one lead, a row; got an array of shape {block.shape}")
        block = np.where(np.isfinite(block), block / self.gain, np.nan)
        return list(self._beats(self._cutter.push(block)))

    def finish(self) -> list[Beat]:
        """The beats of the last 3 s, which now are all there is. Nothing can be pushed any more."""
        self._finished = True
        return list(self._beats(self._cutter.finish()))

    def _beats(self, pieces: Iterable[Chunk]) -> Iterator[Beat]:
        for piece in pieces:
            at_the_end = [stretch.kind for stretch in piece.bad if stretch.stop >= len(piece.signal)]
            self.quality = at_the_end[-1] if at_the_end else ""
            part = self._reader.part(piece)
            if not len(part.sample):
                continue
            columns = (part.sample.tolist(), part.begins.tolist(), part.seen.tolist())
            likelihoods = self.classifier.probabilities(part.rows, part.features)
            for sample, begins, seen, likely in zip(*columns, likelihoods, strict=True):
                letter = self.names[int(likely.argmax())]
                rr = None if begins else (sample - self._last) / self.fs
                self._last = sample
                symbol = LETTER_SYMBOLS[letter]
                yield Beat(sample, sample / self.fs, rr, letter, symbol, tuple(likely.tolist()), seen)


def annotate_lines(
    lines: IO[str], out: IO[str], classifier: Classifier, csv: CsvFormat, lead: str | None, polarity: str
) -> dict[str, int]:
    """Annotate the lines of a CSV file as they come, and write a line for each beat at once.

    What is written is as the tables of --predict. A cell that is no number is a missing sample; the first such is told.
    It ends with the lines, or when nobody reads what it writes any more.

    Returns:
        How many "samples" came and how many "beats" were found.

    Raises:
        UserError: the rate is not given, or the first lines hold no numbers or not the lead that is wanted.
    """
    first = list(islice(lines, LOOKED_AT))
    layout, leads = detect_layout("standard input", [line.rstrip("\r\n") for line in first], csv)
    recording = CsvRecording(Path("standard input"), "stream", "CSV", leads, [], [], layout)
    chosen, warning = choose_lead(recording, lead)
    if warning:
        _say(f"warning: {warning}")
    column = layout.names.index(leads[chosen].name)
    stream = Stream(classifier, csv.fs or 0.0, 1 / (leads[chosen].scale or 1.0), polarity)
    found = {"samples": 0, "beats": 0}
    try:
        print("time_s,sample,rr_s,class", *(f"p_{name}" for name in stream.names), sep=",", file=out, flush=True)
        for value in _values(chain(first[layout.header :], lines), layout, column):
            quality = stream.quality
            found["samples"] += 1
            found["beats"] += _told(stream.push(value), out)
            if stream.quality != quality:
                told = f"{stream.quality}, no beats are told" if stream.quality else "the signal can be judged again"
                _say(f"{found['samples'] / stream.fs:.1f} s: {told}")
        found["beats"] += _told(stream.finish(), out)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # Python flushes it once more at its end
    except Ended as stop:
        stop.told = f"{found['beats']} beats told in {found['samples'] / stream.fs:.0f} s"
        raise
    return found


def _values(lines: Iterable[str], layout: CsvLayout, column: int) -> Iterator[float]:
    """The samples in a column of `lines`; NaN for what is no number, which is told once."""
    strange = False
    for number, line in enumerate(lines, start=layout.header + 1):
        if not line.strip():
            continue
        value = parse_cell(line, column, layout)
        if value is None and not strange:
            strange = True
            shown = f"line {number} of standard input, {line.strip()[:60]!r}"
            _say(f"warning: {shown}, has no number in column {column + 1}; such samples count as missing")
        yield np.nan if value is None else value


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _told(beats: list[Beat], out: IO[str]) -> int:
    """Write `beats`, and how many they are."""
    for beat in beats:
        rr = [] if beat.rr is None else [beat.rr]
        times, *rest = (f"{np.round(value, 4):.10g}" for value in (beat.time, *rr, *beat.probabilities))
        cells = [times, str(beat.sample), rest.pop(0) if rr else "", beat.letter, *rest]
        print(*cells, sep=",", file=out, flush=True)
    return len(beats)
