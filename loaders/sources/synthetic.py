"""Synthetic two-lead recordings with annotated beats: seeded, offline, MIT-BIH-like.

The model is that of McSharry PE, Clifford GD, Tarassenko L, Smith LA, "A dynamical model for generating synthetic
electrocardiogram signals", IEEE TBME 50(3):289-294, 2003: each wave of the ECG is a Gaussian on the phase circle of
the heart cycle, and the RR intervals have a spectrum with peaks at 0.1 Hz (Mayer waves) and at the rate of breathing.

There dz/dt = -sum a_i dtheta_i exp(-dtheta_i^2 / 2 b_i^2) - (z - z0). Here its solution at a steady angular velocity w
and without the slow return to z0 is evaluated directly: z = sum (a_i b_i^2 / w) exp(-dtheta_i^2 / 2 b_i^2). It is the
same sum of Gaussians without the integration, so all beats are computed at once; and each beat keeps a phase of its
own, 0 at its R peak, so that the P wave of a premature beat can ride on the T wave before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from loaders.io.wfdb_record import Record
from toolbox.utils import UserError

VERSION = 2  # to be raised when the same seed gives other recordings: caches made before are then rebuilt
FS = 360.0  # Hz, as MIT-BIH
GAIN, BASELINE, ADC_MAX = 200.0, 1024.0, 2047  # ADC units per mV, ADC value of 0 mV, 11 bit: as MIT-BIH
REFRACTORY = 0.28  # s, no beat follows another sooner

P, Q, R, S, R2, T1, T2, SPIKE = range(8)  # R2 is the R' of a bundle branch block; T is two Gaussians, as it is skewed

# A row per wave: (theta in degrees, b in rad, MLII in mV, V1 in mV). "N" starts from the paper's Table I (theta -60 -15
# 0 15 90, b .25 .1 .1 .1 .4, a 1.2 -5 30 -7.5 .75; relative to R, a b^2 gives .25 -.17 1 -.25 .4), with a P wave of
# 0.11 s and a V1 of its own. The others are textbook patterns: left bundle branch block (broad slurred R, QS in V1,
# discordant T), right (broad S, rsR' in V1), a ventricular focus, pacing at the right ventricle's apex.
SHAPES = {
    "N": [(-60, 0.15, 0.15, 0.07), (-15, 0.10, -0.12, 0.0), (0, 0.10, 1.10, 0.25), (15, 0.10, -0.22, -0.95),
          (32, 0.12, 0.0, 0.0), (82, 0.40, 0.20, 0.05), (100, 0.26, 0.16, 0.06), (-30, 0.011, 0.0, 0.0)],
    "L": [(-64, 0.15, 0.14, 0.07), (-18, 0.12, 0.0, 0.05), (0, 0.17, 0.85, -0.35), (24, 0.20, 0.40, -1.20),
          (38, 0.14, 0.15, -0.30), (92, 0.40, -0.18, 0.25), (110, 0.28, -0.16, 0.20), (-30, 0.011, 0.0, 0.0)],
    "R": [(-60, 0.15, 0.15, 0.07), (-15, 0.10, -0.08, 0.0), (0, 0.10, 1.00, 0.35), (24, 0.20, -0.38, -0.30),
          (36, 0.16, -0.12, 0.85), (88, 0.40, 0.18, -0.15), (105, 0.26, 0.15, -0.14), (-30, 0.011, 0.0, 0.0)],
    "V": [(-60, 0.15, 0.0, 0.0), (-28, 0.16, 0.12, 0.05), (0, 0.24, 1.45, -1.00), (34, 0.26, 0.45, -0.30),
          (52, 0.20, -0.10, 0.0), (112, 0.48, -0.38, 0.28), (132, 0.32, -0.22, 0.16), (-30, 0.011, 0.0, 0.0)],
    "/": [(-60, 0.15, 0.0, 0.0), (-26, 0.14, 0.05, 0.05), (0, 0.23, -1.15, -0.80), (32, 0.26, -0.50, -0.35),
          (50, 0.20, 0.0, 0.0), (108, 0.46, 0.34, 0.26), (128, 0.32, 0.24, 0.18), (-45, 0.011, 0.75, 0.45)],
}  # fmt: skip

# What makes a beat of each symbol. Its waves: towards which of the patient's shapes they depart from the native one,
# how far at least and at most. Its time: RR intervals since the beat before, at least and at most (a basic beat comes
# when it is due), and whether it resets the pacemaker. An atrial beat does: its pause is not compensatory. A
# ventricular one does not: the next sinus beat is lost, the one after comes when due, a full compensatory pause.
NATIVE, ABERRANT, FOCUS, FOCUS2, PACED = range(5)
BEATS = {
    **dict.fromkeys("LR", (NATIVE, 0.0, 0.0, 1.0, 1.0, True)),
    "N": (NATIVE, 0.0, 0.0, 0.80, 0.95, True),  # the times are for a conducted beat among paced ones
    "j": (NATIVE, 0.0, 0.0, 1.35, 1.60, True),
    **dict.fromkeys("AJ", (ABERRANT, 0.00, 0.45, 0.60, 0.88, True)),
    "a": (ABERRANT, 0.60, 1.00, 0.60, 0.88, True),
    "V": (FOCUS, 0.65, 1.10, 0.52, 0.80, False),
    "E": (FOCUS2, 0.65, 1.10, 1.35, 1.60, True),
    "F": (FOCUS, 0.30, 0.70, 0.90, 0.99, False),
    "/": (PACED, 0.95, 1.05, 1.0, 1.0, True),
    "f": (PACED, 0.30, 0.70, 0.96, 0.99, False),
}
# What ectopy comes in, other than single: couplets, bigeminy, runs. "." is a beat of the patient's own rhythm.
RUNS = {"V": "V. V. V.. VV. V.V.V.V.", "A": "A. A. A. AA. a. J. A.A.A.", "f": "f ff fff", "N": "N NNN"}


@dataclass(frozen=True)
class Kind:
    """A kind of patient: the rhythm's symbol and name, the share of each run's symbol among the beats, HR in 1/min."""

    base: str = "N"
    rhythm: str = "(N"
    shares: dict[str, float] = field(default_factory=dict)
    rate: tuple[float, float] = (52.0, 105.0)


QUIET = Kind(shares={"V": 0.015, "A": 0.005})
# Patient k is of kind k % 12, as MIT-BIH has one paced record in 12 and most of its ectopy in few: any 12 patients in a
# row give about its class shares (N 82.8 %, S 2.5 %, V 6.6 %, F 0.7 %, Q 7.3 %); the first four have all five classes.
KINDS = (
    QUIET,
    Kind(shares={"V": 0.23, "F": 0.06}),
    Kind(shares={"A": 0.19, "V": 0.01}),
    Kind("/", "(P", {"f": 0.15, "N": 0.03, "V": 0.02}, (60.0, 80.0)),
    Kind("L", shares={"V": 0.10, "F": 0.012}),
    QUIET,
    Kind("R", shares={"V": 0.05, "A": 0.02}),
    Kind(shares={"V": 0.20, "F": 0.015}),
    Kind(shares={"j": 0.02, "E": 0.005, "A": 0.01}, rate=(50.0, 65.0)),
    Kind(rhythm="(AFIB", shares={"V": 0.09}, rate=(65.0, 110.0)),
    Kind(shares={"A": 0.07, "V": 0.01}),
    QUIET,
)


def band_noise(rng: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    """(n,) Gaussian noise of unit variance from `low` to `high` Hz; slow noise is made coarsely and interpolated."""
    step = max(1, int(FS / (16 * high)))
    length = 1 << (n // step + 1).bit_length()  # a power of two: the FFT is fast for it
    frequency = np.fft.rfftfreq(length, step / FS)
    inside = np.flatnonzero((frequency >= low) & (frequency <= high) & (frequency > 0))
    if not len(inside):  # too short a signal for so slow a wave
        return np.zeros(n)
    spectrum = np.zeros(len(frequency), dtype=complex)
    spectrum[inside] = rng.standard_normal(len(inside)) + 1j * rng.standard_normal(len(inside))
    noise = np.fft.irfft(spectrum, length) * (length / (2 * np.sqrt(len(inside))))
    return noise[:n] if step == 1 else np.interp(np.arange(n) / step, np.arange(length), noise)


def tachogram(rng: np.random.Generator, n: int, mean: float, spread: float, breath: float) -> np.ndarray:
    """(n,) RR intervals in s: McSharry's two spectral peaks, 0.1 Hz and `breath` Hz, 0.01 Hz wide, LF/HF power 0.5.

    A random phase per frequency, as there; besides, the rate drifts slowly, which ten minutes of a person show.
    """
    frequency = np.fft.rfftfreq(n, mean)
    low, high = (np.exp(-0.5 * ((frequency - peak) / max(0.01, 1 / (n * mean))) ** 2) for peak in (0.1, breath))
    drift = np.divide(1, frequency, out=np.zeros_like(frequency), where=(frequency > 0) & (frequency < 0.03))
    phases = np.exp(2j * np.pi * rng.random((2, len(frequency))))
    parts = np.fft.irfft(np.stack([np.sqrt(0.5 * low + high), drift]) * phases, n)  # (2, n)
    parts /= np.maximum(parts.std(axis=1, keepdims=True), 1e-9)  # too short a series has no drift
    return mean * np.clip(1 + spread * parts[0] + 0.6 * spread * parts[1], 0.6, 1.5)


def plan(rng: np.random.Generator, n: int, kind: Kind) -> str:
    """At least `n` symbols in order of time: runs of ectopy up to each one's share, scattered over the basic rhythm."""
    blocks: list[str] = []
    for symbol, share in kind.shares.items():
        wanted = n * share * rng.lognormal(-0.02, 0.2)
        while wanted > rng.random():
            blocks.append(str(rng.choice(RUNS.get(symbol, f"{symbol}.").split())))
            wanted -= len(blocks[-1].replace(".", ""))
    blocks += ["."] * (n - sum(map(len, blocks)))
    return "".join(blocks[k] for k in rng.permutation(len(blocks))).replace(".", kind.base)


