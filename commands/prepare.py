"""Builds or verifies the data, and says what they are."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from loaders import get_loader
from loaders.datasets.summary import describe
from loaders.sources.finder import write_synthetic


def run(args: Namespace) -> dict[str, Any]:
    """Build or verify the data and print what they are; with --write-records, write synthetic ones as WFDB records."""
    summary, lines = describe(get_loader(args))
    print("\n".join(lines))
    if args.write_records:
        summary["records"] = write_synthetic(args, args.write_records)
        print(f"written {len(summary['records'])} WFDB records to {args.write_records}")
    return summary
