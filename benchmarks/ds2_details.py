"""Look closer at the figures of DS2: by age and sex, by how sure the network was, and paired with other methods.

python -m benchmarks.ds2_details --records-dir MITDB --kept FOLDER [--out results/ds2_details.json]

Nothing is trained, and nothing of DS2 is scored that was not scored before: by-record counts come from
results/adapt_ds2.json (recipes/interpatient.yaml, five seeds, with --adapt none and votes), results/published.json and
results/rivals.json; probabilities from FOLDER, where `benchmarks.fold_beats --sets DS2` kept them, and are checked
against these counts. The temperature is the one that patients of DS1 left out asked for (results/decisions.json).
Labels are by de Chazal's map throughout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, make_parser, run_program, table, write_results
from benchmarks.decisions import class_figures
from benchmarks.fold_beats import read_fold_beats
from loaders.io.subject import read_subject
from toolbox.metrics.calibration import reliability_by_class, tempered
from toolbox.metrics.confusion import bootstrap_intervals, confusion_by_group
from toolbox.metrics.paired import holm, paired_differences
from toolbox.metrics.patients import DE_CHAZAL
from toolbox.metrics.subgroups import FEWEST, groups_of
from toolbox.runs.provenance import git_state
from toolbox.utils import UserError, read_json
from toolbox.utils.aami import CLASS_NAMES, LETTERS

NAMES = CLASS_NAMES[:4]
DECISIVE = "232"  # the record of DS2 that has three quarters of its S
RESULTS = ROOT / "results"
SHOWN = {"accuracy": "accuracy", "j_kappa": "j_kappa", "S F1": f"F1 {NAMES[1]}", "V F1": f"F1 {NAMES[2]}"}
AT_ENDS = 2  # beats of a record at most that another method leaves out, as it needs signal or intervals around them
Counts = dict[str, list[list[int]]]  # record -> confusion counts (4, 4)


def counted(counts: Counts, records: list[str]) -> np.ndarray:
    """(records, 4, 4) the counts of these records."""
    return np.array([counts[record] for record in records])


def intervals_of(counts: np.ndarray) -> dict[str, list[float] | None]:
    """95 % intervals over patients of counts (P, 4, 4); None of fewer than FEWEST."""
    if len(counts) < FEWEST:
        return dict.fromkeys(SHOWN)
    ends = bootstrap_intervals(counts, NAMES)
    return {name: list(ends[key]) if np.isfinite(ends[key]).all() else None for name, key in SHOWN.items()}


def by_group(seeds: list[Counts], records_dir: Path) -> dict[str, Any]:
    """Group of patients -> its records, the mean figures over the seeds, and the first seed's intervals."""
    groups: dict[str, list[str]] = {"all": [], "without 232": []}
    for record in seeds[0]:
        subject = read_subject(records_dir / record)
        groups["all"].append(record)
        if record != DECISIVE:
            groups["without 232"].append(record)
        for group in groups_of(subject.age, subject.sex):
            groups.setdefault(group, []).append(record)
            if record != DECISIVE:
                groups.setdefault(f"{group}, without 232", []).append(record)
    scores = {}
    for group, records in groups.items():
        if group.endswith("without 232") and group != "without 232" and records == groups[group.partition(",")[0]]:
            continue  # it is not among them
        each = [class_figures(counted(counts, records).sum(axis=0)) for counts in seeds]
        means = {name: float(np.mean([one[name] or 0.0 for one in each])) for name in SHOWN}
        beats = counted(seeds[0], records).sum(axis=(0, 2)).tolist()
        scores[group] = {
            "records": records,
            "beats": beats,
            **means,
            "intervals": intervals_of(counted(seeds[0], records)),
        }
    return scores


def paired(seeds: list[Counts], other: Counts) -> dict[str, Any]:
    """Score -> by seed, what the network has more than the other method, its interval over patients, p after Holm."""
    records = sorted(other)
    if any(sorted(counts) != records for counts in seeds):
        raise UserError("the two methods were not scored on the same records")
    totals = [counted(counts, records).sum(axis=2) for counts in (other, *seeds)]
    if max(np.abs(total - totals[0]).max() for total in totals) > AT_ENDS:
        raise UserError("the two methods were not scored on the same beats, or by different label maps")
    results: dict[str, Any] = {name: [] for name in SHOWN}
    for counts in seeds:
        differences = paired_differences(counted(other, records), counted(counts, records), NAMES)
        corrected = holm([differences[key].p for key in SHOWN.values()])
        for (name, key), p in zip(SHOWN.items(), corrected, strict=True):
            results[name].append({**differences[key]._asdict(), "p_holm": p})
    return results


