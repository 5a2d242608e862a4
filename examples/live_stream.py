"""Annotate samples as they come: numbers on standard input, in mV, one to a line.

my_device | python -m examples.live_stream live 250

The network is `live`, which comes with the program, a checkpoint or an exported .onnx file.
For research and teaching, not for diagnosis.
"""

import sys

from inference import Stream

stream = Stream(sys.argv[1], fs=float(sys.argv[2]))
quality = ""
for line in sys.stdin:
    beats = stream.push(float(line or "nan"))
    if stream.quality != quality:
        quality = stream.quality
        print(quality or "usable again", file=sys.stderr)
    for beat in beats:
        print(f"{beat.time:9.3f} s  {beat.letter}  {max(beat.probabilities):.3f}", flush=True)
for beat in stream.finish():
    print(f"{beat.time:9.3f} s  {beat.letter}  {max(beat.probabilities):.3f}")
