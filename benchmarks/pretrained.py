"""Write the folder pretrained: of each network a checkpoint, an ONNX file and a card; the list of SHA-256.

python -m benchmarks.pretrained [two-lead=RUN] [one-lead=RUN] [live=RUN]

RUN is the folder of a finished run, or its model_best.pth.tar. What is said of a network (its training data, its
figures, its limits, its --adapt) stands in pretrained/networks.json and is kept; its origin is written there. Without
any RUN the cards and the list are written anew. A checkpoint is cut down to what annotates and what --pretrained
starts from.
"""

from __future__ import annotations

import argparse
import copy
import io
import re
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import ROOT, make_parser, run_program
from inference.load import load_classifier
from inference.options import PRETRAINED
from inference.pretrained import CHECKPOINT, FACTS, ONNX, SUMS
from inference.torch_classifier import TorchClassifier, adaptation_metadata
from loaders.beats.features.table import names_of
from loaders.datasets.summary import row_of
from loaders.options import SourceOptions
from models.layers import fold_batch_norm
from toolbox.export.onnx_export import model_metadata
from toolbox.export.onnx_file import open_session
from toolbox.export.onnx_graph import LARGEST_DIFFERENCE, add_metadata, convert
from toolbox.runs.checkpoint import BEST, FORMAT, add_checksum, load_checkpoint
from toolbox.runs.checkpoint_checks import check_whole
from toolbox.utils import UserError, atomic_write, read_json, sha256_of, write_json

FOLDER = ROOT / "pretrained"
LARGEST = 100_000  # bytes of a file
PLACES = ("pretrained", "import_weights", "patients", "physionet_url", "gdrive_url")  # flags of the maker's files
DATABASE = re.compile(r"^(?:.*/)?([^/]+)$")  # a folder of records, of which the name stays


def small_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a run's checkpoint that annotate and that --pretrained starts from: weights, classes, flags, rows,
    without the maker's folders."""
    log, options = state["log"], dict(state["log"]["options"])
    for name in (*(one.name for one in fields(SourceOptions)), *PLACES):
        if isinstance(options.get(name), str) and ("/" in options[name] or name in PLACES):
            options[name] = None
    for name in ("train_on", "test_on"):
        if options.get(name):
            options[name] = [DATABASE.sub(r"\1", text) for text in options[name]]
    data = {key: value for key, value in log["info"].get("data", {}).items() if key not in ("source", "cache")}
    info = {"parameters": log["info"].get("parameters"), "data": {**data, "source": "raw records"}}
    name, day = DATABASE.sub(r"\1", log["name"]), log["date_and_time"]
    kept = {"name": name, "date_and_time": day, "options": options, "info": info, "logged": {"train": [], "val": []}}
    return {
        "format": FORMAT,
        **{key: state[key] for key in ("epoch", "model", "best", "class_names")},
        "live": None,
        "averaged": 0,
        "optimizer": {},
        "schedule": {"last_epoch": state["epoch"]},
        "order": torch.zeros(0, dtype=torch.int64),
        "losses": None,
        "within": None,
        "generators": {},
        "log": kept,
    }


def check_places(state: Mapping[str, Any]) -> None:
    """Refuse plain values that name folders of the machine that trained.

    Raises:
        UserError: which.
    """
    texts = re.findall(r"'(/[^']*|~[^']*)'", repr({key: value for key, value in state.items() if key != "model"}))
    if texts:
        raise UserError(f"the checkpoint names folders of this machine: {', '.join(sorted(set(texts))[:5])}")


def onnx_of(classifier: TorchClassifier, state: Mapping[str, Any], git: Mapping[str, Any], checkpoint: Path) -> bytes:
    """The network as an ONNX file, its logits compared with torch's on random numbers of the training's spread.

    Raises:
        UserError: they differ.
    """
    spec = classifier.input_spec
    if spec is None:
        raise UserError("the network reads Kaggle's rows; expected one of windows (--context window)")
    shape = spec.shape()
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn((512, shape["in_channels"], shape["length"]), generator=generator)
    inputs: tuple[torch.Tensor, ...] = (rows,)
    if shape["features"]:
        values = torch.randn((512, shape["features"]), generator=generator)
        weights = classifier.model.state_dict()
        inputs = (rows, values * weights["spread"] + weights["center"] if "spread" in weights else values)
    content = convert(fold_batch_norm(copy.deepcopy(classifier.model)), tuple(part[:2] for part in inputs))
    session = open_session(content)
    arrays = dict(zip(("row", "features"), (part.numpy() for part in inputs), strict=False))
    read = {one.name: arrays[one.name] for one in session.get_inputs()}
    with torch.inference_mode():
        away = float(np.abs(session.run(None, read)[0] - classifier.model(*inputs).numpy()).max())
    if not away <= LARGEST_DIFFERENCE:
        raise UserError(f"a logit of the ONNX file is {away:.2g} away from torch's, more than {LARGEST_DIFFERENCE:g}")
    row = row_of(spec.to_plain(), {**shape, "beats": 1}, names_of(spec.features, spec.leads))
    options = {**state["log"]["options"], "resume": "best"}
    config = {"name": state["log"]["name"], "git": dict(git)}
    metadata = model_metadata(config, options, state["class_names"], row, state["epoch"], checkpoint)
    metadata |= adaptation_metadata(classifier.model, classifier.adapt)
    return add_metadata(content, {**metadata, "temperature": 1.0, "precision": "fp32"})


