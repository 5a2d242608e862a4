"""Models for use without torch."""
