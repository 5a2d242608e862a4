"""The protocol of a classifier of beats: a network, wherever it runs."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from loaders.beats.input_spec import InputSpec


class Classifier(Protocol):
    """Class probabilities of beats. A classifier can be pickled, for other processes to use.

    Attributes:
        class_names: one for each column of `probabilities`.
        name: of the network, for people.
        input_spec: the windows and features that it reads; None for Kaggle's rows.
    """

    class_names: tuple[str, ...]
    name: str
    input_spec: InputSpec | None

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """(n, classes) float32 of rows (n, 187), or of windows (n, leads, samples) and features (n, k), all float32."""

    def fingerprint(self) -> str:
        """A digest that is equal for classifiers that give equal answers."""
