"""Score networks on patients of DS2, or of another list, by whichever leads they read.

python -m benchmarks.new_patients --records-dir DIR --runs RUN [RUN ...] [--records svdb:test] [--adapt none votes]
    [--out FILE]

A network of one lead reads every lead of every record alone: the first ones (MLII in all of DS2), the second ones, and
all of one name together. One of two leads reads the first two. Beat times are the reference's, windows and features are
of whole recordings; the last epoch of each run counts. Mean and spread over the runs, which are seeds of one recipe,
with and without record 232, which has three quarters of DS2's S, and, where F is called, without 213, which has most
of its F. Tables of classes by the recording's other beats (--adapt) say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import make_parser, mean_and_spread, run_program, table, write_results
from inference.adapt import adapted, squashed
from inference.fusion import Shapes
from inference.options import ADAPTATIONS, FUSION
from inference.torch_classifier import TorchClassifier, load_torch_classifier
from loaders.beats.segment_record import rows_of
from loaders.beats.table import Beats
from loaders.beats.windows import leads_of
from loaders.datasets.splits import DS2, SCORED
from loaders.io.wfdb_record import Record, read_wfdb
from toolbox.metrics.patients import DE_CHAZAL, patient_scores
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError
from toolbox.utils.aami import CLASS_NAMES

SHOWN = ("accuracy", "S F1", "S Se", "S +P", "V F1", "V Se", "V +P", "F F1", "j_kappa")
DOMINANT, DOMINANT_OF_F = "232", "213"
FIRST, SECOND, BOTH = "first leads", "second leads", "both leads"


def leads_alone(record: Record, leads: list[int]) -> Record:
    """The record with some of its channels."""
    return replace(
        record, leads=[record.leads[k] for k in leads], digital=record.digital[:, leads], gain=record.gain[leads],
        baseline=record.baseline[leads],
    )  # fmt: skip


def choices_of(record: Record, leads: int) -> dict[str, list[int]]:
    """Names of tables -> the channels of `record` that a network of so many leads reads for them."""
    order = leads_of(record, len(record.leads))
    if leads > 1:
        return {BOTH: order[:leads]}
    choices = {record.leads[k]: [k] for k in order}
    return {**choices, **{name: [k] for name, k in zip((FIRST, SECOND), order, strict=False)}}


class Outcomes:
    """The probabilities of each run for the beats of one table, with their labels and origin."""

    def __init__(self) -> None:
        self.beats: list[Beats] = []
        self.probabilities: list[list[np.ndarray]] = []  # record by record, run by run

    def add(self, beats: Beats, by_run: list[np.ndarray]) -> None:
        """Add a record's beats, without their windows."""
        light = replace(beats, x=np.empty((len(beats), 0)), features=None)
        self.beats.append(light)
        self.probabilities.append(by_run)

    def figures(self, without: str = "") -> list[dict[str, Any]]:
        """The scores of each run, by de Chazal's label map; EC57's gross and average."""
        kept = [k for k, beats in enumerate(self.beats) if beats.record[0] != without]
        beats = Beats.join(self.beats[k] for k in kept)
        origin = {
            name: array for name, array in beats.arrays().items() if name in ("record", "patient", "symbol", "time")
        }
        results = []
        for run in range(len(self.probabilities[0])):
            called = np.concatenate([self.probabilities[k][run] for k in kept])
            scores = patient_scores(called, beats.y, origin, CLASS_NAMES[:SCORED], True)["maps"][DE_CHAZAL]
            figures: dict[str, Any] = {name: scores[name]["value"] for name in ("accuracy", "kappa", "j_kappa")}
            for name, each in scores["per_class"].items():
                figures |= {f"{name[0]} {kind}": each[kind]["value"] for kind in ("Se", "+P", "F1")}
            ec57 = {f"EC57 {kind}": scores["ec57"][kind] for kind in ("gross", "average")}
            results.append({**figures, **ec57})
        return results


def title_of(name: str, method: str) -> str:
    """The title of a table of classes after `method`."""
    return name if method == "none" else f"{name}, --adapt {method}"


def called_by(network: TorchClassifier, beats: Beats, probabilities: np.ndarray, method: str) -> np.ndarray:
    """Probabilities (n, 4) of a record's beats after `method`."""
    if method == "none":
        return probabilities
    scaling, spec = network.scaling, network.input_spec
    if scaling is None or beats.features is None or beats.time is None or spec is None:
        raise UserError(f"{network.name} reads no features; expected --adapt none alone")
    shapes = Shapes(beats.x, beats.time, spec.rate)
    return adapted(probabilities, squashed(beats.features, *scaling), network.class_names, method, shapes)


def outcomes_of(
    networks: list[TorchClassifier], records: list[Record], methods: Sequence[str] = ("none",)
) -> dict[str, Outcomes]:
    """By table what the networks, all of one recipe, make of the records."""
    spec = networks[0].input_spec
    if spec is None or any(each.input_spec != spec for each in networks):
        raise UserError("the runs are of different recipes, or read Kaggle's rows; name the seeds of one of windows")
    tables: dict[str, Outcomes] = {}
    for record in records:
        rows: dict[tuple[int, ...], tuple[Beats, list[np.ndarray]]] = {}
        for name, leads in choices_of(record, spec.leads).items():
            if tuple(leads) not in rows:
                beats = rows_of(leads_alone(record, leads), replace(spec, spliced=()))
                beats = beats.take(np.flatnonzero(beats.y < SCORED))
                rows[tuple(leads)] = beats, [each.probabilities(beats.x, beats.features) for each in networks]
            beats, own = rows[tuple(leads)]
            for method in methods:
                by_run = [called_by(*pair, method) for pair in zip(networks, [beats] * len(own), own, strict=True)]
                tables.setdefault(title_of(name, method), Outcomes()).add(beats, by_run)
    return tables


def main() -> None:
    """Measure, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of runs, the seeds of a recipe")
    parser.add_argument("--records", nargs="+", default=list(DS2), help="names of records (DS2)")
    parser.add_argument("--adapt", nargs="+", default=["none"], choices=ADAPTATIONS)
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    args = parser.parse_args()
    git = git_state()
    networks = [load_torch_classifier(run, "cpu", "latest") for run in args.runs]
    tables = outcomes_of(networks, [read_wfdb(args.records_dir / name) for name in args.records], args.adapt)
    results: dict[str, Any] = {}
    rows = []
    for name, outcomes in tables.items():
        results[name] = {"records": [str(beats.record[0]) for beats in outcomes.beats]}
        parts = {"all": "", f"without {DOMINANT}": DOMINANT}
        if name.endswith(FUSION):
            parts[f"without {DOMINANT_OF_F}"] = DOMINANT_OF_F
        for part, without in parts.items():
            by_run = results[name][part] = outcomes.figures(without)
            rows.append([name, part, *(mean_and_spread([one[key] or 0.0 for one in by_run]) for key in SHOWN)])
    print(table(["leads", "records", *SHOWN], rows))
    words = f"python -m benchmarks.new_patients --records-dir MITDB --runs {' '.join(run.name for run in args.runs)}"
    words += f" --adapt {' '.join(args.adapt)}" if args.adapt != ["none"] else ""
    write_results(args.out, {"command": words, "git": git, "tables": results})


if __name__ == "__main__":
    run_program(main)
