"""Scores, from a confusion matrix to EC57; the predecessor's names are importable from here."""

from toolbox.metrics.epoch import AverageMeter, ConfusionMeter, evaluate, make_meters

__all__ = ["AverageMeter", "ConfusionMeter", "evaluate", "make_meters"]
