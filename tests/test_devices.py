"""Train, resume, test and predict on a device that is not the CPU, and get what the CPU gives.

The device is that of tests/second_device.py, which says what it does not prove. Networks run in float32, their batches
are gathered in the main process, and tensors agree with those of the CPU up to rounding, classes exactly.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import commander
import commands.build
import toolbox.utils.device
from args import parse_args
from inference.torch_classifier import TorchClassifier
from loaders import get_loader
from models import list_models, takes
from tests.second_device import second_device
from tests.stopped import stop_at_save
from toolbox.runs.checkpoint import load_checkpoint

DATA = ["--dataset", "synthetic", "--synthetic-patients", "3", "--synthetic-minutes", "1"]
TRAIN = ["--batch-size", "64", "--lr", "0.003", "--precision", "fp32", "--workers", "0"]
WINDOW = ["--context", "window", "--features", "rr", "--leads", "2"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROOT with the caches of both kinds of rows, and a WFDB record to annotate in ROOT/records."""
    root = tmp_path_factory.mktemp("devices")
    commander.main(["--prepare", "--root-dir", str(root), *DATA, "--write-records", str(root / "records")])
    commander.main(["--prepare", "--root-dir", str(root), *DATA, *WINDOW])
    return root


@pytest.fixture
def new_root(prepared: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A function that gives a ROOT without runs, its caches and records those of `prepared`."""

    def make(name: str = "root") -> Path:
        root = tmp_path / name
        (root / "synthetic").mkdir(parents=True)
        (root / "synthetic" / "cache").symlink_to(prepared / "synthetic" / "cache")
        (root / "records").symlink_to(prepared / "records")
        return root

    return make


@pytest.fixture
def use_device(monkeypatch: pytest.MonkeyPatch) -> Callable[[torch.device], None]:
    """A function that lets all commands work on another device than the best there is."""
    original, chosen = toolbox.utils.device.pick_device, [torch.device("cpu")]
    assert commands.build.pick_device is original  # else it would keep this fixture's device for good
    for module in list(sys.modules.values()):
        if vars(module).get("pick_device") is original:
            monkeypatch.setattr(module, "pick_device", lambda *_, **__: chosen[0])
    return lambda device: chosen.__setitem__(0, device)


@pytest.fixture
def second(use_device: Callable[[torch.device], None]) -> Iterator[torch.device]:
    """The second device, and all commands work on it."""
    with second_device() as device:
        use_device(device)
        yield device


def train(root: Path, *flags: str) -> Path:
    """Train as `flags` say; the run's folder."""
    return Path(commander.main(["--root-dir", str(root), *DATA, *TRAIN, *flags])["run"])


def resume(root: Path, *flags: str) -> dict[str, Any]:
    """Go on with the only run in `root`."""
    return commander.main(["--root-dir", str(root), "--resume", "latest", "--workers", "0", *flags])


def score(root: Path) -> dict[str, Any]:
    """Test the only run in `root`; its scores."""
    return commander.main(["--root-dir", str(root), "--test", "--resume", "latest", "--workers", "0"])["test"]


def read(path: Path) -> Any:
    """The JSON in a file."""
    return json.loads(path.read_text())


def work(root: Path, model: str, *flags: str) -> dict[str, Any]:
    """Train `model` for an epoch, resume for another, test and annotate a recording; all that is to be compared."""
    run = train(root, "--model-name", model, "--epochs", "1", *flags)
    resume(root, "--epochs", "2")
    scores = score(root)
    commander.main(["--root-dir", str(root), "--predict", str(root / "records" / "syn00.hea"), "--out", str(root)])
    beats = pd.read_csv(root / "syn00.ecg.csv", comment="#", keep_default_na=False)
    return {
        "validation": [read(run / "res" / f"val_results_list_ep{epoch}.json") for epoch in (1, 2)],
        "test": read(run / "pred" / "test_results_list_ep2.json"),
        "confusion": scores["confusion"],
        "beats": beats["class"].tolist(),
        "probabilities": torch.from_numpy(beats[["p_N", "p_S", "p_V", "p_F", "p_Q"]].to_numpy()),
        "weights": load_checkpoint(run / "checkpoint.pth.tar")["model"],
    }


@pytest.mark.parametrize("model", list_models())
def test_a_model_gives_the_same_classes_on_both_devices(
    model: str, new_root: Callable[[str], Path], use_device: Callable[[torch.device], None]
) -> None:
    flags = ["--sampler", "equal", *(WINDOW if model in takes("features") else [])]
    expected = work(new_root("cpu"), model, *flags)
    with second_device() as device:
        use_device(device)
        got = work(new_root("second"), model, *flags)
    assert len(expected["beats"]) > 50
    torch.testing.assert_close(got.pop("weights"), expected.pop("weights"), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(got.pop("probabilities"), expected.pop("probabilities"), rtol=0, atol=3e-4)
    assert got == expected


@pytest.mark.parametrize(
    "flags",
    [
        "--model-name cnn1d_3 --augment strong --mixup 0.2 --class-balance effective --criterion focal",
        "--model-name mlp --sampler patients --ema 0.9 --accumulate 2 --clip-grad 1",
        "--model-name resnet1d_10 --prune 0.3 --progressive 60 --scheduler onecycle --optimizer adamw",
        "--model-name resnet1d_gru --context window --features rr --neighbours 1 --augment invert+droprr+noise",
        "--model-name gru_seq --masking --criterion logitadjusted --optimizer sgd --scheduler cosine",
        "--model-name lstm_1 --criterion bce --scheduler ReduceLROnPlateau --class-balance importance --augment light",
        "--model-name cnn1d_3 --tensorboard --sampler importance --scheduler ExponentialLR --verbose",
    ],
    ids=lambda flags: "_".join(flag for flag in flags.split() if not flag.startswith("-")),
)
def test_options_of_training_on_the_device(flags: str, new_root: Callable[[], Path], second: torch.device) -> None:
    root = new_root()
    run = train(root, "--epochs", "2", *flags.split())
    entries = read(run / "logger.json")["logged"]["val"]
    assert [entry["epoch"] for entry in entries] == [1, 2]
    assert all(0 <= entry["acc1"] <= 1 for entry in entries)
    rows = sum(map(sum, score(root)["confusion"]))
    assert rows == len(read(run / "pred" / "test_results_list_ep2.json")) > 40


def test_an_epoch_is_resumed_in_its_middle_on_the_device(new_root: Callable[[str], Path], second: torch.device) -> None:
    """The weights are those of a training that was never stopped, to the bit: both were computed on the same device."""
    flags = ("--model-name", "mlp", "--batch-size", "16", "--epochs", "2", "--ema", "0.9")
    whole = load_checkpoint(train(new_root("whole"), *flags) / "checkpoint.pth.tar")

    root = new_root("stopped")
    saved = stop_at_save(3, lambda: train(root, *flags, "--checkpoint-minutes", "1e-9"))
    assert load_checkpoint(saved)["within"] is not None
    resume(root)
    resumed = load_checkpoint(saved)
    for part in ("model", "live"):
        assert whole[part].keys() == resumed[part].keys()
        assert all(torch.equal(whole[part][name], value) for name, value in resumed[part].items())


def test_a_run_of_one_device_goes_on_on_the_other(
    new_root: Callable[[], Path], use_device: Callable[[torch.device], None]
) -> None:
    root = new_root()
    train(root, "--model-name", "lstm_1", "--epochs", "1")
    with second_device() as device:
        use_device(device)
        assert resume(root, "--epochs", "2")["epoch"] == 2
    use_device(torch.device("cpu"))
    assert resume(root, "--epochs", "3")["epoch"] == 3


def test_rows_on_the_device_are_taken_by_positions_on_the_cpu(prepared: Path, second: torch.device) -> None:
    """The first line of every training on a GPU was a read like this, and failed."""
    part = get_loader(parse_args(["--root-dir", str(prepared), "--model-name", "mlp", *DATA])).val
    expected = part[1]
    part.to(second)
    assert part.x.device == part.rows.device == second
    got = part[1]
    assert got.x.device == second
    assert torch.equal(got.x.cpu(), expected.x)
    assert got.ids.tolist() == expected.ids.tolist()


def test_a_classifier_answers_rows_of_numpy_from_the_device(second: torch.device) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(187, 5))
    rows = torch.rand(3, 187).numpy()
    names = ("N", "S", "V", "F", "Q")
    expected = TorchClassifier(model, names, "net", device=torch.device("cpu")).probabilities(rows)
    classifier = TorchClassifier(model, names, "net", device=second)
    assert next(classifier.model.parameters()).device == second
    assert classifier.probabilities(rows) == pytest.approx(expected, abs=1e-6)


def test_the_device_refuses_tensors_of_the_cpu(second: torch.device) -> None:
    rows = torch.rand(4, 3).to(second)
    with pytest.raises(RuntimeError, match="second:0 and on the CPU"):
        rows + torch.ones(3)
    with pytest.raises(RuntimeError, match="second:0 and on the CPU"):
        rows.index_select(0, torch.tensor([1]))
    with pytest.raises(TypeError, match="numpy"):
        rows.numpy()
    assert (rows + torch.tensor(1.0)).device == second  # a single number may cross, as with CUDA


@pytest.mark.parametrize("kind", [torch.nn.GRU, torch.nn.LSTM])
def test_recurrent_cells_of_the_device_have_the_values_and_gradients_of_the_cpu(
    kind: type[torch.nn.RNNBase], second: torch.device
) -> None:
    torch.manual_seed(0)
    here = kind(3, 4, batch_first=True, bidirectional=True).double()
    there = kind(3, 4, batch_first=True, bidirectional=True).double()
    there.load_state_dict(here.state_dict())
    there.to(second)
    rows = torch.rand(2, 5, 3, dtype=torch.float64)
    expected, got = here(rows)[0], there(rows.to(second))[0]
    expected.square().sum().backward()
    got.square().sum().backward()
    torch.testing.assert_close(got.detach().cpu(), expected.detach())
    for name, parameter in here.named_parameters():
        torch.testing.assert_close(there.get_parameter(name).grad.cpu(), parameter.grad)