def schedule(rng: np.random.Generator, symbols: str, rr: np.ndarray, base: str) -> np.ndarray:
    """(n,) R-peak times in s of `symbols`, given the pacemaker's intervals `rr` (n,) in s."""
    usual = {symbol: rng.uniform(*row[3:5]) for symbol, row in BEATS.items()}  # coupling is fairly fixed in a patient
    times = np.empty(len(symbols))
    due = rng.uniform(0.35, 0.9)  # when the pacemaker's next beat is due
    last = due - rr[0]
    for k, (symbol, interval) in enumerate(zip(symbols, rr, strict=True)):
        if symbol == base:
            last = max(due, last + REFRACTORY)
            due = last + interval
        else:
            *_, low, high, resets = BEATS[symbol]
            last += max(REFRACTORY, interval * np.clip(usual[symbol] + 0.04 * rng.standard_normal(), low, high))
            if resets:
                due = last + interval * rng.uniform(1.03, 1.2)
            elif due - last < 0.6 * interval:  # that beat is lost; after a couplet, there is a pause all the same
                due += interval
            due = max(due, last + 1.03 * interval)
        times[k] = last
    return times


def shape_bank(rng: np.random.Generator, kind: Kind) -> np.ndarray:
    """(5 shapes, 8 waves, 4) of one patient: theta in rad, b in rad, amplitude in mV in MLII and in V1."""
    native, aberrant = kind.base.replace("/", "N"), rng.choice(["L", "R"])
    bank = np.array([SHAPES[key] for key in (native, aberrant, "V", "V", "/")], dtype=float)
    bank[..., 0] = np.deg2rad(bank[..., 0]) * rng.normal(1, 0.06, (5, 8))
    bank[..., 1] *= rng.lognormal(0, 0.12, (5, 8))
    bank[..., 2:] *= rng.lognormal(0, 0.25, (5, 8, 2)) * rng.lognormal(0, 0.2, 2)  # wave by wave, lead by lead
    bank[NATIVE, [R, S], 2:] *= rng.lognormal(0, [[0.3], [0.7]], (2, 2))  # the heart's axis: tall R to deep S
    bank[NATIVE, T1 : T2 + 1, 2:] *= rng.uniform(-0.3, 1.3, 2)  # T waves differ most: flat and inverted ones too
    bank[[FOCUS, FOCUS2], :, 1] *= rng.uniform(0.80, 1.10, (2, 1))
    bank[[FOCUS, FOCUS2], :, 2:] *= rng.lognormal(-0.1, 0.35, (2, 8, 2))
    bank[[FOCUS, FOCUS2, PACED], :SPIKE, 2:] *= rng.choice([-1.0, 1.0], (3, 1, 2))  # where the focus lies
    bank[ABERRANT] = 0.7 * bank[ABERRANT] + 0.3 * bank[NATIVE]
    if kind.rhythm == "(AFIB":
        bank[NATIVE, P, 2:] = 0
    bank[:, SPIKE, :2] = bank[PACED, SPIKE, :2]
    return bank


