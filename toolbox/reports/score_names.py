"""Names of scores wherever a person reads them; the keys are those of the JSON files."""

from __future__ import annotations

NAMES = {
    "acc1": "accuracy",
    "accuracy": "accuracy",
    "acc_class": "mean sensitivity",
    "macro_f1": "macro F1",
    "meanIoU": "mean IoU",
    "fwavacc": "weighted IoU",
    "mAP": "mAP",
    "AUROC": "AUROC",
    "kappa": "kappa",
    "j_kappa": "j-kappa",
}
FRACTIONS = ("kappa", "j_kappa")  # printed as they are; all others in per cent
SHORT = {**NAMES, "acc_class": "mean Se"}  # above a narrow column


def name_of(score: str) -> str:
    """The name of a score that --monitor takes: "mean sensitivity" of "acc_class"; others, as "loss", are their own."""
    return NAMES.get(score, score)
