"""Export a trained network to ONNX, in 32 bit floats and in 8 bit integers, checked against torch on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from torch import nn

from toolbox.export.model_card import LOSSES, model_card
from toolbox.export.onnx_file import CARD, FACTS, FORMAT, INT8, MODEL, PROJECT, open_session
from toolbox.export.onnx_graph import (
    CHECKED_BATCH_SIZES,
    EXPORT_FLAG,
    LARGEST_DIFFERENCE,
    OPSET,
    PACKAGES,
    add_metadata,
    convert,
    onnx_logits,
    session_inputs,
    shapes,
    torch_logits,
    verify,
)
from toolbox.export.own_files import check_own, listed
from toolbox.export.quantize import choose, quantized
from toolbox.export.rows import CPU, Rows, Splits, in_order, labels_of, spread
from toolbox.holter.page import NOTE
from toolbox.metrics.patients import calibration, patient_scores
from toolbox.reports.console import percent
from toolbox.runs.provenance import git_state, versions
from toolbox.utils import atomic_write, sha256_of, write_json
from toolbox.utils.aami import LETTERS

BATCH_SIZE = CHECKED_BATCH_SIZES[-1]
CALIBRATION_ROWS = 1024  # training rows that give the ranges of 8 bit values


def model_metadata(
    config: Mapping[str, Any],
    options: Mapping[str, Any],
    class_names: Sequence[str],
    row: Mapping[str, Any],
    epoch: int,
    checkpoint: Path,
) -> dict[str, Any]:
    """The metadata that both files carry; the temperature and the number format come later.

    Args:
        config: the run's config.json.
        options: the run's flags.
        class_names: one for each logit.
        row: a row in plain values, see loaders.beats.input_spec.
        epoch: of the checkpoint.
        checkpoint: its file.
    """
    return {
        "format": f"{PROJECT} {FORMAT}",
        "model": options["model_name"],
        "run": config["name"],
        "epoch": epoch,
        "checkpoint": {
            "which": options["resume"] or "best",
            "file": checkpoint.name,
            "sha256": sha256_of(checkpoint),
        },
        "classes": list(class_names),
        "symbols": [LETTERS[name] for name in class_names],
        "row": row,
        "fs": row["fs"],
        "lead": row["lead"],
        "dataset": options["dataset"],
        "split": options.get("split", "kaggle"),
        "trained_by": config.get("git", {}),
        "exported_by": {**git_state(), "versions": {**versions(), **{name: version(name) for name in PACKAGES}}},
        "note": NOTE,
    }


@dataclass
class Quantized:
    """The 8 bit network that loses least.

    Attributes:
        content: its ONNX file.
        facts: method, share of 8 bit weights, losses of all methods.
    """

    content: bytes
    facts: dict[str, Any]


def export(
    model: nn.Module, folded: nn.Module, data: Splits, held_out: bool, metadata: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Export a network, check it against torch, quantize it, score both files and write all to `folder`.

    Args:
        model: the reference, in 32 bit floats on the CPU.
        folded: the same function in fewer layers, which is written.
        data: the rows of all splits.
        held_out: whether the validation rows are neither training nor test rows.
        metadata: of `model_metadata`.

    Returns:
        The content of export.json.

    Raises:
        UserError: the logits are not torch's, or the network cannot be exported; nothing is written then.
    """
    content = convert(folded, next(in_order(data.test, 2)).inputs(CPU))
    session = open_session(content, EXPORT_FLAG)
    reference = torch_logits(model, in_order(data.test, BATCH_SIZE))
    differences = verify(session, reference, lambda size: in_order(data.test, size))
    chosen_on = data.val if held_out else data.train
    logits = onnx_logits(session, in_order(chosen_on, BATCH_SIZE))
    small = quantize(content, session, data.train, chosen_on, logits)
    scores = score(
        data.test,
        onnx_logits(session, in_order(data.test, BATCH_SIZE)),
        onnx_logits(open_session(small.content, EXPORT_FLAG), in_order(data.test, BATCH_SIZE)),
        (softmax(logits, axis=1), labels_of(data.val)) if held_out else None,
        metadata,
    )
    metadata = {**metadata, "temperature": scores["calibration"]["temperature"] or 1.0}
    files = {
        MODEL: add_metadata(content, {**metadata, "precision": "fp32"}),
        INT8: add_metadata(small.content, {**metadata, "precision": f"int8, {small.facts['method']}"}),
    }
    facts = {
        "model": metadata,
        "opset": OPSET,
        "inputs": shapes(session),
        "verified": {"rows": len(reference), "limit": LARGEST_DIFFERENCE, "difference": differences},
        **scores,
        "int8": {**small.facts, "chosen_on": f"{'validation' if held_out else 'training'} rows", **scores["int8"]},
        **describe_rows(data),
        "files": listed(files),
    }
    write(folder, files, facts)
    print("\n".join(summary_lines(facts, folder)), flush=True)
    return facts