def sureness(beats: dict[str, np.ndarray], temperature: float) -> dict[str, Any]:
    """How often a probability came true, by class, as it is and at the temperature, with record 232 and without."""
    results = {}
    for part, own in (("all", np.ones(len(beats["labels"]), dtype=bool)), ("without 232", beats["record"] != DECISIVE)):
        probabilities, labels = beats["probabilities"][own], beats["labels"][own]
        results[part] = {
            "as it is": reliability_by_class(probabilities, labels, NAMES),
            "tempered": reliability_by_class(tempered(probabilities, temperature), labels, NAMES),
        }
    return results


def check(beats: dict[str, np.ndarray], counts: Counts) -> None:
    """Refuse probabilities of other networks than those whose counts were kept."""
    records, own = confusion_by_group(
        beats["labels"], beats["probabilities"].argmax(axis=1), beats["record"], len(NAMES)
    )
    if dict(zip(records.tolist(), own.tolist(), strict=True)) != counts:
        raise UserError("the kept probabilities are not those of results/adapt_ds2.json; keep them by its command")


def shown(results: dict[str, Any]) -> str:
    """Tables of all of it."""
    rows = [
        [f"{method}: {group}", str(len(each["records"])), *(_with_interval(each, name) for name in SHOWN)]
        for method, groups in results["groups"].items()
        for group, each in groups.items()
    ]
    lines = [table(["by", "patients", *SHOWN], rows), ""]
    rows = []
    for title, scores in results["paired"].items():
        for name, each in scores.items():
            first, ps = each[0], [one["p_holm"] for one in each]
            cells = [f"{first['value']:+.3f}", f"{first['low']:+.3f} to {first['high']:+.3f}"]
            rows.append([title, name, *cells, f"{first['p_holm']:.3f}", f"{min(ps):.3f} to {max(ps):.3f}"])
    lines += [table(["network less", "score", "difference, first seed", "interval", "p", "p of the seeds"], rows), ""]
    rows = []
    for part, ways in results["reliability"].items():
        for way, by_class in ways.items():
            for name in NAMES[:3]:
                cells = [
                    f"{100 * s['right'] / s['beats']:.1f} of {s['beats']:,}" if s["beats"] else ""
                    for s in by_class[name]
                ]
                rows.append([part, way, LETTERS[name], *cells])
    steps = results["reliability"]["all"]["as it is"][NAMES[0]]
    heads = [f"{100 * step['above']:g} to {100 * step['to']:g} %" for step in steps]
    return "\n".join([*lines, table(["records", "probabilities", "called", *heads], rows)])


def _with_interval(each: dict[str, Any], name: str) -> str:
    ends = each["intervals"][name]
    return f"{each[name]:.3f}" + (f" ({ends[0]:.2f} to {ends[1]:.2f})" if ends else "")


def main() -> None:
    """Compare, print, and keep."""
    parser = make_parser(__doc__)
    parser.add_argument("--kept", type=Path, required=True, help="the folder of benchmarks.fold_beats")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    args = parser.parse_args()
    git, network = git_state(), read_json(RESULTS / "adapt_ds2.json")["by seed"]["DS2"]
    seeds = {method: [each[method]["records"] for each in network] for method in ("none", "votes")}
    others = {"the published method": read_json(RESULTS / "published.json")["maps"][DE_CHAZAL]["by_record"]}
    rivals = read_json(RESULTS / "rivals.json")["tasks"]["DS2"]
    others["gradient boosting"] = rivals["gradient boosting"]["records"]
    kept = [read_fold_beats(args.kept, "DS2", seed) for seed in range(len(network))]
    for beats, counts in zip(kept, seeds["none"], strict=True):
        check(beats, counts)
    temperature = float(np.mean(read_json(RESULTS / "decisions.json")["temperatures"]["DS1"]["none"]))
    results = {
        "groups": {method: by_group(counts, args.records_dir) for method, counts in seeds.items()},
        "paired": {
            f"{other}, --adapt {method}": paired(counts, of_other)
            for other, of_other in others.items()
            for method, counts in seeds.items()
        },
        "temperature": temperature,
        "reliability": sureness(kept[0], temperature),
    }
    print(shown(results))
    command = "python -m benchmarks.ds2_details --records-dir MITDB --kept FOLDER"
    write_results(args.out, {"command": command, "git": git, **results})


if __name__ == "__main__":
    run_program(main)
