"""--export onnx: every network, checked against torch, in floats and in 8 bits, with metadata and a model card."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import commander
from inference.onnx_classifier import OnnxClassifier
from loaders.beats.input_spec import InputSpec
from loaders.datasets.batches import Batch
from models import MODELS, get_model, takes
from models.layers import fold_batch_norm
from tests.conftest import ROOT, SMALL
from tests.made import exported
from toolbox.export import onnx_file as onnx_model
from toolbox.export import onnx_graph as exporter
from toolbox.export import quantize as quantizer
from toolbox.export.onnx_file import CARD, FACTS, INT8, MODEL, open_session
from toolbox.export.onnx_graph import add_metadata, convert, onnx_logits, session_inputs, torch_logits
from toolbox.export.own_files import check_own
from toolbox.runs.checkpoint import load_checkpoint, save_checkpoint
from toolbox.utils import UserError, read_json, sha256_of, write_json

BESIDE = {"in_channels": 6, "length": 120, "features": 5, "beats": 3}
CASES: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    *((name, {}, {}) for name in MODELS),
    *((name, {"masking": True}, {}) for name in takes("masking")),
    *((name, {}, BESIDE) for name in takes("features")),
]


def trained(name: str, flags: dict[str, Any], shape: dict[str, int]) -> nn.Module:
    """A network whose weights and normalisations are those of no start, so that nothing cancels out."""
    torch.manual_seed(0)
    model = get_model(Namespace(model_name=name, num_classes=5, **flags), **shape)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            for part, low in ((module.weight, 0.5), (module.bias, -0.5), (module.running_var, 0.5)):
                nn.init.uniform_(part, low, low + 1)
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
    return model.eval()


def batch_of(rows: int, shape: dict[str, int], seed: int = 0) -> Batch:
    """Rows that end in zeros at different places, and the numbers beside them."""
    generator = torch.Generator().manual_seed(seed)
    samples = shape.get("length", 187)
    x = torch.rand(rows, shape.get("in_channels", 1), samples, generator=generator)
    ends = torch.randint(samples // 3, samples + 1, (rows, 1, 1), generator=generator)
    x = x * (torch.arange(samples) < ends)
    beside = shape["features"] * shape["beats"] if shape else 0
    features = torch.randn(rows, beside, generator=generator) if beside else None
    return Batch(x, torch.zeros(rows, dtype=torch.int64), torch.arange(rows), features)


@pytest.mark.parametrize(("name", "flags", "shape"), CASES, ids=lambda part: part if isinstance(part, str) else "")
def test_every_network_gives_torchs_logits_in_any_batch_and_fits_into_8_bits(
    name: str, flags: dict[str, Any], shape: dict[str, int]
) -> None:
    model = trained(name, flags, shape)
    folded = fold_batch_norm(trained(name, flags, shape))
    content = convert(folded, batch_of(2, shape).inputs(torch.device("cpu")))
    assert onnx.load_from_string(content).opset_import[0].version == exporter.OPSET
    session = open_session(content)
    for size in (1, 7, 64):
        rows = [batch_of(size, shape, seed=size)]
        assert np.abs(onnx_logits(session, rows) - torch_logits(model, rows)).max() <= 1e-5
    rows = [batch_of(64, shape)]
    spread = torch_logits(model, rows).std()
    for way, small in quantizer.quantized(content, [session_inputs(batch_of(16, shape, seed=1), session)]).items():
        least = {"gru": 0, "seq": 0, "mlp": 0.7}  # its scaling and what torch gives for recurrent cells stay floats
        assert quantizer.share_of_int8(small) > least.get(name[-3:], 0.9), way
        assert np.abs(onnx_logits(open_session(small), rows) - torch_logits(model, rows)).mean() < 0.5 * spread


class Branching(nn.Module):
    """What ONNX has no operator for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0, :5] + torch.linalg.svdvals(x[:, 0])[0]