def quantize(content: bytes, session: Any, train: Rows, chosen_on: Rows, logits: np.ndarray) -> Quantized:
    """Quantize a network in all ways and take the one that loses least.

    Args:
        content: the ONNX file in floats.
        session: the same file, open.
        train: rows that give the ranges of 8 bit values.
        chosen_on: rows that the ways are compared on.
        logits: (n, C) of these rows, of the network in floats.
    """
    calibration_rows = [session_inputs(batch, session) for batch in spread(train, 256, CALIBRATION_ROWS)]

    def logits_of(small: bytes) -> np.ndarray:
        return onnx_logits(open_session(small, EXPORT_FLAG), in_order(chosen_on, BATCH_SIZE))

    facts = choose(quantized(content, calibration_rows), logits, labels_of(chosen_on), logits_of)
    return Quantized(facts.pop("content"), facts)


def score(
    test: Rows,
    floats: np.ndarray,
    small: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
    metadata: Mapping[str, Any],
) -> dict[str, Any]:
    """Score the test rows in both number formats.

    Args:
        test: the rows.
        floats, small: (n, C) their logits in 32 bit floats and in 8 bits.
        validation: probabilities (m, C) and labels (m,) to fit the temperature on, None where there are none.
        metadata: classes and split.
    """
    labels, origin, names = labels_of(test), test.origin(test.rows.cpu()), tuple(metadata["classes"])
    by_patient = metadata["split"] != "kaggle"
    results = [patient_scores(softmax(logits, axis=1), labels, origin, names, by_patient) for logits in (floats, small)]
    before, after = (next(iter(result["maps"].values())) for result in results)
    loss = {
        key: before[key]["value"] - after[key]["value"]
        for key in LOSSES
        if None not in (before[key]["value"], after[key]["value"])
    }
    alike = floats.argmax(axis=1) == small.argmax(axis=1)
    return {
        "test": results[0],
        "calibration": calibration(softmax(floats, axis=1), labels, validation),
        "int8": {"loss": loss, "called_alike": float(alike.mean()), "test": results[1]},
    }


def describe_rows(data: Splits) -> dict[str, Any]:
    """Rows of each class in each split, the identity of the data, and notes for the readers of scores."""
    splits = {"train": data.train, "val": data.val, "test": data.test}
    if data.val is data.test:
        del splits["val"]
    counts = {name: part.class_counts().tolist() for name, part in splits.items()}
    return {"rows": counts, "data": data.describe(), "warnings": list(data.warnings)}


def write(folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Write both models, the model card and export.json, which knows them, each of them atomically."""
    before = check_own(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = {**files, CARD: model_card(facts).encode()}
    write_json(folder / FACTS, {**facts, "files": listed(written), "before": before})  # cut off, it knows all of them
    for name, content in written.items():
        with atomic_write(folder / name) as handle:
            handle.write(content)
    write_json(folder / FACTS, {**facts, "files": listed(written)})


def summary_lines(facts: Mapping[str, Any], folder: Path) -> list[str]:
    """The lines that are printed."""
    model, verified, int8, files = (facts[key] for key in ("model", "verified", "int8", "files"))
    away = ", ".join(f"{value:.1e} at batch {size}" for size, value in verified["difference"].items())
    losses = ", ".join(f"{LOSSES[key]} {int8['loss'][key]:+.4f}" for key in ("accuracy", "macro_f1"))
    return [
        f"{model['model']}, epoch {model['epoch']} of {model['run']}: opset {facts['opset']}, any batch",
        f"largest difference of a logit from torch's over {verified['rows']} test rows: {away}",
        *(f"{name}: {part['bytes']} bytes" for name, part in files.items()),
        f"8 bits ({int8['method']}, {percent(int8['weights_int8'])} of the weights) lose on the test rows: {losses}; "
        f"{percent(int8['called_alike'])} are called alike",
        f"temperature {model['temperature']:.3f}",
        *(f"note: {warning}" for warning in facts["warnings"]),
        f"written {folder}",
    ]
