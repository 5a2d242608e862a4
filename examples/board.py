"""Names the heartbeats of one lead of an ECG with numpy and onnxruntime alone, as on a Raspberry Pi.

python examples/board.py model_int8.onnx signal.csv 250     (a sample a line, in any unit; samples per second)

For research and teaching, not for diagnosis. The network is what --export onnx wrote; the detector is a simple one.
"""

import json
import sys

import numpy as np
import onnxruntime


def find_peaks(signal, fs):
    """R peaks: where the slope's energy over 0.1 s is highest within 0.25 s, and at least 0.15 of the 5 s around."""
    energy = np.convolve(np.diff(signal, prepend=signal[0]) ** 2, np.ones(round(0.1 * fs)), "same")
    around = lambda x, n: np.lib.stride_tricks.sliding_window_view(np.pad(x, n, "edge"), 2 * n + 1).max(axis=1)  # noqa: E731
    high = np.flatnonzero(
        (energy == around(energy, round(0.25 * fs))) & (energy > 0.15 * around(energy, round(2.5 * fs)))
    )
    reach = np.arange(-round(0.08 * fs), round(0.08 * fs) + 1)
    near = np.clip(high[:, None] + reach, 0, len(signal) - 1)
    return np.unique(near[np.arange(len(high)), np.abs(signal - np.median(signal))[near].argmax(axis=1)])


session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
told = session.get_modelmeta().custom_metadata_map
row, symbols, temperature = json.loads(told["row"]), json.loads(told["symbols"]), float(told["temperature"])
signal, fs = np.loadtxt(sys.argv[2]), float(sys.argv[3])
peaks = find_peaks(signal, fs) / fs  # s
for beat, after, last in zip(peaks, peaks[1:], peaks[2:], strict=False):
    times = np.arange(beat, after + row["tail"] * (last - after), 1 / row["fs"])
    x = np.interp(times, np.arange(len(signal)) / fs, signal)
    x = (x - x.min()) / max(np.ptp(x), 1e-9)
    x = np.pad(x, (0, row["length"]))[: row["length"]].astype(np.float32)
    (logits,) = session.run(None, {"row": x[None, None]})
    p = np.exp((logits[0] - logits[0].max()) / temperature)
    print(f"{beat:9.3f} s  {symbols[p.argmax()]}  {p.max() / p.sum():.3f}")
