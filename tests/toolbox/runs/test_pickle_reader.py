"""toolbox.runs.pickle_reader: the weights of pickled checkpoints, and nothing else of them."""

from __future__ import annotations

import argparse
import os
import pickle
import random
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import commander
from commands import build as session
from models import MODELS
from tests.conftest import SMALL
from tests.predecessor import OldCnn1d, save_checkpoint
from toolbox.runs.pickle_reader import import_weights
from toolbox.utils import UserError

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


class Later(Trap):
    """The same by its state: a class that is called, then given items and a state."""

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),), {"a": 1}, iter([1, 2]), iter([("k", 2)])


def lost_object() -> Any:
    """An object of a class whose module is gone when the file is read."""
    module = types.ModuleType("their_logger")
    exec("class Experiment(list):\n    def __init__(self): self.log = {'acc': [1, 2]}", module.__dict__)
    module.Experiment.__module__ = "their_logger"  # type: ignore[attr-defined]
    sys.modules["their_logger"] = module
    return module.Experiment()  # type: ignore[attr-defined]


def checkpoint(model: nn.Module, **more: Any) -> dict[str, Any]:
    """A checkpoint as many projects write it."""
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    return {
        "epoch": 12,
        "state_dict": model.state_dict(),
        "best_score": torch.ones(1)[0].numpy(),
        "args": argparse.Namespace(lr=0.01, model_name="cnn1d_3"),
        "optimizer": optimizer.state_dict(),
        **more,
    }


def save(value: Any, path: Path, zipped: bool = True) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


@FORMATS
@pytest.mark.parametrize("model", ["cnn1d_3", "resnet1d_10", "lstm_2"])
def test_weights_come_out_as_they_went_in(tmp_path: Path, model: str, zipped: bool) -> None:
    network = MODELS[model](num_classes=5)
    path = save(checkpoint(network), tmp_path / "old.pth.tar", zipped)
    assert same(import_weights(path), network.state_dict())
    save(network.state_dict(), path, zipped)
    assert same(import_weights(path), network.state_dict())


@FORMATS
def test_kinds_of_tensors(tmp_path: Path, zipped: bool) -> None:
    shared = torch.arange(24.0)
    given = {
        "half": torch.ones(2, dtype=torch.float16),
        "bf16": torch.ones(2, dtype=torch.bfloat16),
        "double": torch.rand(3, 2, dtype=torch.float64),
        "count": torch.tensor(7),
        "flag": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "turned": shared.view(4, 6).t(),
        "part": shared[5:9],
        "learned": nn.Parameter(torch.rand(2)),
    }
    found = import_weights(save({"state_dict": given}, tmp_path / "x", zipped))
    assert same(found, {name: tensor.detach() for name, tensor in given.items()})


@FORMATS
def test_data_parallel_names_lose_their_prefix(tmp_path: Path, zipped: bool) -> None:
    network = MODELS["cnn1d_3"](num_classes=5)
    weights = {f"module.{name}": value for name, value in network.state_dict().items()}
    assert same(import_weights(save({"state_dict": weights}, tmp_path / "x", zipped)), network.state_dict())


@FORMATS
def test_nothing_in_the_file_is_run(tmp_path: Path, zipped: bool) -> None:
    network = MODELS["cnn1d_3"](num_classes=5)
    for k, trap in enumerate([Trap(tmp_path / "sprung"), Later(tmp_path / "sprung")]):
        for n, value in enumerate(
            [checkpoint(network, logger=trap), {"a": [trap, {"b": trap}], "state_dict": network.state_dict()}]
        ):
            path = save(value, tmp_path / f"bad{k}{n}", zipped)
            assert same(import_weights(path), network.state_dict())
    with pytest.raises(UserError, match="holds no state_dict"):
        import_weights(save({"state_dict": {"conv": Trap(tmp_path / "sprung")}}, tmp_path / "bad", zipped))
    with pytest.raises(UserError, match="holds no state_dict"):
        import_weights(save(Trap(tmp_path / "sprung"), tmp_path / "bad", zipped))
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()  # the trap is one


def test_dangerous_programs(tmp_path: Path) -> None:
    """Pickles written by hand: other ways to call, to reach attributes, to change what is allowed."""
    target = str(tmp_path / "sprung").encode()
    call = b"cos\nmkdir\n(S'" + target + b"'\n"
    programs = [
        call + b"tR.",
        b"(S'" + target + b"'\nios\nmkdir\n.",  # INST
        b"(cos\nmkdir\nS'" + target + b"'\no.",  # OBJ
        b"\x80\x04cos\nmkdir\n(S'" + target + b"'\nt\x81.",  # NEWOBJ
        b"\x80\x04cos\nmkdir\n(S'" + target + b"'\nt}\x92.",  # NEWOBJ_EX
        b'cbuiltins\neval\n(S\'__import__("os").mkdir("' + target + b"\")'\ntR.",
        b"ccollections\nOrderedDict\n(N}S'__class__'\ncos\nmkdir\nstb.",  # BUILD on an allowed class
        b"\x80\x04\x82\x01.",  # EXT1
        b"cbuiltins\ngetattr\n(ctorch._utils\n_rebuild_tensor_v2\nS'__globals__'\ntR.",
        b"\x80\x04r\xff\xff\xff\xff.",  # LONG_BINPUT far out, with nothing to keep
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # BYTEARRAY8 of 8 EB
        b"(" * 5000 + b"t" * 5000 + b".",
    ]
    for number, program in enumerate(programs):
        path = tmp_path / f"p{number}"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", program)
        with pytest.raises(UserError) as caught:
            import_weights(path)
        assert "\n" not in str(caught.value)
        path.write_bytes(program)
        with pytest.raises(UserError):
            import_weights(path)
    assert not (tmp_path / "sprung").exists()


