"""MODEL_CARD.md of an exported model: interface, data, scores, limits, origin.

After Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolbox.export.onnx_file import INT8, MODEL
from toolbox.reports.console import percent
from toolbox.reports.score_lines import as_lines
from toolbox.utils.program import program_words

MITDB = (
    "The MIT-BIH Arrhythmia Database (Moody & Mark 2001; PhysioNet, ODC-BY 1.0): 48 half-hour Holter recordings of 47 "
    "patients, taken 1975 to 1979 in one hospital in Boston, at 360 Hz, many of them chosen for their rare arrhythmias."
)
SYNTHETIC = "Synthetic recordings (`--dataset synthetic`), made after McSharry et al. 2003: no patients at all."
BY_RECORD = (
    "By record, one group of them tests and the others train; it is not known which records are of one patient, so "
    "that a patient may stand on both sides."
)
SPLITS = {
    "kaggle": "Beats were split at random: every patient is in train, validation and test.",
    "interpatient": "By patient, DS1 trains and DS2 tests (de Chazal et al. 2004); paced records are left out.",
    "interpatient_strict": "By patient, DS1 trains, DS2 without record 202 tests; paced records are left out.",
    "kfold": "By patient, one group of them tests and the others train; paced records are left out.",
}
LOSSES = {"accuracy": "accuracy", "macro_f1": "macro F1", "kappa": "kappa", "j_kappa": "j-kappa"}


def model_card(facts: Mapping[str, Any]) -> str:
    """The card as Markdown, from the content of export.json."""
    model = facts["model"]
    parts = [
        [f"# {model['model']}, epoch {model['epoch']} of {model['run']}", "", model["note"]],
        ["## What it does", "", *_interface(facts)],
        ["## How to use it", "", *_use(facts)],
        ["## Data", "", *_data(facts)],
        ["## Scores on the test rows", "", "```", *_scores(facts), "```"],
        ["## In 8 bits", "", *_int8(facts)],
        ["## Limits", "", *(f"- {line}" for line in _limits(facts))],
        ["## Where it comes from", "", *_origin(facts)],
    ]
    return "\n\n".join("\n".join(lines).strip() for lines in parts) + "\n"


def _interface(facts: Mapping[str, Any]) -> list[str]:
    model, row = facts["model"], facts["model"]["row"]
    classes = ", ".join(f"{letter} ({name})" for letter, name in zip(model["symbols"], model["classes"], strict=True))
    rows = ["| | name | shape | |", "|---|---|---|---|"]
    notes = {"row": f"float32; {row['steps']}", "features": f"float32; {', '.join(row.get('feature_names', []))}"}
    notes["logits"] = f"float32; of {classes}"
    for name, shape in facts["inputs"].items():
        kind = "output" if name == "logits" else "input"
        rows.append(f"| {kind} | `{name}` | {' x '.join(map(str, shape))} | {notes[name]} |")
    return [
        f"Names a heartbeat from {row['length']} samples at {row['fs']:g} Hz; trained on lead {row['lead']}.",
        "",
        *rows,
        "",
        f"ONNX opset {facts['opset']}, any batch. Both files say all of this in their metadata, and the temperature, "
        f"{model['temperature']:.4g}: softmax(logits / temperature) are the calibrated probabilities, softmax(logits) "
        "those of `--predict`.",
    ]


def _use(facts: Mapping[str, Any]) -> list[str]:
    row = facts["model"]["row"]
    plain = row["kind"] == "kaggle" and not row["features"] and row["in_channels"] == 1
    if not (plain or (row["kind"] == "window" and row["beats"] == 1)):  # see OnnxClassifier
        return [f"`{MODEL}` and `{INT8}` run in any ONNX runtime; `--predict` does not cut such rows from recordings."]
    return [
        "```bash",
        "pip install onnxruntime",
        f"{' '.join(program_words())} --predict RECORDING --engine onnx --model-file {MODEL}",
        "```",
    ]


def _data(facts: Mapping[str, Any]) -> list[str]:
    model, counts = facts["model"], facts["rows"]
    split = SPLITS[model["split"]]
    if model["split"] == "kfold" and "patients" not in facts["data"] and "records" in facts["data"]:
        split = BY_RECORD
    lines = [SYNTHETIC if model["dataset"].startswith("synthetic") else MITDB, "", split]
    if patients := facts["data"].get("patients"):
        lines[-1] += " Patients: " + ", ".join(f"{part} {len(names)}" for part, names in patients.items()) + "."
    lines += ["", f"| beats | {' | '.join(counts)} |", f"|---{'|---:' * len(counts)}|"]
    for k, name in enumerate(model["classes"]):
        lines.append(f"| {name} | {' | '.join(f'{part[k]:,}' for part in counts.values())} |")
    lines.append(f"| all | {' | '.join(f'{sum(part):,}' for part in counts.values())} |")
    return [*lines, "", f"Source: {facts['data']['source']}; fingerprint `{facts['data']['fingerprint']}`."]


def _scores(facts: Mapping[str, Any]) -> list[str]:
    lines = as_lines({**facts["test"], "calibration": facts["calibration"]})
    return lines[1:] if lines and not lines[0] else lines


def _int8(facts: Mapping[str, Any]) -> list[str]:
    int8, files = facts["int8"], facts["files"]
    floats, bits = (next(iter(of["test"]["maps"].values())) for of in (facts, int8))
    lines = [
        f"`{INT8}` ({files[INT8]['bytes']:,} bytes, `{MODEL}` {files[MODEL]['bytes']:,}) keeps "
        f"{percent(int8['weights_int8'])} of the weights as 8 bit integers ({int8['method']}). It calls "
        f"{percent(int8['called_alike'])} of the test rows as the model in floats does.",
        "",
        f"| test | `{MODEL}` | `{INT8}` | loss |",
        "|---|---:|---:|---:|",
    ]
    for key, loss in int8["loss"].items():
        lines.append(f"| {LOSSES[key]} | {floats[key]['value']:.4f} | {bits[key]['value']:.4f} | {loss:+.4f} |")
    return [*lines, "", f"The way was chosen on {int8['chosen_on']}, the ranges are those of training rows."]


def _limits(facts: Mapping[str, Any]) -> list[str]:
    model, counts = facts["model"], facts["rows"]["test"]
    rarest = min(range(len(counts)), key=lambda k: counts[k])
    lines = [
        "For research and teaching. It is no medical device; nothing it says is a diagnosis.",
        *facts["warnings"],
        "Scores are of beats whose R peaks the reference gave; beats that a detector misses or invents come on top.",
        f"The rarest class of the test rows, {model['classes'][rarest]}, has {counts[rarest]:,} of {sum(counts):,}: "
        "its figures are the least certain.",
    ]
    if not model["dataset"].startswith("synthetic"):
        lines += [
            "Few patients, one hospital, one kind of recorder: other populations, devices and leads were not tested.",
            "Escape beats (e, j) count as Normal (de Chazal et al. 2004), which EC57 has as Supraventricular ectopic.",
        ]
    if facts["calibration"]["temperature"] is None:
        lines.append("There were no validation rows apart from the test rows: no temperature was fitted.")
    return lines


def _origin(facts: Mapping[str, Any]) -> list[str]:
    model, verified = facts["model"], facts["verified"]
    trained, by = model["trained_by"].get("commit"), model["exported_by"]
    away = ", ".join(f"{value:.1e} at batch {size}" for size, value in verified["difference"].items())
    changed = " with changes" if by["dirty"] else ""
    return [
        f"- Checkpoint `{model['checkpoint']['file']}`, SHA-256 `{model['checkpoint']['sha256']}`.",
        f"- Trained by commit {trained or 'unknown'}, exported by {by['commit'] or 'unknown'}{changed}; "
        f"{', '.join(f'{name} {version}' for name, version in by['versions'].items())}.",
        f"- Largest difference of a logit from torch's over {verified['rows']:,} test rows: {away} (limit "
        f"{verified['limit']:g}).",
    ]
