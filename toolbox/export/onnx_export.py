"""A trained network as ONNX files, checked against torch on the test split, in 32 bit floats and in 8 bit integers.

The graph is traced (torch's TorchScript exporter): it needs no further package, takes a second where torch.export takes
ten, and every network here is free of branches that depend on values.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn

from toolbox.export.model_card import LOSSES, model_card
from toolbox.export.onnx_file import (
    CARD,
    FACTS,
    FORMAT,
    INT8,
    MODEL,
    PROJECT,
    as_metadata,
    needed,
    open_session,
    sealed,
)
from toolbox.export.quantize import choose, quantized
from toolbox.holter.page import NOTE
from toolbox.metrics.patients import calibration, patient_scores
from toolbox.reports.console import percent
from toolbox.runs.provenance import git_state, versions
from toolbox.utils import UserError, atomic_write, progress, sha256_of, write_json
from toolbox.utils.aami import LETTERS

OPSET = 17  # the newest with nothing that older onnxruntimes and onnxruntime-web lack
BATCHES = (1, 7, 512)  # that the logits are compared at
LIMIT = 1e-4  # how far a logit may be from torch's
CALIBRATION = 1024  # training rows that tell the ranges of 8 bit values
NAMES = ("row", "features")  # of the inputs
ASKING, PACKAGES = "--export onnx", ("onnx", "onnxruntime")


@dataclass
class Source:
    """What is exported.

    Attributes:
        model: in 32 bit floats on the CPU, as torch is to run it: the reference.
        fold: changes a model into the same function in fewer layers, which is what is written.
        data: its rows: train, val and test parts.
        batches: (part, rows of a batch, limit=batches) -> batches of a part in its order.
        row: what a row is, see loaders.beats.input_spec.
        options: the run's flags.
        config: the run's config.json.
        state: the checkpoint.
        path: its file.
    """

    model: nn.Module
    fold: Callable[[nn.Module], nn.Module]
    data: Any
    batches: Callable[..., Iterable[Any]]
    row: dict[str, Any]
    options: Mapping[str, Any]
    config: Mapping[str, Any]
    state: Mapping[str, Any]
    path: Path

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return self.data.train.class_names

    @property
    def held_out(self) -> Any:
        """The validation rows, None where they are test or training rows."""
        return self.data.val if self.options["validate_on"] == "val" else None


def check_installed() -> None:
    """UserError with the line that installs what is missing."""
    for package in PACKAGES:
        needed(package, ASKING)


def convert(model: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """`model` as ONNX: inputs "row" (batch, channels, samples) and perhaps "features" (batch, k), output "logits"
    (batch, classes), float32, any batch.

    Args:
        inputs: of any two or more rows; only their shapes count.

    Raises:
        UserError: it does something that ONNX has no operator for.
    """
    onnx = needed("onnx", ASKING)
    buffer, names = io.BytesIO(), NAMES[: len(inputs)]
    axes = {name: {0: "batch"} for name in (*names, "logits")}
    written = {"input_names": list(names), "output_names": ["logits"], "dynamic_axes": axes, "opset_version": OPSET}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's, about what it takes as constant; the rows below will tell
            torch.onnx.export(model.eval(), inputs, buffer, dynamo=False, **written)  # type: ignore[arg-type]
        onnx.checker.check_model(buffer.getvalue(), full_check=True)
    except (RuntimeError, TypeError, ValueError, torch.onnx.OnnxExporterError, onnx.checker.ValidationError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserError(f"{type(model).__name__} cannot be exported to ONNX: {reason}") from error
    return buffer.getvalue()


def labelled(content: bytes, metadata: Mapping[str, Any]) -> bytes:
    """An ONNX file's bytes with `metadata`, sealed."""
    onnx = needed("onnx", ASKING)
    model = onnx.load_from_string(content)
    model.producer_name, model.producer_version = PROJECT, str(FORMAT)
    model.doc_string = NOTE
    onnx.helper.set_model_props(model, as_metadata(metadata))
    return sealed(model.SerializeToString())


def arrays(batch: Any, session: Any) -> dict[str, np.ndarray]:
    """A batch as the inputs of an ONNX session; what the network does not read is none of them."""
    read = {given.name for given in session.get_inputs()}
    parts = zip(NAMES, batch.inputs(torch.device("cpu")), strict=False)
    return {name: np.ascontiguousarray(part.numpy()) for name, part in parts if name in read}


def onnx_logits(session: Any, batches: Iterable[Any], what: str = "onnxruntime") -> np.ndarray:
    """(n, C) float32."""
    return np.concatenate([session.run(None, arrays(batch, session))[0] for batch in progress(batches, what)])


@torch.inference_mode()
def torch_logits(model: nn.Module, batches: Iterable[Any]) -> np.ndarray:
    """(n, C) float32."""
    model.eval()
    found = [model(*batch.inputs(torch.device("cpu"))) for batch in progress(batches, "torch")]
    return torch.cat(found).float().numpy()


def verify(session: Any, reference: np.ndarray, batches: Callable[[int], Iterable[Any]]) -> dict[str, float]:
    """{batch: largest |logit - torch's|} over all rows, at each of BATCHES.

    Raises:
        UserError: one is beyond LIMIT, or no number.
    """
    found = {}
    for size in BATCHES:
        away = np.abs(onnx_logits(session, batches(size), f"onnxruntime, batch {size}") - reference)
        found[str(size)] = float(away.max())
        if not away.max() <= LIMIT:
            row, k = np.unravel_index(np.nanargmax(away) if np.isfinite(away).any() else 0, away.shape)
            raise UserError(
                f"at batch {size}, logit {k} of test row {row} is {away.max():.2g} away from torch's, more than "
                f"{LIMIT:g} is not taken; nothing was written"
            )
    return found


