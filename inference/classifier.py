"""The protocol of a classifier of beats: a network, wherever it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from loaders.beats.input_spec import InputSpec
from toolbox.utils import UserError
from toolbox.utils.aami import CLASS_SETS

MADE_UP = "the network was trained on synthetic recordings: its classes say nothing about people"
KAGGLE_LIMITS = (
    "The network learned single beats of Kaggle's dataset, of one lead and 47 people. It is not shown the beat before, "
    "and so cannot know that a beat came early, which makes it S; on other people and leads most beats that it calls "
    "S, and many that it calls V, are not."
)


NO_SCALING = (
    "--adapt {method} compares beats by the features that a network reads, and {name} does not say how it scales "
    "any: it takes a network of --model-name mlp with --features (an older ONNX file is to be exported again)"
)


class Scaling(NamedTuple):
    """Center and spread (k,) of each feature over the training rows, by which a network scales what it reads."""

    center: np.ndarray
    spread: np.ndarray


class Classifier(Protocol):
    """Class probabilities of beats. A classifier can be pickled, for other processes to use.

    Attributes:
        class_names: one for each column of `probabilities`.
        name: of the network, for people.
        input_spec: the windows and features that it reads; None for Kaggle's rows.

    One may also say what it was trained on, by an attribute `dataset`, and the limits of that, by `limits`. Those that
    come with the program have their name there as `pretrained`. How a
    network scales features is its `scaling`, and how its answers are adapted to a recording its `adapt`, see
    inference.options.ADAPTATIONS.
    """

    class_names: tuple[str, ...]
    name: str
    input_spec: InputSpec | None

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """(n, classes) float32 of rows (n, 187), or of windows (n, leads, samples) and features (n, k), all float32."""

    def fingerprint(self) -> str:
        """A digest that is equal for classifiers that give equal answers."""


def dataset_of(classifier: Classifier) -> str:
    """The name of what a network was trained on; "" where it does not say."""
    return str(getattr(classifier, "dataset", ""))


def scaling_of(classifier: Classifier) -> Scaling | None:
    """The scaling of the features that a network reads; None where it reads none, or does not say."""
    scaling: Scaling | None = getattr(classifier, "scaling", None)
    return scaling


def adaptation_of(classifier: Classifier, wanted: str | None = None) -> str:
    """How the answers of a network are adapted to a recording: as `wanted`, else as it was trained to be.

    Raises:
        UserError: the network does not read features that beats could be compared by.
    """
    method = str(getattr(classifier, "adapt", "none")) if wanted is None else wanted
    if method != "none" and scaling_of(classifier) is None:
        raise UserError(NO_SCALING.format(method=method, name=classifier.name))
    return method


def learned_any_lead(*classifiers: Classifier | None) -> bool:
    """Check whether all of these networks learned each record as other leads would show it, too (--spliced lead:N)."""
    specs = [one.input_spec for one in classifiers if one is not None]
    return all(spec is not None and dict(spec.spliced).get("lead", 0) > 0 for spec in specs)


def pretrained_name(classifier: Classifier) -> str:
    """The name of a network that comes with the program; "" for any other."""
    return str(getattr(classifier, "pretrained", ""))


def training_warnings(classifier: Classifier) -> list[str]:
    """Warnings for the reader of a recording's annotations: classes of a network that never saw a person's beat."""
    return [MADE_UP] if dataset_of(classifier).startswith("synthetic") else []


def training_limits(classifier: Classifier) -> str:
    """The limits of its training, for the top of a page; "" where the page knows better by the run's name."""
    if training_warnings(classifier):
        return f"{MADE_UP[0].upper()}{MADE_UP[1:]}."
    if limits := str(getattr(classifier, "limits", "")):
        return limits
    return KAGGLE_LIMITS if classifier.input_spec is None else ""


def short_limits(classifier: Classifier) -> str:
    """The limits of its training in one line, for the terminal."""
    return str(getattr(classifier, "in_short", "")) or training_limits(classifier)


def check_class_names(names: Sequence[str], path: str | Path) -> None:
    """Refuse classes that no network of this project tells apart, or in another order: letters would be wrong.

    Raises:
        UserError: what the file at `path` names, and what was expected.
    """
    if tuple(names) != CLASS_SETS.get(len(names)):
        expected = "; or ".join(", ".join(each) for each in CLASS_SETS.values())
        raise UserError(f"{path} is damaged: its classes are {', '.join(names)[:120] or 'none'}; expected {expected}")


def check_logits(logits: np.ndarray, name: str) -> None:
    """Refuse answers that are not numbers: the greatest of them would be taken for the first class, Normal.

    Args:
        logits: (n, classes).
        name: of the network.

    Raises:
        UserError: for how many beats there is no answer.
    """
    wrong = ~np.isfinite(logits).all(axis=1)
    if wrong.any():
        raise UserError(
            f"{name} gives no numbers for {int(wrong.sum())} of {len(wrong)} beats: its weights are damaged or far too "
            "large; nothing is annotated"
        )
