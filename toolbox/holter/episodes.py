"""Rhythm episodes (runs, couplets, bigeminy, stretches without beats), heart rate and burden of annotated beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

PAUSE_SECONDS = 2.0  # between beats, as in Holter reports
PAUSE, NO_SIGNAL, MOVING = "pause", "no signal or asystole", "no beats found but the signal moves"
FIBRILLATION, SHUT_DOWN = "ventricular flutter or fibrillation", "noise, not judged"
SILENCES = (PAUSE, NO_SIGNAL, MOVING, FIBRILLATION, SHUT_DOWN)  # stretches of PAUSE_SECONDS and more without a beat
ATRIAL_FIBRILLATION, PACED = "atrial fibrillation or flutter", "paced rhythm"
BRADYCARDIA, SINUS_TACHYCARDIA = "bradycardia", "sinus tachycardia"
RHYTHMS = (ATRIAL_FIBRILLATION, PACED, BRADYCARDIA, SINUS_TACHYCARDIA)  # stretches that last, whatever beats lie within
RUN_BEATS = 3  # ectopic beats in a row
BIGEMINY_BEATS = 3  # ectopic beats, each after a normal one; in trigeminy, each after two
TACHYCARDIA_RATE = 100.0  # beats per minute, from which a run is called a tachycardia
AVERAGED_INTERVALS = 8  # RR intervals that the least and greatest rate are means of
EPISODE_COLUMNS = ("kind", "start", "stop", "first", "last", "beats", "rate")
ECTOPIC = {"V": "ventricular", "S": "supraventricular"}


@dataclass(frozen=True)
class Episode:
    """A stretch of a rhythm, from its first beat to its last, or one without a beat.

    Attributes:
        kind: "V run", "V couplet", "V bigeminy", "V trigeminy", the same of S, or one of RHYTHMS or SILENCES.
        start, stop: s from the start of the recording.
        first, last: numbers of its beats; the beats beside a stretch without any (the same one twice at a
            recording's end; 0 and -1 in a recording without beats).
        rate: beats per minute within; None without beats.
    """

    kind: str
    start: float
    stop: float
    first: int
    last: int
    rate: float | None

    @property
    def beats(self) -> int:
        """The number of its beats."""
        return self.last - self.first + 1

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.stop - self.start

    @property
    def is_fast(self) -> bool:
        """Whether its rate is that of a tachycardia."""
        return self.rate is not None and self.rate >= TACHYCARDIA_RATE

    @property
    def title(self) -> str:
        """Its name for people."""
        letter, _, pattern = self.kind.partition(" ")
        if letter not in ECTOPIC:
            return self.kind.capitalize()
        return f"{ECTOPIC[letter].capitalize()} {'tachycardia' if pattern == 'run' and self.is_fast else pattern}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to their accuracy; no first and last beat where the recording has none."""
        numbered = self.beats > 0
        return {
            "kind": self.kind,
            "start": round(self.start, 3),
            "stop": round(self.stop, 3),
            "first": self.first if numbered else None,
            "last": self.last if numbered else None,
            "beats": self.beats,
            "rate": None if self.rate is None else round(self.rate, 1),
        }


def find_episodes(
    times: np.ndarray, rr: np.ndarray, letters: np.ndarray, others: Sequence[Episode] = ()
) -> list[Episode]:
    """Find all episodes, in order of time. Nothing goes on across PAUSE_SECONDS without a beat.

    Args:
        times: (n,) s, of the beats.
        rr: (n,) RR intervals in s; NaN where none leads to a beat (the first, and the first after a skipped stretch).
        letters: (n,) the beats' classes, "N", "S", "V", "F" or "Q".
        others: stretches without beats, and rhythms that last, to be listed between them.
    """
    episodes = list(others)
    joined = rr < PAUSE_SECONDS  # whether a beat follows the one before it
    for letter in ECTOPIC:
        own = letters == letter
        for first, last in _chains(own, joined, 2):
            pattern = "run" if last - first + 1 >= RUN_BEATS else "couplet"
            episodes.append(_episode(f"{letter} {pattern}", times, first, last))
        normal = letters == "N"
        turns = np.append(False, (own[1:] & normal[:-1]) | (normal[1:] & own[:-1])) & joined
        for first, last in _chains(np.ones(len(own), bool), turns, 2 * BIGEMINY_BEATS - 1):
            if own[first : last + 1].sum() >= BIGEMINY_BEATS:
                episodes.append(_episode(f"{letter} bigeminy", times, first, last))
        for first, last in _chains(*_every_third(own, normal, joined), 3 * BIGEMINY_BEATS - 2):
            episodes.append(_episode(f"{letter} trigeminy", times, first, last))
    return sorted(episodes, key=lambda episode: (episode.start, episode.stop))


def _every_third(own: np.ndarray, normal: np.ndarray, joined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which beats belong to ectopic ones, `own`, with two normal ones between; and which follow the one before in it.

    For `_chains`: a chain begins and ends with an ectopic beat.
    """
    member, linked = np.zeros(len(own), bool), np.zeros(len(own), bool)
    triples = own[:-3] & normal[1:-2] & normal[2:-1] & own[3:] & joined[1:-2] & joined[2:-1] & joined[3:]
    for k in np.flatnonzero(triples).tolist():
        member[k : k + 4] = linked[k + 1 : k + 4] = True
    return member, linked


def _chains(own: np.ndarray, joined: np.ndarray, least: int) -> list[tuple[int, int]]:
    """(first, last) of each chain of at least `least` `own` elements that are `joined` to the one before."""
    starts = np.flatnonzero(own & ~(np.append(False, own[:-1]) & joined))
    ends = np.flatnonzero(own & ~np.append(own[1:] & joined[1:], False))
    long = ends - starts + 1 >= least
    return list(zip(starts[long].tolist(), ends[long].tolist(), strict=True))


def _episode(kind: str, times: np.ndarray, first: int, last: int) -> Episode:
    start, stop = float(times[first]), float(times[last])
    return Episode(kind, start, stop, first, last, 60 * (last - first) / (stop - start))


def summarize(rr: np.ndarray, letters: np.ndarray, names: tuple[str, ...], episodes: list[Episode]) -> dict[str, Any]:
    """Counts of beats and episodes, heart rate and burden in plain values.

    Args:
        rr, letters: as in `find_episodes`.
        names: the letters of the model's classes.
        episodes: all of the recording.
    """
    counts = {name: int((letters == name).sum()) for name in names}
    intervals = rr[~np.isnan(rr)]
    rates: dict[str, float | None] = {"mean": None, "min": None, "max": None}
    if len(intervals):
        rates["mean"] = round(60 / float(intervals.mean()), 1)
    if len(intervals) >= AVERAGED_INTERVALS:
        means = np.convolve(rr, np.full(AVERAGED_INTERVALS, 1 / AVERAGED_INTERVALS), "valid")
        means = means[~np.isnan(means)]
        if len(means):
            rates["min"], rates["max"] = (round(60 / float(value), 1) for value in (means.max(), means.min()))
    of_kind = {kind: [e for e in episodes if e.kind == kind] for kind in {e.kind for e in episodes}}
    groups = {
        plural: {letter: len(of_kind.get(f"{letter} {pattern}", [])) for letter in ECTOPIC if letter in names}
        for pattern, plural in (("run", "runs"), ("couplet", "couplets"), ("bigeminy", "bigeminy"))
    }
    longest = {letter: max((e.beats for e in of_kind.get(f"{letter} run", [])), default=0) for letter in groups["runs"]}
    pauses = [e.stop - e.start for e in of_kind.get(PAUSE, [])]
    return {
        "beats": {"all": len(letters), **counts},
        "rate_per_min": rates,
        "burden": {name: round(counts[name] / max(len(letters), 1), 6) for name in names if name != "N"},
        **groups,
        "longest_run_beats": longest,
        "pauses": {"count": len(pauses), "longest_s": round(max(pauses), 3) if pauses else None},
        "without_beats": without_beats(episodes),
    }


def seconds_by_kind(episodes: Sequence[Episode]) -> dict[str, dict[str, float]]:
    """How many episodes there are of each kind of RHYTHMS, and how long they last together."""
    return {
        kind: {"count": len(those), "seconds": round(sum(e.seconds for e in those), 3)}
        for kind in RHYTHMS
        if (those := [e for e in episodes if e.kind == kind])
    }


def without_beats(episodes: Sequence[Episode]) -> dict[str, Any]:
    """How many stretches without beats there are of each kind, how long they last together, and the longest.

    Noise is the longest only where there is no other: what it hides is not known.
    """
    silences = [e for e in episodes if e.kind in SILENCES]
    longest = max(silences, key=lambda e: (e.kind != SHUT_DOWN, e.seconds), default=None)
    return {
        "counts": {kind: sum(e.kind == kind for e in silences) for kind in SILENCES},
        "seconds": {kind: round(sum(e.seconds for e in silences if e.kind == kind), 3) for kind in SILENCES},
        "longest": longest
        and {
            "kind": longest.kind,
            "start": round(longest.start, 3),
            "seconds": round(longest.stop - longest.start, 3),
        },
    }


def unread_text(seconds: Mapping[str, float]) -> str:
    """The kinds of stretches without beats with their seconds, the longest first, for people."""
    lasting = sorted(seconds.items(), key=lambda kind: -kind[1])
    return ", ".join(f"{length:.1f} s {kind}" for kind, length in lasting if length)
