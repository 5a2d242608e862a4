"""Fit the log odds of atrial fibrillation that toolbox/holter/rhythm_atrial.py uses.

python -m benchmarks.train_rhythm --records-dir MITDB --svdb-dir SVDB [--out results/train_rhythm.json]

A logistic regression of two features of each beat (toolbox/holter/beat_context.py: irregularity of RR intervals,
coherence of P waves) on MIT-BIH's rhythm marks: DS1 (201 and 203 have fibrillation), and records of svdb_dev, which
have no marks, as negatives: all but those of UNMARKED, whose RR intervals never repeat for minutes without any P wave,
and 860, whose annotations leave the signal. Beats and their classes are the annotators'. Each rhythm of a record weighs
alike. 201 and 203 are also scored by what was fitted without them: duration, gross, in beats.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.common import make_parser, run_program, write_results
from benchmarks.rhythm import marks_of, rhythm_at
from loaders.datasets.splits import DS1
from loaders.dsp.resample import MITBIH_FS, resample
from loaders.io.annotations import read_annotations
from loaders.io.wfdb_record import read_wfdb
from toolbox.holter.beat_context import BeatContext
from toolbox.holter.rhythm_atrial import IRREGULARITY_RANGE, UNKNOWN_COHERENCE
from toolbox.holter.trace import CompressedTrace
from toolbox.utils.aami import CLASS_LETTERS, EC57_CLASSES

UNMARKED = ("804", "841", "842", "845", "849", "866")  # of svdb_dev: what looks like fibrillation has no mark
DAMAGED = "860"
FIBRILLATION = ("(AFIB", "(AFL")
PAROXYSMS = ("201", "203")  # of DS1


class Beats(NamedTuple):
    """Of a record's beats (n,): the features (n, 2), whether they lie in fibrillation, and its name."""

    features: np.ndarray
    fibrillating: np.ndarray
    name: str


def features_of(path: Path, marked: bool) -> Beats:
    """The features of a record's annotated beats."""
    record = read_wfdb(path)
    trace = CompressedTrace()
    trace.add(resample(record.signal[:, 0].astype(float), record.fs, MITBIH_FS))
    is_beat = np.array([symbol in EC57_CLASSES for symbol in record.symbol])
    times = record.sample[is_beat] / record.fs
    letters = np.array([CLASS_LETTERS[EC57_CLASSES[symbol]] for symbol in record.symbol[is_beat].tolist()])
    context = BeatContext(times, np.diff(times, prepend=np.nan), letters, trace.finish())
    irregularity = np.log(np.clip(context.irregularity, *IRREGULARITY_RANGE))
    coherence = np.where(np.isnan(context.coherence), UNKNOWN_COHERENCE, np.clip(context.coherence, 0, 1))
    marks = marks_of(read_annotations(path.with_suffix(".atr")), record.fs) if marked else []
    fibrillating = np.isin(rhythm_at(marks, times), FIBRILLATION)
    seen = ~np.isnan(irregularity)
    return Beats(np.stack([irregularity, coherence], axis=1)[seen], fibrillating[seen], path.name)


def fit(records: list[Beats]) -> tuple[float, float, float]:
    """Offset and the weights of the two features."""
    positive = sum(bool(record.fibrillating.any()) for record in records)
    weights = [
        np.where(
            record.fibrillating,
            1 / max(int(record.fibrillating.sum()), 1) / max(positive, 1),
            1 / max(int((~record.fibrillating).sum()), 1) / len(records),
        )
        for record in records
    ]
    model = LogisticRegression(C=1e3)
    features = np.concatenate([record.features for record in records])
    labels = np.concatenate([record.fibrillating for record in records])
    model.fit(features, labels, sample_weight=1000 * np.concatenate(weights))
    return (float(model.intercept_[0]), *map(float, model.coef_[0]))  # type: ignore[return-value]


def main() -> None:
    """Fit, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--svdb-dir", type=Path, required=True, help="the records of svdb_dev")
    parser.add_argument("--out", type=Path, help="a JSON file for the result")
    args = parser.parse_args()
    names = sorted(path.stem for path in args.svdb_dir.glob("*.hea"))
    records = [features_of(args.records_dir / name, True) for name in DS1]
    records += [features_of(args.svdb_dir / name, False) for name in names if name not in (*UNMARKED, DAMAGED)]
    settled = fit(records)
    print("offset, irregularity, coherence:", *(f"{value:.3f}" for value in settled))
    left_out = {}
    for name in PAROXYSMS:
        offset, *slopes = fit([record for record in records if record.name != name])
        (record,) = (record for record in records if record.name == name)
        called = offset + record.features @ np.array(slopes) > 0
        hit = int((called & record.fibrillating).sum())
        left_out[name] = {
            "Se": round(hit / int(record.fibrillating.sum()), 4), "+P": round(hit / max(int(called.sum()), 1), 4),
            "weights": [round(value, 3) for value in (offset, *slopes)],
        }  # fmt: skip
        print(name, "by what was fitted without it:", left_out[name])
    write_results(
        args.out, {"weights": [round(value, 4) for value in settled], "left_out": left_out, "unmarked": UNMARKED}
    )


if __name__ == "__main__":
    run_program(main)
