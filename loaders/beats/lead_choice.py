"""Choose leads by name and unit, and where names tell nothing by what the channels show: beats at the same times."""

from __future__ import annotations

import numpy as np

from loaders.dsp.rpeaks import detect
from loaders.io.leads import choose_lead, likely_leads, listed, other_leads
from loaders.io.recording import Recording

LOOKED_AT = 60.0  # s of each channel
MOST_CHANNELS = 16
TOLERANCE = 0.1  # s between the R peaks of two leads of one heart
AGREEMENT = 0.9  # share of R peaks that two leads of one heart have in common
MOST_VOTERS = 3  # leads that beats are looked for in; more cost time and tell little
PLAUSIBLE_RATES = (20.0, 250.0)  # beats a minute


def choose_lead_by_signal(recording: Recording, wanted: str | None, any_lead: bool = False) -> tuple[int, str]:
    """Choose the lead to annotate as `choose_lead` does; of several channels whose names tell nothing the first, if all
    of them show the same beats.

    Returns:
        Its position, and a warning ("" for none).

    Raises:
        UserError: no lead has the wanted name, no channel is an ECG, or several may be one and do not agree.
    """
    sure, maybe = likely_leads(recording.leads)
    if wanted is not None or sure or len(maybe) < 2:
        return choose_lead(recording, wanted, any_lead)
    if len(maybe) <= MOST_CHANNELS and show_the_same_beats(recording, maybe):
        names = [recording.leads[k].name for k in maybe]
        return maybe[0], f"no lead has a known name; took {names[0]} of {listed(names)}, which show the same beats"
    return choose_lead(recording, wanted, any_lead)  # refuses, and lists them


def leads_of_one_heart(recording: Recording, chosen: int, most: int = MOST_VOTERS) -> list[int]:
    """The positions of the leads whose beats are those of the chosen lead, which comes first: by their names; where
    names tell nothing, those that show the same beats."""
    leads = other_leads(recording, chosen, most)
    alike = [k for k in leads if (recording.leads[k].scale is None) == (recording.leads[chosen].scale is None)]
    if likely_leads(recording.leads)[0] or len(alike) == 1 or show_the_same_beats(recording, alike):
        return alike
    return [chosen]


def show_the_same_beats(recording: Recording, channels: list[int]) -> bool:
    """Whether all of these channels show a heart's beats, at the same times."""
    times = [beat_times(recording, channel) for channel in channels]
    return all(len(each) and _agree(times[0], each) for each in times)


def beat_times(recording: Recording, channel: int) -> np.ndarray:
    """Times (n,) in s of the R peaks in the first minute of a channel; none where they are no heart's."""
    fs = recording.leads[channel].fs
    blocks, length = [], 0
    for block in recording.stream(channel, int(10 * fs)):
        blocks.append(block)
        length += len(block)
        if length >= LOOKED_AT * fs:
            break
    signal = np.concatenate(blocks)[: int(LOOKED_AT * fs)] if blocks else np.zeros(0, dtype=np.float32)
    if not np.isfinite(signal).any():
        return np.zeros(0)
    peaks = detect(signal, fs) / fs
    rate = 60 * len(peaks) / (len(signal) / fs)
    return peaks if len(peaks) >= 3 and PLAUSIBLE_RATES[0] <= rate <= PLAUSIBLE_RATES[1] else np.zeros(0)


def _agree(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether most of the times of either have one of the other within the tolerance."""
    near = np.abs(first[:, None] - second[None, :]) <= TOLERANCE
    return bool(near.any(axis=1).mean() >= AGREEMENT and near.any(axis=0).mean() >= AGREEMENT)
