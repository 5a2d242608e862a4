"""Datasets, batches, splits."""
