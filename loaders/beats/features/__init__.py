"""Numbers beside a beat."""
