"""The trained networks that come with the program: their names, their files, checked, and what is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inference.classifier import Classifier
from inference.options import PRETRAINED
from toolbox.utils import UserError, os_error_text, read_json, schema_error, sha256_of

FOLDER = Path(__file__).resolve().parent.parent / "pretrained"
SUMS, FACTS = "SHA256SUMS.txt", "networks.json"
CHECKPOINT, ONNX = ".pth.tar", ".onnx"
# Of each network, as far as they are read here.
FACTS_SHAPE = {"leads": int, "trained_on": str, "limits": str, "in_short": str}
AGAIN = "take it from the project anew, or name another network"


def is_pretrained(name: object) -> bool:
    """Check whether this names a network that comes with the program; a file of that name is "./live"."""
    return str(name) in PRETRAINED


def pretrained_file(name: str, kind: str) -> Path:
    """The file of a network, of the kind CHECKPOINT or ONNX, its bytes compared with the list of SHA-256.

    Raises:
        UserError: it is missing or damaged.
    """
    path = FOLDER / f"{name}{kind}"
    try:
        lines = (FOLDER / SUMS).read_text(encoding="utf-8").splitlines()
        digest = sha256_of(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = os_error_text(error) if isinstance(error, OSError) else f"{FOLDER / SUMS}: no text"
        raise UserError(f"network {name} cannot be read: {reason}; {AGAIN}") from error
    expected = {file.strip().lstrip("*"): listed for listed, _, file in (line.partition(" ") for line in lines)}
    if expected.get(path.name) != digest:
        raise UserError(f"{path} is damaged: its SHA-256 is not that of {SUMS}; {AGAIN}")
    return path


def facts_of(name: str) -> dict[str, Any]:
    """The facts of a network in the folder's list: leads, training data, limits, figures, origin.

    Raises:
        UserError: the list is missing or damaged.
    """
    facts = read_json(FOLDER / FACTS)
    if problem := schema_error(facts, {name: FACTS_SHAPE}, "it"):
        raise UserError(f"{FOLDER / FACTS} is damaged: {problem}; {AGAIN}")
    return dict(facts[name])


def named(classifier: Classifier, name: str) -> Classifier:
    """The classifier of a network's file, with the network's name and limits."""
    facts = facts_of(name)
    classifier.name = f"{name} (pretrained)"
    vars(classifier)["pretrained"] = name
    vars(classifier)["in_short"] = facts["in_short"]
    vars(classifier)["limits"] = f"Network {name}, trained on {facts['trained_on']}. {facts['limits']}"
    return classifier
