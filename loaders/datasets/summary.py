"""Summaries of the data: source, class counts and digests of the arrays for --prepare; the input row for an export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from loaders.beats.input_spec import InputSpec
from loaders.beats.table import DECIMATION, TAIL, Beats
from loaders.beats.windows import FIRST_LEAD
from loaders.datasets.build import Data
from loaders.datasets.dataset import ECGLoader
from loaders.dsp.resample import MITBIH_FS
from toolbox.utils import sha256_array


def parts_of(data: Data) -> dict[str, ECGLoader]:
    """The three datasets by name."""
    return {"train": data.train, "val": data.val, "test": data.test}


def in_order(beats: list[Beats]) -> Beats:
    """All beats of several splits in order of record, then time."""
    whole = Beats.join(beats)
    return whole.take(np.lexsort((whole.sample, whole.record)))


def digests(data: Data) -> dict[str, str]:
    """SHA-256 of each array's bytes: rows and labels of train (validation included) and test, and of all rows. Where
    whole recordings are cached, of all beats and of the numbers of those in each part."""
    kind = type(data.train)
    splits = data.cache.splits
    by_array = {}
    if "all" in splits:  # whole recordings, split by row numbers
        by_array["X_all"] = sha256_array(np.ascontiguousarray(splits["all"].x))
        by_array["y_all"] = sha256_array(np.ascontiguousarray(splits["all"].y))
        for name, part in parts_of(data).items():
            by_array[f"rows_{name}"] = sha256_array(part.rows.cpu().numpy())
        return by_array
    for split in ("train", "test"):
        by_array[f"X_{split}"] = sha256_array(np.ascontiguousarray(splits[split].x))
        by_array[f"y_{split}"] = sha256_array(kind(splits[split]).y.numpy())
    if data.cache.meta["kind"] != "csv":  # CSV rows are of unknown records
        by_array["X_all"] = sha256_array(in_order(list(splits.values())).x)
    return by_array


def describe(data: Data) -> tuple[dict[str, Any], list[str]]:
    """A summary as plain values, and the same as lines to print."""
    parts = parts_of(data)
    counts = {name: part.class_counts().tolist() for name, part in parts.items()}
    summary = {**data.describe(), "classes": list(data.train.class_names), "counts": counts, "sha256": digests(data)}
    width = max(len(name) for name in data.train.class_names)
    lines = [
        f"source       {summary['source']}",
        f"cache        {data.cache.folder}",
        f"fingerprint  {summary['fingerprint']}",
        "",
        f"{'rows':{width}}  {'train':>8} {'val':>8} {'test':>8}",
    ]
    for k, name in enumerate(data.train.class_names):
        lines.append(f"{name:{width}}  {counts['train'][k]:8d} {counts['val'][k]:8d} {counts['test'][k]:8d}")
    lines.append(f"{'all':{width}}  {len(data.train):8d} {len(data.val):8d} {len(data.test):8d}")
    parts_are = "row numbers int64" if "rows_train" in summary["sha256"] else "train with its validation rows"
    lines += [*data.lines, "", f"sha256 of the arrays (X float32, y int64; {parts_are}; all by record and time)"]
    width = max(8, *map(len, summary["sha256"]))
    lines += [f"{name:{width}} {digest}" for name, digest in summary["sha256"].items()]
    return summary, lines + missing_classes(data) + [f"note: {text}" for text in data.warnings]


def missing_classes(data: Data) -> list[str]:
    """A line for each class that a split has no rows of; a test part that was not asked for has none."""
    return [
        f"warning: {split} has no {name} rows"
        for split, part in parts_of(data).items()
        if len(part)
        for name, count in zip(part.class_names, part.class_counts().tolist(), strict=True)
        if count == 0
    ]


def describe_row(data: Data) -> dict[str, Any]:
    """The input row of a model trained on these data, as plain values.

    Returns:
        "kind" ("kaggle" or "window"), "in_channels", "length" (samples), "features" (numbers beside it), "beats" (rows
        that come together), "fs" (its samples per second), "lead", "steps" (how to cut it, in words), and, of "kaggle",
        "signal_fs", "decimate" and "tail", by which loaders.beats.table.cut_kaggle_rows goes, else "recipe".
    """
    spec = InputSpec().to_plain()
    spec.update((key, value) for key, value in data.facts.get("recipe", {}).items() if key in spec)
    return row_of(spec, data.train.shape(), data.facts.get("features", []))


def row_of(spec: Mapping[str, Any], shape: Mapping[str, int], names: Sequence[str]) -> dict[str, Any]:
    """The row of `describe_row`, by its spec in plain values, its shape, and the names of the features beside it."""
    row: dict[str, Any] = {"kind": spec["context"], **shape, "lead": FIRST_LEAD}
    if names:
        row["feature_names"] = list(names)
    if spec["context"] == "kaggle":
        numbers = {"fs": MITBIH_FS / DECIMATION, "signal_fs": MITBIH_FS, "decimate": DECIMATION, "tail": TAIL}
        steps = (
            f"one lead at {MITBIH_FS:g} Hz, from the R peak to {100 * TAIL:g} % of the RR interval that follows behind "
            f"the next R peak; every {DECIMATION}rd sample, without a filter; (x - min) / (max - min) over all of it; "
            f"cut, or filled with zeros on the right, to {row['length']} samples"
        )
        return {**row, **numbers, "steps": steps}
    steps = "the window of signal around the R peak that loaders/beats/input_spec.py cuts, and the features beside it"
    return {**row, "fs": float(spec["rate"]), "recipe": dict(spec), "steps": steps}
