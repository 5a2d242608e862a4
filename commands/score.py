"""Compares two annotators of records beat by beat, as EC57 asks for."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from commands.compared_pair import compared_episodes, compared_measures
from commands.options import ScoreOptions
from loaders.io.annotations import read_pair
from loaders.io.discovery import find_pairs
from toolbox.metrics.ec57 import compare, is_paced
from toolbox.metrics.ec57_scores import summary
from toolbox.metrics.measures import MeasureErrors, measure_summary
from toolbox.metrics.rhythm_episodes import KINDS, EpisodeComparison, episode_summary
from toolbox.reports.ec57_report import report, result_files, write
from toolbox.utils import UserError, note, printable, progress
from toolbox.utils.options import pick

SETTINGS = ("ref_annotator", "test_annotator", "score_start", "match_window")  # that the result names


def run(args: Namespace) -> dict[str, Any]:
    """Print EC57's scores of the records that --score names, and write them where --out says."""
    options = pick(ScoreOptions, args)
    if options.out:
        result_files(options.out)  # before the work
    sides = (options.ref_annotator, options.test_annotator, options.score_dir)
    records, lacking = find_pairs(options.score or [], *sides, options.exclude)
    compared, paced = {}, []
    episodes: dict[str, dict[str, EpisodeComparison]] = {}
    measures: dict[str, dict[str, MeasureErrors]] = {}
    for record in progress(records, "score"):
        pair = read_pair(record, *sides)
        try:
            compared[pair.name] = compare(
                pair.reference, pair.test, pair.fs, pair.length, options.score_start, options.match_window
            )
        except ValueError as error:
            raise UserError(f"record {record}: {error}; --score-start says when") from error
        for kind, one in compared_episodes(pair, options.score_start).items():
            episodes.setdefault(kind, {})[pair.name] = one
        for name, errors in compared_measures(pair, options.score_start, options.match_window).items():
            measures.setdefault(name, {})[pair.name] = errors
        paced += [pair.name] if is_paced(pair.reference.symbol) else []
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
