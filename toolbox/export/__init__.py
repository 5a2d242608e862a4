"""Trained networks as ONNX files, for use without torch."""
