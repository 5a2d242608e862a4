"""A trained network as what annotates recordings: rows in, probabilities out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

BATCH = 1024  # rows at once


class Classifier:
    """Classifies rows with a torch network. It can be pickled, for other processes to use.

    Args:
        model: (batch, leads, samples), and features (batch, k) if its recipe has any, -> logits (batch, classes), its
            weights loaded.
        class_names: one for each logit.
        name: what the model is called, for people.
        device: where it runs; another process runs it on the same.
        recipe: of the windows that it reads; None for Kaggle's rows.
    """

    def __init__(
        self, model: nn.Module, class_names: Sequence[str], name: str, device: torch.device, recipe: Any = None
    ) -> None:
        self.model = model.eval().to(device)
        self.class_names = tuple(class_names)
        self.name = name
        self.device = device
        self.recipe = recipe

    @torch.inference_mode()
    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """(n, classes) float32 of rows (n, 187) or (n, leads, samples) float32 and features (n, k) float32."""
        found = [np.zeros((0, len(self.class_names)), dtype=np.float32)]
        for start in range(0, len(rows), BATCH):
            x = torch.from_numpy(rows[start : start + BATCH])
            inputs = [x[:, None] if x.dim() == 2 else x]  # (B, 1, 187)
            if features is not None:
                inputs.append(torch.from_numpy(features[start : start + BATCH]))
            logits = self.model(*(part.to(self.device) for part in inputs))  # (B, classes)
            found.append(logits.float().softmax(dim=1).cpu().numpy())
        return np.concatenate(found)

    def fingerprint(self) -> str:
        """SHA-256 of the weights, their names and the classes: of all that the answers depend on."""
        known = (self.class_names, type(self.model).__name__, *([self.recipe] if self.recipe else []))
        digest = hashlib.sha256(repr(known).encode())
        for name, value in self.model.state_dict().items():
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
