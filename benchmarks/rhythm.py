"""Score the rhythms of --predict by MIT-BIH's own rhythm marks: durations, false alarms, and what is called S.

python -m benchmarks.rhythm --records-dir MITDB --svdb-dir SVDB --model-file FILE [--sets DS1 paced] [--out FILE]

Each record is annotated with the network and its rhythms compared with the marks of its .atr file (every twentieth of a
second): atrial fibrillation or flutter ((AFIB, (AFL), ventricular flutter or fibrillation ("[" to "]"), paced rhythm
((P). Se is the share of the marked time that is recognized, +P that of the recognized time that is marked, gross over
the records of a set. An episode is recognized when any of it is. Of svdb_dev, which has no rhythm marks, all that is
recognized is listed. Beats called S are counted before and after what the rhythm says of them, against the annotators'
beats within 150 ms. DS2 is only scored when it is named: one look for a settled method, to be counted in DS2_LOOKS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import make_parser, run_program, table, write_results
from inference.load import load_classifier
from inference.recording import annotate_lead
from loaders.beats.lead_choice import choose_lead_by_signal
from loaders.datasets.splits import DS1, DS2
from loaders.io.annotations import AnnotationFile, read_annotations
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.episodes import ATRIAL_FIBRILLATION, FIBRILLATION, PACED
from toolbox.runs.provenance import git_state
from toolbox.utils.aami import CLASS_LETTERS, EC57_CLASSES, MATCH_WINDOW

TICKS = 20  # a second
DS2_LOOKS = 4  # so far; docs/rhythm.md says what each was for
PACED_RECORDS = ("102", "104", "107", "217")
MARKS = {ATRIAL_FIBRILLATION: ("(AFIB", "(AFL"), PACED: ("(P",)}
KINDS = (ATRIAL_FIBRILLATION, FIBRILLATION, PACED)


def marks_of(content: AnnotationFile, fs: float) -> list[tuple[float, str]]:
    """(s, rhythm) of each rhythm mark of an annotation file, in order."""
    places = zip(content.annotations.sample.tolist(), content.annotations.symbol, content.texts, strict=True)
    return [(at / fs, text) for at, symbol, text in places if symbol == "+" and text.startswith("(")]


def rhythm_at(marks: list[tuple[float, str]], times: np.ndarray) -> np.ndarray:
    """(n,) the rhythm mark that holds at `times` (n,) in s; "" before the first."""
    begins = np.array([-np.inf, *(at for at, _ in marks)])
    return np.array(["", *(text for _, text in marks)])[np.searchsorted(begins, times, side="right") - 1]


def marked_ticks(content: AnnotationFile, fs: float, seconds: float) -> dict[str, np.ndarray]:
    """(ticks,) whether each of KINDS is marked."""
    times = np.arange(int(seconds * TICKS)) / TICKS
    rhythm = rhythm_at(marks_of(content, fs), times)
    ticks = {kind: np.isin(rhythm, texts) for kind, texts in MARKS.items()}
    flutter, begin = np.zeros(len(times), bool), 0.0
    for at, symbol in zip(content.annotations.sample.tolist(), content.annotations.symbol, strict=True):
        if symbol == "[":
            begin = at / fs
        elif symbol == "]":
            flutter |= (times >= begin) & (times < at / fs)
    return {**ticks, FIBRILLATION: flutter}


def recognized_ticks(beats: AnnotatedRecording, count: int) -> dict[str, np.ndarray]:
    """(ticks,) whether each of KINDS is recognized."""
    ticks = {kind: np.zeros(count, bool) for kind in KINDS}
    for episode in beats.rhythms:
        if episode.kind in ticks:
            ticks[episode.kind][int(episode.start * TICKS) : int(episode.stop * TICKS)] = True
    return ticks


def pieces(ticks: np.ndarray) -> list[slice]:
    """The runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ticks, [False]]).astype(np.int8))).reshape(-1, 2)
    return [slice(int(a), int(b)) for a, b in edges]


def durations(marked: np.ndarray, recognized: np.ndarray) -> dict[str, Any]:
    """Seconds marked and recognized, both, and the episodes of each that the other has a part of."""
    seconds = {
        "marked_s": marked.sum(), "recognized_s": recognized.sum(), "both_s": (marked & recognized).sum(),
    }  # fmt: skip
    marked_pieces, recognized_pieces = pieces(marked), pieces(recognized)
    return {
        **{name: round(float(value) / TICKS, 1) for name, value in seconds.items()},
        "episodes": len(marked_pieces),
        "episodes_recognized": sum(bool(recognized[piece].any()) for piece in marked_pieces),
        "alarms": len(recognized_pieces), "alarms_true": sum(bool(marked[piece].any()) for piece in recognized_pieces),
        "longest_false_s": max(
            ((piece.stop - piece.start) / TICKS for piece in recognized_pieces if not marked[piece].any()), default=0.0
        ),
    }  # fmt: skip


