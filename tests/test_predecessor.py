"""Users of the predecessor (2020): their checkpoints, their run folders, and scripts that import its names."""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import args
import commander
import trainer
from commands.imported import imported_classifier
from inference import load_classifier
from loaders import get_loader
from loaders.datasets.batches import Batches
from models import get_model, list_models
from tests.predecessor import OldCnn1d, save_checkpoint, write_run
from toolbox.logger import Experiment
from toolbox.losses import FocalLoss, get_criterion
from toolbox.metrics import AverageMeter, ConfusionMeter, evaluate, make_meters
from toolbox.optimizers import get_optimizer
from toolbox.plotter import plot_confusion_matrix, plot_roc_curve, save_plot
from toolbox.schedulers import get_scheduler
from toolbox.training.step import OptimizerStep
from toolbox.utils import UserError

DATA = ["--dataset", "synthetic", "--synthetic-patients", "3", "--synthetic-minutes", "1"]
NAMES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROOT with a cache of synthetic rows, and a record in ROOT/records. Tests leave no runs in it."""
    root = tmp_path_factory.mktemp("predecessor")
    commander.main(["--prepare", "--root-dir", str(root), *DATA, "--write-records", str(root / "records")])
    return root


@pytest.fixture
def network() -> OldCnn1d:
    """A network of the predecessor, its weights large enough for all classes to be called."""
    torch.manual_seed(3)
    network = OldCnn1d().eval()
    with torch.no_grad():
        network.fc1.weight.mul_(20)
    return network


@pytest.fixture
def old_file(network: OldCnn1d, tmp_path: Path) -> Path:
    """A checkpoint of that network, in a folder that says nothing else."""
    save_checkpoint(network, tmp_path / "old.pth.tar")
    return tmp_path / "old.pth.tar"


def run(root: Path, *argv: Any) -> dict[str, Any]:
    """Run a command line on the synthetic rows."""
    return commander.main([*DATA, "--root-dir", str(root), *map(str, argv)])


# checkpoints


def test_its_checkpoint_is_scored(
    root: Path, old_file: Path, network: OldCnn1d, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = get_loader(args.parse_args(["--model-name", "mlp", *DATA, "--root-dir", str(root)])).test
    x, _ = rows.inputs()
    with torch.no_grad():
        called = network(x).argmax(dim=1)
    expected = ConfusionMeter(5)
    expected.update(called, rows.labels())
    assert (expected.value().sum(axis=0) > 0).sum() > 1, "more than one class is called"
    argv = ["--model-name", "cnn1d_3", "--test", "--import-weights", old_file, "--precision", "fp32"]
    result = run(root, *argv, "--out", tmp_path / "scores")
    assert result["test"]["confusion"] == expected.value().tolist()
    assert f"cnn1d_3 of {old_file}, test scores:" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "scores" / "pred").iterdir()}
    assert {"test_results_ep0.json", "test_results_list_ep0.json", "cm_ep0.png", "scores_ep0.csv"} <= names
    assert not (root / "synthetic" / "runs").exists(), "no run is left"


def test_results_of_others_are_kept(root: Path, old_file: Path, tmp_path: Path) -> None:
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred" / "test_results_ep0.json").write_text("another's")
    with pytest.raises(UserError, match=r"pred is there already, and is kept; take another --out, or delete it"):
        run(root, "--model-name", "cnn1d_3", "--test", "--import-weights", old_file, "--out", tmp_path)
    assert [path.read_text() for path in (tmp_path / "pred").iterdir()] == ["another's"]


def test_its_checkpoint_annotates(root: Path, old_file: Path, network: OldCnn1d, tmp_path: Path) -> None:
    argv = ["--model-name", "cnn1d_3", "--import-weights", old_file, "--predict", root / "records" / "syn00.hea"]
    run(root, *argv, "--out", tmp_path)
    with open(tmp_path / "syn00.ecg.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) > 50
    options = args.parse_args(["--model-name", "cnn1d_3", "--import-weights", str(old_file), "--predict", "x"])
    classifier = imported_classifier(options, "cpu")
    assert classifier.class_names == NAMES
    rows = torch.rand(4, 187)
    with torch.no_grad():
        expected = network(rows[:, None]).exp().numpy()
    assert classifier.probabilities(rows.numpy()) == pytest.approx(expected, abs=1e-5)


def test_its_checkpoint_is_exported(root: Path, old_file: Path, network: OldCnn1d, tmp_path: Path) -> None:
    argv = ["--model-name", "cnn1d_3", "--import-weights", old_file, "--export", "onnx", "--out", tmp_path / "onnx"]
    run(root, *argv)
    rows = torch.rand(4, 187)
    with torch.no_grad():
        expected = network(rows[:, None]).exp().numpy()
    exported = load_classifier(tmp_path / "onnx" / "model.onnx")
    assert exported.probabilities(rows.numpy()) == pytest.approx(expected, abs=1e-4)


def test_the_file_gives_its_number_of_classes(
    root: Path, tmp_path: Path, old_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(OldCnn1d(2), tmp_path / "bin.pth.tar")
    options = args.parse_args(
        ["--model-name", "cnn1d_3", "--import-weights", str(tmp_path / "bin.pth.tar"), "--predict", "x"]
    )
    assert imported_classifier(options, "cpu").class_names == ("Normal", "Abnormal")
    save_checkpoint(OldCnn1d(3), tmp_path / "three.pth.tar")
    argv = ["--model-name", "cnn1d_3", "--test", "--import-weights"]
    with pytest.raises(UserError, match=r"three\.pth\.tar has 3 outputs; expected 5 classes"):
        run(root, *argv, tmp_path / "three.pth.tar")
    with pytest.raises(UserError, match=r"tells 2 classes apart \(Normal, Abnormal\), the data have 5"):
        run(root, *argv, tmp_path / "bin.pth.tar")
    capsys.readouterr()
    argv = ["--model-name", "cnn1d_3", "--epochs", "1", "--short-run", "--import-weights"]
    run(root, *argv, tmp_path / "bin.pth.tar", "--root-dir", tmp_path)
    line = f"warning: {tmp_path / 'bin.pth.tar'} tells 2 classes apart, the data have 5: the last layer begins anew"
    assert line in capsys.readouterr().err.splitlines()


def test_without_the_name_of_its_model(root: Path, old_file: Path) -> None:
    with pytest.raises(UserError, match=r"old\.pth\.tar: --model-name is missing; one of cnn1d_3, lstm_1"):
        run(root, "--test", "--import-weights", old_file)


# run folders


def test_its_run_folder_is_taken_for_its_best_weights(root: Path, network: OldCnn1d, tmp_path: Path) -> None:
    """The folder's config.json says of which model the weights are."""
    best = write_run(tmp_path / "ecg" / "runs" / "ecg_cnn1d_3_1", network)
    by_folder = run(root, "--test", "--import-weights", best.parent)
    by_file = run(root, "--test", "--import-weights", best, "--model-name", "cnn1d")
    assert by_folder["test"]["confusion"] == by_file["test"]["confusion"]
    assert by_folder["weights"] == str(best)


