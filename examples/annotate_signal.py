"""Annotate a recording and print what was found, beat by beat.

python -m examples.annotate_signal two-lead 100.hea
python -m examples.annotate_signal model.onnx belt.csv 250     (samples per second, where the file does not state them)

The network is one that comes with the program, the folder of a trained run, a checkpoint or an exported .onnx file.
For research and teaching, not for diagnosis.
"""

import sys

from inference import annotate

network, recording, *rate = sys.argv[1:]
beats = annotate(recording, float(rate[0]) if rate else None, network)
sure = beats.filter(like="p_").max(axis=1)
for time, letter, probability in zip(beats["time_s"], beats["class"], sure, strict=True):
    print(f"{time:9.3f} s  {letter}  {probability:.3f}")
shares = beats["class"].value_counts(normalize=True)
print(
    f"{len(beats)} beats, {60 / beats['rr_s'].mean():.0f} per minute:",
    ", ".join(f"{k} {v:.1%}" for k, v in shares.items()),
)
