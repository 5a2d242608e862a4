"""Signals: chunks, quality, R peaks."""
