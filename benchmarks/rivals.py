"""Race plain methods against the networks by the same protocols: the same rows, features and scores.

python -m benchmarks.rivals --records-dir MITDB [--root-dir DIR] [--tasks kaggle DS1 DS2] [--out results/rivals.json]

Kaggle's split: the nearest neighbour of each test row among the other rows, which learns nothing: what a memory of
beats of the same patients gets. By the 187 samples of Kaggle's rows, and by the features of recipes/best.yaml and of
recipes/interpatient.yaml, squashed as the perceptron squashes them; and gradient boosting on these features.

New patients: what recipes/interpatient.yaml learns from, its 52 features squashed likewise, with its spliced patients
and without; seven folds of DS1's patients, and DS2 (a look at test data). Linear discriminants, as de Chazal et al.
(2004) use them, classes weighed alike; logistic regression likewise; gradient boosting. The settings are scikit-learn's
own, nothing was tuned.
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from args import parse_args
from benchmarks.common import make_parser, run_program, table, write_results
from benchmarks.decisions import figures
from commands.build import BuiltRun, build
from loaders.datasets.dataset import ECGLoader
from toolbox.metrics.confusion import confusion_by_group, confusion_scores, plain
from toolbox.runs.provenance import git_state
from toolbox.utils.aami import CLASS_NAMES

TOGETHER = 512  # test rows compared at once
FOLDS = 7
OWN_SPLIT = ("--split", "kaggle", "--spliced", "none", "--validate-on", "val", "--monitor", "acc1")
KAGGLE_INPUTS = (  # title, flags that build the rows, what of them is compared
    ("the 187 samples of Kaggle's rows", ("--config", "fast"), "rows"),
    ("50 features of best.yaml", ("--config", "best", "--model-name", "mlp"), "features"),
    ("52 features of interpatient.yaml", ("--config", "interpatient", *OWN_SPLIT), "features"),
)
SHOWN = ("accuracy", "macro_f1", "S F1", "V F1", "j_kappa")


def nearest(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(m,) the index of the row of `train` (n, k) that is nearest to each of `test` (m, k), in Euclidean distance."""
    squares = (train**2).sum(axis=1)
    parts = [
        (squares - 2 * test[first : first + TOGETHER] @ train.T).argmin(axis=1)
        for first in range(0, len(test), TOGETHER)
    ]
    return np.concatenate(parts)


def rows_of(loader: ECGLoader, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, k) float32, the "features" or the samples of "rows", and labels (n,) of a part."""
    values = loader.features if kind == "features" else loader.x
    assert values is not None
    chosen = values.index_select(0, loader.rows).flatten(1).float()
    return chosen.numpy(), loader.labels().numpy()


def kaggle_figures(labels: np.ndarray, called: np.ndarray) -> dict[str, Any]:
    """Accuracy, macro F1, mean sensitivity, and Se, +P and F1 of the five classes."""
    counts = confusion_by_group(labels, called, np.zeros(len(labels)), len(CLASS_NAMES))[1][0]
    scores = confusion_scores(counts, CLASS_NAMES)
    shown: dict[str, Any] = {name: plain(scores[name]) for name in ("accuracy", "macro_f1")}
    for name in CLASS_NAMES:
        shown |= {
            f"{name[0] if name != 'Unknown' else 'Q'} {kind}": plain(scores[f"{kind} {name}"])
            for kind in ("Se", "+P", "F1")
        }
    sensitivities = [scores[f"Se {name}"] for name in CLASS_NAMES]
    return {**shown, "mean_sensitivity": float(np.mean(sensitivities)), "confusion": counts.tolist()}


def joined(*parts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of several parts."""
    inputs, labels = zip(*parts, strict=True)
    return np.concatenate(inputs), np.concatenate(labels)


