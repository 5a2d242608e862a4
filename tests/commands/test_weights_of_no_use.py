"""Weights that start a training and cannot be counted with are refused with their file, and leave no run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import commander
from toolbox.runs.checkpoint import save_checkpoint
from toolbox.utils import UserError

FLAGS = "--dataset synthetic --synthetic-patients 2 --synthetic-minutes 1 --model-name cnn1d_3 --device cpu".split()


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    root = tmp_path_factory.mktemp("root")
    run = commander.main([*FLAGS, "--epochs", "1", "--ema", "0", "--root-dir", str(root)])["run"]
    return torch.load(f"{run}/model_best.pth.tar", weights_only=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38, 3e38])
@pytest.mark.parametrize("flag", ["--import-weights", "--pretrained"])
def test_weights_of_no_use(best: dict[str, object], tmp_path: Path, value: float, flag: str) -> None:
    weights = {
        name: torch.full_like(part, value) if part.is_floating_point() else part for name, part in best["model"].items()
    }
    path = tmp_path / "weights.pth"
    if flag == "--pretrained":
        save_checkpoint(path, {**best, "model": weights})
    else:
        torch.save(weights, path)
    with pytest.raises(UserError) as caught:
        commander.main([*FLAGS, "--epochs", "1", flag, str(path), "--root-dir", str(tmp_path)])
    assert str(path) in str(caught.value) and "of no use" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "synthetic" / "runs").exists()


@pytest.mark.parametrize("flag", ["--import-weights", "--pretrained"])
def test_sound_weights_are_taken_and_drawn_numbers_stay(best: dict[str, object], tmp_path: Path, flag: str) -> None:
    path = tmp_path / "weights.pth"
    save_checkpoint(path, best) if flag == "--pretrained" else torch.save(best["model"], path)
    assert commander.main([*FLAGS, "--epochs", "1", flag, str(path), "--root-dir", str(tmp_path)])["epoch"] == 1


def test_a_rate_that_is_too_high_names_few_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        commander.main([*FLAGS, "--epochs", "1", "--lr", "1e30", "--root-dir", str(tmp_path)])
    assert "learning rate" in str(caught.value) and len(str(caught.value)) < 400
