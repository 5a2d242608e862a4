"""Find and classify the beats of one recording, in memory that grows with its beats only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from inference.classifier import Classifier
from inference.corrections import Corrections, apply_corrections
from loaders.beats.segmenter import LeadSegmenter, SegmentedChunk
from loaders.beats.window_segmenter import read_windows
from loaders.dsp.pacing import PacingReader
from loaders.dsp.quality import BadInterval, SignalShare, merge_intervals
from loaders.dsp.resample import MITBIH_FS
from loaders.io.leads import other_leads
from loaders.io.recording import Recording
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.rhythm import with_rhythms
from toolbox.holter.trace import CompressedTrace
from toolbox.utils import UserError, printable

T = TypeVar("T")
ENOUGH_SIGNAL = 0.9  # share of a lead; with less, it is warned of


@dataclass(frozen=True)
class AnnotatedLead:
    """The annotated beats of one lead, and what was noticed of its signal.

    Attributes:
        beats: the beats, with their classes and probabilities.
        lead: the lead's name.
        unit: of the heights below and of the trace: "mV"; "QRS height" where the file's unit is unknown or wrong.
        qrs_height: of the average beat, negative where it points down.
        inverted: whether the lead was turned around.
        warnings: for the reader of the result.
        leads: the leads that the network read, this one first, by name: the share of each that holds a signal.
    """

    beats: AnnotatedRecording
    lead: str
    unit: str
    qrs_height: float
    inverted: bool
    warnings: list[str]
    leads: dict[str, float]


def annotate_lead(
    recording: Recording,
    position: int,
    classifier: Classifier,
    *,
    peaks: str = "detect",
    polarity: str = "auto",
    live: bool = False,
    corrections: Sequence[Corrections] = (),
    show_progress: bool = False,
) -> AnnotatedLead:
    """Annotate the lead at `position`, in one pass where a beat's row is known with its neighbours, else in two.

    Args:
        peaks: "detect", or the annotator whose beats are taken.
        polarity: "auto" turns a lead around that is upside down, "keep" does not, "invert" does in any case.
        live: classify as if the recording came live: each beat knows the 3 s after its R peak.
        corrections: a person's changes of the beats, one list after the other.
        show_progress: whether to draw a bar, where stderr is a terminal.

    Raises:
        UserError: the signal is damaged, has too few leads for the network, holds no beat that can be judged, or
            corrections do not fit.
    """
    spec = classifier.input_spec
    # Windows may be scaled by all beats of the recording, which are known at its end; live ones never are.
    two_passes = spec is not None and not live
    leads = other_leads(recording, position, spec.leads) if spec and two_passes else [position]
    reading = LeadSegmenter(recording, position, peaks, polarity, live, None if two_passes else spec)
    title = printable(recording.name) if show_progress and sys.stderr.isatty() else ""
    collected = _Pass(None if two_passes else classifier, reading.lead.fs)
    for chunk in _with_bar(reading, title, "s", recording.seconds, lambda chunk: len(chunk.shown) / MITBIH_FS):
        collected.add(chunk, reading)
    skipped = merge_intervals(collected.skipped)
    if not collected.samples:
        raise UserError(_no_beats(recording, reading, skipped))
    sample = np.concatenate(collected.samples)
    others = [recording.leads[k] for k in leads[1:]]
    shares = [SignalShare(lead.fs, lead.low, lead.high, lead.scale is not None) for lead in others]
    if spec and two_passes:
        windows = read_windows(recording, leads, reading.inverted, sample, spec, shares)
        bar = _with_bar(windows, title, "beats", len(sample), lambda part: len(part[0]))
        collected.probabilities = [classifier.probabilities(x, features) for x, features in bar]
    lost = sum(interval.stop - interval.start for interval in skipped)
    signals = {reading.lead.name: 1 - lost / reading.samples}
    signals |= {lead.name: share.share for lead, share in zip(others, shares, strict=True)}
    beats = AnnotatedRecording(
        sample,
        np.concatenate(collected.begins),
        np.concatenate(collected.probabilities),
        classifier.class_names,
        reading.lead.fs,
        reading.samples,
        skipped,
        collected.trace.finish(),
        doubt=np.concatenate(collected.doubt),
    )
    for changes in corrections:  # before anything is concluded from the beats
        beats = apply_corrections(beats, changes)
    beats = with_rhythms(beats, np.isin(beats.sample, sample[collected.pacing.paced(len(sample))]))
    unit = "mV" if reading.in_millivolts else "QRS height"
    doubts = [*_doubts(reading, polarity), *_silent_leads(list(signals.items())[1:])]
    return AnnotatedLead(beats, reading.lead.name, unit, round(reading.height, 3), reading.inverted, doubts, signals)


class _Pass:
    """Beats, trace and skipped intervals of a lead, chunk by chunk; a classifier classifies the beats at once."""

    def __init__(self, classifier: Classifier | None, fs: float) -> None:
        self.classifier = classifier
        self.samples: list[np.ndarray] = []
        self.begins: list[np.ndarray] = []
        self.probabilities: list[np.ndarray] = []
        self.skipped: list[BadInterval] = []
        self.doubt: list[np.ndarray] = []
        self.trace = CompressedTrace()
        self.pacing = PacingReader(fs)
        self._trace_scale = 0.0

    def add(self, chunk: SegmentedChunk, reading: LeadSegmenter) -> None:
        """Take the next chunk."""
        self._trace_scale = self._trace_scale or _trace_scale(reading)
        self.pacing.add(chunk.shown, chunk.sample * (MITBIH_FS / reading.fs) - self.trace.samples)
        self.trace.add(chunk.shown * self._trace_scale)
        self.skipped += chunk.skipped
        self.doubt.append(chunk.doubt)
        if len(chunk.sample):
            self.samples.append(chunk.sample)
            self.begins.append(chunk.begins)
            if self.classifier is not None:
                self.probabilities.append(self.classifier.probabilities(chunk.rows, chunk.features))


def _with_bar(
    items: Iterable[T], title: str, unit: str, total: float | None, size: Callable[[T], float]
) -> Iterator[T]:
    """`items`, with a bar on stderr of how much of `total` they are together; none is drawn where `title` is empty."""
    if not title:
        yield from items
        return
    done, layout = (
        0.0,
        f"{{desc}}: {{percentage:3.0f}}%|{{bar}}| {{n_fmt}}/{{total_fmt}} {unit} [{{elapsed}}<{{remaining}}]",
    )
    with tqdm(desc=title, total=total and round(total), leave=False, dynamic_ncols=True, bar_format=layout) as bar:
        for item in items:
            yield item
            done += size(item)
            bar.update(int(done) - bar.n)


def _trace_scale(reading: LeadSegmenter) -> float:
    """The factor of the displayed trace: in an unknown unit, the average beat is drawn as high as 1 mV."""
    return 1.0 if reading.in_millivolts or not reading.height else 1 / abs(reading.height)


def _no_beats(recording: Recording, reading: LeadSegmenter, skipped: list[BadInterval]) -> str:
    """The error message for a lead without beats."""
    lost = sum(interval.stop - interval.start for interval in skipped)
    share = f"; {100 * lost / reading.samples:.0f} % of it is flat, saturated, missing or noise" if lost else ""
    return f"{recording.path}: no heartbeat in lead {reading.lead.name}{share}"


def _doubts(reading: LeadSegmenter, polarity: str) -> list[str]:
    """Warnings about the unit and the polarity of the signal."""
    doubts = []
    if reading.lead.scale is None:
        doubts.append(f"unit {reading.lead.unit!r} of lead {reading.lead.name} is no voltage that is known")
    elif not reading.in_millivolts:
        doubts.append(
            f"QRS complexes of {abs(reading.height):.3g} mV: the signal is not in mV"
            f"{'; --gain tells how much 1 mV is' if reading.recording.kind in ('CSV', 'MATLAB', 'NumPy') else ''}"
        )
    beyond = 0 if reading.given is None else int((reading.given >= reading.samples).sum())
    if beyond and reading.given is not None:
        doubts.append(
            f"{beyond} beat(s) of --peaks lie beyond its {reading.samples} samples, the last at {reading.given[-1]}; "
            "they are left out"
        )
    if reading.inverted and polarity == "auto":
        doubts.append("the lead is upside down (P waves and QRS complexes point down) and was turned around")
    return doubts


def _silent_leads(others: list[tuple[str, float]]) -> list[str]:
    """Warnings about leads beside the annotated one that hold no signal for a good part of the recording."""
    return [
        f"lead {name}, which the network reads too, has no signal in {100 * (1 - share):.0f} % of it"
        for name, share in others
        if share < ENOUGH_SIGNAL
    ]