def put(name: str, run: Path, facts: dict[str, Any]) -> None:
    """Write both files of a network from a run, and its origin into the facts."""
    source = run / BEST if run.is_dir() else run
    state = load_checkpoint(source)
    check_whole(state, source)
    config = read_json(source.with_name("config.json"))
    small = small_state(state)
    small["log"]["options"]["adapt"] = facts["adapt"]  # a decision after the network, not a matter of its training
    check_places(small)
    buffer = io.BytesIO()
    torch.save(small, buffer)
    path = FOLDER / f"{name}{CHECKPOINT}"
    write_small(path, add_checksum(buffer.getvalue()))
    classifier = load_classifier(path)
    if not isinstance(classifier, TorchClassifier) or classifier.input_spec is None:
        raise UserError(f"{run}: expected a network of windows (--context window)")
    write_small(FOLDER / f"{name}{ONNX}", onnx_of(classifier, small, config.get("git", {}), path))
    facts["leads"] = classifier.input_spec.leads
    facts["origin"] = {
        "run": small["log"]["name"],
        "epoch": small["epoch"],
        "commit": config.get("git", {}).get("commit"),
        "weights": sum(part.numel() for key, part in small["model"].items() if part.is_floating_point()),
        "recordings": small["log"]["info"]["data"].get("records", {}).get("train", []),
    }


def write_small(path: Path, content: bytes) -> None:
    """Write a file of the folder; UserError where it is larger than one is to be."""
    if len(content) > LARGEST:
        raise UserError(f"{path.name} has {len(content):,} bytes, at most {LARGEST:,} are kept")
    with atomic_write(path) as handle:
        handle.write(content)


def card(name: str, facts: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """The model card of a network, as Markdown."""
    origin = facts["origin"]
    figures = [f"| {one['of']} | {' | '.join(one['scores'])} | {one['from']} |" for one in facts["figures"]]
    files = [f"| `{file}` | {(FOLDER / file).stat().st_size:,} | `{digest}` |" for file, digest in digests.items()]
    lines = [
        f"# {name}",
        "",
        "For research and teaching. It is no medical device; nothing it says is a diagnosis.",
        "",
        f"**For** {facts['for']} {facts['reads']}",
        "",
        f"**Trained on** {facts['trained_on']}.",
        "",
        f"**Read with** `--adapt {facts['adapt']}`, unless the flag says otherwise.",
        "",
        "```bash",
        facts["command"],
        f"python -m benchmarks.pretrained {name}=RUN",
        "```",
        "",
        f"Run `{origin['run']}`, epoch {origin['epoch']}, {origin['weights']:,} weights and numbers of scaling; commit "
        f"{origin['commit']}. It learned from {by_database(origin['recordings'])}.",
        "",
        "## Figures",
        "",
        f"In per cent, of patients that it has not learned from. {facts['protocol']}",
        "",
        f"| | {' | '.join(facts['columns'])} | from |",
        f"|---|{'---|' * len(facts['columns'])}---|",
        *figures,
        "",
        "## Limits",
        "",
        facts["limits"],
        *(f"- {text}" for text in facts["more_limits"]),
        "",
        "## Files",
        "",
        "| file | bytes | SHA-256 |",
        "|---|---|---|",
        *files,
    ]
    return "\n".join(lines) + "\n"


def by_database(names: list[str]) -> str:
    """Names of recordings as "mitdb 101 106; svdb 800": each database once."""
    groups: dict[str, list[str]] = {}
    for name in names:
        database, _, record = name.rpartition("/")
        groups.setdefault(database or "mitdb", []).append(record)
    return "; ".join(f"{database} {' '.join(records)}" for database, records in groups.items())


def write_cards() -> None:
    """Write the cards and the list of SHA-256 of the files that are there."""
    every = read_json(FOLDER / FACTS)
    sums = []
    for name in PRETRAINED:
        digests = {f"{name}{kind}": sha256_of(FOLDER / f"{name}{kind}") for kind in (CHECKPOINT, ONNX)}
        sums += [f"{digest}  {file}" for file, digest in digests.items()]
        with atomic_write(FOLDER / f"{name}.md") as handle:
            handle.write(card(name, every[name], digests).encode())
    with atomic_write(FOLDER / SUMS) as handle:
        handle.write(("\n".join(sums) + "\n").encode())


def parse(argv: list[str] | None = None) -> Namespace:
    """The flags."""
    parser = make_parser(__doc__, records=False)
    parser.add_argument("networks", nargs="*", type=name_and_run, metavar="NAME=RUN")
    return parser.parse_args(argv)


def name_and_run(text: str) -> tuple[str, Path]:
    """An argparse type: a network's name and a run, as "live=ecg_data/ecg/runs/NAME"."""
    name, _, run = text.partition("=")
    if name not in PRETRAINED or not run:
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=RUN, NAME one of {', '.join(PRETRAINED)}")
    return name, Path(run)


def main() -> None:
    """Write the networks that are named, then all cards."""
    every = read_json(FOLDER / FACTS)
    for name, run in parse().networks:
        put(name, run, every[name])
    write_json(FOLDER / FACTS, every, indent=1)
    write_cards()
    print(f"written {FOLDER}")


if __name__ == "__main__":
    run_program(main)
