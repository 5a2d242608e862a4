"""What a live stream tells of recordings, beside what --predict tells of the whole: beats, classes, delay, time.

python -m benchmarks.live --records-dir DIR [--records 100 103 ...] [--minutes 5]
    and what names a run to --predict: --root-dir R --model-name M --version N, or --model-file FILE
"""

from __future__ import annotations

import time

import numpy as np

from args import parse_args
from benchmarks.common import main_lead, make_parser, run_program, table
from commands.predict import load_classifier
from inference.classifier import Classifier
from inference.stream import Stream
from loaders.beats.segmenter import Segmenter
from loaders.datasets.splits import DS2
from loaders.dsp.chunks import Chunker, iter_chunks
from loaders.dsp.resample import positions
from loaders.io.wfdb_record import read_wfdb

CHUNK = 36  # samples pushed at once, 0.1 s
HEADER = ["record", "beats", "streamed", "at the same sample", "same probabilities", "other class", "latest, s", "ms/s"]
ALIKE = 1e-4


def compared(signal: np.ndarray, fs: float, classifier: Classifier) -> np.ndarray:
    """What a row of the table counts, for one lead."""
    segmenter, recipe = Segmenter(fs, "keep"), classifier.input_spec
    parts = [segmenter.segment(piece) for piece in iter_chunks([signal], Chunker(fs))]
    sample = np.concatenate([part.sample for part in parts])
    if recipe is None:
        whole = classifier.probabilities(np.concatenate([part.rows for part in parts]))
    else:
        clean = recipe.clean(signal[:, None].astype(np.float64), fs)
        at = positions(sample, fs, recipe.rate, len(clean))
        whole = classifier.probabilities(*recipe.values(clean, at, sample / fs))
    stream, beats, latest = Stream(classifier, fs), [], 0.0
    start = time.process_time()
    for k in range(0, len(signal), CHUNK):
        found = stream.push(signal[k : k + CHUNK])
        latest = max([latest, *((k + CHUNK - 1 - beat.sample) / fs for beat in found)])
        beats += found
    beats += stream.finish()
    seconds = time.process_time() - start
    _, mine, theirs = np.intersect1d([beat.sample for beat in beats], sample, return_indices=True)
    told, there = np.array([beats[k].probabilities for k in mine]), whole[theirs]
    same = np.abs(told - there).max(axis=1) < ALIKE
    other = told.argmax(axis=1) != there.argmax(axis=1)
    return np.array([len(sample), len(beats), len(mine), same.sum(), other.sum(), latest, seconds, len(signal) / fs])


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--records", nargs="+", default=DS2, help="DS2 unless given")
    parser.add_argument("--minutes", type=float, default=5.0, help="from the start of each")
    args, model = parser.parse_known_args()
    paths = [args.records_dir / name for name in args.records]
    classifier = load_classifier(parse_args(["--predict", *map(str, paths), *model]))
    counts, rows = [], []
    for path in paths:
        record = read_wfdb(path)
        signal = record.signal[: round(60 * args.minutes * record.fs), main_lead(record)]
        counts.append(compared(signal, record.fs, classifier))
    everything = np.array(counts)
    total = np.append(everything[:, :5].sum(axis=0), [everything[:, 5].max(), *everything[:, 6:].sum(axis=0)])
    for name, row in zip([*args.records, "all"], [*counts, total], strict=True):
        rows.append([name, *(f"{count:.0f}" for count in row[:5]), f"{row[5]:.2f}", f"{1000 * row[6] / row[7]:.1f}"])
    print(f"{classifier.name}; the first {args.minutes:g} minutes\n\n{table(HEADER, rows)}")


if __name__ == "__main__":
    run_program(main)