def beat_waves(rng: np.random.Generator, symbols: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """(n, 8 waves, 4): the waves of each beat, as `bank` has them, mixed as its symbol asks, no two alike."""
    n = len(symbols)
    target, low, high = (np.array([BEATS[symbol][k] for symbol in symbols.tolist()]) for k in range(3))
    weight = rng.uniform(low, high)[:, None, None]
    target = np.where((symbols == "V") & (rng.random(n) < rng.uniform(0, 0.5)), FOCUS2, target)  # multiform
    waves = (1 - weight) * bank[NATIVE] + weight * bank[target]
    waves[..., 0] *= rng.normal(1, 0.015, (n, 8))
    waves[..., 1] *= rng.normal(1, 0.03, (n, 8))
    waves[..., 2:] *= rng.normal(1, 0.05, (n, 8, 1))
    waves[:, P, 2:] *= np.where(np.isin(symbols, ["A", "a"]), rng.uniform(-0.8, 0.7, n), 1)[:, None]  # another focus
    waves[np.isin(symbols, ["J", "j"]), P, 2:] = 0  # hidden in the QRS
    waves[np.isin(symbols, ["/", "f"]), SPIKE, 2:] = bank[PACED, SPIKE, 2:]  # the pacemaker's pulse is always the same
    return waves


def render(times: np.ndarray, waves: np.ndarray, cycle: np.ndarray, n: int) -> np.ndarray:
    """(2, n) mV: all beats' Gaussians, each out to five standard deviations.

    `times` (beats,) are the R peaks in s, `waves` (beats, 8, 4) come from `beat_waves`, `cycle` (beats,) is the time
    in s in which a beat's phase goes round.
    """
    edge = round(2 * FS)  # waves may begin before the recording and go on after it
    signal = np.zeros((2, n + 2 * edge))
    for theta, b, *amplitudes in waves.transpose(1, 2, 0):  # of each wave 4 times (beats,)
        centre = times + theta * cycle / (2 * np.pi)
        deviation = b * cycle / (2 * np.pi)
        reach = int(5 * deviation.max() * FS) + 1
        index = np.round(centre * FS).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)  # (beats, window)
        gaussian = np.exp(-0.5 * ((index / FS - centre[:, None]) / deviation[:, None]) ** 2)
        for lead, amplitude in enumerate(amplitudes):
            weighted = (amplitude[:, None] * gaussian).ravel()
            signal[lead] += np.bincount(index.ravel() + edge, weighted, signal.shape[1])
    return signal[:, edge : edge + n]


