"""A trained network over recordings."""