def test_a_network_that_cannot_be_exported_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="Branching cannot be exported to ONNX: ") as caught:
        convert(Branching(), (torch.rand(4, 1, 187),))
    assert "\n" not in str(caught.value)


class Stuck(nn.Module):
    """Knows one batch only: the tracer takes its mean for a constant."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0, :5] + float(x.mean())


def test_logits_that_are_not_torchs_are_refused() -> None:
    model, batches = Stuck().eval(), lambda size: [batch_of(size, {}, seed=3)]
    session = open_session(convert(model, batch_of(2, {}).inputs(torch.device("cpu"))))
    with pytest.raises(UserError, match=r"at batch 1, logit \d of test row 0 is .* away from torch's"):
        exporter.verify(session, torch_logits(model, batches(1)), batches)


def test_logits_that_are_no_numbers_are_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(187, 5)).eval()
    nn.init.constant_(model[1].bias, float("nan"))
    session = open_session(convert(model, batch_of(2, {}).inputs(torch.device("cpu"))))
    with pytest.raises(UserError, match="at batch 1"):
        exporter.verify(session, torch_logits(model, [batch_of(1, {})]), lambda size: [batch_of(size, {})])


def test_of_the_ways_to_8_bits_the_one_that_loses_least_is_taken_unless_it_leaves_floats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = np.arange(40) % 4
    right = np.eye(4)[labels]
    wrong = right.copy()
    wrong[:8] = np.roll(right[:8], 1, axis=1)
    answers = {b"bad": wrong, b"good": right, b"float": right}
    shares = {b"bad": 0.95, b"good": 0.93, b"float": 0.1}
    monkeypatch.setattr(quantizer, "share_of_int8", lambda content: shares[content])
    ways = {"one": b"bad", "other": b"good"}
    choice = quantizer.choose(ways, right, labels, lambda content: answers[content])
    assert choice["method"] == "other" and choice["candidates"]["one"]["accuracy_loss"] == pytest.approx(0.2)
    choice = quantizer.choose({"one": b"bad", "none": b"float"}, right, labels, lambda content: answers[content])
    assert choice["method"] == "one"


# the command


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("root"))


def run_of(root: Path) -> Path:
    (run,) = (path for path in (root / "synthetic" / "runs").iterdir() if path.is_dir())
    return run


def test_the_command_leaves_two_models_their_figures_and_a_card(root: Path) -> None:
    run = run_of(root)
    folder, best = run / "export", run / "model_best.pth.tar"
    assert {path.name for path in folder.iterdir()} == {MODEL, INT8, FACTS, CARD}
    facts = read_json(folder / FACTS)
    assert set(facts["verified"]["difference"]) == {"1", "7", "512"}
    assert max(facts["verified"]["difference"].values()) <= 1e-4
    assert facts["verified"]["rows"] == sum(facts["rows"]["test"])
    for name in (MODEL, INT8):
        assert facts["files"][name] == {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        model = onnx.load(folder / name)
        onnx.checker.check_model(model, full_check=True)
        texts = {entry.key: entry.value for entry in model.metadata_props}
        assert json.loads(texts["classes"]) == facts["model"]["classes"] and json.loads(texts["symbols"]) == list(
            "NSVFQ"
        )
        assert json.loads(texts["checkpoint"]) == {"which": "best", "file": best.name, "sha256": sha256_of(best)}
        assert texts["run"] == run.name and texts["model"] == "resnet1d_lean" and float(texts["fs"]) == 120
        assert texts["lead"] == "MLII" and float(texts["temperature"]) == facts["calibration"]["temperature"]
        assert json.loads(texts["row"])["length"] == 187 and texts["precision"].startswith(("fp32", "int8"))
    assert facts["files"][INT8]["bytes"] < 0.5 * facts["files"][MODEL]["bytes"]


def test_its_scores_are_those_of_test(root: Path) -> None:
    facts = read_json(run_of(root) / "export" / FACTS)
    results = commander.main(["--test", "--root-dir", str(root), "--resume", "best"])
    tested = results["patients"]["maps"]
    for name, result in facts["test"]["maps"].items():
        assert result["confusion"] == tested[name]["confusion"]
    assert facts["calibration"]["temperature"] == pytest.approx(results["patients"]["calibration"]["temperature"], 1e-3)
    floats, small = (next(iter(of["test"]["maps"].values())) for of in (facts, facts["int8"]))
    for key, loss in facts["int8"]["loss"].items():
        assert loss == floats[key]["value"] - small[key]["value"]
    assert facts["int8"]["chosen_on"] == "validation rows"


def test_the_card_says_data_split_scores_and_limits_as_they_are(root: Path) -> None:
    run = run_of(root)
    card, facts = (run / "export" / CARD).read_text(encoding="utf-8"), read_json(run / "export" / FACTS)
    accuracy = next(iter(facts["test"]["maps"].values()))["accuracy"]["value"]
    assert f"accuracy {100 * accuracy:.2f} %" in card and run.name in card
    for part in facts["rows"].values():
        assert f"| {part[0]:,} |" in card
    assert "Synthetic recordings" in card and "nothing it says is a diagnosis" in card
    assert all(warning in card for warning in facts["warnings"])
    assert f"| accuracy | {accuracy:.4f} |" in card and "MIT-BIH" not in card


def test_a_checkpoint_by_itself_gives_the_same_function(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "alone.pth.tar"
    shutil.copy(run_of(root) / "model_best.pth.tar", file)
    facts = commander.main(["--export", "onnx", "--model-file", str(file), "--root-dir", str(root)])
    assert (tmp_path / "export" / MODEL).is_file() and facts["model"]["checkpoint"]["file"] == file.name
    assert facts["test"] == read_json(run_of(root) / "export" / FACTS)["test"]
    inside = commander.main(
        ["--export", "onnx", "--model-file", str(run_of(root) / "checkpoint.pth.tar"), "--out", str(tmp_path / "x")]
    )
    assert inside["model"]["run"] == run_of(root).name and (tmp_path / "x" / CARD).is_file()


def test_weights_beyond_what_floats_hold_write_nothing(root: Path, tmp_path: Path) -> None:
    state = load_checkpoint(run_of(root) / "model_best.pth.tar")
    state["model"]["fc.weight"] = state["model"]["fc.weight"] * 1e8
    file = save_checkpoint(tmp_path / "huge.pth.tar", state)
    with pytest.raises(UserError, match=r"away from torch's, more than 0\.0001 is not taken; nothing was written"):
        commander.main(["--export", "onnx", "--model-file", str(file), "--root-dir", str(root)])
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize("name", ["resnet1d_fusion", "mlp"])
def test_windows_with_features_go_in_as_two_inputs(tmp_path: Path, name: str) -> None:
    flags = ["--dataset", "synthetic", "--model-name", name, "--epochs", "1", "--context", "window"]
    flags += ["--features", "rr", "--split", "kfold", "--fold", "1/2", "--root-dir", str(tmp_path), *SMALL]
    commander.main(flags)
    facts = commander.main(["--export", "onnx", "--root-dir", str(tmp_path)])
    assert list(facts["inputs"]) == ["row", "features", "logits"][name == "mlp" :]  # it reads features alone
    row = facts["model"]["row"]
    assert row["kind"] == "window" and row["recipe"]["before"] == 0.5 and row["fs"] == 120
    assert len(row["feature_names"]) == facts["inputs"]["features"][1] == row["features"]
    card = (Path(facts["run"]) / "export" / CARD).read_text(encoding="utf-8")
    assert all(name in card for name in row["feature_names"]) and "Patients: train" in card
    classifier = OnnxClassifier(Path(facts["run"]) / "export" / MODEL)
    assert classifier.input_spec == InputSpec("window", 0.5, 0.5, 120, 1, features=("rr",))
    rng = np.random.default_rng(0)
    rows, features = rng.random((5, 1, 120), dtype=np.float32), rng.random((5, 6), dtype=np.float32)
    probabilities = classifier.probabilities(rows, features)
    assert probabilities.shape == (5, 4) and probabilities.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--export", "onnx", "--test"], "--export writes a model"),
        (["--export", "onnx", "--predict", "x"], "--export writes a model"),
        (["--export", "onnx", "--seeds", "2"], "--export writes a model"),
        (["--export", "tflite"], "invalid choice"),
        (["--export", "onnx", "--engine", "onnx"], "--engine goes with --predict"),
        (["--export", "onnx", "--model-file", "a.onnx"], "expected a checkpoint"),
        (["--export", "onnx", "--version", "bump"], "bump"),
    ],
)
def test_flags_that_do_not_go_together(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        commander.main(flags)
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_an_export_that_fails_says_why_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def code(*argv: str) -> int:
        monkeypatch.setattr("sys.argv", ["commander.py", "--export", "onnx", "--root-dir", str(tmp_path), *argv])
        return commander.cli()

    assert code() == 2
    assert "no run fits" in capsys.readouterr().err
    (tmp_path / "broken.pth.tar").write_bytes(b"PK\x03\x04")
    assert code("--model-file", str(tmp_path / "broken.pth.tar")) == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert code() == 2
    assert capsys.readouterr().err == (
        "error: --export onnx needs the package onnx, which is missing: pip install pytorch-ecg[onnx], "
        "or in a checkout: pip install -r requirements-onnx.txt\n"
    )


def test_the_packages_are_pinned_and_come_with_those_of_the_tests() -> None:
    assert onnx_model.INSTALL.endswith("requirements-onnx.txt")
    lines = (ROOT / "requirements-onnx.txt").read_text().splitlines()
    assert sorted(line.partition("==")[0] for line in lines if "==" in line) == ["onnx", "onnxruntime"]
    assert "-r requirements-onnx.txt" in (ROOT / "requirements-dev.txt").read_text()


def test_onnx_reads_the_metadata_and_the_checksum_ends_the_file() -> None:
    content = convert(nn.Sequential(nn.Flatten(), nn.Linear(187, 5)), (torch.rand(2, 1, 187),))
    labelled = add_metadata(content, {"text": "as it is", "list": ["a", 1]})
    assert onnx_model.has_valid_checksum(labelled) and not onnx_model.has_valid_checksum(content)
    texts = {entry.key: entry.value for entry in onnx.load_from_string(labelled).metadata_props}
    assert texts["text"] == "as it is" and json.loads(texts["list"]) == ["a", 1] and len(texts["sha256"]) == 64


@pytest.mark.parametrize("name", [MODEL, INT8, FACTS, CARD])
def test_files_of_others_are_kept(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    for content in (b"of somebody else", b"{}", b""):
        (tmp_path / "out" / name).write_bytes(content)
        with pytest.raises(
            UserError, match=f"{name} is not as --export wrote it: it was changed since, or is another's"
        ):
            commander.main(["--export", "--root-dir", str(root), "--out", str(tmp_path / "out")])
        assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {name: content}


def test_an_export_is_renewed_unless_it_was_changed(root: Path, tmp_path: Path) -> None:
    folder = run_of(root) / "export"
    own = {name: (folder / name).read_bytes() for name in (MODEL, INT8, FACTS, CARD)}
    assert check_own(folder) == {name: sha256_of(folder / name) for name in own}
    facts = json.loads(own[FACTS])
    for before in ({CARD: sha256_of(folder / CARD)}, None):  # cut off; and of before cards were in export.json
        older = {key: value for key, value in facts["files"].items() if key != CARD}
        write_json(folder / FACTS, {**facts, "files": older, **({"before": before} if before else {})})
        check_own(folder)
    (folder / FACTS).write_bytes(own[FACTS])
    for name in (MODEL, INT8, CARD):
        (folder / name).write_bytes(own[name] + b" ")
        with pytest.raises(UserError, match=f"{name} is not as --export wrote it"):
            check_own(folder)
        (folder / name).write_bytes(own[name])
    check_own(folder)
