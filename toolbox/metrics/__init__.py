"""Scores, from a confusion matrix to EC57; the predecessor's names are importable from here."""

from toolbox.metrics.epoch import AverageMeter, ConfusionMeter, better, evaluate, make_meters, monitored, ranking_scores

__all__ = ["AverageMeter", "ConfusionMeter", "better", "evaluate", "make_meters", "monitored", "ranking_scores"]
