"""load_classifier: a network out of a run's folder, a checkpoint or an ONNX file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from inference import load_classifier
from inference.onnx_classifier import OnnxClassifier
from inference.torch_classifier import TorchClassifier
from tests.conftest import ROOT
from tests.made import FORBID_TORCH, exported, small_record, write_format
from toolbox.export.onnx_file import FOLDER, INT8, MODEL
from toolbox.runs.checkpoint import BEST, LATEST, load_checkpoint
from toolbox.utils import UserError

ROWS = np.random.default_rng(0).random((7, 187), dtype=np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with an export."""
    (folder,) = exported(tmp_path_factory.mktemp("root")).glob("synthetic/runs/*/")
    return folder


def test_a_run_is_its_best_checkpoint(run: Path) -> None:
    classifier = load_classifier(run)
    assert isinstance(classifier, TorchClassifier) and classifier.device == torch.device("cpu")
    best = load_checkpoint(run / BEST)
    assert classifier.name == f"resnet1d_lean, epoch {best['epoch']} of {run.name}"
    file = load_classifier(str(run / BEST))
    assert file.fingerprint() == classifier.fingerprint() and file.class_names == classifier.class_names
    assert np.array_equal(file.probabilities(ROWS), classifier.probabilities(ROWS))
    assert classifier.input_spec is None and len(classifier.class_names) == 5
    assert classifier.dataset == file.dataset == load_classifier(run, engine="onnx").dataset == "synthetic"


def test_which_of_a_run(run: Path) -> None:
    latest = load_classifier(run, which="latest")
    assert latest.name.startswith("resnet1d_lean, epoch 4 of ")
    assert latest.fingerprint() == load_classifier(run / LATEST).fingerprint()
    with pytest.raises(UserError, match=r"no checkpoint .*checkpoint_epoch3\.pth\.tar; there: "):
        load_classifier(run, which="3")


def test_an_onnx_file_and_a_run_s_export(run: Path) -> None:
    classifier = load_classifier(run / FOLDER / MODEL)
    assert isinstance(classifier, OnnxClassifier) and classifier.name.endswith("(ONNX)")
    assert np.allclose(classifier.probabilities(ROWS), load_classifier(run).probabilities(ROWS), atol=1e-5)
    assert load_classifier(run, engine="onnx").fingerprint() == classifier.fingerprint()
    assert load_classifier(run / FOLDER / INT8).fingerprint() != classifier.fingerprint()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("nowhere", {}, "no checkpoint .*nowhere; there: none"),
        ("nowhere.onnx", {}, "cannot read .*nowhere.onnx"),
        (".", {}, r"no checkpoint .*model_best\.pth\.tar"),
        (".", {"engine": "onnx"}, "has no export/model.onnx yet"),
        (".", {"engine": "tensorflow"}, "engine='tensorflow': expected 'auto', 'torch' or 'onnx'"),
    ],
)
def test_what_holds_no_network(tmp_path: Path, name: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_classifier(tmp_path / name, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["abacus", "cuda:77"])
def test_a_device_that_is_not_there(run: Path, device: str) -> None:
    with pytest.raises(UserError, match=rf"device {device}: torch cannot use it here; there are: .*cpu \("):
        load_classifier(run, device)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("window_before", "long", "is damaged: log.options.window_before is a str, expected int or float"),
        ("model_name", "perceptron", "unknown model 'perceptron'"),
        ("neighbours", 2, "reads neighbours' rows"),
    ],
)
def test_options_of_a_checkpoint_are_checked(run: Path, tmp_path: Path, key: str, value: object, said: str) -> None:
    state = load_checkpoint(run / BEST)
    state["log"]["options"][key] = value
    torch.save(state, tmp_path / "changed.pth.tar")
    with pytest.raises(UserError, match=said):
        load_classifier(tmp_path / "changed.pth.tar")


def test_a_checkpoint_of_before_a_flag_has_its_default(run: Path, tmp_path: Path) -> None:
    state = load_checkpoint(run / BEST)
    for key in ("context", "neighbours", "masking", "features", "spliced"):
        del state["log"]["options"][key]
    torch.save(state, tmp_path / "old.pth.tar")
    assert load_classifier(tmp_path / "old.pth.tar").fingerprint() == load_classifier(run).fingerprint()


PROGRAM = f"""{FORBID_TORCH}
import numpy as np
from inference import Stream, annotate, load_classifier
from toolbox.utils import UserError

run, recording = sys.argv[1:]
network = load_classifier(run + "/export/model.onnx")
table = annotate(recording, classifier=network)
beats = Stream(network, 360).push(np.zeros(360))
assert "torch" not in sys.modules
print(len(table), list(table.columns), beats)
try:
    load_classifier(run)
except UserError as error:
    print(error)
"""


def test_an_onnx_file_needs_no_torch(run: Path, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", small_record().digital, "16")
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(run), str(header)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    first, last = answer.stdout.splitlines()
    names = "['time_s', 'sample', 'rr_s', 'class', 'symbol', 'p_N', 'p_S', 'p_V', 'p_F', 'p_Q'] []"
    assert int(first.split()[0]) > 50 and first.endswith(names)
    assert last == (
        f"{run}: a checkpoint takes the package torch, which is missing; export it where torch is (--export onnx) and "
        "take the .onnx file"
    )