@pytest.mark.parametrize("without", ["config.json", "logger.json", None])
@pytest.mark.parametrize("command", [["--test", "--resume", "best", "--version", "latest"], ["--predict", "x"]])
def test_its_run_folder_is_named_with_the_commands_that_use_it(
    tmp_path: Path, network: OldCnn1d, command: list[str], without: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    best = write_run(tmp_path / "ecg" / "runs" / "ecg_cnn1d_3_opadam_1", network)
    if without:
        (best.parent / without).unlink()
    with pytest.raises(UserError) as caught:
        commander.main(["--model-name", "cnn1d_3", "--root-dir", str(tmp_path), *command])
    message = str(caught.value)
    assert f"{best.parent} is a run of this project's predecessor" in message
    assert f"--test --import-weights {best} --dataset ecg --model-name cnn1d_3;" in message
    assert "\n" not in message
    assert "missing or damaged" not in capsys.readouterr().err


def test_its_checkpoints_are_refused_elsewhere_with_the_flag_that_takes_them(old_file: Path, tmp_path: Path) -> None:
    for flags in (["--predict", "x", "--model-file"], ["--epochs", "1", "--model-name", "cnn1d_3", "--pretrained"]):
        with pytest.raises(UserError, match=r"holds pickled objects.*--import-weights .*old\.pth\.tar reads its"):
            run(tmp_path, *flags, old_file)


# scripts


@pytest.fixture
def options(root: Path) -> Namespace:
    """The flags of a script."""
    return args.parse_args(["--model-name", "cnn1d_3", *DATA, "--root-dir", str(root), "--batch-size", "32"])


def test_flags_name_and_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        sys, "argv", ["script.py", "--model-name", "lstm", "--lr", "0.001", "--root-dir", str(tmp_path)]
    )
    options = args.parse_args()
    assert (options.model_name, options.lr, options.num_classes) == ("lstm_1", 0.001, 5)
    assert args.extract_name(options) == "ecg_lstm_1_opadam_StepLR_lr0.001_nll_bs128_"
    assert args.get_version(options) == 1
    assert args.parse_args(["--model-name", "lstm", "--dataset", "ecg_bin"]).num_classes == 2
    assert args.parse_args(["--model-name", "lstm", "--split", "interpatient"]).num_classes == 4


