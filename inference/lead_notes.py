"""Quality of the leads that a result is drawn from, switches between them, and warnings about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loaders.beats.leads_segmenter import LeadsSegmenter
from loaders.dsp.quality import BadInterval
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.episodes import NO_SIGNAL, SHUT_DOWN, unread_text

ENOUGH_SIGNAL = 0.9  # share of a lead; with less, it is warned of
NOISE = "noise"  # the kind of bad interval in which there is a signal
DANGERS = {  # that look like an unreadable lead
    SHUT_DOWN: "noise can hide ventricular flutter or fibrillation: look at the signal",
    NO_SIGNAL: "a lead that is off looks like asystole: look at the patient",
}


@dataclass(frozen=True)
class LeadQuality:
    """The quality of one lead over a recording.

    Attributes:
        name: of the lead.
        signal: the share of the recording in which it is neither missing, flat nor at the digitizer's limits.
        good: the share in which, besides, its beats can be told from noise.
        read: the share in which beats were taken from it in the first place.
    """

    name: str
    signal: float
    good: float
    read: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to their accuracy."""
        shares = {"signal": self.signal, "good": self.good, "read": self.read}
        return {"name": self.name, **{key: round(value, 6) for key, value in shares.items()}}


def lead_qualities(reading: LeadsSegmenter) -> list[LeadQuality]:
    """The quality of each lead, once all of it has been read."""
    qualities = []
    for number, (position, bad) in enumerate(zip(reading.positions, reading.bad, strict=True)):
        silent = _length([each for each in bad if each.kind != NOISE])
        spans = sum(span.stop - span.start for span in reading.spans if span.lead == number)
        signal, good = (1 - lost / reading.samples for lost in (silent, _length(bad)))
        name = reading.recording.leads[position].name
        qualities.append(LeadQuality(name, signal, good, spans / reading.samples))
    return qualities


def switches(reading: LeadsSegmenter) -> list[tuple[int, int, str]]:
    """(start, stop, lead's name) in samples: the stretches in which another lead was read than the one to annotate."""
    names = [reading.recording.leads[position].name for position in reading.positions]
    return [(span.start, span.stop, names[span.lead]) for span in reading.spans if span.lead]


def nothing_read(beats: AnnotatedRecording) -> list[str]:
    """A warning of a recording without a beat, which may be the worst of all: what it shows instead, and what that can
    mean; nothing where there are beats."""
    if len(beats.sample):
        return []
    seconds = beats.without_beats["seconds"]
    dangers = [danger for kind, danger in DANGERS.items() if seconds[kind]]
    return ["; ".join([f"no heartbeat could be read: {unread_text(seconds)}", *dangers])]


def doubts(reading: LeadsSegmenter, polarity: str) -> list[str]:
    """Warnings about the unit and the polarity of the lead.

    Args:
        reading: after the last chunk.
        polarity: as asked for.
    """
    texts = []
    if reading.lead.scale is None:
        texts.append(f"unit {reading.lead.unit!r} of lead {reading.lead.name} is no voltage that is known")
    elif not reading.in_millivolts:
        texts.append(
            f"QRS complexes of {abs(reading.height):.3g} mV: the signal is not in mV"
            f"{'; --gain tells how much 1 mV is' if reading.recording.kind in ('CSV', 'MATLAB', 'NumPy') else ''}"
        )
    beyond = 0 if reading.given is None else int((reading.given >= reading.samples).sum())
    if beyond and reading.given is not None:
        texts.append(
            f"{beyond} beat(s) of --peaks lie beyond its {reading.samples} samples, the last at {reading.given[-1]}; "
            "they are left out"
        )
    if reading.inverted and polarity == "auto":
        texts.append("the lead is upside down (P waves and QRS complexes point down) and was turned around")
    return texts


def other_leads_doubts(reading: LeadsSegmenter, network_reads: int) -> list[str]:
    """Warnings about leads that are bad for a good part of the recording, and about those read in their place.

    Args:
        reading: after the last chunk.
        network_reads: how many leads.
    """
    qualities, texts = lead_qualities(reading), []
    for number, lead in enumerate(qualities[:network_reads]):
        beside = "" if number == 0 else ", which the network reads too,"
        if number and lead.signal < ENOUGH_SIGNAL:
            texts.append(f"lead {lead.name}{beside} has no signal in {100 * (1 - lead.signal):.0f} % of it")
        if number and lead.signal - lead.good > 1 - ENOUGH_SIGNAL:
            texts.append(f"lead {lead.name}{beside} is noise in {100 * (lead.signal - lead.good):.0f} % of it")
    instead = [f"lead {lead.name} in {100 * lead.read:.1f} % of it" for lead in qualities[1:] if lead.read]
    if instead:
        first = qualities[0]
        texts.append(
            f"lead {first.name} cannot be read in {100 * (1 - first.good):.1f} % of the recording; beats were taken "
            f"from {' and '.join(instead)}"
        )
    return texts


def _length(intervals: list[BadInterval]) -> int:
    return sum(interval.stop - interval.start for interval in intervals)