def disturb(rng: np.random.Generator, clean: np.ndarray, breath: float, rhythm: str) -> np.ndarray:
    """(2, n) mV: `clean` with breathing's modulation, baseline wander (< 0.5 Hz), mains hum and muscle noise."""
    n = clean.shape[1]
    seconds = np.arange(n) / FS
    breathing = np.sin(2 * np.pi * breath * seconds + 1.5 * band_noise(rng, n, 0.005, 0.03))
    mains = np.sin(2 * np.pi * rng.choice([50.0, 60.0]) * seconds) * (1 + 0.3 * band_noise(rng, n, 0.01, 0.1))
    bursts = np.exp(0.5 * band_noise(rng, n, 0.02, 0.2))  # muscles tense and relax
    noisy = clean * (1 + rng.uniform(0.03, 0.12) * breathing)
    for lead in range(2):
        noisy[lead] += rng.lognormal(-3.0, 0.5) * breathing
        noisy[lead] += rng.lognormal(-2.6, 0.5) * band_noise(rng, n, 0.02, 0.4)  # baseline wander
        noisy[lead] += rng.lognormal(-4.5, 0.7) * mains
        noisy[lead] += rng.lognormal(-3.6, 0.5) * bursts * band_noise(rng, n, 15, 150)  # muscles
        noisy[lead] += rng.lognormal(-3.0, 0.5) * bursts * band_noise(rng, n, 1, 10)  # electrodes move
        if rhythm == "(AFIB":
            noisy[lead] += rng.uniform(0.03, 0.07) * band_noise(rng, n, 4.5, 8)  # fibrillatory waves
    return noisy


