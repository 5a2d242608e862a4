"""Patients that no database has, spliced from the beats of a real one: their labels are known, their rhythm is drawn.

Where few patients are to be learned from, a network takes what they happen to have in common for a law: in the training
half of MIT-BIH (DS1) no patient's majority rhythm is supraventricular, so that "like this patient's usual beat" means
normal. Each kind of patient here is a case that medicine knows and DS1 lacks:

- atrial: runs of S beats with few N among them, or long paroxysms of both;
- block: AV block; all beats are N, and RR intervals of one and of two cycles alternate, with Wenckebach's shortening;
- fibrillation: all beats are N, irregular, without P waves, with fibrillation waves of 4.5 to 8 Hz.

A patient is made of one record's own beats and is nobody else's: whoever keeps that record out of training keeps these
out, too.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from loaders import SPLICES
from loaders.records import Record

MARK = "+"  # between the record's name and the kind, in the name of a spliced record
BEATS = 400  # of a spliced recording
CLASSES = (0, 1)  # that it consists of: N and S
EVERY = 10  # of its beats becomes a row: more of them would make a rare class common
FEWEST_NORMAL, FEWEST_ATRIAL = 50, 10  # beats that a record must have to be spliced from
AHEAD = (0.28, 0.45)  # s, and share of the RR interval before: how much of the signal before the R peak is a beat's
SHORTEST = 0.16  # s from an R peak to the next beat's beginning
JOIN = 30 / 360  # s over which the step at a joint is evened out
EDGE = 2.2  # s at the ends of a record whose beats are not taken
SMOOTH = {"gap": 3 / 360, "frequency": 200 / 360, "amplitude": 400 / 360}  # s, standard deviations of Gaussian filters
P_WAVE = (0.28, 0.055)  # s before the R peak
Rhythm = list[tuple[int, float]]  # class and RR interval in s, beat by beat


@dataclass(frozen=True)
class Spliced:
    """A spliced recording: signal (samples, leads), R peaks at (n,), labels (n,) and its name."""

    name: str
    signal: np.ndarray
    at: np.ndarray
    labels: np.ndarray


def atrial(rng: np.random.Generator) -> Rhythm:
    """Runs of S: in a quarter of the patients paroxysms of 8 to 50 beats, in the others short runs that outnumber N."""
    usual = np.exp(rng.uniform(np.log(0.5), np.log(2.0)))  # s, of sinus beats
    fast = np.clip(usual * rng.uniform(0.4, 0.8), 0.33, 1.2)
    if rng.random() < 0.25:
        run = np.exp(rng.uniform(np.log(8), np.log(50)))
        between = run * rng.uniform(0.2, 1.0)
    else:
        run = rng.uniform(1.0, 7.0)
        between = rng.uniform(0, 0.6) * min(run, 3) / 2
    pause, (jitter, jitter_fast) = rng.uniform(1.0, 1.5), rng.uniform(0.02, 0.07, size=2)
    beats: Rhythm = []
    while len(beats) < BEATS:
        for k in range(1 + rng.poisson(between)):
            beats.append((0, usual * (pause if k == 0 and beats else 1) * np.exp(jitter * rng.normal())))
        coupling = rng.uniform(0.9, 1.1)
        for k in range(1 + rng.poisson(run)):
            beats.append((1, fast * (coupling if k == 0 else 1) * np.exp(jitter_fast * rng.normal())))
    return beats[:BEATS]


def block(rng: np.random.Generator) -> Rhythm:
    """Runs of conducted beats, then one that fails: an interval of about two cycles."""
    cycle, run, jitter = np.exp(rng.uniform(np.log(0.6), np.log(1.1))), rng.uniform(1, 8), rng.uniform(0.01, 0.05)
    pause = rng.choice([2.0, 2.0, rng.uniform(1.5, 2.2)])
    wenckebach, regular = rng.random() < 0.4, rng.random() < 0.5
    beats: Rhythm = []
    while len(beats) < BEATS:
        beats.append((0, cycle * pause * np.exp(jitter * rng.normal())))
        for k in range(1 + (int(run) if regular else rng.poisson(run))):
            shortening = 1.15 - 0.05 * min(k, 4) if wenckebach else 1.0
            beats.append((0, cycle * shortening * np.exp(jitter * rng.normal())))
    return beats[:BEATS]


def fibrillation(rng: np.random.Generator) -> Rhythm:
    """Intervals that are independent of each other, log-normal."""
    cycle, spread = np.exp(rng.uniform(np.log(0.5), np.log(1.1))), rng.uniform(0.13, 0.30)
    return [(0, max(0.33, cycle * np.exp(spread * rng.normal()))) for _ in range(BEATS)]


def splices(record: Record, signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rate: float, kinds: dict[str, int]
            ) -> Iterator[Spliced]:  # fmt: skip
    """The patients that `record` gives.

    Args:
        signal: (samples, leads) of it, cleaned, at `rate` Hz.
        at, labels: (n,) its beats.
        kinds: how many of each kind; a record that has too few beats of it, or fibrillates itself, gives none.
    """
    fibrillates = any(text.startswith(("(AFIB", "(AFL")) for text in record.aux)
    if (labels == 0).sum() < FEWEST_NORMAL:
        return
    for kind, count in kinds.items():
        if kind != "block" and fibrillates:
            continue
        if kind == "atrial" and (labels == 1).sum() < FEWEST_ATRIAL:
            continue
        rhythm: Callable[[np.random.Generator], Rhythm] = SPLICES[kind]
        for number in range(count):
            rng = np.random.default_rng([zlib.crc32(f"{record.name} {kind}".encode()), number])
            made, peaks, classes = join(signal, at, labels, rhythm(rng), rate, rng)
            if kind == "fibrillation":
                made = without_p(made, peaks, rate, rng)
            yield Spliced(f"{record.name}{MARK}{kind}{number}", made, peaks, classes)


def is_spliced(names: np.ndarray) -> np.ndarray:
    """(n,) bool: which of these record names (n,) are of spliced recordings."""
    known, which = np.unique(names, return_inverse=True)
    return np.array([MARK in name for name in known.tolist()], dtype=bool)[which]


def spliced_from(names: np.ndarray) -> np.ndarray:
    """(n,) the records that these (n,) records were spliced from; others are their own."""
    known, which = np.unique(names, return_inverse=True)
    return np.array([name.partition(MARK)[0] for name in known.tolist()], dtype=names.dtype)[which]


def join(signal: np.ndarray, at: np.ndarray, labels: np.ndarray, rhythm: Rhythm, rate: float, rng: np.random.Generator
         ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Beats drawn from a record, one after the other at the intervals of `rhythm`.

    From an R peak on, the signal goes on as it did in the record until the next beat's share begins; where the new
    interval is longer, a straight line with a little smooth noise fills it, as between two beats nothing happens.

    Returns:
        The signal (samples, leads), the R peaks (n,), the labels (n,).
    """
    from scipy.ndimage import gaussian_filter1d

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
                hum = gaussian_filter1d(rng.normal(size=(len(share), signal.shape[1])), SMOOTH["gap"] * rate, axis=0)
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
    """By class, the beats to draw from; N only such as another N or S follows, and that come in their time."""
    edge = round(EDGE * rate)
    usable = (at > edge) & (at < length - edge) & (np.arange(len(at)) < len(at) - 1)
    pools = {label: np.flatnonzero((labels == label) & usable) for label in CLASSES}
    calm = pools[0][(np.append(labels[1:], 9)[pools[0]] <= 1) & (before[pools[0]] > 0.5)]
    if len(calm) > FEWEST_NORMAL:
        pools[0] = calm
    return pools


def without_p(signal: np.ndarray, peaks: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """The signal (samples, leads) with a straight line where each P wave was, and fibrillation waves all over."""
    from scipy.ndimage import gaussian_filter1d

    signal = signal.copy()
    for peak in peaks.tolist():
        first, last = max(peak - int(P_WAVE[0] * rate), 0), peak - int(P_WAVE[1] * rate)
        if last > first:
            share = np.linspace(0, 1, last - first)[:, None]
            signal[first:last] = signal[first] * (1 - share) + signal[last] * share
    samples, leads = signal.shape
    drift = 15 * gaussian_filter1d(rng.normal(size=samples), SMOOTH["frequency"] * rate)  # Hz
    phase = 2 * np.pi * np.cumsum(rng.uniform(4.5, 8) + drift) / rate
    swell = gaussian_filter1d(rng.normal(size=(samples, leads)), SMOOTH["amplitude"] * rate, axis=0)
    height = rng.uniform(0, 0.10, size=leads) * (1 + 10 * swell)  # mV
    return signal + height * (np.sin(phase) + 0.4 * np.sin(2 * phase + 1))[:, None]
