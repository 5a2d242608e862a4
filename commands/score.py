"""Prepares the data, and scores annotations."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from toolbox.utils import UserError


def prepare(args: Namespace) -> dict[str, Any]:
    """Build or verify the data and say what they are."""
    from loaders import get_loader
    from loaders.datasets.summary import describe
    from loaders.options import SourceOptions
    from loaders.sources.records import write_synthetic
    from toolbox.utils.options import pick

    summary, lines = describe(get_loader(args))
    print("\n".join(lines))
    if args.write_records:
        summary["records"] = write_synthetic(pick(SourceOptions, args), args.write_records)
        print(f"written {len(summary['records'])} WFDB records to {args.write_records}")
    return summary


def score(args: Namespace) -> dict[str, Any]:
    """Compare two annotators of records beat by beat, print EC57's figures and write them where --out says."""
    from loaders.io.annotations import read_pair
    from loaders.io.discovery import find_pairs
    from toolbox.metrics.ec57 import compare, is_paced
    from toolbox.metrics.ec57_scores import summary
    from toolbox.reports.ec57_report import report, write
    from toolbox.utils import progress

    sides = (args.ref_annotator, args.test_annotator, args.score_dir)
    records, lacking = find_pairs(args.score, *sides, args.exclude)
    compared, paced = {}, []
    for record in progress(records, "score"):
        pair = read_pair(record, *sides)
        try:
            compared[pair.name] = compare(
                pair.reference, pair.test, pair.fs, pair.length, args.score_start, args.match_window
            )
        except ValueError as error:
            raise UserError(f"record {record}: {error}; --score-start says when") from error
        paced += [pair.name] if is_paced(pair.reference.symbol) else []
    settings = {key: getattr(args, key) for key in ("ref_annotator", "test_annotator", "score_start", "match_window")}
    result = {**settings, "not_scored": lacking, "paced": paced, **summary(compared)}
    print(report(result))
    if lacking:
        print(f"note: no .{args.test_annotator} of {', '.join(lacking)}; they are not scored", file=sys.stderr)
    if paced:
        print(f"note: {', '.join(paced)} hold paced beats; EC57 leaves such records out (--exclude)", file=sys.stderr)
    if args.out:
        print(f"written {' and '.join(map(str, write(args.out, result)))}")
    return result