def patient_record(k: int, minutes: float, seed: np.random.SeedSequence) -> Record:
    """The recording of patient `k`, whose every property comes from `seed`."""
    rng = np.random.default_rng(seed)
    kind = KINDS[k % len(KINDS)]
    n = round(minutes * 60 * FS)
    mean = 60 / rng.triangular(kind.rate[0], 0.55 * kind.rate[0] + 0.45 * kind.rate[1], kind.rate[1])  # RR, s
    breath = rng.uniform(0.2, 0.32)  # Hz
    beats = int(1.3 * n / FS / mean) + 32  # more than fit
    rr = tachogram(rng, beats, mean, 0.005 if kind.base == "/" else rng.uniform(0.02, 0.06), breath)
    if kind.rhythm == "(AFIB":
        rr *= np.clip(rng.normal(1, 0.18, beats), 0.6, 1.6)
    symbols = (kind.base + plan(rng, beats, kind))[:beats]
    times = schedule(rng, symbols, rr, kind.base)
    fits = times < n / FS - 0.1
    times, symbol = times[fits], np.array(list(symbols))[fits]
    cycle = np.sqrt(np.convolve(np.pad(rr, 4, "edge"), np.full(9, 1 / 9), "valid"))[fits]  # QT ~ sqrt(RR), Bazett
    waves = beat_waves(rng, symbol, shape_bank(rng, kind))
    seen = times + rng.normal(0, 0.15 * waves[:, R, 1] * cycle / (2 * np.pi))  # the broader, the less exactly marked
    signal = disturb(rng, render(times, waves, cycle, n), breath, kind.rhythm)
    return Record(
        name=f"syn{k:02d}",
        patient=f"syn{k:02d}",
        fs=FS,
        leads=["MLII", "V1"],
        digital=np.clip(np.round(signal.T * GAIN + BASELINE), 0, ADC_MAX).astype(np.int16, order="C"),
        gain=np.full(2, GAIN),
        baseline=np.full(2, BASELINE),
        sample=np.append(18, np.round(seen * FS).astype(np.int64)),  # the rhythm first, where record 100 has it
        symbol=np.append("+", symbol),
        aux=[kind.rhythm] + [""] * len(symbol),
        comments=[f"synthetic, after McSharry et al. 2003; rhythm {kind.rhythm[1:]}, basic beat {kind.base}"],
    )


def synthesize(patients: int = 24, minutes: float = 10, seed: int = 0) -> Iterator[Record]:
    """Recordings of `patients` people, `minutes` long, two leads at 360 Hz, every beat annotated at its R peak.

    The same seed gives the same bits, and patient k is the same however many are asked for.

    Raises:
        UserError: there would be no patient, or a recording without room for a few beats.
    """
    if patients < 1 or minutes < 0.1:
        raise UserError(f"synthetic: {patients} patients of {minutes} minutes; give at least 1 patient and 0.1 minutes")
    seeds = np.random.SeedSequence(seed).spawn(patients)
    return (patient_record(k, minutes, own) for k, own in enumerate(seeds))
