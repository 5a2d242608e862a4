"""Signals to model inputs."""