def called_s(beats: AnnotatedRecording, content: AnnotationFile) -> dict[str, list[int]]:
    """[true, false] beats called S by the likeliest class, and after what the rhythm says."""
    symbols = content.annotations.symbol
    is_beat = np.array([symbol in EC57_CLASSES for symbol in symbols])
    at = content.annotations.sample[is_beat] / beats.fs
    truth = np.array([CLASS_LETTERS[EC57_CLASSES[s]] for s in symbols if s in EC57_CLASSES])
    after = np.clip(np.searchsorted(at, beats.times), 1, len(at) - 1)
    nearest = np.where(at[after] - beats.times < beats.times - at[after - 1], after, after - 1)
    is_s = (truth[nearest] == "S") & (np.abs(at[nearest] - beats.times) <= MATCH_WINDOW)
    return {
        name: [int((is_s & (letters == "S")).sum()), int((~is_s & (letters == "S")).sum())]
        for name, letters in (("likeliest", beats.likeliest), ("after_rhythm", beats.letters))
    }


def score(path: Path, classifier: Any) -> dict[str, Any]:
    """The figures of one record."""
    recording = open_recording(path.with_suffix(".hea"), CsvFormat())
    position, _ = choose_lead_by_signal(recording, None)
    beats = annotate_lead(recording, position, classifier).beats
    content = read_annotations(path.with_suffix(".atr"))
    marked = marked_ticks(content, beats.fs, beats.samples / beats.fs)
    recognized = recognized_ticks(beats, len(marked[PACED]))
    rows = {kind: durations(marked[kind], recognized[kind]) for kind in KINDS}
    return {
        **{kind: row for kind, row in rows.items() if row["marked_s"] or row["alarms"]},
        "S": called_s(beats, content),
    }


def total(records: dict[str, Any], kind: str) -> dict[str, Any]:
    """The figures of a set of records together."""
    rows = [record[kind] for record in records.values() if kind in record]
    sums = {name: round(sum(row[name] for row in rows), 1) for name in durations(np.zeros(1, bool), np.zeros(1, bool))}
    sums["longest_false_s"] = max((row["longest_false_s"] for row in rows), default=0.0)
    sums["Se"] = round(sums["both_s"] / sums["marked_s"], 4) if sums["marked_s"] else None
    sums["+P"] = round(sums["both_s"] / sums["recognized_s"], 4) if sums["recognized_s"] else None
    return sums


def main() -> None:
    """Score, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--svdb-dir", type=Path, help="the records of svdb_dev")
    parser.add_argument("--model-file", type=Path, required=True, help="a network of two leads")
    parser.add_argument("--sets", nargs="+", default=["DS1", "paced", "svdb"], choices=["DS1", "DS2", "paced", "svdb"])
    parser.add_argument("--out", type=Path, help="a JSON file for the result")
    args = parser.parse_args()
    classifier = load_classifier(args.model_file)
    command = "python -m benchmarks.rhythm --records-dir mitdb --svdb-dir svdb --model-file CHECKPOINT --sets"
    results: dict[str, Any] = {
        **git_state(),
        "command": f"{command} {' '.join(args.sets)}",
        "model": args.model_file.parent.name,
    }
    results["ds2_looks"] = DS2_LOOKS
    for name in args.sets:
        folder = args.svdb_dir if name == "svdb" else args.records_dir
        fixed = {"DS1": DS1, "DS2": DS2, "paced": PACED_RECORDS}
        stems = fixed.get(name) or sorted(path.stem for path in folder.glob("*.hea"))
        records = {stem: score(folder / stem, classifier) for stem in stems}
        sums = {kind: total(records, kind) for kind in KINDS}
        counts = {
            step: np.sum([record["S"][step] for record in records.values()], axis=0).tolist()
            for step in ("likeliest", "after_rhythm")
        }
        results[name] = {"total": {**sums, "S": counts}, "records": records}
        rows = [[kind, *(str(sums[kind][column]) for column in sums[kind])] for kind in KINDS]
        print(f"{name}; beats called S, true and false: {counts}")
        print(table([name, *sums[PACED]], rows))
    write_results(args.out, results)


if __name__ == "__main__":
    run_program(main)
