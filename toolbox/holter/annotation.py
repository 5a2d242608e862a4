"""The annotated beats of a recording, with rhythm episodes and signal quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from toolbox.holter.episodes import (
    FIBRILLATION,
    PACED,
    Episode,
    find_episodes,
    seconds_by_kind,
    summarize,
    without_beats,
)
from toolbox.holter.rhythm_marks import rhythm_marks
from toolbox.holter.silences import SilenceJudge, find_silences
from toolbox.holter.strips import BeatMarks
from toolbox.holter.trace import CompressedTrace
from toolbox.utils.aami import LETTER_SYMBOLS, LETTERS

PACED_SYMBOL = "/"  # WFDB's code of a paced beat, which EC57 counts as Q
CERTAIN = 0.5  # the probability of the likeliest class, below which a beat counts as uncertain


@dataclass(frozen=True)
class AnnotatedRecording:
    """The beats of a recording and their classes by a network.

    Attributes:
        sample: (n,) int64, positions of the beats in samples of the recording; there may be none.
        begins: (n,) whether no RR interval leads to a beat.
        probabilities: (n, classes) float32.
        class_names: one for each class, of LETTERS.
        fs: samples per second.
        samples: length of the recording.
        skipped: (start, stop, reason) of the intervals that could not be judged, in samples.
        trace: the signal, for pictures.
        rhythms: episodes of RHYTHMS, and of ventricular flutter or fibrillation, in which there are no beats.
        called: (n,) the letters of the beats after what the rhythm says of them; None for the likeliest classes.
        reasons: how many beats are called otherwise than their likeliest class says, by why.
        named: (n,) the letters that a person gave to beats, "" for beats that nobody corrected; None without any.
        doubt: (s,) of each second, how much the R-peak network doubts its beats; none where the R peaks were given.
    """

    sample: np.ndarray
    begins: np.ndarray
    probabilities: np.ndarray
    class_names: Sequence[str]
    fs: float
    samples: int
    skipped: Sequence[tuple[int, int, str]]
    trace: CompressedTrace
    rhythms: Sequence[Episode] = ()
    called: np.ndarray | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    named: np.ndarray | None = None
    doubt: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def class_letters(self) -> tuple[str, ...]:
        """The letters of the classes."""
        return tuple(LETTERS[name] for name in self.class_names)

    @cached_property
    def all_letters(self) -> tuple[str, ...]:
        """The letters that beats are called by: those of the classes, "Q" of paced beats, and others of a person."""
        others = sorted(set(self.letters.tolist()) - set(self.class_letters))
        return (*self.class_letters, *others)

    @cached_property
    def is_corrected(self) -> np.ndarray:
        """(n,) whether a person named or inserted each beat."""
        return np.zeros(len(self.sample), bool) if self.named is None else self.named != ""

    @cached_property
    def likeliest(self) -> np.ndarray:
        """(n,) the letter of the likeliest class of each beat."""
        return np.array(self.class_letters)[self.probabilities.argmax(axis=1)]

    @cached_property
    def letters(self) -> np.ndarray:
        """(n,) the letter of each beat: a person's, else what the rhythm says, else of its likeliest class."""
        called = self.likeliest if self.called is None else self.called
        return called if self.named is None else np.where(self.is_corrected, self.named, called)

    @cached_property
    def symbols(self) -> np.ndarray:
        """(n,) the classes as WFDB annotation codes; "/" for paced beats."""
        codes = np.array([LETTER_SYMBOLS[letter] for letter in self.letters.tolist()], dtype="<U1")
        for episode in self.rhythms:
            if episode.kind == PACED:
                within = slice(episode.first, episode.last + 1)
                codes[within] = np.where(codes[within] == "Q", PACED_SYMBOL, codes[within])
        return codes

    @property
    def confidence(self) -> np.ndarray:
        """(n,) the probability of the likeliest class; 1 where a person corrected the beat."""
        return np.where(self.is_corrected, np.float32(1), self.probabilities.max(axis=1))

    @cached_property
    def times(self) -> np.ndarray:
        """(n,) s from the start."""
        return self.sample / self.fs

    @cached_property
    def rr(self) -> np.ndarray:
        """(n,) RR intervals in s, NaN where none leads to a beat."""
        return np.where(self.begins, np.nan, np.diff(self.sample, prepend=0) / self.fs)

    @cached_property
    def episodes(self) -> list[Episode]:
        """Runs, couplets, bigeminy, trigeminy, rhythms and stretches without beats, in order of time."""
        judge = SilenceJudge(self.trace, self.times)
        flutter = [(episode.start, episode.stop) for episode in self.rhythms if episode.kind == FIBRILLATION]
        noise = [(start / self.fs, stop / self.fs) for start, stop, reason in self.skipped if reason == "noise"]
        silences = find_silences(self.times, self.samples / self.fs, judge.kind, flutter, noise)
        return find_episodes(self.times, self.rr, self.letters, [*silences, *self.rhythms])

    @cached_property
    def without_beats(self) -> dict[str, Any]:
        """Counts and seconds of the stretches without beats of each kind, and the longest."""
        return without_beats(self.episodes)

    @cached_property
    def marks(self) -> BeatMarks:
        """The beats and the skipped intervals, for pictures."""
        return BeatMarks(self.times, self.letters, self._skipped_seconds())

    def rhythm_marks(self) -> list[tuple[int, str, str]]:
        """(sample, WFDB code, text) of each change of the rhythm, for an annotation file."""
        edges = [edge for start, stop, _ in self.skipped for edge in (start, stop)]
        return rhythm_marks(self.episodes, self.sample, self.fs, edges)

    def _skipped_seconds(self) -> list[tuple[float, float, str]]:
        return [(round(a / self.fs, 3), round(b / self.fs, 3), reason) for a, b, reason in self.skipped]

    def summary(self) -> dict[str, Any]:
        """Counts, rate, burden, episodes and signal quality in plain values."""
        lost = dict.fromkeys(("gap", "flat", "saturated", "noise"), 0.0)
        for start, stop, reason in self.skipped:
            lost[reason] += (stop - start) / self.fs
        seconds = self.samples / self.fs
        quality = {
            "usable": round(1 - sum(lost.values()) / seconds, 6),
            **{f"{reason}_s": round(value, 3) for reason, value in lost.items()},
            "uncertain_beats": int((self.confidence < CERTAIN).sum()),
            "skipped": self._skipped_seconds(),
        }
        return {
            **summarize(self.rr, self.letters, self.all_letters, self.episodes),
            "rhythms": seconds_by_kind(self.rhythms),
            "reclassified": dict(self.reasons),
            "signal_quality": quality,
            "episodes": [episode.to_dict() for episode in self.episodes],
        }
