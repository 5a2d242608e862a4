"""Scores of an epoch. Counts are gathered on the device; everything else is derived from them once per epoch.

torch is imported when a meter is made: scoring annotations, which imports this package, does without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toolbox.metrics.confusion import confusion_scores, divided, plain

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Scores for --monitor and the tables: whether more is better.
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
    """A running mean, weighted by the number of rows behind each value. Takes numbers or tensors; tensors stay where
    they are until the mean is asked for. The name is the predecessor's; here it is updated once per epoch."""

    def __init__(self) -> None:
        self.sum: Any = 0.0
        self.count = 0

    def update(self, value: Any, n: int = 1) -> None:
        """Add the mean `value` of `n` rows."""
        self.sum = self.sum + value * n
        self.count += n

    def reset(self) -> None:
        """Begin anew."""
        self.sum, self.count = 0.0, 0

    @property
    def avg(self) -> float:
        """The mean so far, 0 before the first value."""
        return float(self.sum) / self.count if self.count else 0.0

    def value(self) -> float:
        """The mean so far, as `avg`."""
        return self.avg


class ConfusionMeter:
    """Confusion counts (num_classes, num_classes), rows the true class, columns the predicted one."""

    def __init__(self, num_classes: int, device: torch.device | str = "cpu") -> None:
        import torch

        self.num_classes = num_classes
        self.counts = torch.zeros(num_classes * num_classes, dtype=torch.int64, device=device)

    def update(self, predicted: Tensor, labels: Tensor) -> None:
        """Add predicted and true classes, both (batch,) int64 on the meter's device."""
        self.counts += (labels * self.num_classes + predicted).bincount(minlength=len(self.counts))

    def value(self) -> np.ndarray:
        """The counts so far, int64."""
        return self.counts.reshape(self.num_classes, self.num_classes).cpu().numpy()


def make_meters(num_classes: int, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The meters of one epoch: the mean loss and the confusion counts."""
    return {"loss": AverageMeter(), "confusion": ConfusionMeter(num_classes, device)}


def evaluate(confusion: np.ndarray, class_names: Sequence[str] = ()) -> dict[str, Any]:
    """Scores from confusion counts (rows true, columns predicted), as fractions and plain values.

    Args:
        confusion: (C, C).
        class_names: C names; "0", "1", ... unless given.

    acc1 is the share of rows called right; acc_class the mean of Se over classes that have rows; macro_f1 and meanIoU
    the means over classes that have rows or calls; fwavacc the IoU weighted by the classes' shares of rows (Long et
    al., CVPR 2015); kappa and j_kappa are those of toolbox.metrics.confusion. A score that a class does not define
    (Se without rows) is None and enters no mean.
    """
    class_names = class_names or [str(k) for k in range(len(confusion))]
    scores = {name: plain(value) for name, value in confusion_scores(confusion, class_names).items()}
    hits, true, called = np.diag(confusion).astype(np.float64), confusion.sum(axis=1), confusion.sum(axis=0)  # (C,)
    iou = divided(hits, true + called - hits)
    present = true > 0
    return {
        "acc1": scores["accuracy"],
        "acc_class": mean_of_defined([scores[f"Se {name}"] for name in class_names]),
        "macro_f1": scores["macro_f1"],
        "meanIoU": mean_of_defined(iou),
        "fwavacc": float((true[present] * iou[present]).sum() / true.sum()) if present.any() else None,
        "kappa": scores["kappa"],
        "j_kappa": scores["j_kappa"],
        "per_class": {
            name: {**{kind: scores[f"{kind} {name}"] for kind in ("Se", "+P", "F1")}, "support": int(true[k])}
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
    return {"mAP": mean_of_defined(precisions), "AUROC": mean_of_defined(areas)}


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


def waited(epoch: int, best: Mapping[str, Any] | None) -> int:
    """Epochs since the best one, {"epoch": ...}: how long --patience has been tried after `epoch`."""
    return 0 if best is None else epoch - best["epoch"]


def mean_of_defined(values: Sequence[float | None] | np.ndarray) -> float | None:
    """The mean of the finite values; None where there is none."""
    numbers = np.array(values, dtype=np.float64)  # None becomes NaN
    defined = numbers[np.isfinite(numbers)]
    return float(defined.mean()) if len(defined) else None
