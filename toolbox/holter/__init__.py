"""Annotated recordings, to look at."""
