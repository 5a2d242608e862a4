"""Scores. Confusion counts are gathered on the device; everything else is derived from them once per epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolbox.metrics.confusion import j_kappa, kappa

# What --monitor and the tables show, with whether more is better.
MONITORS = {
    "macro_f1": True,
    "acc1": True,
    "acc_class": True,
    "meanIoU": True,
    "mAP": True,
    "kappa": True,
    "j_kappa": True,
    "loss": False,
    "last": True,  # the last epoch, whatever its scores
}


class AverageMeter:
    """A running mean, weighted by how many rows each value stands for. Takes numbers or tensors; tensors stay where
    they are until the mean is asked for."""

    def __init__(self) -> None:
        self.sum: Any = 0.0
        self.count = 0

    def update(self, value: Any, n: int = 1) -> None:
        """Add the mean `value` of `n` rows."""
        self.sum = self.sum + value * n
        self.count += n

    @property
    def avg(self) -> float:
        """The mean so far, 0 before the first value."""
        return float(self.sum) / self.count if self.count else 0.0


class ConfusionMeter:
    """Confusion counts (num_classes, num_classes), rows the true class, columns the predicted one."""

    def __init__(self, num_classes: int, device: torch.device | str = "cpu") -> None:
        self.num_classes = num_classes
        self.counts = torch.zeros(num_classes * num_classes, dtype=torch.int64, device=device)

    def update(self, predicted: Tensor, labels: Tensor) -> None:
        """Add predicted and true classes, both (batch,) int64 on the meter's device."""
        self.counts += torch.bincount(labels * self.num_classes + predicted, minlength=len(self.counts))

    def value(self) -> np.ndarray:
        """The counts so far, int64."""
        return self.counts.reshape(self.num_classes, self.num_classes).cpu().numpy()


def make_meters(num_classes: int, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The meters of one epoch: the mean loss and the confusion counts."""
    return {"loss": AverageMeter(), "confusion": ConfusionMeter(num_classes, device)}


def evaluate(confusion: np.ndarray, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Scores from confusion counts (rows true, columns predicted), as fractions.

    acc1 is the share of rows called right; acc_class the mean of Se over classes that have rows; macro_f1 and meanIoU
    the means over classes that have rows or calls; fwavacc the IoU weighted by the classes' shares of rows (Long et
    al., CVPR 2015); kappa and j_kappa are those of toolbox.metrics.confusion. A score that a class does not define
    (Se without rows) is None and enters no mean.
    """
    hits = np.diag(confusion).astype(np.float64)
    true, called = confusion.sum(axis=1), confusion.sum(axis=0)
    total = confusion.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity = hits / true
        predictivity = hits / called
        f1 = 2 * hits / (true + called)
        iou = hits / (true + called - hits)
    present = true > 0
    return {
        "acc1": float(hits.sum() / total) if total else None,
        "acc_class": _mean(sensitivity),
        "macro_f1": _mean(f1),
        "meanIoU": _mean(iou),
        "fwavacc": float((true[present] * iou[present]).sum() / total) if total else None,
        "kappa": _number(float(kappa(confusion))),
        "j_kappa": _number(float(j_kappa(confusion, class_names))),
        "per_class": {
            name: {
                "Se": _number(sensitivity[k]),
                "+P": _number(predictivity[k]),
                "F1": _number(f1[k]),
                "support": int(true[k]),
            }
            for k, name in enumerate(class_names)
        },
        "confusion": confusion.tolist(),
    }


def ranking_scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
    """mAP and AUROC, one class against the rest, mean over the classes that have rows and are not all there is.

    Args:
        probabilities: (n, num_classes).
        labels: (n,) int.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score  # half a second to import

    precisions, areas = [], []
    for k in range(probabilities.shape[1]):
        positive = labels == k
        if positive.any() and not positive.all():
            precisions.append(average_precision_score(positive, probabilities[:, k]))
            areas.append(roc_auc_score(positive, probabilities[:, k]))
    return {"mAP": _mean(np.array(precisions)), "AUROC": _mean(np.array(areas))}


def monitored(name: str, scores: dict[str, Any], epoch: int) -> float | None:
    """The score of this name; the number of the epoch where "last" is monitored."""
    return float(epoch) if name == "last" else scores.get(name)


def better(name: str, score: float | None, best: float | None) -> bool:
    """Whether `score` of the monitored `name` beats `best`; an undefined score never does."""
    if score is None or not np.isfinite(score):
        return False
    if best is None or not np.isfinite(best):
        return True
    return score > best if MONITORS[name] else score < best


def _mean(values: np.ndarray) -> float | None:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
