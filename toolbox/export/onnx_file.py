"""The ONNX file of a network: metadata that describe the network, and a checksum.

Nothing here needs torch or the onnx package; onnxruntime is imported only when a file is opened.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolbox.utils import UserError, os_error_text, read_json, schema_error, sha256_of

FOLDER = "export"  # of a run
MODEL, INT8, FACTS, CARD = "model.onnx", "model_int8.onnx", "export.json", "MODEL_CARD.md"
PROJECT, FORMAT = "pytorch-ecg", 1  # of the metadata
INSTALL = "pip install pytorch-ecg[onnx], or in a checkout: pip install -r requirements-onnx.txt"
# ModelProto.metadata_props (field 14) with the key "sha256" and 64 characters, as protobuf writes it. Serialized
# messages that stand one after the other are one message, so a seal can be put behind a file as its last metadata.
SEAL = b"\x72\x4a\x0a\x06sha256\x12\x40"
KNOWN = {  # of the metadata, what is read here
    "model": str,
    "classes": [str],
    "symbols": [str],
    "row": {"kind": str, "in_channels": int, "length": int, "features": int},
    "temperature": (int, float),
    "run": str,
    "epoch": int,
    "checkpoint": {"which": str, "file": str, "sha256": str},
}


def needed(package: str, what: str) -> Any:
    """The package; UserError with the line that installs it when it is not there."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f"{what} needs the package {package.partition('.')[0]}, which is missing: {INSTALL}") from error


def as_metadata(values: Mapping[str, Any]) -> dict[str, str]:
    """Plain values as the strings that ONNX keeps: text as it is, all else as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def sealed(content: bytes) -> bytes:
    """An ONNX file's bytes with their SHA-256 as the last entry of its metadata."""
    return content + SEAL + hashlib.sha256(content).hexdigest().encode()


def seal_of(content: bytes) -> bytes | None:
    """The SHA-256 that a file ends with, in hex; None when it ends otherwise."""
    return content[-64:] if content[-64 - len(SEAL) : -64] == SEAL else None


def intact(content: bytes) -> bool:
    """Whether `content` is what `sealed` gave."""
    return seal_of(content) == hashlib.sha256(content[: -64 - len(SEAL)]).hexdigest().encode()


def open_session(content: bytes, what: str = "--engine onnx") -> Any:
    """An onnxruntime.InferenceSession on the CPU, with as many threads as OMP_NUM_THREADS says (else all).

    Raises:
        Exception: of onnxruntime's own kinds, for what is no model; UserError: it is not installed.
    """
    runtime = needed("onnxruntime", what)
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised too
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdigit() else 0
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def read_model(path: str | Path) -> bytes:
    """The bytes of the ONNX file `path`.

    Raises:
        UserError: there is none, or it was damaged or changed since it was exported.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path} is no file; expected a {MODEL} that --export onnx wrote")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {os_error_text(error)}") from error
    if seal_of(content) is not None and not intact(content):
        raise UserError(f"{path} is damaged: its bytes do not have the SHA-256 that it was exported with")
    return content


def read_metadata(session: Any, content: bytes, path: str | Path) -> dict[str, Any]:
    """What an exported model says of itself; values are plain ones again.

    Raises:
        UserError: it was made by somebody else, by a newer version, or was changed.
    """
    found = session.get_modelmeta().custom_metadata_map
    project, _, version = found.get("format", "").partition(" ")
    if project != PROJECT or not version.isdigit():
        raise UserError(f"{path} was not exported by this project: it does not say which rows and classes it is for")
    if int(version) > FORMAT:
        raise UserError(f"{path} has format {version}, this version reads up to {FORMAT}; update the project")
    if not intact(content):
        raise UserError(f"{path} was cut off or changed since it was exported; export it again")
    values: dict[str, Any] = dict(found)
    for key, kind in KNOWN.items():
        if kind is not str and key in values:
            try:
                values[key] = json.loads(values[key])
            except ValueError as error:
                raise UserError(f"{path} is damaged: its {key} is no JSON") from error
    if problem := schema_error(values, KNOWN, "its metadata"):
        raise UserError(f"{path} is damaged: {problem}")
    return values


def exported(run: Path, resume: str) -> Path:
    """The ONNX file of the run in folder `run`; stderr says when it is older than the checkpoint that it was made of.

    Args:
        resume: which checkpoint is wanted; "" for whichever was exported.

    Raises:
        UserError: there is none, or one of another checkpoint.
    """
    path = run / FOLDER / MODEL
    if not path.is_file():
        raise UserError(
            f"{run} has no {FOLDER}/{MODEL} yet; --export onnx writes it (with the flags that name the run)"
        )
    facts = read_json(path.with_name(FACTS))
    if problem := schema_error(facts, {"model": {"checkpoint": KNOWN["checkpoint"]}}, "it"):
        raise UserError(f"{path.with_name(FACTS)} is damaged: {problem}; export again")
    made_of = facts["model"]["checkpoint"]
    if resume not in ("", made_of["which"]):
        raise UserError(f"{path} was made of --resume {made_of['which']}; export again with --resume {resume}")
    file = run / made_of["file"]
    if file.is_file() and sha256_of(file) != made_of["sha256"]:
        print(f"warning: {path} is older than {file.name}; --export onnx makes it anew", file=sys.stderr)
    return path
