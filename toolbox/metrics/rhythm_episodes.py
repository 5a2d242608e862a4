"""Episode-by-episode comparison of two annotators, after ANSI/AAMI EC57 and as WFDB's epicmp carries it out.

The rules are those of epicmp (app/epicmp.c of the WFDB software, revised 9 May 2010, without its option -x): reference
atrial flutter is not excluded, as EC57 and EC38:2007 want it. Where a record's length is unknown, the comparison ends
with the reference annotations, as epicmp's manual says (the program then counts no episode at all).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolbox.metrics.ec57_scores import ratio
from toolbox.metrics.epoch import mean_of_defined

RHYTHM_CHANGE = "+"  # the symbol of an annotation whose text names the rhythm from here on
# Kind of episode -> the texts that begin it; any other rhythm ends it. VF goes from "[" to "]" instead, whatever
# rhythm is named. Atrial fibrillation and flutter together are none of epicmp's kinds; the same rules count them.
RHYTHMS = {"AF": ("(AFIB",), "AF/AFL": ("(AFIB", "(AFL")}
KINDS = ("AF", "VF", "AF/AFL")
SCORES = ("ESe", "E+P", "DSe", "D+P")


@dataclass(frozen=True)
class EpisodeComparison:
    """What one record gave for one kind of episode.

    Attributes:
        hits_of_reference, missed: episodes of the reference that the test overlaps at all, and the others (TPs, FN).
        hits_of_test, extra: episodes of the test that the reference overlaps at all, and the others (TPp, FP).
        reference, reference_overlap: samples of the reference's episodes, and of these within the test's.
        test, test_overlap: samples of the test's episodes, and of these within the reference's.
        fs: samples per second.
    """

    hits_of_reference: int
    missed: int
    hits_of_test: int
    extra: int
    reference: int
    reference_overlap: int
    test: int
    test_overlap: int
    fs: float


def episodes_of(sample: np.ndarray, symbol: Sequence[str], texts: Sequence[str], kind: str, end: int) -> np.ndarray:
    """(n, 2) int64: the first sample and the end of each episode that an annotator marked.

    Args:
        sample, symbol, texts: (m,) samples, WFDB symbols and notes, in the order of the file.
        kind: one of KINDS.
        end: of the record, in samples. An episode that nothing ends goes on to it, or to a later last annotation.
    """
    episodes: list[tuple[int, int]] = []
    begun: int | None = None
    for at, mark, text in zip(np.asarray(sample).tolist(), symbol, texts, strict=True):
        begins, ends = _meaning(mark, text, kind)
        if begun is None and begins:
            begun = at
        elif begun is not None and ends:
            episodes.append((begun, at))
            begun = None
    if begun is not None:
        episodes.append((begun, max(end, int(sample[-1]))))
    return np.array(episodes, dtype=np.int64).reshape(-1, 2)


def _meaning(mark: str, text: str, kind: str) -> tuple[bool, bool]:
    """Whether an annotation begins an episode of `kind`, and whether it ends one."""
    if kind == "VF":
        return mark == "[", mark == "]"
    begins = mark == RHYTHM_CHANGE and text.startswith(RHYTHMS[kind])
    return begins, mark == RHYTHM_CHANGE and not begins


def compare_episodes(
    reference: np.ndarray, test: np.ndarray, fs: float, start: int, end: int
) -> EpisodeComparison:  # fmt: skip
    """Compare two annotators' episodes of one kind.

    Args:
        reference, test: (n, 2) and (m, 2) samples, from `episodes_of`.
        fs: samples per second.
        start: the first sample that is scored; an episode that ends before it is not, one that goes on is cut there.
        end: of the part that is scored; an episode that begins there or later is not, one that goes on is cut there.
    """
    hits, missed, length, overlap = _one_way(reference, test, start, end)
    test_hits, extra, test_length, test_overlap = _one_way(test, reference, start, end)
    return EpisodeComparison(hits, missed, test_hits, extra, length, overlap, test_length, test_overlap, fs)


def _one_way(episodes: np.ndarray, others: np.ndarray, start: int, end: int) -> tuple[int, int, int, int]:
    """Of the episodes that are scored: how many overlap the others, how many do not, their length, their overlap."""
    scored = episodes[(episodes[:, 1] >= start) & (episodes[:, 0] < end)]
    cut = np.clip(scored, start, end)
    overlap = _covered(others, cut[:, 1]) - _covered(others, cut[:, 0])
    hits = int((overlap > 0).sum())
    return hits, len(cut) - hits, int((cut[:, 1] - cut[:, 0]).sum()), int(overlap.sum())


def _covered(episodes: np.ndarray, until: np.ndarray) -> np.ndarray:
    """(n,) how many samples before each of `until` (n,) lie in episodes, which follow each other."""
    lengths = episodes[:, 1] - episodes[:, 0]
    before = np.append(0, np.cumsum(lengths))
    begun = np.searchsorted(episodes[:, 0], until, side="right")  # episodes that begin until then
    last = np.maximum(begun - 1, 0)
    rest = np.maximum(np.append(episodes[:, 1], 0)[last] - until, 0)  # of the last one
    return np.where(begun > 0, before[begun] - rest, 0)


def episode_summary(compared: Mapping[str, Mapping[str, EpisodeComparison]]) -> dict[str, Any]:
    """Each kind's scores of each record, of all together (gross: from the sums) and their mean over the records that
    define them (average). Plain values; scores are fractions, None where undefined.

    sumstats, which sums up epicmp's line format, starts from per cents without decimals; this does not.

    Args:
        compared: kind -> record -> comparison, of the records where either annotator marks that kind.
    """
    result: dict[str, Any] = {}
    for kind, records in compared.items():
        entries = {name: _entry([one]) for name, one in records.items()}
        averages = {name: mean_of_defined([entry["scores"][name] for entry in entries.values()]) for name in SCORES}
        result[kind] = {
            "records": entries,
            "gross": _entry(list(records.values())),
            "average": {"scores": averages},
        }
    return result


def _entry(parts: Sequence[EpisodeComparison]) -> dict[str, Any]:
    hits, missed = sum(one.hits_of_reference for one in parts), sum(one.missed for one in parts)
    test_hits, extra = sum(one.hits_of_test for one in parts), sum(one.extra for one in parts)
    seconds = {
        name: sum(getattr(one, name) / one.fs for one in parts)
        for name in ("reference", "reference_overlap", "test", "test_overlap")
    }
    values = (
        ratio(hits, hits + missed),
        ratio(test_hits, test_hits + extra),
        ratio(seconds["reference_overlap"], seconds["reference"]),
        ratio(seconds["test_overlap"], seconds["test"]),
    )
    return {
        "scores": dict(zip(SCORES, values, strict=True)),
        "episodes": {"TPs": hits, "FN": missed, "TPp": test_hits, "FP": extra},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }
