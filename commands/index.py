"""Keeps the page over all runs of a dataset, runs/index.html, up to date."""

from __future__ import annotations

from pathlib import Path

from toolbox.reports.runs_index import INDEX, write_runs_index
from toolbox.utils import warn


def refresh_index(folder: Path) -> None:
    """Write the page over all runs in `folder`, ROOT/DATASET/runs. It is a by-product: a failure is a warning."""
    try:
        write_runs_index(folder)
    except Exception as error:  # files of other runs may hold anything
        warn(f"{folder / INDEX} is not renewed: {error}")
