"""Compares two annotators of records beat by beat, as EC57 asks for."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from commands.compared_pair import compared_episodes, compared_measures
from commands.options import ScoreOptions
from loaders.io.annotations import read_pair
from loaders.io.discovery import find_pairs
from loaders.io.remote import is_remote
from loaders.io.remote_pairs import RemotePair, find_remote_pairs
from toolbox.metrics.ec57 import compare, is_paced
from toolbox.metrics.ec57_scores import summary
from toolbox.metrics.measures import MeasureErrors, measure_summary
from toolbox.metrics.rhythm_episodes import KINDS, EpisodeComparison, episode_summary
from toolbox.options import ClusterOptions
from toolbox.reports.ec57_report import report, result_files, write
from toolbox.utils import UserError, note, printable, progress
from toolbox.utils.cluster import working_on
from toolbox.utils.options import pick
from toolbox.utils.parallel import spread

SETTINGS = ("ref_annotator", "test_annotator", "score_start", "match_window")  # that the result names


@dataclass(frozen=True)
class ScoredRecord:
    """The comparisons of a record: of its beats, of each kind of episode, of each measurement; whether it is paced."""

    name: str
    beats: Any
    episodes: dict[str, EpisodeComparison]
    measures: dict[str, MeasureErrors]
    paced: bool


@dataclass(frozen=True)
class ScoreWork:
    """Compares the annotations of one record after the other; it is sent to the processes that do."""

    options: ScoreOptions

    def __call__(self, record: Path | RemotePair) -> ScoredRecord:
        """Compare both annotators of a record; UserError where they cannot be read or compared."""
        start, window = self.options.score_start, self.options.match_window
        sides = (self.options.ref_annotator, self.options.test_annotator)
        if isinstance(record, RemotePair):
            pair = record.read(*sides)
        else:
            pair = read_pair(record, *sides, self.options.score_dir)
        try:
            beats = compare(pair.reference, pair.test, pair.fs, pair.length, start, window)
        except ValueError as error:
            shown = record.address if isinstance(record, RemotePair) else record
            raise UserError(f"record {shown}: {error}; --score-start says when") from error
        paced = is_paced(pair.reference.symbol)
        return ScoredRecord(
            pair.name, beats, compared_episodes(pair, start), compared_measures(pair, start, window), paced
        )


def run(args: Namespace) -> dict[str, Any]:
    """Print EC57's scores of the records that --score names, and write them where --out says."""
    options = pick(ScoreOptions, args)
    if options.out:
        result_files(options.out)  # before the work
    asked = options.score or []
    sides = (options.ref_annotator, options.test_annotator, options.score_dir, options.exclude)
    far = [is_remote(word) for word in asked]
    if any(far) and not all(far):
        raise UserError("--score takes records of this machine or from elsewhere, not both in one call")
    records: Sequence[Path | RemotePair]
    records, lacking = find_remote_pairs(asked, *sides) if any(far) else find_pairs(asked, *sides)
    scored: dict[int, ScoredRecord] = {}
    with working_on(pick(ClusterOptions, args).cluster), closing(spread(ScoreWork(options), records, 0)) as results:
        for position, result in progress(results, "score", total=len(records)):
            if isinstance(result, Exception):
                raise result
            scored[position] = result
    ordered = [scored[position] for position in range(len(records))]
    compared = {one.name: one.beats for one in ordered}
    paced = [one.name for one in ordered if one.paced]
    episodes: dict[str, dict[str, EpisodeComparison]] = {}
    measures: dict[str, dict[str, MeasureErrors]] = {}
    for one in ordered:
        for kind, comparison in one.episodes.items():
            episodes.setdefault(kind, {})[one.name] = comparison
        for name, errors in one.measures.items():
            measures.setdefault(name, {})[one.name] = errors
    settings = {key: value for key, value in asdict(options).items() if key in SETTINGS}
    result = {**settings, "not_scored": lacking, "paced": paced, **summary(compared)}
    result |= {"episodes": episode_summary(_in_order(episodes)), "measures": measure_summary(measures)}
    print(report(result))
    if lacking:
        note(f"no .{options.test_annotator} of {', '.join(lacking)}; they are not scored")
    if paced:
        note(f"{', '.join(paced)} hold paced beats; EC57 leaves such records out (--exclude)")
    if options.out:
        print(f"written {printable(' and '.join(map(str, write(options.out, result))))}")
    return result


def _in_order(episodes: dict[str, dict[str, EpisodeComparison]]) -> dict[str, dict[str, EpisodeComparison]]:
    """The comparisons by kind; fibrillation and flutter as one only where flutter is marked at all."""
    if episodes.get("AF/AFL") == episodes.get("AF"):
        episodes.pop("AF/AFL", None)
    return {kind: episodes[kind] for kind in KINDS if kind in episodes}
