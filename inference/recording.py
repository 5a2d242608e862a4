"""Find and classify the beats of one recording, in memory that grows with its beats only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from inference.adapt import adapted, squashed
from inference.classifier import Classifier, adaptation_of, scaling_of
from inference.corrections import Corrections, apply_corrections
from inference.fusion import Shapes
from inference.lead_notes import LeadQuality, doubts, lead_qualities, nothing_read, other_leads_doubts, switches
from inference.network_choice import leads_read, network_for
from inference.options import FUSION
from inference.shown_leads import ShownLeads
from inference.signal_recording import SHORTEST
from loaders.beats.lead_choice import leads_of_one_heart
from loaders.beats.leads_segmenter import LeadsSegmenter
from loaders.beats.segmenter import SegmentedChunk
from loaders.beats.window_segmenter import read_windows
from loaders.dsp.pacing import PacingReader
from loaders.dsp.quality import BadInterval, merge_intervals
from loaders.dsp.resample import MITBIH_FS
from loaders.io.leads import other_leads
from loaders.io.recording import Recording
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.rhythm import paced_warning, with_rhythms
from toolbox.holter.trace import CompressedTrace
from toolbox.utils import UserError, printable

T = TypeVar("T")


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
        leads: the leads that were read, this one first: those that the network reads, and those that beats were looked
            for in.
        switches: (start, stop, name) in samples: stretches in which beats were taken from another lead than this one.
        network: the name of the network that named the beats.
        network_leads: how many of the leads it reads.
        shown: for pictures, the signal of each lead but this one; of this one, too, where there are switches.
        chosen: of two networks that come with the program, why this one.
        adapt: how classes followed the recording's other beats, see inference.options.ADAPTATIONS.
    """

    beats: AnnotatedRecording
    lead: str
    unit: str
    qrs_height: float
    inverted: bool
    warnings: list[str]
    leads: list[LeadQuality]
    switches: list[tuple[int, int, str]]
    network: str
    network_leads: int
    shown: dict[str, CompressedTrace]
    chosen: str = ""
    adapt: str = "none"


def annotate_lead(
    recording: Recording,
    position: int,
    classifier: Classifier,
    *,
    peaks: str = "detect",
    polarity: str = "auto",
    live: bool = False,
    corrections: Sequence[Corrections] = (),
    single: Classifier | None = None,
    alone: bool = False,
    adapt: str | None = None,
    show_progress: bool = False,
) -> AnnotatedLead:
    """Annotate the lead at `position`, in one pass where a beat's row is known with its neighbours, else in two.

    Other ECG leads of the recording take part: beats are those that the leads agree on, and where the lead is bad the
    next that is good is read. A recording in which no beat can be read has none, and a warning says why.

    Args:
        peaks: "detect", or the annotator whose beats are taken.
        polarity: "auto" turns a lead around that is upside down, "keep" does not, "invert" does in any case.
        live: classify as if the recording came live: each beat knows the 3 s after its R peak, of the lead alone.
        corrections: a person's changes of the beats, one list after the other.
        single: a network that reads one lead, for a recording that shows fewer leads than the `classifier` reads.
        alone: whether beats are looked for in no other lead.
        adapt: how classes follow the recording's other beats, see `adapted`; None for as the network was trained to be
            read. Live, none do.
        show_progress: whether to draw a bar, where stderr is a terminal.

    Raises:
        UserError: the signal is damaged or too short to hold a beat, or corrections do not fit.
    """
    # Windows may be scaled by all beats of the recording, which are known at its end; live ones never are.
    two_passes = classifier.input_spec is not None and not live
    reading = _leads_to_read(recording, position, classifier, peaks, polarity, live, alone)
    title = printable(recording.name) if show_progress and sys.stderr.isatty() else ""
    names = [recording.leads[position].name for position in reading.positions]
    collected = _Pass(None if two_passes else classifier, reading.lead.fs, names)
    for chunk in _with_bar(reading, title, "s", recording.seconds, lambda chunk: len(chunk.shown) / MITBIH_FS):
        collected.add(chunk, reading)
    sample = collected.joined_samples()
    if not len(sample) and reading.samples < SHORTEST * reading.fs:
        seconds = f"{reading.samples / reading.fs:.3g} s"
        raise UserError(f"{recording.path}: no heartbeat in the {seconds} of lead {reading.lead.name}")
    chosen, lacks = "", list[str]()
    method = "none"
    if two_passes:
        classifier, chosen, lacks = network_for(reading, sample, classifier, single, alone)
        method = adaptation_of(classifier, adapt)
    if two_passes and len(sample):
        collected.probabilities = _classified(reading, sample, classifier, method, title)
    classes = np.zeros((0, len(classifier.class_names)), dtype=np.float32)
    beats = AnnotatedRecording(
        sample,
        np.concatenate([np.zeros(0, dtype=bool), *collected.begins]),
        np.concatenate([classes, *collected.probabilities]),
        classifier.class_names,
        reading.lead.fs,
        reading.samples,
        merge_intervals(collected.skipped),
        collected.trace.finish(),
        doubt=np.concatenate(collected.doubt),
    )
    for changes in corrections:  # before anything is concluded from the beats
        beats = apply_corrections(beats, changes)
    beats = with_rhythms(beats, np.isin(beats.sample, sample[collected.pacing.paced(len(sample))]))
    notes = doubts(reading, polarity)
    notes += [*other_leads_doubts(reading, leads_read(classifier)), *lacks] if len(sample) else []
    notes += [*nothing_read(beats), *paced_warning(beats)]
    return AnnotatedLead(
        beats,
        reading.lead.name,
        "mV" if reading.in_millivolts else "QRS height",
        round(reading.height, 3),
        reading.inverted,
        notes,
        lead_qualities(reading),
        switches(reading),
        classifier.name,
        leads_read(classifier),
        collected.shown.finish(),
        chosen,
        method,
    )


