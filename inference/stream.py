"""Annotate one lead as its samples come: each beat within 3 s of its R peak."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from inference.classifier import Classifier
from inference.load import load_classifier
from inference.options import LIVE
from loaders.beats.segmenter import Segmenter
from loaders.dsp.chunks import Chunk, Chunker
from loaders.io.recording import HIGHEST_RATE, LOWEST_RATE
from toolbox.utils import UserError
from toolbox.utils.aami import LETTER_SYMBOLS, LETTERS


class Beat(NamedTuple):
    """One annotated heartbeat.

    Attributes:
        sample: of its R peak, counted from the first that was pushed.
        time: s, of the same.
        rr: s since the beat before; None where no interval leads to it.
        letter: its class: N S V F Q after AAMI EC57, A for abnormal of a network of two classes.
        symbol: the same as a WFDB annotation code.
        probabilities: of each class, in the order of `Stream.names`.
        seen: how many of the two R peaks that the end of its row depends on had come: 0, 1 or 2. Those that had not
            are expected when the rhythm before lets expect them.
    """

    sample: int
    time: float
    rr: float | None
    letter: str
    symbol: str
    probabilities: tuple[float, ...]
    seen: int


class Stream:
    """Annotate the samples of one lead as they come.

    A beat comes out with the sample that lies 2.75 to 3 s behind its R peak, however many samples are pushed at a
    time. It costs a few milliseconds for each quarter of a second, and as much memory as 24 s of signal take (and the
    shapes of the last 102 beats, where the network looks at them), for ever. The code is that of --predict, which cuts
    a recording into longer chunks, and finds the same R peaks: the detector looks at no more than 2.2 s behind them.
    The annotation of a beat cannot depend on what comes later:

    - The next two R peaks, when they are more than about 2.5 s away; Kaggle's rows end 0.2 RR intervals behind the
      next and are scaled up to there. Peaks less than 2.2 s old are taken as they look now, and those that have not
      come as the rhythm before lets expect them (see `Beat.seen`). So a row, and its probabilities, can differ from
      --predict's at less than some 60 beats a minute and before a pause.
    - In the first 2 s, the height of beats: --predict learns that from the first 4 s.
    - A stretch of less than 2 s that will turn out to stand still (flat) or to lie between two such; and the end of a
      long gap. A beat in the 2 s before may be given that --predict skips, or differ.
    - Noise. It shows some seconds after it began; the beats of these are given. --predict looks at both sides.
    - Whether the lead is upside down, which takes minutes to see: `polarity` says it.

    A network of windows reads the same windows as in --predict, and the same features, provided that they are causal
    but for what lies within 2.75 s (`InputSpec.check_live`): one lead, scaled by itself or not at all, beside it
    comparisons with the last beats (`rr_past`, `past`, `memory`) and the time of the next (`rr`, `tempo_past`; an
    interval that has not ended within some 2.5 s counts as long as the last; of `tempo_memory` and `memory` within
    2 s). With baseline "median" or no high-pass filter they are equal; a zero-phase high-pass of 0.5 Hz still depends
    on what comes later, by some hundredths of a window's standard deviation.

    `--predict --live` gives exactly these beats for a recording, to be scored.

    Args:
        classifier: the network, of Kaggle's rows or of windows: what `load_classifier` gives, or what it takes. Unless
            given, the network "live" that comes with the program.
        fs: samples per second, 50 to 20,000.
        gain: samples per mV: 1000 for microvolts.
        polarity: "keep", or "invert" for a lead that is upside down.
        low, high: the least and greatest value that the digitizer gives, in the samples' unit, to recognize saturation.

    Attributes:
        names: the letters of the classes.
        quality: "gap", "flat", "saturated" or "noise" while the signal cannot be judged, else "".

    Raises:
        UserError: the rate is too low for an ECG, the gain no positive number, the polarity another, or the network
            has to know a whole recording.

    Example:
        stream = Stream(fs=250)
        for block in source:
            for beat in stream.push(block):
                print(beat.time, beat.letter)
        last = stream.finish()
    """

    def __init__(
        self, classifier: Classifier | str | os.PathLike[str] | None = None, fs: float | None = None, gain: float = 1.0,
        polarity: str = "keep", low: float = -np.inf, high: float = np.inf,
    ) -> None:  # fmt: skip
        if fs is None:
            raise UserError("fs is missing: the samples per second that are pushed")
        if not LOWEST_RATE <= fs <= HIGHEST_RATE:
            raise UserError(f"fs={fs}: expected samples per second, {LOWEST_RATE:g} to {HIGHEST_RATE:g} for an ECG")
        if not (np.isfinite(gain) and gain > 0):
            raise UserError(f"gain={gain}: expected the samples' units per 1 mV, a number above 0")
        if polarity not in ("keep", "invert"):
            raise UserError(f"polarity={polarity!r}: expected 'keep' or 'invert'; a stream cannot know before it ends")
        if classifier is None or isinstance(classifier, str | os.PathLike):
            classifier = load_classifier(LIVE if classifier is None else os.fspath(classifier))
        if classifier.input_spec is not None:
            classifier.input_spec.check_live(classifier.name)
        self.classifier = classifier
        self.fs, self.gain = fs, gain
        self.names = tuple(LETTERS[name] for name in classifier.class_names)
        self.quality = ""
        self._chunker = Chunker(fs, low / gain, high / gain, live=True)
        self._segmenter = Segmenter(fs, polarity, input_spec=classifier.input_spec, live=True)
        self._last_sample = 0
        self._finished = False

    def push(self, samples: float | Iterable[float] | np.ndarray) -> list[Beat]:
        """Take the next samples, one or (n,); NaN stands for a missing one, and holds its place.

        Returns:
            The beats that are complete now, in order; most often none.

        Raises:
            UserError: the samples are not a row of numbers, or the stream has been finished.
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
        return list(self._beats(self._chunker.push(block)))

    def finish(self) -> list[Beat]:
        """The beats of the last 3 s, judged by the signal up to its end. Nothing can be pushed any more."""
        self._finished = True
        return list(self._beats(self._chunker.finish()))

    def _beats(self, chunks: Iterable[Chunk]) -> Iterator[Beat]:
        """The beats of the next chunks."""
        for chunk in chunks:
            part = self._segmenter.segment(chunk)
            self.quality = part.quality
            if not len(part.sample):
                continue
            columns = (part.sample.tolist(), part.begins.tolist(), part.seen.tolist())
            probabilities = self.classifier.probabilities(part.rows, part.features)
            for sample, begins, seen, row in zip(*columns, probabilities, strict=True):
                letter = self.names[int(row.argmax())]
                rr = None if begins else (sample - self._last_sample) / self.fs
                self._last_sample = sample
                probable = tuple(row.tolist())
                yield Beat(sample, sample / self.fs, rr, letter, LETTER_SYMBOLS[letter], probable, seen)
