"""A classifier of beats that runs an exported network with onnxruntime; it needs neither torch nor the onnx package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from inference.classifier import Scaling, check_class_names, check_logits
from inference.options import ADAPTATIONS
from loaders.beats.input_spec import InputSpec
from toolbox.export.onnx_file import open_session, read_metadata, read_model
from toolbox.utils import UserError

BATCH_SIZE = 1024  # rows at once


class OnnxClassifier:
    """Classify beats with the network of an ONNX file; see `Classifier`.

    Args:
        path: a file that --export onnx wrote.

    Raises:
        UserError: it cannot be read, is damaged, was not exported by this project, or reads more than a beat's own row.
    """

    def __init__(self, path: str | Path) -> None:
        self.content = read_model(path)
        try:
            self.session = open_session(self.content)
        except UserError:
            raise
        except Exception as error:  # onnxruntime has a kind for each of its reasons
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise UserError(f"{path} is damaged or no ONNX file: {reason}") from error
        self.metadata = read_metadata(self.session, self.content, path)
        row = self.metadata["row"]
        self.input_spec = None
        if row["kind"] == "window" and row.get("beats") == 1:
            try:
                self.input_spec = InputSpec.from_plain(row["recipe"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UserError(f"{path} is damaged: its recipe of a row is none") from error
        elif row["kind"] != "kaggle" or row["features"] or row["in_channels"] != 1:
            raise UserError(
                f"{path} reads neighbours' rows, or features beside Kaggle's rows; --predict takes networks of "
                "Kaggle's rows alone, and of windows with features or without"
            )
        check_class_names(self.metadata["classes"], path)
        self.class_names = tuple(self.metadata["classes"])
        self.dataset = str(self.metadata.get("dataset", ""))
        self.scaling, self.adapt = self._adaptation(path)
        self._check_shapes(path)
        self.name = f"{self.metadata['model']}, epoch {self.metadata['epoch']} of {self.metadata['run']} (ONNX)"

    def _adaptation(self, path: str | Path) -> tuple[Scaling | None, str]:
        """The scaling of the features, and how answers are adapted to a recording; of older files, neither."""
        plain, adapt = self.metadata.get("scaling"), str(self.metadata.get("adapt", "none"))
        scaling = None
        if plain is not None:
            try:
                scaling = Scaling(*(np.array(plain[key], dtype=np.float32) for key in Scaling._fields))
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path} is damaged: its scaling of features is none") from error
            if any(part.shape != (self.metadata["row"]["features"],) for part in scaling):
                raise UserError(f"{path} is damaged: its scaling is not of {self.metadata['row']['features']} features")
        if adapt not in ADAPTATIONS:
            raise UserError(f"{path}: adapt is {adapt[:40]!r}, expected {', '.join(ADAPTATIONS)}")
        return scaling, adapt

    def _check_shapes(self, path: str | Path) -> None:
        """Refuse a network whose inputs and outputs are not those that its metadata describe."""
        row, classes = self.metadata["row"], len(self.class_names)
        shapes = {"row": [row["in_channels"], row["length"]], "features": [row["features"]], "logits": [classes]}
        for one in (*self.session.get_inputs(), *self.session.get_outputs()):
            if one.shape[1:] != shapes.get(one.name):
                raise UserError(
                    f"{path} is damaged: its {one.name} are {one.shape[1:]} of each beat, expected "
                    f"{shapes.get(one.name, 'row, features and logits')}"
                )
        if self.input_spec is not None and self.input_spec.shape() != {
            key: row[key] for key in self.input_spec.shape()
        }:
            raise UserError(f"{path} is damaged: its recipe of a row gives {self.input_spec.shape()}, expected {row}")

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.session = open_session(self.content)

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """See `Classifier`."""
        parts = [np.zeros((0, len(self.class_names)), dtype=np.float32)]
        used = {graph_input.name for graph_input in self.session.get_inputs()}
        for start in range(0, len(rows), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            inputs = {"row": rows[batch, None] if rows.ndim == 2 else rows[batch]}  # (B, 1, 187)
            if features is not None:
                inputs["features"] = features[batch]
            logits = self._logits({name: value for name, value in inputs.items() if name in used})
            check_logits(logits, self.name)
            parts.append(softmax(logits, axis=1))  # (B, classes)
        return np.concatenate(parts)

    def _logits(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """(B, classes) of one batch; UserError where onnxruntime fails, for want of memory for example."""
        try:
            (logits,) = self.session.run(None, inputs)
        except Exception as error:  # onnxruntime has a kind for each of its reasons
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise UserError(f"{self.name} cannot be run: {reason}") from error
        return np.asarray(logits)

    def fingerprint(self) -> str:
        """SHA-256 of the file: of all that the answers depend on."""
        return hashlib.sha256(self.content).hexdigest()
