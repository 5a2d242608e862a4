"""What a live stream tells of recordings, beside what --predict tells of the whole: beats, classes, delay, time.

python benchmarks/live.py --records-dir DIR [--records 100 103 ...] [--minutes 5]
    and what names a run to --predict: --root-dir R --model-name M --version N, or --model-file FILE
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from toolbox.utils import tune_process  # noqa: E402

tune_process()  # as commander does, before torch is imported

import numpy as np  # noqa: E402

from args import parse_args  # noqa: E402
from benchmarks.markdown import table  # noqa: E402
from commands.predict import load_classifier  # noqa: E402
from inference.classifier import Classifier  # noqa: E402
from inference.stream import Stream  # noqa: E402
from loaders.beats.segmenter import Segmenter  # noqa: E402
from loaders.datasets.splits import DS2  # noqa: E402
from loaders.dsp.chunks import Chunker, iter_chunks  # noqa: E402
from loaders.dsp.resample import positions  # noqa: E402
from loaders.io.wfdb_record import read_wfdb  # noqa: E402

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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--records-dir", type=Path, default=Path("ecg_data/mitdb"))
    parser.add_argument("--records", nargs="+", default=DS2, help="DS2 unless given")
    parser.add_argument("--minutes", type=float, default=5.0, help="from the start of each")
    args, model = parser.parse_known_args()
    classifier = load_classifier(parse_args(["--predict", "x", *model]))
    counts, rows = [], []
    for name in args.records:
        record = read_wfdb(args.records_dir / name)
        lead = record.leads.index("MLII") if "MLII" in record.leads else 0
        signal = record.signal[: round(60 * args.minutes * record.fs), lead]
        counts.append(compared(signal, record.fs, classifier))
    everything = np.array(counts)
    total = np.append(everything[:, :5].sum(axis=0), [everything[:, 5].max(), *everything[:, 6:].sum(axis=0)])
    for name, row in zip([*args.records, "all"], [*counts, total], strict=True):
        rows.append([name, *(f"{count:.0f}" for count in row[:5]), f"{row[5]:.2f}", f"{1000 * row[6] / row[7]:.1f}"])
    print(f"{classifier.name}; the first {args.minutes:g} minutes\n\n{table(HEADER, rows)}")


if __name__ == "__main__":
    main()
