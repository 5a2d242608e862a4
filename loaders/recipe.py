"""What a model reads, in numbers that whoever runs it elsewhere needs."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from loaders.beats import DECIMATION, RATE, TAIL
from loaders.ecg_loader import Data
from loaders.windows import FIRST_LEAD


def describe_row(args: Namespace, data: Data) -> dict[str, Any]:
    """The recipe of a row as plain values.

    Returns:
        "kind" ("kaggle" or "window"), "in_channels", "length" (samples), "features" (numbers beside it), "beats" (rows
        that come together), "fs" (its samples per second), "lead", "steps" (what to do, in words), and, of "kaggle",
        "signal_fs", "decimate" and "tail", which loaders.beats.rows_at counts in, else the flags of the window.
    """
    found: dict[str, Any] = {"kind": args.context, **data.train.shape(), "lead": FIRST_LEAD}
    if names := data.facts.get("features"):
        found["feature_names"] = list(names)
    if args.context == "kaggle":
        numbers = {"fs": RATE / DECIMATION, "signal_fs": RATE, "decimate": DECIMATION, "tail": TAIL}
        steps = (
            f"one lead at {RATE:g} Hz, from the R peak to {100 * TAIL:g} % of the RR interval that follows behind the "
            f"next R peak; every {DECIMATION}rd sample, without a filter; (x - min) / (max - min) over all of it; cut, "
            f"or filled with zeros on the right, to {found['length']} samples"
        )
        return {**found, **numbers, "steps": steps}
    window = {name: getattr(args, name) for name in ("window_before", "window_after", "leads", "scale", "highpass")}
    steps = "the window of signal around the R peak that --context window cuts with these flags (loaders/windows.py)"
    return {**found, "fs": float(args.window_rate), **window, "steps": steps}