def labels_of(part: Any) -> np.ndarray:
    """(n,) the classes of a part's rows."""
    return part.labels().cpu().numpy()


def describe(source: Source) -> dict[str, Any]:
    """What both files say of themselves; the temperature and the number format come later."""
    names, config = source.names, source.config
    return {
        "format": f"{PROJECT} {FORMAT}",
        "model": source.options["model_name"],
        "run": config["name"],
        "epoch": source.state["epoch"],
        "checkpoint": {
            "which": source.options["resume"] or "best",
            "file": source.path.name,
            "sha256": sha256_of(source.path),
        },
        "classes": list(names),
        "symbols": [LETTERS[name] for name in names],
        "row": source.row,
        "fs": source.row["fs"],
        "lead": source.row["lead"],
        "dataset": source.options["dataset"],
        "split": source.options.get("split", "kaggle"),
        "trained_by": config.get("git", {}),
        "exported_by": {**git_state(), "versions": {**versions(), **{name: version(name) for name in PACKAGES}}},
        "note": NOTE,
    }


def export(source: Source, folder: Path) -> dict[str, Any]:
    """Export, check against torch, quantize, score and write it all to `folder`.

    Returns:
        What export.json holds.

    Raises:
        UserError: the logits are not torch's, or the network cannot be exported; nothing is written then.
    """
    data, metadata = source.data, describe(source)
    first = next(iter(source.batches(data.test, 2)))
    content = convert(source.fold(copy.deepcopy(source.model)), first.inputs(torch.device("cpu")))
    session = open_session(content, ASKING)
    reference = torch_logits(source.model, source.batches(data.test, BATCHES[-1]))
    away = verify(session, reference, lambda size: source.batches(data.test, size))

    def logits(of: bytes | Any, part: Any) -> np.ndarray:
        ready = open_session(of, ASKING) if isinstance(of, bytes) else of
        return onnx_logits(ready, source.batches(part, BATCHES[-1]))

    chosen_on = data.train if source.held_out is None else data.val
    held = logits(session, chosen_on), labels_of(chosen_on)
    rows = [arrays(batch, session) for batch in source.batches(data.train, 256, limit=CALIBRATION // 256)]
    int8 = choose(quantized(content, rows), *held, lambda of: logits(of, chosen_on))
    small = int8.pop("content")
    outcome = {"fp32": logits(session, data.test), "int8": logits(small, data.test)}
    facts = scores(source, outcome, None if source.held_out is None else held)
    facts["int8"] = {
        **int8,
        "chosen_on": f"{'training' if source.held_out is None else 'validation'} rows",
        **facts["int8"],
    }
    metadata["temperature"] = facts["calibration"]["temperature"] or 1.0
    files = {
        MODEL: labelled(content, {**metadata, "precision": "fp32"}),
        INT8: labelled(small, {**metadata, "precision": f"int8, {int8['method']}"}),
    }
    verified = {"rows": len(reference), "limit": LIMIT, "difference": away}
    facts = {
        "model": metadata,
        "opset": OPSET,
        "inputs": shapes(session),
        "verified": verified,
        **facts,
        **rows_of(data),
    }
    facts["files"] = {name: {"bytes": len(part), "sha256": sha256(part).hexdigest()} for name, part in files.items()}
    write(folder, files, facts)
    print("\n".join(told(facts, folder)), flush=True)
    return facts


def told(facts: Mapping[str, Any], folder: Path) -> list[str]:
    """What is printed."""
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


def shapes(session: Any) -> dict[str, list[Any]]:
    """The inputs and outputs of a model with their shapes."""
    return {one.name: list(one.shape) for one in (*session.get_inputs(), *session.get_outputs())}


def rows_of(data: Any) -> dict[str, Any]:
    """How many rows of each class are in each part, and what whoever reads the scores must know."""
    parts = {"train": data.train, "val": data.val, "test": data.test}
    if data.val is data.test:
        del parts["val"]
    counts = {name: part.class_counts().tolist() for name, part in parts.items()}
    return {"rows": counts, "data": data.describe(), "warnings": list(data.warnings)}


def scores(source: Source, outcome: Mapping[str, np.ndarray], held: Any) -> dict[str, Any]:
    """The test rows' figures in both number formats, and what 8 bits lose.

    Args:
        outcome: (n, C) logits of the test rows by number format.
        held: logits and labels of the validation rows, None where there are none.
    """
    test = source.data.test
    labels, origin = labels_of(test), test.origin(test.rows.cpu())
    by_patient = source.options.get("split", "kaggle") != "kaggle"
    rest = labels, origin, source.names, by_patient
    found = {name: patient_scores(softmax(part, axis=1), *rest) for name, part in outcome.items()}
    overall = {name: next(iter(part["maps"].values())) for name, part in found.items()}
    loss = {
        key: overall["fp32"][key]["value"] - overall["int8"][key]["value"]
        for key in LOSSES
        if None not in (overall["fp32"][key]["value"], overall["int8"][key]["value"])
    }
    validation = None if held is None else (softmax(held[0], axis=1), held[1])
    alike = outcome["fp32"].argmax(axis=1) == outcome["int8"].argmax(axis=1)
    return {
        "test": found["fp32"],
        "calibration": calibration(softmax(outcome["fp32"], axis=1), labels, validation),
        "int8": {"loss": loss, "called_alike": float(alike.mean()), "test": found["int8"]},
    }


def write(folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Both models, export.json and the model card, each of them whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_write(folder / name) as handle:
            handle.write(content)
    write_json(folder / FACTS, facts)
    with atomic_write(folder / CARD, "w") as handle:
        handle.write(model_card(facts))
