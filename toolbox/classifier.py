"""A trained network as what annotates recordings: rows in, probabilities out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

BATCH = 1024  # rows at once


class Classifier:
    """Classifies rows with a torch network. It can be pickled, for other processes to use.

    Args:
        model: (batch, 1, 187) -> logits (batch, classes), its weights loaded.
        class_names: one for each logit.
        name: what the model is called, for people.
        device: where it runs; another process runs it on the same.
    """

    def __init__(self, model: nn.Module, class_names: Sequence[str], name: str, device: torch.device) -> None:
        self.model = model.eval().to(device)
        self.class_names = tuple(class_names)
        self.name = name
        self.device = device

    @torch.inference_mode()
    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """(n, classes) float32 of rows (n, 187) float32."""
        found = [np.zeros((0, len(self.class_names)), dtype=np.float32)]
        for batch in torch.from_numpy(rows).split(BATCH):
            logits = self.model(batch[:, None].to(self.device))  # (B, 1, 187) -> (B, classes)
            found.append(logits.float().softmax(dim=1).cpu().numpy())
        return np.concatenate(found)

    def fingerprint(self) -> str:
        """SHA-256 of the weights, their names and the classes: of all that the answers depend on."""
        digest = hashlib.sha256(repr((self.class_names, type(self.model).__name__)).encode())
        for name, value in self.model.state_dict().items():
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