def _leads_to_read(
    recording: Recording, position: int, classifier: Classifier, peaks: str, polarity: str, live: bool, alone: bool
) -> LeadsSegmenter:
    """The leads that the network reads, and those that beats are looked for in besides; see `annotate_lead`."""
    voting = [position] if alone or live else leads_of_one_heart(recording, position)
    read = [position] if live else other_leads(recording, position, leads_read(classifier))
    leads = [*read, *(k for k in voting if k not in read)]
    voters = len(list(takewhile(lambda k: k in voting, leads)))
    one_pass = classifier.input_spec if live else None
    return LeadsSegmenter(recording, leads, peaks, polarity, live, one_pass, voters)


def _classified(
    reading: LeadsSegmenter, sample: np.ndarray, classifier: Classifier, adapt: str, title: str
) -> list[np.ndarray]:
    """Parts of the probabilities (n, classes) of the beats at `sample`, by their windows; one part after `adapt`."""
    assert classifier.input_spec is not None
    leads = reading.recording, reading.positions, reading.inverted
    windows = read_windows(*leads, sample, classifier.input_spec, reading.bad)
    bar = _with_bar(windows, title, "beats", len(sample), lambda part: len(part[0]))
    if adapt == "none":
        return [classifier.probabilities(x, features) for x, features in bar]
    scaling = scaling_of(classifier)
    assert scaling is not None  # `adaptation_of` says so
    parts = [
        (classifier.probabilities(x, values), squashed(values, *scaling), _kept(x, adapt))
        for x, values in bar
        if values is not None
    ]
    probabilities, features, kept = (np.concatenate(column) for column in zip(*parts, strict=True))
    shapes = Shapes(kept, sample / reading.lead.fs, classifier.input_spec.rate)
    return [adapted(probabilities, features, classifier.class_names, adapt, shapes)]


def _kept(windows: np.ndarray, adapt: str) -> np.ndarray:
    """Windows (n, leads, samples) in half the memory where fusion beats are told by them, else (n, leads, 0)."""
    return windows.astype(np.float16) if adapt == FUSION else windows[:, :, :0].copy()


class _Pass:
    """Beats, trace and skipped intervals of a lead, chunk by chunk; a classifier classifies the beats at once."""

    def __init__(self, classifier: Classifier | None, fs: float, leads: Sequence[str]) -> None:
        self.classifier = classifier
        self.samples: list[np.ndarray] = []
        self.begins: list[np.ndarray] = []
        self.probabilities: list[np.ndarray] = []
        self.skipped: list[BadInterval] = []
        self.doubt: list[np.ndarray] = []
        self.trace = CompressedTrace()
        self.pacing = PacingReader(fs)
        self.shown = ShownLeads(leads, self.trace)
        self._trace_scale = 0.0

    def joined_samples(self) -> np.ndarray:
        """(n,) int64 all beats so far."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self.samples])

    def add(self, chunk: SegmentedChunk, reading: LeadsSegmenter) -> None:
        """Take the next chunk."""
        self._trace_scale = self._trace_scale or _trace_scale(reading)
        self.pacing.add(chunk.shown, chunk.sample * (MITBIH_FS / reading.fs) - self.trace.samples)
        self.shown.add([signal * self._trace_scale for signal in reading.shown], reading.switched)
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


def _trace_scale(reading: LeadsSegmenter) -> float:
    """The factor of the displayed trace: in an unknown unit, the average beat is drawn as high as 1 mV."""
    return 1.0 if reading.in_millivolts or not reading.height else 1 / abs(reading.height)
