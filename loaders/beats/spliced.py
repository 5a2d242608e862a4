"""Synthetic patients made of real beats (--spliced): the labels are known, rhythm or noise is drawn at random.

Trained on few patients, a network takes for a law what they have in common by chance: in the training half of MIT-BIH
(DS1) no patient's majority rhythm is supraventricular, so that "like this patient's usual beat" means normal. Each kind
of patient here is a case that medicine knows and DS1 lacks:

- atrial: runs of S beats with few N among them, or long paroxysms of both;
- symmetric: runs of S and runs of N whose lengths are drawn alike, 1 to 50 beats;
- block: AV block; all beats are N, and RR intervals of one and of two cycles alternate, with Wenckebach's shortening;
- fibrillation: all beats are N, irregular, without P waves, with fibrillation waves of 4.5 to 8 Hz;
- lead: the whole record as other leads would show it; then the other kinds are shown so, too, in turn;
- noisy: a few minutes of the record as they are, with bursts of muscle and electrode noise in one lead or in both.

A patient is made of the beats of one record; where that record does not train, neither do its synthetic patients.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from loaders.beats.lead_views import other_lead
from loaders.beats.splice_rhythms import (
    BEATS,
    Rhythm,
    atrial_rhythm,
    block_rhythm,
    fibrillation_rhythm,
    symmetric_rhythm,
)
from loaders.beats.windows import cut_windows
from loaders.io.wfdb_record import Record

MARK = "+"  # between the record's name and the kind, in the name of a spliced record
CLASSES = (0, 1)  # that it consists of: N and S
ATRIAL = ("atrial", "symmetric")  # kinds that are made of S beats
EVERY = 10  # of its beats becomes a row: more of them would make a rare class common
LEAD = "lead"  # the kind that is the record itself, by other leads
LEAD_EVERY = 3  # of its beats becomes a row
FEWEST_NORMAL, FEWEST_ATRIAL = 50, 10  # beats that a record must have to be spliced from
AHEAD = (0.28, 0.45)  # s, and share of the RR interval before: how much of the signal before the R peak is a beat's
SHORTEST = 0.16  # s from an R peak to the next beat's beginning
JOIN = 30 / 360  # s over which the step at a joint is evened out
EDGE = 2.2  # s at the ends of a record; beats there are not taken
SMOOTH = {"gap": 3 / 360, "frequency": 200 / 360, "amplitude": 400 / 360}  # s, standard deviations of Gaussian filters
P_WAVE = (0.28, 0.055)  # s before the R peak
Joined = tuple[np.ndarray, np.ndarray, np.ndarray]  # signal (samples, leads), R peaks (n,), labels (n,)


@dataclass(frozen=True)
class Spliced:
    """The recording of a synthetic patient: signal (samples, leads), R peaks at (n,), labels (n,) and its name; each
    `every`-th of its beats becomes a row."""

    name: str
    signal: np.ndarray
    at: np.ndarray
    labels: np.ndarray
    every: int = 1


def atrial(signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, rng: np.random.Generator) -> Joined:
    """Runs of S beats."""
    return join(signal, at, labels, atrial_rhythm(rng), rate, rng)


def symmetric(signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, rng: np.random.Generator) -> Joined:
    """Runs of S and of N that are drawn alike."""
    return join(signal, at, labels, symmetric_rhythm(rng), rate, rng)


def block(signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, rng: np.random.Generator) -> Joined:
    """AV block."""
    return join(signal, at, labels, block_rhythm(rng), rate, rng)


def fibrillation(
    signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, rng: np.random.Generator
) -> Joined:
    """Atrial fibrillation."""
    joined, peaks, classes = join(signal, at, labels, fibrillation_rhythm(rng), rate, rng)
    return without_p(joined, peaks, rate, rng), peaks, classes


def noisy(signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, rng: np.random.Generator) -> Joined:
    """A part of the record of BEATS beats, mostly that with the most S, V and F of six drawn at random, with noise.

    Noise of 0.7 to 6 Hz (electrodes) that the leads share in part, of 3 to 40 % of a QRS complex's height, and of 5 to
    35 Hz (muscles), of 1 to 12 %; both in bursts of 2 to 20 s.
    """
    starts = rng.integers(0, max(len(at) - BEATS, 1), 6)
    sick = [((labels[start : start + BEATS] > 0) & (labels[start : start + BEATS] < 4)).sum() for start in starts]
    first = int(starts[int(np.argmax(sick))] if rng.random() < 0.7 else starts[0])
    part = slice(first, first + BEATS)
    begin = max(int(at[first]) - round(1.1 * rate), 0)
    end = min(int(at[part][-1]) + round(1.4 * rate), len(signal))
    noised, peaks = signal[begin:end].copy(), at[part] - begin
    reach = round(0.1 * rate)
    height = np.median(np.ptp(cut_windows(noised, peaks, reach, reach), axis=2), axis=0)  # (leads,)
    n, leads = noised.shape
    shared, together = band(rng, n, 0.7, 6, rate), bursts(rng, n, rate)
    whole, worst = rng.random() < 0.4, rng.integers(leads)
    for lead in range(leads):
        size = height[lead] * (1.0 if whole or lead == worst else rng.uniform(0, 0.4))
        muscles, electrodes = (
            np.exp(rng.uniform(np.log(low), np.log(high))) for low, high in ((0.01, 0.12), (0.03, 0.4))
        )
        envelope = together if rng.random() < 0.5 else bursts(rng, n, rate)
        share = rng.uniform(0, 1)
        slow = share * shared + (1 - share) * band(rng, n, 0.7, 6, rate)
        noised[:, lead] += size * envelope * (muscles * band(rng, n, 5, 35, rate) + electrodes * slow)
    return noised, peaks, labels[part]


def whole(signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, rng: np.random.Generator) -> Joined:
    """The record as it is."""
    return signal, at, labels


SPLICES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, float, np.random.Generator], Joined]] = {
    "atrial": atrial,
    "symmetric": symmetric,
    "block": block,
    "fibrillation": fibrillation,
    "noisy": noisy,
    LEAD: whole,
}


def band(rng: np.random.Generator, samples: int, low: float, high: float, rate: float) -> np.ndarray:
    """(samples,) noise between two frequencies in Hz, of standard deviation 1."""
    noise = scipy.signal.sosfilt(
        scipy.signal.butter(2, [low, min(high, 0.45 * rate)], "band", fs=rate, output="sos"), rng.normal(size=samples)
    )
    return noise / noise.std()


def bursts(rng: np.random.Generator, samples: int, rate: float) -> np.ndarray:
    """(samples,) an envelope that is up to 1.6 for 2 to 20 s at a time, and 0 in between."""
    envelope, start, share = np.zeros(samples), 0, rng.uniform(0.1, 0.6)
    while start < samples:
        length = int(rate * np.exp(rng.uniform(np.log(2), np.log(20))))
        if rng.random() < share:
            envelope[start : start + length] = rng.uniform(0.4, 1.6)
        start += length
    return scipy.ndimage.uniform_filter1d(envelope, max(round(0.5 * rate), 1))


def splices(
    record: Record, signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, kinds: dict[str, int],
    leads: int,
) -> Iterator[Spliced]:  # fmt: skip
    """The synthetic patients made of `record`.

    Args:
        signal: (samples, channels) of it, cleaned, at `rate` Hz.
        at, labels: (n,) its beats.
        kinds: number of patients of each kind; none of a kind that the record has too few beats for, or where it
            fibrillates itself.
        leads: of the patients: the first channels, but where other leads are among the kinds.
    """
    fibrillates = any(text.startswith(("(AFIB", "(AFL")) for text in record.aux)
    if (labels == 0).sum() < FEWEST_NORMAL:
        return
    for kind, count in kinds.items():
        if kind in (*ATRIAL, "fibrillation") and fibrillates:
            continue
        if kind in ATRIAL and (labels == 1).sum() < FEWEST_ATRIAL:
            continue
        for number in range(count):
            rng = np.random.default_rng([zlib.crc32(f"{record.name} {kind}".encode()), number])
            shown, peaks, classes = SPLICES[kind](signal, at, labels, rate, rng)
            if kind == LEAD:
                shown = other_lead(shown, peaks, rate, leads, number, rng)
            elif LEAD in kinds and number % 3:
                shown = other_lead(shown, peaks, rate, leads, number - 1, rng)
            every = LEAD_EVERY if kind == LEAD else EVERY
            yield Spliced(f"{record.name}{MARK}{kind}{number}", shown[:, :leads], peaks, classes, every)


def is_spliced(names: np.ndarray) -> np.ndarray:
    """(n,) bool: which of these record names (n,) are of synthetic patients made of real beats."""
    distinct, which = np.unique(names, return_inverse=True)
    return np.array([MARK in name for name in distinct.tolist()], dtype=bool)[which]


def spliced_from(names: np.ndarray) -> np.ndarray:
    """(n,) the real records behind these (n,) record names."""
    distinct, which = np.unique(names, return_inverse=True)
    return np.array([name.partition(MARK)[0] for name in distinct.tolist()], dtype=names.dtype)[which]


def join(signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rhythm: Rhythm, rate: float, rng: np.random.Generator
         ) -> Joined:  # fmt: skip
    """Join beats drawn from a record, one after the other at the intervals of `rhythm`.

    From an R peak on, the signal goes on as it did in the record until the next beat's share begins; where the new
    interval is longer, a straight line with a little smooth noise fills it, as between two beats nothing happens.

    Returns:
        The signal (samples, leads), the R peaks (n,), the labels (n,).
    """
    before = np.append(0.8, np.diff(at) / rate)
    ahead = (np.minimum(AHEAD[0], AHEAD[1] * before) * rate).astype(int)
    pools = _pools(at, labels, before, len(signal), rate)
    little = signal.std(axis=0) * 0.03
    parts, peaks, end, last = [], [], 0, -1
    for label, rr in rhythm:
        beat = int(rng.choice(pools[label]))
        lead_in = ahead[beat]
        start = signal[at[beat] - lead_in]
        if last >= 0:
            tail = signal[at[last] : at[last + 1] - ahead[last + 1]]
            lead_in = min(lead_in, int(0.5 * rr * rate))
            start = signal[at[beat] - lead_in]
            length = max(int(rr * rate) - lead_in, round(SHORTEST * rate))
            if len(tail) < length:
                share = np.linspace(0, 1, length - len(tail))[:, None]
                hum = scipy.ndimage.gaussian_filter1d(
                    rng.normal(size=(len(share), signal.shape[1])), SMOOTH["gap"] * rate, axis=0
                )
                tail = np.concatenate([tail, tail[-4:].mean(axis=0) * (1 - share) + start * share + 3 * little * hum])
            tail = tail[:length].copy()
            bend = min(round(JOIN * rate), length)
            tail[-bend:] += (start - tail[-1]) * np.linspace(0, 1, bend)[:, None] ** 2
            parts.append(tail)
            end += length
        parts.append(signal[at[beat] - lead_in : at[beat]])
        end += lead_in
        peaks.append(end)
        last = beat
    parts.append(signal[at[last] : at[last] + round(1.1 * rate)])
    return np.concatenate(parts), np.array(peaks), np.array([label for label, _ in rhythm])


def _pools(at: np.ndarray, labels: np.ndarray, before: np.ndarray, length: int, rate: float) -> dict[int, np.ndarray]:
    """By class, the beats to draw from; of N those that come in time and are followed by another N or by S."""
    edge = round(EDGE * rate)
    usable = (at > edge) & (at < length - edge) & (np.arange(len(at)) < len(at) - 1)
    pools = {label: np.flatnonzero((labels == label) & usable) for label in CLASSES}
    calm = pools[0][(np.append(labels[1:], 9)[pools[0]] <= 1) & (before[pools[0]] > 0.5)]
    if len(calm) > FEWEST_NORMAL:
        pools[0] = calm
    return pools


def without_p(signal: np.ndarray, peaks: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """The signal (samples, leads) with a straight line where each P wave was, and fibrillation waves all over."""
    signal = signal.copy()
    for peak in peaks.tolist():
        first, last = max(peak - int(P_WAVE[0] * rate), 0), peak - int(P_WAVE[1] * rate)
        if last > first:
            share = np.linspace(0, 1, last - first)[:, None]
            signal[first:last] = signal[first] * (1 - share) + signal[last] * share
    samples, leads = signal.shape
    drift = 15 * scipy.ndimage.gaussian_filter1d(rng.normal(size=samples), SMOOTH["frequency"] * rate)  # Hz
    phase = 2 * np.pi * np.cumsum(rng.uniform(4.5, 8) + drift) / rate
    swell = scipy.ndimage.gaussian_filter1d(rng.normal(size=(samples, leads)), SMOOTH["amplitude"] * rate, axis=0)
    height = rng.uniform(0, 0.10, size=leads) * (1 + 10 * swell)  # mV
    return signal + height * (np.sin(phase) + 0.4 * np.sin(2 * phase + 1))[:, None]
