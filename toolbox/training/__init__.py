"""The parts of a training epoch."""
