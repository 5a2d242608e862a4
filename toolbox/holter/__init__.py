"""Annotated recordings: rhythm episodes, strips on ECG paper, pages."""