@pytest.mark.parametrize("name", list_models())
def test_a_model_from_flags(name: str) -> None:
    assert get_model(args.parse_args(["--model-name", name]))(torch.rand(2, 1, 187)).shape == (2, 5)
    assert (
        get_model(args.parse_args(["--model-name", name, "--dataset", "ecg_bin"]))(torch.rand(2, 1, 187)).shape[1] == 2
    )


def test_criteria_from_flags() -> None:
    logits, labels = torch.tensor([[2.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]]), torch.tensor([0, 1])
    expected = torch.nn.functional.cross_entropy(logits, labels)
    options = args.parse_args(["--model-name", "mlp"])
    assert get_criterion(options)(logits, labels) == pytest.approx(float(expected))
    weights = torch.tensor([1.0, 3.0, 1.0, 1.0, 1.0])
    weighted = torch.nn.functional.cross_entropy(logits, labels, weights)
    assert get_criterion(options, weights)(logits, labels) == pytest.approx(float(weighted))
    p = logits.softmax(dim=1)[[0, 1], labels]
    assert FocalLoss(gamma=2)(logits, labels) == pytest.approx(float((-((1 - p) ** 2) * p.log()).mean()))


def test_an_epoch_of_training_validation_and_test(options: Namespace) -> None:
    data = get_loader(options)
    torch.manual_seed(0)
    model, criterion = get_model(options), get_criterion(options)
    optimizer = get_optimizer(options, model)
    batches = Batches(data.train, options.batch_size, generator=torch.Generator().manual_seed(0))
    step = OptimizerStep(model, optimizer, get_scheduler(options, optimizer, len(batches)))
    context = trainer.TrainContext(model, criterion, data.train.class_names, torch.device("cpu"))
    first = trainer.train(context, batches, step).scores["loss"]
    for _ in range(3):
        last = trainer.train(context, batches, step).scores["loss"]
    assert last < first
    validated = trainer.validate(context, Batches(data.val, 64))
    tested = trainer.test(context, Batches(data.test, 64))
    assert len(validated.labels) == len(data.val)
    assert len(tested.predictions()) == len(data.test) == np.sum(tested.scores["confusion"])


def test_meters_and_scores() -> None:
    meter = AverageMeter()
    meter.update(1.0, n=1)
    meter.update(4.0, n=2)
    assert meter.avg == meter.value() == 3.0
    meter.reset()
    assert (meter.avg, meter.count) == (0.0, 0)
    counts = make_meters(num_classes=2)["confusion"]
    counts.update(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    assert counts.value().tolist() == [[1, 1], [0, 1]]
    scores = evaluate(counts.value())
    assert (scores["acc1"], scores["acc_class"], scores["meanIoU"]) == pytest.approx((2 / 3, 0.75, 0.5))
    assert list(scores["per_class"]) == ["0", "1"]


def test_a_log(tmp_path: Path) -> None:
    log = Experiment("run", {"lr": 0.1})
    log.log("train", 1, {"loss": 0.5})
    log.to_json(tmp_path / "logger.json")
    again = Experiment.from_json(tmp_path / "logger.json")
    assert (again.name, again.options) == ("run", {"lr": 0.1})
    assert again.logged["train"] == [{"epoch": 1, "loss": 0.5}]


@pytest.mark.draws
def test_pictures(tmp_path: Path) -> None:
    matrix = save_plot(
        plot_confusion_matrix(np.array([[3, 1], [0, 2]]), ("N", "A"), normalize=True), tmp_path / "cm.png"
    )
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    curve = save_plot(plot_roc_curve(probabilities, np.array([0, 1, 1]), ("N", "A")), tmp_path / "roc.png")
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (matrix, curve))


def test_checkpoints(tmp_path: Path) -> None:
    state = {"epoch": 3, "model": {"fc.weight": torch.ones(2, 2)}}
    path = commander.save_checkpoint(tmp_path / "checkpoint.pth.tar", state)
    again = commander.load_checkpoint(path)
    assert again["epoch"] == 3
    assert torch.equal(again["model"]["fc.weight"], torch.ones(2, 2))
