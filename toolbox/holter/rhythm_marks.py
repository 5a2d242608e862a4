"""Rhythm marks of an annotation file: where each rhythm begins, as MIT-BIH's annotations say it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolbox.holter.episodes import ATRIAL_FIBRILLATION, BRADYCARDIA, FIBRILLATION, PACED, Episode

NORMAL, FLUTTER = "(N", "(VFL"
# The mark of each kind of episode, a later one before an earlier one where they meet.
# https://www.physionet.org/files/mitdb/1.0.0/mitdbdir/intro.htm ("Rhythm annotations"); (IVR, idioventricular rhythm.
MARKS = {
    BRADYCARDIA: "(SBR",
    ATRIAL_FIBRILLATION: "(AFIB",
    PACED: "(P",
    "S bigeminy": "(AB",
    "V trigeminy": "(T",
    "V bigeminy": "(B",
    "S run": "(SVTA",
    "V run": "(VT",
}
SLOW_MARKS = {"V run": "(IVR", "S run": ""}  # of runs that are no tachycardia


def mark_of(episode: Episode) -> str:
    """The mark of an episode's rhythm; "" for one that has none."""
    if episode.kind in SLOW_MARKS and not episode.is_fast:
        return SLOW_MARKS[episode.kind]
    return FLUTTER if episode.kind == FIBRILLATION else MARKS.get(episode.kind, "")


def rhythm_marks(
    episodes: Sequence[Episode], sample: np.ndarray, fs: float, avoided: Sequence[int] = ()
) -> list[tuple[int, str, str]]:
    """List the marks of a recording, in order: (sample, WFDB symbol, text).

    A "+" with the rhythm stands before the first beat and wherever another rhythm begins, a sample before its first
    beat; where the rhythm is normal throughout there is none, as in files of before there were marks. Ventricular
    flutter or fibrillation lies between "[" and "]", as EC57 wants it. No two annotations share a sample where that can
    be helped.

    Args:
        episodes: of the recording; `first` and `last` are positions in `sample`.
        sample: (n,) of the beats, rising; at least one.
        fs: samples per second.
        avoided: samples of other annotations.
    """
    texts = ["", NORMAL, *dict.fromkeys([*MARKS.values(), *SLOW_MARKS.values()])]
    rhythm = np.ones(len(sample), dtype=np.int64)
    order = list(MARKS)
    for episode in sorted((e for e in episodes if e.kind in MARKS), key=lambda e: order.index(e.kind)):
        if text := mark_of(episode):
            rhythm[episode.first : episode.last + 1] = texts.index(text)
    flutter = [episode for episode in episodes if episode.kind == FIBRILLATION]
    if not flutter and (rhythm == texts.index(NORMAL)).all():
        return []
    changes = np.flatnonzero(np.diff(rhythm, prepend=0)).tolist()
    placed = [(int(sample[k]) - 1, "+", texts[rhythm[k]]) for k in changes]
    for episode in flutter:
        start, stop = round(episode.start * fs), round(episode.stop * fs)
        after = np.searchsorted(sample, stop)
        placed += [(start, "[", ""), (start + 1, "+", FLUTTER), (stop, "]", "")]
        if after < len(sample):
            placed.append((stop + 1, "+", texts[rhythm[after]]))
    return _apart(sorted(placed, key=lambda mark: mark[0]), {*sample.tolist(), *avoided})


def _apart(placed: list[tuple[int, str, str]], occupied: set[int]) -> list[tuple[int, str, str]]:
    """The marks, each moved to the next free sample before it; the file's start stays as it is."""
    marks = []
    for near, symbol, text in placed:
        at = max(near, 0)
        while at in occupied and at > 0:
            at -= 1
        occupied.add(at)
        marks.append((at, symbol, text))
    return sorted(marks, key=lambda mark: mark[0])
