"""docs/promises.md names tests that are there; and the promises that no other file proves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import commander
from loaders.datasets.batches import Batches
from tests.conftest import ROOT, SMALL
from toolbox.runs.checkpoint import LATEST, load_checkpoint
from toolbox.utils import UserError, read_json

FLAGS = ["--dataset", "synthetic", *SMALL, "--model-name", "cnn1d_3", "--precision", "fp32"]


def train(root: Path, *more: str) -> Path:
    """The folder of a run."""
    return Path(commander.main([*FLAGS, "--root-dir", str(root), *more])["run"])


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "promises.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    for file, test in named:
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", text, flags=re.M), f"{file}::{test}"


def test_every_promise_names_a_test() -> None:
    lines = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith(("| promise", "| ---"))]
    assert rows and all("::test_" in row for row in rows)


def test_a_runs_config_repeats_it_to_the_bit(tmp_path: Path) -> None:
    first = train(tmp_path, "--epochs", "2", "--lr", "0.003", "--scheduler", "cosine", "--sampler", "equal")
    again = commander.main(["--config", str(first / "config.json"), "--root-dir", str(tmp_path)])
    assert again["run"] != str(first)
    states = [load_checkpoint(Path(run) / LATEST) for run in (first, again["run"])]
    assert all(torch.equal(value, states[1]["model"][name]) for name, value in states[0]["model"].items())
    options = [read_json(Path(run) / "config.json")["options"] for run in (first, again["run"])]
    assert options[0] == options[1]


def test_deterministic_asks_torch_for_it_and_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    train(tmp_path, "--short-run", "--epochs", "1", "--deterministic")
    assert torch.are_deterministic_algorithms_enabled()
    train(tmp_path, "--short-run", "--epochs", "1")
    assert not torch.are_deterministic_algorithms_enabled()


def test_config_json_tells_where_a_run_comes_from(tmp_path: Path) -> None:
    config = read_json(train(tmp_path, "--short-run", "--epochs", "1") / "config.json")
    text = json.dumps(config)
    assert config["options"]["seed"] == 42
    assert re.fullmatch("[0-9a-f]{64}", config["data"]["fingerprint"])
    assert torch.__version__ in text
    for word in ("python", "numpy", "commit", "dirty", "hardware"):
        assert word in text.lower(), word


def test_a_resume_on_other_data_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(tmp_path, "--epochs", "1")
    config = read_json(run / "config.json")
    config["data"]["fingerprint"] = "0" * 64
    (run / "config.json").write_text(json.dumps(config))
    capsys.readouterr()
    commander.main(["--resume", "latest", "--epochs", "2", "--root-dir", str(tmp_path)])
    assert "was trained on other data" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_names_step_rate_and_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(tmp_path, "--epochs", "1", "--batch-size", "16")
    before = (run / LATEST).read_bytes()
    gather, seen = Batches._gather, []

    def runs_without_config(self: Batches):
        for number, batch in enumerate(gather(self), start=1):
            if number == 3 and self.generator is not None:
                seen.append(batch.ids.tolist())
                yield batch._replace(x=batch.x * float("nan"))
            else:
                yield batch

    monkeypatch.setattr(Batches, "_gather", runs_without_config)
    with pytest.raises(UserError, match=r"step 3 \(batch 3 of the epoch\), learning rate 0\.01") as caught:
        commander.main(["--resume", "latest", "--epochs", "2", "--root-dir", str(tmp_path)])
    assert ", ".join(map(str, seen[0])) in str(caught.value)
    assert (run / LATEST).read_bytes() == before
