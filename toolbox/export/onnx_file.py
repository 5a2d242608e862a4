"""The ONNX file of a network: its metadata and its checksum.

Nothing here needs torch or the onnx package; onnxruntime is imported only when a file is opened.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolbox.utils import UserError, os_error_text, read_json, schema_error, sha256_of
from toolbox.utils.errors import warn

FOLDER = "export"  # of a run
MODEL, INT8, FACTS, CARD = "model.onnx", "model_int8.onnx", "export.json", "MODEL_CARD.md"
PROJECT, FORMAT = "pytorch-ecg", 1  # of the metadata
INSTALL = "pip install pytorch-ecg[onnx], or in a checkout: pip install -r requirements-onnx.txt"
# ModelProto.metadata_props (field 14) with the key "sha256" and 64 characters, as protobuf writes it. Serialized
# messages that stand one after the other are one message, so a checksum can be put behind a file as its last metadata.
CHECKSUM_HEADER = b"\x72\x4a\x0a\x06sha256\x12\x40"
METADATA = {  # the keys that are read here, and the shapes of their values
    "model": str,
    "classes": [str],
    "symbols": [str],
    "row": {"kind": str, "in_channels": int, "length": int, "features": int},
    "temperature": (int, float),
    "scaling?": dict,
    "adapt?": str,
    "run": str,
    "epoch": int,
    "checkpoint": {"which": str, "file": str, "sha256": str},
}


def import_package(package: str, reason: str) -> Any:
    """Import an optional package; UserError with the line that installs it when it is missing."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"{reason} needs the package {package.partition('.')[0]}, which is missing: {INSTALL}"
        ) from error


def as_metadata(values: Mapping[str, Any]) -> dict[str, str]:
    """Plain values as the strings that ONNX keeps: text as it is, all else as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def add_checksum(content: bytes) -> bytes:
    """An ONNX file's bytes with their SHA-256 as the last entry of its metadata."""
    return content + CHECKSUM_HEADER + hashlib.sha256(content).hexdigest().encode()


def checksum_of(content: bytes) -> bytes | None:
    """The SHA-256 that a file ends with, in hex; None when it ends otherwise."""
    return content[-64:] if content[-64 - len(CHECKSUM_HEADER) : -64] == CHECKSUM_HEADER else None


def has_valid_checksum(content: bytes) -> bool:
    """Whether a file is unchanged since `add_checksum`."""
    return checksum_of(content) == hashlib.sha256(content[: -64 - len(CHECKSUM_HEADER)]).hexdigest().encode()


def open_session(content: bytes, reason: str = "--engine onnx") -> Any:
    """Open an ONNX file with onnxruntime on the CPU, with OMP_NUM_THREADS threads (all, where that is not set).

    Raises:
        UserError: onnxruntime is not installed. Exception: an error of onnxruntime; the content is no model.
    """
    runtime = import_package("onnxruntime", reason)
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised too
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdigit() else 0
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def read_model(path: str | Path) -> bytes:
    """Read the bytes of the ONNX file `path`.

    Raises:
        UserError: it is missing, or was damaged or changed since it was exported.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path} is no file; expected a {MODEL} that --export onnx wrote")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {os_error_text(error)}") from error
    if checksum_of(content) is not None and not has_valid_checksum(content):
        raise UserError(f"{path} is damaged: its bytes do not have the SHA-256 that it was exported with")
    return content


def read_metadata(session: Any, content: bytes, path: str | Path) -> dict[str, Any]:
    """Read the metadata of an exported network as plain values.

    Raises:
        UserError: another program or a newer version wrote it, or it was changed.
    """
    texts = session.get_modelmeta().custom_metadata_map
    project, _, version = texts.get("format", "").partition(" ")
    if project != PROJECT or not version.isdigit():
        raise UserError(f"{path} was not exported by this project: it does not say which rows and classes it is for")
    if int(version) > FORMAT:
        raise UserError(f"{path} has format {version}, this version reads up to {FORMAT}; update the project")
    if not has_valid_checksum(content):
        raise UserError(f"{path} was cut off or changed since it was exported; export it again")
    values: dict[str, Any] = dict(texts)
    for name, kind in METADATA.items():
        key = name.removesuffix("?")
        if kind is not str and key in values:
            try:
                values[key] = json.loads(values[key])
            except ValueError as error:
                raise UserError(f"{path} is damaged: its {key} is no JSON") from error
    if problem := schema_error(values, METADATA, "its metadata"):
        raise UserError(f"{path} is damaged: {problem}")
    return values


def exported_file(run: Path, resume: str) -> Path:
    """Find the ONNX file of the run in folder `run`; warn when it is older than its checkpoint.

    Args:
        resume: the checkpoint that it was exported from; "" for any.

    Raises:
        UserError: nothing was exported, or another checkpoint.
    """
    path = run / FOLDER / MODEL
    if not path.is_file():
        raise UserError(
            f"{run} has no {FOLDER}/{MODEL} yet; --export onnx writes it (with the flags that name the run)"
        )
    facts = read_json(path.with_name(FACTS))
    if problem := schema_error(facts, {"model": {"checkpoint": METADATA["checkpoint"]}}, "it"):
        raise UserError(f"{path.with_name(FACTS)} is damaged: {problem}; export again")
    exported_from = facts["model"]["checkpoint"]
    if resume not in ("", exported_from["which"]):
        raise UserError(f"{path} was made of --resume {exported_from['which']}; export again with --resume {resume}")
    file = run / exported_from["file"]
    if file.is_file() and sha256_of(file) != exported_from["sha256"]:
        warn(f"{path} is older than {file.name}; --export onnx writes it again")
    return path