@FORMATS
def test_damaged_files_are_refused_or_read(tmp_path: Path, zipped: bool) -> None:
    whole = save(checkpoint(nn.Linear(2, 2), other=lost_object()), tmp_path / "x", zipped).read_bytes()
    rng = random.Random(2)
    for k in range(100):
        content = bytearray(whole)
        if k % 2:
            content = content[: rng.randrange(len(whole))]
        else:
            content[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        (tmp_path / "x").write_bytes(content)
        try:
            assert isinstance(import_weights(tmp_path / "x"), dict)
        except UserError as error:
            assert "\n" not in str(error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


def test_packed_archives_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50 << 20))
    with pytest.raises(UserError, match="packed members"):
        import_weights(tmp_path / "bomb")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*: No such file"):
        import_weights(tmp_path / "none")


# from the command line


def run(root: Path, *argv: str) -> dict[str, Any]:
    return commander.main([*argv, "--root-dir", str(root), "--dataset", "synthetic", *SMALL])


def test_a_training_starts_from_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(session, "TRIAL_BATCHES", 1)
    network = MODELS["cnn1d_3"](num_classes=5)
    path = save(checkpoint(network, logger=lost_object()), tmp_path / "old.pth.tar")
    del sys.modules["their_logger"]
    with pytest.raises(UserError, match=r"pickled objects.*--import-weights .*old\.pth\.tar"):
        run(tmp_path, "--model-name", "cnn1d_3", "--pretrained", str(path))
    flags = ["--short-run", "--epochs", "1", "--lr", "1e-12", "--ema", "0"]
    result = run(tmp_path, "--model-name", "cnn1d_3", "--import-weights", str(path), *flags)
    saved = torch.load(Path(result["run"]) / "checkpoint.pth.tar", weights_only=True)["model"]
    for name, value in network.state_dict().items():
        assert torch.allclose(saved[name], value, atol=1e-6), name
    with pytest.raises(UserError, match=r"old\.pth\.tar does not fit the model: it lacks"):
        run(tmp_path, "--model-name", "lstm_1", "--import-weights", str(path), *flags)
    name = next(iter(network.state_dict()))
    bad = {**network.state_dict(), name: torch.ones(1)}
    with pytest.raises(UserError, match=rf"has shapes {name}"):
        run(tmp_path, "--model-name", "cnn1d_3", "--import-weights", str(save({"state_dict": bad}, path)), *flags)
    assert len(list((tmp_path / "synthetic" / "runs").glob("*/"))) == 1


@FORMATS
def test_the_predecessors_cnn1d_3_is_renamed(tmp_path: Path, zipped: bool) -> None:
    network = OldCnn1d()
    assert sum(parameter.numel() for parameter in network.parameters()) == 4789  # 4,773 and the unused 16
    save_checkpoint(network, tmp_path / "old.pth.tar", zipped)
    weights = import_weights(tmp_path / "old.pth.tar")
    assert weights.keys() == MODELS["cnn1d_3"](num_classes=5).state_dict().keys()
    assert torch.equal(weights["fc.weight"], network.fc1.weight)
    assert torch.equal(weights["conv2.bias"], network.conv2.bias)


@pytest.mark.parametrize("model", ["resnet1d_10", "lstm_1"])
def test_other_names_of_the_predecessor_are_kept(tmp_path: Path, model: str) -> None:
    network = MODELS[model](num_classes=5)
    save_checkpoint(network, tmp_path / "old.pth.tar")
    assert same(import_weights(tmp_path / "old.pth.tar"), network.state_dict())


def test_a_folder_stands_for_its_best_checkpoint_else_its_latest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no model_best\.pth\.tar or checkpoint\.pth\.tar"):
        import_weights(tmp_path)
    for name in ("checkpoint.pth.tar", "model_best.pth.tar"):
        network = MODELS["cnn1d_3"](num_classes=5)
        save({"state_dict": network.state_dict()}, tmp_path / name)
        assert same(import_weights(tmp_path), network.state_dict())


@pytest.mark.parametrize(
    "other",
    [
        ["--resume", "latest"],
        ["--pretrained", "x"],
        ["--prepare"],
        ["--test", "--version", "1"],
        ["--predict", "x", "--model-file", "y"],
    ],
    ids=" ".join,
)
def test_conflicts_are_refused(tmp_path: Path, other: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(tmp_path, "--model-name", "cnn1d_3", "--import-weights", "x", *other)
    assert caught.value.code == 2
    assert "--import-weights" in capsys.readouterr().err
