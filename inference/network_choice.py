"""Choose the network for a recording by the leads that it shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inference.classifier import Classifier, pretrained_name
from loaders.beats.leads_segmenter import LeadsSegmenter
from loaders.beats.segmenter import EDGE
from loaders.beats.window_segmenter import good_beats
from loaders.io.leads import likely_leads

COMPLETE = 0.1  # share of the beats that all leads of a network show; with less, it is no network for the recording


class Choice(NamedTuple):
    """The network for a recording.

    Attributes:
        network: the network.
        why: of two that come with the program, why this one; "" where there was no choice.
        warnings: for the reader of the result, where it is another than wanted, or lacks leads.
    """

    network: Classifier
    why: str
    warnings: list[str]


def leads_read(classifier: Classifier) -> int:
    """How many leads a network reads."""
    return classifier.input_spec.leads if classifier.input_spec else 1


def network_for(
    reading: LeadsSegmenter, sample: np.ndarray, classifier: Classifier, single: Classifier | None, alone: bool
) -> Choice:
    """The network for the beats of a recording: `single` where hardly any shows in all leads that the other reads.

    Args:
        reading: the leads, read to their end.
        sample: (n,) the beats.
        classifier: the network that is wanted.
        single: one that reads one lead, None for none.
        alone: whether beats were looked for in one lead only, so that nobody knows whether others show the same.
    """
    wanted = leads_read(classifier)
    good = good_beats(sample, reading.bad[:wanted], round(EDGE * reading.lead.fs))
    complete = wanted == good.shape[1] and (not len(sample) or good.all(axis=1).mean() >= COMPLETE)
    other_heart = single is not None and not alone and _shows_other_beats(reading, wanted)
    if complete and not other_heart:
        return Choice(classifier, f"the recording shows {wanted} leads" if single is not None else "", [])
    shown = f"{'has' if len(reading.positions) < wanted else 'shows'} only {1 if other_heart else _most_at_once(good)}"
    if single is not None and pretrained_name(single):
        return Choice(single, f"the recording {shown} ECG lead", [])
    why = f"the network reads {wanted} leads, of which the recording {shown}"
    if single is not None:
        return Choice(single, "", [f"{why}: the beats are named by {single.name}, which reads one lead"])
    remedy = "--model-file one-lead" if pretrained_name(classifier) else "a network trained with --leads 1"
    text = f"{why}: a lead stands in for another, which costs accuracy; {remedy} does better"
    return Choice(classifier, "", [text])


def _shows_other_beats(reading: LeadsSegmenter, wanted: int) -> bool:
    """Check whether leads that the network reads have names that tell nothing, and other beats than the first."""
    return reading.voters < min(wanted, len(reading.positions)) and not likely_leads(reading.recording.leads)[0]


def _most_at_once(good: np.ndarray) -> int:
    """How many leads show most of the beats, of good (n, leads); 1 at least."""
    return max(int(np.median(good.sum(axis=1))), 1) if len(good) else 1
