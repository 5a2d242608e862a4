"""Builds or verifies the data, and says what they are."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from loaders import get_loader
from loaders.datasets.summary import describe
from loaders.options import SourceOptions
from loaders.sources.records import write_synthetic
from toolbox.options import ClusterOptions
from toolbox.utils.cluster import working_on
from toolbox.utils.options import pick


def run(args: Namespace) -> dict[str, Any]:
    """Build or verify the data and print what they are; with --write-records, write synthetic ones as WFDB records."""
    with working_on(pick(ClusterOptions, args).cluster):
        summary, lines = describe(get_loader(args))
    print("\n".join(lines))
    if args.write_records:
        summary["records"] = write_synthetic(pick(SourceOptions, args), args.write_records)
        print(f"written {len(summary['records'])} WFDB records to {args.write_records}")
    return summary