def kaggle(places: list[str]) -> dict[str, Any]:
    """The rivals on Kaggle's split: all other rows of the two files are known, as the recipes' networks know them."""
    results = {}
    for title, flags, kind in KAGGLE_INPUTS:
        session = build(parse_args([*flags, *places]))
        data, scaled = session.data, squashed_by(session) if kind == "features" else np.asarray
        known, (test, true) = joined(rows_of(data.train, kind), rows_of(data.val, kind)), rows_of(data.test, kind)
        train, labels = scaled(known[0]), known[1]
        answers = {"nearest neighbour": labels[nearest(train, scaled(test))]}
        if kind == "features":
            answers["gradient boosting"] = (
                HistGradientBoostingClassifier(random_state=0).fit(train, labels).predict(scaled(test))
            )
        for method, called in answers.items():
            figures_of = results[f"{method}, {title}"] = kaggle_figures(true, called)
            print(f"{method}, {title}: {figures_of['accuracy']:.4f}, {figures_of['macro_f1']:.4f}", flush=True)
    return results


def squashed_by(session: BuiltRun) -> Callable[[np.ndarray], np.ndarray]:
    """The perceptron's scaling of features (n, k): by median and spread of the training rows, within -2 and 2."""
    model: Any = session.context.model
    center, spread = model.center.numpy(), model.spread.numpy()
    return lambda values: np.tanh((values - center) / spread / 2) * 2


def methods() -> dict[str, Any]:
    """Name -> an untrained classifier."""
    return {
        "linear discriminants": LinearDiscriminantAnalysis(priors=np.full(4, 0.25)),
        "logistic regression": LogisticRegression(class_weight="balanced", max_iter=1000),
        "gradient boosting": HistGradientBoostingClassifier(random_state=0),
    }


def learned(args: Namespace, part: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Beats of `part` and what each method says of them, (n, 4) probabilities, after learning the training rows."""
    session = build(args)
    squashed = squashed_by(session)
    rows: ECGLoader = getattr(session.data, part)
    (train, labels), (test, true) = rows_of(session.data.train, "features"), rows_of(rows, "features")
    answers = {}
    for name, classifier in methods().items():
        begin = time.perf_counter()
        answers[name] = classifier.fit(squashed(train), labels).predict_proba(squashed(test))
        print(f"{name}: {len(train)} rows in {time.perf_counter() - begin:.0f} s", flush=True)
    return {"labels": true, **rows.origin(rows.rows)}, answers


def new_patients(places: list[str], folds: int) -> dict[str, Any]:
    """Figures of each method, with spliced patients and without: of DS2, or of DS1's patients left out of `folds`."""
    results = {}
    for title, spliced in (("", []), (", no spliced patients", ["--spliced", "none"])):
        flags = ["--config", "interpatient", *places, *spliced]
        parts = []
        for fold in range(1, max(folds, 1) + 1):
            of_fold = ["--fold", f"{fold}/{folds}", "--validate-on", "val", "--monitor", "j_kappa"] if folds else []
            parts.append(learned(parse_args([*flags, *of_fold]), "val" if folds else "test"))
        beats = {key: np.concatenate([each[key] for each, _ in parts]) for key in parts[0][0]}
        for name in parts[0][1]:
            results[name + title] = figures(beats, np.concatenate([answers[name] for _, answers in parts]))
    return results


def shown(results: dict[str, dict[str, Any]]) -> str:
    """A table of the figures."""
    rows = []
    for task, methods_ in results.items():
        for name, each in methods_.items():
            parts = {"": each, ", without 232": each.get("without 232")}
            rows += [
                [task, name + more, *("-" if of.get(key) is None else f"{of[key]:.4f}" for key in SHOWN)]
                for more, of in parts.items()
                if of
            ]
    return table(["task", "method", *SHOWN], rows)


def main() -> None:
    """Race, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--root-dir", help="where the built data are kept; a scratch folder unless given")
    parser.add_argument("--tasks", nargs="+", default=["kaggle", "DS1", "DS2"], choices=["kaggle", "DS1", "DS2"])
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    args = parser.parse_args()
    git, results = git_state(), {}
    with tempfile.TemporaryDirectory() as scratch:
        places = ["--records-dir", str(args.records_dir), "--root-dir", args.root_dir or scratch]
        for task in args.tasks:
            results[task] = kaggle(places) if task == "kaggle" else new_patients(places, FOLDS if task == "DS1" else 0)
    print(shown(results))
    command = f"python -m benchmarks.rivals --records-dir MITDB --tasks {' '.join(args.tasks)}"
    write_results(args.out, {"command": command, "git": git, "tasks": results})


if __name__ == "__main__":
    run_program(main)
