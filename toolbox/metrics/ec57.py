"""Beat-by-beat comparison of two annotators, after ANSI/AAMI EC57 and as WFDB's bxb carries it out.

Where the standard leaves room, what bxb (app/bxb.c of the WFDB software, as of April 2020) does decides: which of two
candidates a beat is paired with, what happens at the edges of the test period, inside flutter and in a shutdown. So
counts can be held against figures that others got from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from toolbox.utils.aami import EC57_CLASSES, LEARNING_PERIOD, MATCH_WINDOW

# Rows of the table: the reference's beats, then O and X. Columns: the test's beats, then o and x. A beat without a
# partner is paired with O; with X where the other annotator had shut down (it could read no signal).
LETTERS = "NSVFQOX"
OTHER, SHUT = 5, 6
# A flutter wave ("!") outside [ and ] takes part in the pairing, but has no class.
PAIRED = {**EC57_CLASSES, "!": OTHER}
UNREADABLE = 0x30  # these two bits of a "~" annotation's subtype: neither signal can be read from here on
NOWHERE = 2**62  # the time of what comes after the last beat


class Beat(NamedTuple):
    """A beat and what its annotator had marked by the time it was reached.

    Times are samples. `kind` is a row of the table, None before the first beat and after the last. `rr` is the interval
    from the beat before, 0 where there is none or a mark lies between. `flutter` and `shutdown` are (on, off); like
    bxb, two of each are remembered. `lost` is how long the annotator has been shut down so far.
    """

    time: int
    kind: int | None
    rr: int
    flutter: tuple[tuple[int, int], ...]
    shutdown: tuple[tuple[int, int], ...]
    lost: int


@dataclass
class Comparison:
    """What one record gave.

    Attributes:
        matrix: (7, 7) int64 counts of pairs, rows and columns as in LETTERS; rows O and X with columns o and x stay 0.
        rr_pairs: how many RR intervals were compared; rr_squares: the sum of their squared differences, in samples.
        shutdown: s that the test annotator was shut down for, rounded as bxb rounds.
        fs: samples per second, of both annotators.
    """

    matrix: np.ndarray
    rr_pairs: int
    rr_squares: int
    shutdown: int
    fs: float


def samples(seconds: float, fs: float) -> int:
    """`seconds` in samples, rounded as WFDB's strtim does: 150 ms are 54 samples at 360 Hz and 38 at 250 Hz."""
    return int(seconds * fs + 0.5)


def is_paced(symbol: Sequence[str]) -> bool:
    """Whether a reference holds paced beats. EC57 leaves such records out of its aggregate figures; bxb scores them."""
    return bool({"/", "f"} & set(symbol))


def beats_of(
    annotations: tuple[np.ndarray, Sequence[str], np.ndarray], window: int, end: int | None, judged: bool
) -> list[Beat]:
    """The beats of one annotator, with one that stands for none at either end.

    Beats between "[" and "]" are not read. A shutdown goes from a "~" with both UNREADABLE bits to a "~" without; where
    none follows at once, it is taken to fill the gap between the beats (or the flutter) around it, less `window` on
    either side, which is how the AHA database marks it.
    """
    sample, symbol, subtype = annotations
    beats = [Beat(0, None, 0, (), (), 0)]
    flutter: tuple[tuple[int, int], ...] = ()
    shutdown: tuple[tuple[int, int], ...] = ()
    lost, k, n = 0, 0, len(sample)
    while k < n:
        time, mark = int(sample[k]), symbol[k]
        k += 1
        if mark in PAIRED:
            rr = _interval(beats[-1].time, time, flutter + shutdown)
            beats.append(Beat(time, PAIRED[mark], rr, flutter, shutdown, lost))
        elif mark == "~" and _unreadable(subtype[k - 1]):
            if k == n:  # it goes on to the end; but where the test has an earlier one, bxb ends it as that ended
                off = shutdown[-1][1] if judged and shutdown else NOWHERE
                shutdown = (*shutdown[-1:], (time, off))
                lost += end - time if end else 0
            elif symbol[k] == "~" and not _unreadable(subtype[k]):
                shutdown = (*shutdown[-1:], (time, int(sample[k])))
                lost += int(sample[k]) - time
                k += 1
            else:
                off = int(sample[k]) - window
                on = min(max(beats[-1].time, flutter[-1][1] if flutter else -1) + window, off)
                shutdown = (*shutdown[-1:], (on, off))
                lost += off - on
        elif mark == "[":
            while k < n and symbol[k] != "]":
                k += 1
            # where no "]" follows it goes on to the end; but where there is an earlier one, bxb ends it as that ended
            off = int(sample[k]) if k < n else (flutter[-1][1] if flutter else NOWHERE)
            flutter = (*flutter[-1:], (time, off))
            k += 1
    beats.append(Beat(NOWHERE, None, 0, flutter, shutdown, lost))
    return beats


