"""What --prepare prints: where the rows came from, how many of each class, and the digests of the arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from loaders.beats.table import Beats
from loaders.datasets.dataset import Data, ECGLoader
from toolbox.utils import sha256_array


def in_order(beats: list[Beats]) -> Beats:
    """All beats of several splits in order of record, then time."""
    whole = Beats.join(beats)
    return whole.take(np.lexsort((whole.sample, whole.record)))


def digests(data: Data) -> dict[str, str]:
    """SHA-256 of each array's bytes: rows and labels of train (validation included) and test, and of all rows. Where
    whole recordings are cached, of all beats and of the numbers of those in each part."""
    kind = type(data.train)
    splits = data.cache.splits
    found = {}
    if "all" in splits:  # whole recordings, split by row numbers
        found["X_all"] = sha256_array(np.ascontiguousarray(splits["all"].x))
        found["y_all"] = sha256_array(np.ascontiguousarray(splits["all"].y))
        parts = {"train": data.train, "val": data.val, "test": data.test}
        return {**found, **{f"rows_{name}": sha256_array(part.rows.cpu().numpy()) for name, part in parts.items()}}
    for split in ("train", "test"):
        found[f"X_{split}"] = sha256_array(np.ascontiguousarray(splits[split].x))
        found[f"y_{split}"] = sha256_array(kind(splits[split]).y.numpy())
    if data.cache.meta["kind"] != "csv":  # CSV rows do not tell whose they are
        found["X_all"] = sha256_array(in_order(list(splits.values())).x)
    return found


def describe(data: Data) -> tuple[dict[str, Any], list[str]]:
    """A summary as plain values, and the same as lines to print."""
    parts: dict[str, ECGLoader] = {"train": data.train, "val": data.val, "test": data.test}
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
    """A line for each class that a split has no rows of."""
    parts: dict[str, ECGLoader] = {"train": data.train, "val": data.val, "test": data.test}
    return [
        f"warning: {split} has no {name} rows"
        for split, part in parts.items()
        for name, count in zip(part.class_names, part.class_counts().tolist(), strict=True)
        if count == 0
    ]
