"""What annotated beats say of a recording: rate, burden, and episodes (runs, couplets, bigeminy, pauses)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PAUSE = 2.0  # s between beats: what Holter reports call a pause
RUN = 3  # ectopic beats in a row
BIGEMINY = 3  # ectopic beats, each after a normal one
TACHYCARDIA = 100.0  # beats per minute, from which a run is called a tachycardia
AVERAGED = 8  # RR intervals that the least and greatest rate are means of
ECTOPIC = {"V": "ventricular", "S": "supraventricular"}


@dataclass(frozen=True)
class Episode:
    """Something that lasts: from its first beat to its last.

    Attributes:
        kind: "V run", "V couplet", "V bigeminy", the same of S, or "pause".
        start, stop: s from the start of the recording.
        first, last: which beats.
        rate: beats per minute within; None for a pause.
    """

    kind: str
    start: float
    stop: float
    first: int
    last: int
    rate: float | None

    @property
    def beats(self) -> int:
        """How many beats it has."""
        return self.last - self.first + 1

    @property
    def title(self) -> str:
        """What it is called in a list."""
        letter, _, what = self.kind.partition(" ")
        if letter not in ECTOPIC:
            return self.kind.capitalize()
        fast = what == "run" and self.rate is not None and self.rate >= TACHYCARDIA
        return f"{ECTOPIC[letter].capitalize()} {'tachycardia' if fast else what}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to what they mean."""
        return {
            "kind": self.kind,
            "start": round(self.start, 3),
            "stop": round(self.stop, 3),
            "first": self.first,
            "last": self.last,
            "beats": self.beats,
            "rate": None if self.rate is None else round(self.rate, 1),
        }


def episodes(times: np.ndarray, rr: np.ndarray, letters: np.ndarray) -> list[Episode]:
    """All episodes in order of time.

    Args:
        times: (n,) s, when the beats are.
        rr: (n,) s since the beat before; NaN where none leads to it (the first, and after a stretch that was skipped).
        letters: (n,) the beats' classes, "N", "S", "V", "F" or "Q".
    """
    found = []
    joined = ~np.isnan(rr)  # whether a beat follows the one before it
    for letter in ECTOPIC:
        own = letters == letter
        for first, last in _chains(own, joined, 2):
            what = "run" if last - first + 1 >= RUN else "couplet"
            found.append(_episode(f"{letter} {what}", times, first, last))
        normal = letters == "N"
        turns = np.append(False, (own[1:] & normal[:-1]) | (normal[1:] & own[:-1])) & joined
        for first, last in _chains(np.ones(len(own), bool), turns, 2 * BIGEMINY - 1):
            if own[first : last + 1].sum() >= BIGEMINY:
                found.append(_episode(f"{letter} bigeminy", times, first, last))
    for k in np.flatnonzero(rr >= PAUSE):
        found.append(Episode("pause", float(times[k - 1]), float(times[k]), int(k) - 1, int(k), None))
    return sorted(found, key=lambda episode: (episode.start, episode.stop))


def _chains(own: np.ndarray, joined: np.ndarray, least: int) -> list[tuple[int, int]]:
    """(first, last) of each chain of at least `least` `own` elements that are `joined` to the one before."""
    starts = np.flatnonzero(own & ~(np.append(False, own[:-1]) & joined))
    ends = np.flatnonzero(own & ~np.append(own[1:] & joined[1:], False))
    long = ends - starts + 1 >= least
    return list(zip(starts[long].tolist(), ends[long].tolist(), strict=True))


def _episode(kind: str, times: np.ndarray, first: int, last: int) -> Episode:
    start, stop = float(times[first]), float(times[last])
    return Episode(kind, start, stop, first, last, 60 * (last - first) / (stop - start))


def summarize(rr: np.ndarray, letters: np.ndarray, names: tuple[str, ...], found: list[Episode]) -> dict[str, Any]:
    """The figures of a summary.

    Args:
        rr, letters: as in `episodes`.
        names: the letters of the classes that the model tells apart.
        found: the episodes.
    """
    counts = {name: int((letters == name).sum()) for name in names}
    known = rr[~np.isnan(rr)]
    rates: dict[str, float | None] = {"mean": None, "min": None, "max": None}
    if len(known):
        rates["mean"] = round(60 / float(known.mean()), 1)
    if len(known) >= AVERAGED:
        means = np.convolve(rr, np.full(AVERAGED, 1 / AVERAGED), "valid")
        means = means[~np.isnan(means)]
        if len(means):
            rates["min"], rates["max"] = (round(60 / float(value), 1) for value in (means.max(), means.min()))
    of_kind = {name: [e for e in found if e.kind == name] for name in {e.kind for e in found}}
    groups = {
        f"{what}s" if what != "bigeminy" else what: {
            letter: len(of_kind.get(f"{letter} {what}", [])) for letter in ECTOPIC if letter in names
        }
        for what in ("run", "couplet", "bigeminy")
    }
    longest = {letter: max((e.beats for e in of_kind.get(f"{letter} run", [])), default=0) for letter in groups["runs"]}
    pauses = [e.stop - e.start for e in of_kind.get("pause", [])]
    return {
        "beats": {"all": len(letters), **counts},
        "rate_per_min": rates,
        "burden": {name: round(counts[name] / max(len(letters), 1), 6) for name in names if name != "N"},
        **groups,
        "longest_run_beats": longest,
        "pauses": {"count": len(pauses), "longest_s": round(max(pauses), 3) if pauses else None},
    }
