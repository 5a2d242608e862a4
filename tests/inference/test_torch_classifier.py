"""The classifier that runs a network with torch."""

from __future__ import annotations

import numpy as np
import torch

from inference.torch_classifier import TorchClassifier
from models import get_model


def test_a_network_s_probabilities_are_those_of_its_logits() -> None:
    torch.manual_seed(0)
    args = type("Args", (), {"model_name": "cnn1d_3", "num_classes": 5})()
    classifier = TorchClassifier(get_model(args), ["a", "b", "c", "d", "e"], "name", torch.device("cpu"))
    rows = np.random.default_rng(0).random((2100, 187), dtype=np.float32)
    given = classifier.probabilities(rows)
    with torch.inference_mode():
        expected = classifier.model(torch.from_numpy(rows)[:, None]).softmax(dim=1).numpy()
    assert given.shape == (2100, 5) and np.allclose(given, expected, atol=1e-6)
    assert classifier.probabilities(rows[:0]).shape == (0, 5)
    mark = classifier.fingerprint()
    assert mark == classifier.fingerprint()
    with torch.no_grad():
        next(classifier.model.parameters()).view(-1)[0] += 1
    assert classifier.fingerprint() != mark
