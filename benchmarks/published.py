"""Rebuild a published method to prove the inter-patient protocol: DS1 trains, DS2 tests, four classes N S V F.

python -m benchmarks.published --records-dir DIR [--out results/published.json] [--jobs 2]

Mondejar-Guerra V, Novo J, Rouco J, Penedo MG, Ortega M, "Heartbeat classification fusing temporal and morphological
information of ECGs via ensemble of classifiers", Biomed Signal Process Control 47:41-48, 2019: a support vector machine
for each kind of feature, their votes multiplied. benchmarks/published_features.py says where its details are from.

Its S has the escape beats e and j, as in EC57, where de Chazal's N has them: both are scored. This looks at DS2.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.common import ROOT, make_parser, run_program, write_results
from benchmarks.published_features import features_of
from loaders.beats.table import labels_of
from loaders.datasets.splits import DS1, DS2, SCORED
from loaders.io.wfdb_record import list_records, read_wfdb
from toolbox.metrics.confusion import confusion_by_group, confusion_scores
from toolbox.metrics.patients import DE_CHAZAL, EC57_MAP, map_scores, relabelled
from toolbox.runs.provenance import git_state, processor, versions
from toolbox.utils import UserError, progress
from toolbox.utils.aami import CLASS_LETTERS, CLASS_NAMES

NAMES = CLASS_NAMES[:SCORED]
PAIRS = tuple(combinations(range(SCORED), 2))  # in the order of scikit-learn's one-against-one decisions
C = 0.001  # of the support vector machines, before the classes' weights
TOGETHER = 128  # beats decided on at once
# Se and +P by class, accuracy and j-kappa, as published.
PUBLISHED = {
    "accuracy": 0.945, "j_kappa": 0.773,
    "Se N": 0.959, "+P N": 0.982, "Se S": 0.781, "+P S": 0.497,
    "Se V": 0.947, "+P V": 0.939, "Se F": 0.124, "+P F": 0.236,
}  # fmt: skip
# Beats of N, S, V and F that the authors' confusion matrices have, rows summed.
PUBLISHED_BEATS = (44033, 2050, 3220, 388)


class Part(NamedTuple):
    """Beats (n,): their features by kind, (n, k) each; labels 0..3, e and j among S; symbols and records."""

    features: dict[str, np.ndarray]
    labels: np.ndarray
    symbols: np.ndarray
    records: np.ndarray


def load(folder: Path, names: tuple[str, ...]) -> Part:
    """The beats of the records `names`."""
    missing = sorted(set(names) - {path.name for path in list_records(folder)})
    if missing:
        raise UserError(f"{folder} lacks records of DS1 or DS2: {', '.join(missing)}")
    parts = [features_of(read_wfdb(folder / name)) for name in progress(names, "features")]
    symbols = np.concatenate([part for _, part in parts])
    return Part(
        {kind: np.concatenate([part[kind] for part, _ in parts]) for kind in parts[0][0]},
        relabelled(labels_of(symbols), symbols, NAMES),
        symbols,
        np.repeat(names, [len(part) for _, part in parts]),
    )


def decisions(model: SVC, x: np.ndarray) -> np.ndarray:
    """(n, 6) what `model` decides between each two classes, above 0 for the first: its decision_function, several times
    faster where nearly all beats are support vectors, as here."""
    weights = np.zeros((len(model.support_), len(PAIRS)))
    stops = np.cumsum(model.n_support_)
    own = [slice(stop - count, stop) for stop, count in zip(stops, model.n_support_, strict=True)]  # sorted by class
    for column, (one, other) in enumerate(PAIRS):
        weights[own[one], column] = model.dual_coef_[other - 1, own[one]]
        weights[own[other], column] = model.dual_coef_[one, own[other]]
    parts = [
        rbf_kernel(x[first : first + TOGETHER], model.support_vectors_, 1 / x.shape[1]) @ weights
        for first in range(0, len(x), TOGETHER)
    ]
    return np.concatenate(parts) + model.intercept_


def votes(decided: np.ndarray) -> np.ndarray:
    """(n, 4): each decision (n, 6) through the logistic function, added up for the class that it speaks for."""
    totals = np.zeros((len(decided), SCORED))
    for column, (one, other) in enumerate(PAIRS):
        share = 1 / (1 + np.exp(-decided[:, column]))
        totals[:, one] += share
        totals[:, other] += 1 - share
    return totals


def learned(train: Part, test: Part, kind: str) -> np.ndarray:
    """(n, 4) votes for the beats of `test` by a machine that learned features of one kind, z-scored over `train`."""
    start = time.perf_counter()
    scaler = StandardScaler().fit(train.features[kind])
    # What a class weighs makes all classes' bounds add up to the same.
    weights = dict(enumerate(len(train.labels) / np.bincount(train.labels, minlength=SCORED)))
    model = SVC(C=C, gamma="auto", class_weight=weights, decision_function_shape="ovo", cache_size=1000)
    model.fit(scaler.transform(train.features[kind]), train.labels)
    fitted = time.perf_counter()
    cast = votes(decisions(model, scaler.transform(test.features[kind])))
    took = f"{fitted - start:.0f} s, decided in {time.perf_counter() - fitted:.0f} s"
    print(f"{kind}: {len(model.support_)} support vectors in {took}", file=sys.stderr, flush=True)
    return cast


def scored(test: Part, cast: dict[str, np.ndarray]) -> dict[str, Any]:
    """Figures of the product of all votes, under both maps of S and without record 232; and of each choice of kinds."""
    called = np.prod(list(cast.values()), axis=0).argmax(axis=1)
    origin = {"patient": test.records, "record": test.records}
    maps = {EC57_MAP: test.labels, DE_CHAZAL: labels_of(test.symbols)}
    results: dict[str, Any] = {name: map_scores(labels, called, origin, NAMES, False) for name, labels in maps.items()}
    for name, labels in maps.items():
        records, counts = confusion_by_group(labels, called, test.records, SCORED)
        rest = confusion_scores(counts[records != "232"].sum(axis=0), NAMES)
        results[name]["without 232"] = {key: float(rest[key]) for key in ("accuracy", "kappa", "j_kappa")}
        results[name]["by_record"] = dict(zip(records.tolist(), counts.tolist(), strict=True))
    choices = {}
    for size in range(1, len(cast) + 1):
        for kinds in combinations(cast, size):
            some = np.prod([cast[kind] for kind in kinds], axis=0).argmax(axis=1)
            value = confusion_scores(confusion_by_group(test.labels, some, np.zeros(len(some)), SCORED)[1][0], NAMES)
            choices[" + ".join(kinds)] = {key: float(value[key]) for key in ("accuracy", "kappa", "j_kappa")}
    return {"maps": results, "choices": choices}


def shown(maps: dict[str, Any]) -> list[str]:
    """Lines: what was published, and ours under each map of S, with 95 % intervals over patients."""
    letters = CLASS_LETTERS[:SCORED]
    lines = []
    for name, figures in maps.items():
        lines += ["", f"{name:32}{'published':>10}{'here':>8}"]
        rows = [(row, figures[row]) for row in ("accuracy", "kappa", "j_kappa")]
        for letter, per_class in zip(letters, figures["per_class"].values(), strict=True):
            rows += [(f"{row} {letter}", per_class[row]) for row in ("Se", "+P", "F1")]
        for row, figure in rows:
            value, low, high = (np.nan if part is None else part for part in figure.values())
            published = f"{PUBLISHED[row]:.3f}" if row in PUBLISHED else ""
            lines.append(f"{row:32}{published:>10}{value:8.4f}  ({low:.3f} to {high:.3f})")
        lines.append(f"without record 232: {figures['without 232']}")
        lines += [
            f"true {letter}, called N S V F: {row}" for letter, row in zip(letters, figures["confusion"], strict=True)
        ]
    return lines


def main(argv: list[str] | None = None) -> None:
    """Learn DS1, score DS2, print and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "published.json")
    parser.add_argument("--jobs", type=int, default=2, help="machines that learn at once")
    args = parser.parse_args(argv)
    start, git = time.perf_counter(), git_state()
    train, test = load(args.records_dir, DS1), load(args.records_dir, DS2)
    beats = np.bincount(test.labels, minlength=SCORED).tolist()
    print(f"DS2 N, S, V, F: {beats}; in the authors' confusion matrices {list(PUBLISHED_BEATS)}", flush=True)
    with ThreadPoolExecutor(args.jobs) as pool:  # scikit-learn lets go of Python's lock while it learns
        cast = dict(zip(train.features, pool.map(lambda kind: learned(train, test, kind), train.features), strict=True))
    results = scored(test, cast)
    print(*shown(results["maps"]), *(f"{name}: {value}" for name, value in results["choices"].items()), sep="\n")
    beats_of = {"train": np.bincount(train.labels, minlength=SCORED).tolist(), "test": beats}
    origin = {
        "command": "python -m benchmarks.published --records-dir MITDB",
        "git": git,
        "processor": processor(),
        "versions": versions(),
    }
    took = {"seconds": round(time.perf_counter() - start), "jobs": args.jobs}
    write_results(args.out, {**origin, **took, "published": PUBLISHED, "beats": beats_of, **results})


if __name__ == "__main__":
    run_program(main)
