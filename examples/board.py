"""Classify the heartbeats of one lead of an ECG with numpy and onnxruntime alone, as on a Raspberry Pi.

python examples/board.py model_int8.onnx signal.csv 250     (a sample a line, in any unit; samples per second)

For research and teaching, not for diagnosis. The network is one that --export onnx wrote; the detector is a simple one.
"""

import json
import sys

import numpy as np
import onnxruntime


def find_peaks(signal, fs):
    """R peaks: where the slope's energy over 0.1 s is highest within 0.25 s, and at least 0.15 of the 5 s around."""
    energy = np.convolve(np.diff(signal, prepend=signal[0]) ** 2, np.ones(round(0.1 * fs)), "same")
    near, around = (
        np.lib.stride_tricks.sliding_window_view(np.pad(energy, n, "edge"), 2 * n + 1).max(axis=1)
        for n in (round(0.25 * fs), round(2.5 * fs))
    )
    high = np.flatnonzero((energy == near) & (energy > 0.15 * around))
    reach = np.arange(-round(0.08 * fs), round(0.08 * fs) + 1)
    at = np.clip(high[:, None] + reach, 0, len(signal) - 1)
    return np.unique(at[np.arange(len(high)), np.abs(signal - np.median(signal))[at].argmax(axis=1)])


session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
row, symbols, temperature = (json.loads(metadata[name]) for name in ("row", "symbols", "temperature"))
signal, fs = np.loadtxt(sys.argv[2]), float(sys.argv[3])
peaks = find_peaks(signal, fs) / fs  # s
for beat, after, last in zip(peaks, peaks[1:], peaks[2:], strict=False):
    times = np.arange(beat, after + row["tail"] * (last - after), 1 / row["fs"])
    x = np.interp(times, np.arange(len(signal)) / fs, signal)
    x = np.pad((x - x.min()) / max(np.ptp(x), 1e-9), (0, row["length"]))[: row["length"]].astype(np.float32)
    (logits,) = session.run(None, {"row": x[None, None]})
    p = np.exp((logits[0] - logits[0].max()) / temperature)
    print(f"{beat:9.3f} s  {symbols[p.argmax()]}  {p.max() / p.sum():.3f}")
