"""Looks for the beats that a network called wrong, with the signal around them and what counted; for the run's page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from commands.build import BuiltRun
from loaders.datasets.dataset import ECGLoader
from loaders.options import InputOptions, SourceOptions
from loaders.sources.excerpts import Excerpt, Origin, folders_of, read_excerpts
from toolbox.reports.attribution_parts import reasons, waves_of_samples
from toolbox.reports.wrong_beats import choose, examples_path, write_examples
from toolbox.training.attribution import attribute
from toolbox.training.outputs import EpochResult
from toolbox.utils.options import pick
from toolbox.utils.program import missing_package

MOST_TYPICAL = 2000  # training rows that their median is taken of


def write_wrong_beats(built: BuiltRun, folder: Path, part: str, epoch: int, outcome: EpochResult) -> Path:
    """Write the examples of an epoch's wrong beats, of the part "test" or "val" that `outcome` scored.

    The model of `built` is the one that scored them.
    """
    rows: ECGLoader = getattr(built.data, part)
    ids, probabilities, labels = outcome.ids.numpy(), outcome.probabilities.numpy(), outcome.labels.numpy()
    order = np.argsort(ids, kind="stable")
    ids, probabilities, labels = ids[order], probabilities[order], labels[order]
    called, chosen = probabilities.argmax(axis=1), choose(probabilities, labels)
    which = np.concatenate(list(chosen.values()))
    content: dict[str, Any] = {"epoch": epoch, "wrong": int((called != labels).sum()), "rows": len(ids), "examples": []}
    if len(which):
        whys, about = _reasons(built, rows, ids[which], called[which], labels[which])
        strips = read_excerpts(rows.beats, ids[which], record_places(built))
        kinds = [kind for kind, each in chosen.items() for _ in each]
        names = rows.class_names
        content |= about
        content["examples"] = [
            {
                "kind": kind, "id": int(ids[k]), "record": str(rows.beats.record[ids[k]]),
                "time": None if strip is None else strip.time,
                "true": names[labels[k]], "called": names[called[k]],
                "probability": round(float(probabilities[k, called[k]]), 5),
                "probability_true": round(float(probabilities[k, labels[k]]), 5),
                "strip": _plain(strip, names), "why": why,
            }
            for kind, k, strip, why in zip(kinds, which.tolist(), strips, whys, strict=True)
        ]  # fmt: skip
    path = examples_path(folder, part, epoch)
    write_examples(path, content)
    return path


def _plain(strip: Excerpt | None, names: tuple[str, ...]) -> dict[str, Any] | None:
    """An excerpt for the file; the classes of its beats by name, as far as the network tells them apart."""
    if strip is None:
        return None
    named = [
        (offset, names[label] if label < len(names) > 2 else _merged(label, names)) for offset, label in strip.beats
    ]
    return {**asdict(strip), "beats": named}


def _merged(label: int, names: tuple[str, ...]) -> str:
    """The name of a class that the network does not have: "Unknown", or the second of two."""
    return names[min(label, 1)] if len(names) == 2 else "Unknown"


def record_places(built: BuiltRun) -> Origin:
    """The places of the records of a run."""
    source, inputs = pick(SourceOptions, built.args), pick(InputOptions, built.args)
    return Origin(folders_of(vars(built.args), Path(source.root_dir)), source, inputs.context == "kaggle")


def _reasons(
    built: BuiltRun, rows: ECGLoader, ids: np.ndarray, called: np.ndarray, labels: np.ndarray
) -> tuple[list[dict[str, Any] | None], dict[str, str]]:
    """The shares of what counted in each mistake, and how they were computed; or why they were not."""
    batch = rows.batch(rows.positions(torch.from_numpy(ids)))
    inputs = batch.inputs(torch.device("cpu"))
    try:
        shares = attribute(
            built.context.model,
            inputs,
            typical_row(built.data.train),
            torch.from_numpy(called),
            torch.from_numpy(labels),
        )
    except ModuleNotFoundError as error:
        if not (remedy := missing_package(error)):
            raise
        return [None] * len(ids), {"reason": f"Without their reasons: {remedy}."}
    columns, beats = list(built.data.facts.get("features", ())), 2 * rows.neighbours + 1
    geometry, lengths = rows.geometry, rows.beats.length[ids]
    whys = []
    for k in range(len(ids)):
        waves = waves_of_samples(batch.x.shape[-1], geometry.origin, geometry.rate, int(lengths[k]))
        of_row = None if shares.x is None else shares.x[k].numpy()
        of_features = None if shares.features is None else shares.features[k].numpy()
        values = None if batch.features is None else batch.features[k].cpu().numpy()
        whys.append(reasons(of_row, waves, of_features, values, columns, beats))
    return list(whys), {"method": shares.method}


def typical_row(train: ECGLoader) -> tuple[Tensor, ...]:
    """The median of the training rows, (1, ...) of each input."""
    spread = torch.linspace(0, len(train) - 1, min(len(train), MOST_TYPICAL)).long()
    inputs = train.batch(spread).inputs(torch.device("cpu"))
    return tuple(part.float().median(dim=0, keepdim=True).values for part in inputs)
