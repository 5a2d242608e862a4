"""Score networks of one lead on each lead of DS2's records, whichever it is.

python -m benchmarks.one_lead --records-dir DIR --runs RUN [RUN ...] [--out results/one_lead.json]

Each run's last epoch reads every lead of every record alone, at the reference's beat times, in whole recordings. The
figures are those of all beats of a lead's name together, of the first leads (MLII in all of DS2) and of the second
ones; mean and spread over the runs, which are seeds of one recipe. Without record 232 beside it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import make_parser, mean_and_spread, run_program, table, write_results
from inference.torch_classifier import load_torch_classifier
from loaders.beats.input_spec import InputSpec
from loaders.beats.segment_record import rows_of
from loaders.beats.windows import leads_of
from loaders.datasets.splits import DS2, SCORED
from loaders.io.wfdb_record import Record, read_wfdb
from toolbox.metrics.confusion import confusion_scores
from toolbox.runs.provenance import git_state
from toolbox.utils.aami import CLASS_NAMES

SHOWN = ("accuracy", "F1 S", "Se S", "+P S", "F1 V", "Se V", "+P V", "F1 F", "j_kappa")
DOMINANT = "232"  # it has three quarters of DS2's S
FIRST, SECOND = "first leads", "second leads"


def lead_alone(record: Record, lead: int) -> Record:
    """The record with one of its channels."""
    return replace(
        record, leads=[record.leads[lead]], digital=record.digital[:, [lead]], gain=record.gain[[lead]],
        baseline=record.baseline[[lead]],
    )  # fmt: skip


def confusion_of(classifier: Any, spec: InputSpec, record: Record) -> np.ndarray:
    """(4, 4) counts: the reference's classes against the network's."""
    beats = rows_of(record, spec)
    scored = beats.y < SCORED
    features = None if beats.features is None else beats.features[scored]
    called = classifier.probabilities(beats.x[scored], features).argmax(axis=1)
    counts = np.zeros((SCORED, SCORED), dtype=np.int64)
    np.add.at(counts, (beats.y[scored], called), 1)
    return counts


def counts_of(run: Path, folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """By lead and record the (4, 4) counts of a run's network."""
    classifier = load_torch_classifier(run, "cpu", "latest")
    assert classifier.input_spec is not None
    spec = replace(classifier.input_spec, spliced=())
    counts: dict[str, dict[str, np.ndarray]] = {FIRST: {}, SECOND: {}}
    for name in DS2:
        record = read_wfdb(folder / name)
        for place, lead in enumerate(leads_of(record, len(record.leads))):
            one = confusion_of(classifier, spec, lead_alone(record, lead))
            counts.setdefault(record.leads[lead], {})[name] = one
            counts[SECOND if place else FIRST][name] = one
    return counts


def figures(by_record: dict[str, np.ndarray]) -> dict[str, float]:
    """The figures over all records' beats."""
    scores = confusion_scores(np.sum(list(by_record.values()), axis=0), CLASS_NAMES[:SCORED])
    short = {(f"{name.split()[0]} {name.split()[1][0]}" if " " in name else name): scores[name] for name in scores}
    return {name: float(short[name]) for name in SHOWN}


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of runs, the seeds of a recipe")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    args = parser.parse_args()
    git = git_state()
    runs = [counts_of(run, args.records_dir) for run in args.runs]
    results: dict[str, Any] = {}
    rows = []
    for lead in runs[0]:
        kept = [one[lead] for one in runs]
        without = [{name: one for name, one in each.items() if name != DOMINANT} for each in kept]
        parts = {"all records": kept, f"without {DOMINANT}": without}
        results[lead] = {"records": sorted(kept[0])}
        for part, each_run in parts.items():
            by_run = [figures(each) for each in each_run]
            results[lead][part] = {name: [one[name] for one in by_run] for name in SHOWN}
            rows.append([lead, part, *(mean_and_spread(results[lead][part][name]) for name in SHOWN)])
    print(table(["lead", "records", *SHOWN], rows))
    words = f"python -m benchmarks.one_lead --records-dir MITDB --runs {' '.join(run.name for run in args.runs)}"
    write_results(args.out, {"command": words, "git": git, "leads": results})


if __name__ == "__main__":
    run_program(main)
