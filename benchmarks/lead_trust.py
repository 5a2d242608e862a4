"""Measure how many beats a second lead keeps where the first is off, with and without trust in what it showed before.

python -m benchmarks.lead_trust --records-dir MITDB [--out results/lead_trust.json]

The first lead of each record of DS1 is a flat line from minute 10 to 20. QRS Se / +P of those minutes, of what is found
in the second lead: "no trust" shuts it down wherever it is doubted, "trust" as loaders/beats/lead_trust.py says,
"nothing shut down" reads it throughout. Nothing is named, so no network of beats is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.common import make_parser, run_program, table, write_results
from benchmarks.leads import OFF, first_off
from benchmarks.quality import FLUTTER, errors
from inference.signal_recording import signal_recording
from loaders.beats import leads_segmenter
from loaders.datasets.splits import DS1
from loaders.dsp.chunks import Chunk
from loaders.io.annotations import BEATS
from loaders.io.wfdb_record import Record, read_wfdb
from toolbox.runs.provenance import git_state
from toolbox.utils.aami import MATCH_WINDOW


def no_trust(chunks: Sequence[Chunk], *_: Any) -> list[Chunk]:
    """The chunks as their readers judge them."""
    return list(chunks)


def nothing_shut_down(chunks: Sequence[Chunk], *_: Any) -> list[Chunk]:
    """The chunks without any noise."""
    return [replace(chunk, bad=[each for each in chunk.bad if each.kind != "noise"]) for chunk in chunks]


WAYS: dict[str, Callable[..., list[Chunk]]] = {
    "no trust": no_trust, "trust": leads_segmenter.trust, "nothing shut down": nothing_shut_down,
}  # fmt: skip


def measure(record: Record, way: Callable[..., list[Chunk]]) -> list[int]:
    """Reference beats in OFF, those of them missed, and extra ones."""
    signal = first_off(record.signal.astype(np.float64).copy(), record.fs)
    recording = signal_recording(signal, record.fs, list(record.leads))
    with mock.patch.object(leads_segmenter, "trust", way):
        reading = leads_segmenter.LeadsSegmenter(recording, [0, 1], "detect", "auto", voters=2)
        sample = np.concatenate([chunk.sample for chunk in reading])
    start, stop = OFF.start * record.fs, OFF.stop * record.fs
    reference = record.sample[np.isin(record.symbol, list(BEATS))]
    reference, sample = (each[(each >= start) & (each < stop)] for each in (reference, sample))
    missed, extra = errors(reference, sample, MATCH_WINDOW * record.fs)
    return [len(reference), len(missed), len(extra)]


def main() -> None:
    """Measure, print the table, and write the figures."""
    parser = make_parser(__doc__)
    parser.add_argument("--out", type=Path, help="JSON file with all figures")
    args = parser.parse_args()
    command = "python -m benchmarks.lead_trust --records-dir mitdb --out results/lead_trust.json"
    results: dict[str, Any] = {**git_state(), "command": command, "off_s": [OFF.start, OFF.stop]}
    rows = []
    for name, way in WAYS.items():
        counts = {stem: measure(read_wfdb(args.records_dir / stem), way) for stem in DS1 if stem != FLUTTER}
        beats, missed, extra = np.sum(list(counts.values()), axis=0).tolist()
        scores = {"Se": (beats - missed) / beats, "+P": (beats - missed) / max(beats - missed + extra, 1)}
        results[name] = {**scores, "beats_missed_extra": counts}
        rows.append([name, *(f"{100 * score:.2f}" for score in scores.values())])
    print(table(["DS1, the second lead alone", "QRS Se", "QRS +P"], rows))
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