def _unreadable(subtype: int) -> bool:
    return (int(subtype) & UNREADABLE) == UNREADABLE


def _interval(before: int, time: int, marks: tuple[tuple[int, int], ...]) -> int:
    if before == 0 or any(before <= on < time for on, _ in marks):
        return 0
    return time - before


def compare(
    reference: tuple[np.ndarray, Sequence[str], np.ndarray],
    test: tuple[np.ndarray, Sequence[str], np.ndarray],
    fs: float,
    length: int | None = None,
    learning: float = LEARNING_PERIOD,
    window: float = MATCH_WINDOW,
) -> Comparison:
    """Pair the beats of two annotators of one record and count the pairs.

    Args:
        reference: (n,) samples, (n,) WFDB symbols and (n,) subtypes, in the order of the annotation file.
        test: the same of the annotator that is judged, in samples of the same rate.
        fs: samples per second.
        length: samples of the record; None when unknown: the comparison then ends with the reference.
        learning: s from the start that are not scored (EC57: 5 minutes).
        window: s that the beats of a pair may lie apart (EC57: 150 ms).

    Raises:
        ValueError: the record ends before the learning period does.
    """
    start, reach, end = samples(learning, fs), samples(window, fs), length or None
    if end is not None and end < start:
        raise ValueError(f"the record lasts {end / fs:.0f} s, scoring starts after {learning:g} s")
    ref, tst = beats_of(reference, reach, end, judged=False), beats_of(test, reach, end, judged=True)
    pairing = _Pairing(ref, tst, reach)
    pairing.skip(start)
    while pairing.r.time < NOWHERE if end is None else min(pairing.r.time, pairing.t.time) <= end:
        pairing.step()
    lost = samples(0.5, fs) + pairing.after_t.lost
    return Comparison(
        pairing.matrix, pairing.rr_pairs, pairing.rr_squares, int(lost / max(samples(1, fs), 1)), float(fs)
    )


class _Pairing:
    """Walks along both annotators at once; r and t are the next beat of either that has no partner yet."""

    def __init__(self, reference: list[Beat], test: list[Beat], window: int) -> None:
        self.references, self.tests = iter(reference[1:]), iter(test[1:])
        self.last_r, self.last_t = reference[-1], test[-1]
        self.after_r, self.after_t = reference[0], test[0]
        self.next_reference()
        self.next_test()
        self.window = window
        self.matrix = np.zeros((len(LETTERS), len(LETTERS)), dtype=np.int64)
        self.rr_pairs = self.rr_squares = 0

    def next_reference(self) -> None:
        self.r, self.after_r = self.after_r, next(self.references, self.last_r)

    def next_test(self) -> None:
        self.t, self.after_t = self.after_t, next(self.tests, self.last_t)

    def skip(self, start: int) -> None:
        """Go past the learning period. The first beat scored may have its partner just before the end of it, and a
        test beat just after the end may belong to a reference beat just before."""
        while self.r.time < start:
            self.next_reference()
        while self.after_t.time < start:
            self.next_test()
        ahead = self.r.time - self.t.time  # of the last test beat within the learning period
        if ahead <= self.window and ahead < abs(self.r.time - self.after_t.time):
            self.count(self.r.kind, self.t.kind)
            self.next_reference()
            self.next_test()
            return
        self.next_test()
        nearer = abs(self.r.time - self.after_t.time) < abs(self.r.time - self.t.time)
        if self.t.time - start <= self.window and nearer:
            self.next_test()

    def step(self) -> None:
        """Count the earlier of r and t, with the other one if they are a pair.

        They are when they lie within the window and no beat that follows the earlier one is nearer to the later one;
        or one is, but has a partner that is nearer still: the beat that follows the later one.
        """
        r, t = self.r, self.t
        gap = abs(r.time - t.time)
        rival = abs(r.time - self.after_t.time) if t.time < r.time else abs(t.time - self.after_r.time)
        if gap <= self.window and (gap < rival or abs(self.after_r.time - self.after_t.time) < rival):
            self.count(r.kind, t.kind)
            self.next_reference()
            self.next_test()
        elif t.time < r.time:
            if _within(self.after_r.flutter, t.time):
                self.count(None, t.kind)  # beats detected in marked flutter are not held against the test
            else:
                self.count(SHUT if _within(self.after_r.shutdown, t.time) else OTHER, t.kind)
            self.next_test()
        else:
            self.count(r.kind, SHUT if _within(self.after_t.shutdown, r.time) else OTHER)
            self.next_reference()

    def count(self, row: int | None, column: int | None) -> None:
        if row is not None and column is not None and min(row, column) < OTHER:
            self.matrix[row, column] += 1
        if self.r.rr > 0 and self.t.rr > 0:
            self.rr_pairs += 1
            self.rr_squares += (self.r.rr - self.t.rr) ** 2


def _within(marked: tuple[tuple[int, int], ...], time: int) -> bool:
    return any(on <= time <= off for on, off in marked)
