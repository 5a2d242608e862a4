"""Files as this project's predecessor (2020) wrote them: networks, checkpoints, run folders."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn


class OldCnn1d(nn.Module):
    """Its cnn1d_3: the last layer is fc1, bn1 is never used, and log-probabilities come out."""

    def __init__(self, num_classes: int = 5) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, 8, kernel_size=7)
        self.bn1 = nn.BatchNorm1d(8)
        self.conv2 = nn.Conv1d(8, 32, kernel_size=7)
        self.fc1 = nn.Linear(18 * 32, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 187) -> (B, num_classes)."""
        x = nn.functional.max_pool1d(self.conv1(x).relu(), 3)  # (B, 8, 60)
        x = nn.functional.max_pool1d(self.conv2(x).relu(), 3)  # (B, 32, 18)
        return self.fc1(x.flatten(1)).log_softmax(dim=1)


def old_modules() -> dict[str, Any]:
    """Its modules with the classes whose objects its checkpoints hold; one name means another class here, one none."""
    modules = {name: types.ModuleType(name) for name in ("toolbox.logger", "toolbox.metrics")}
    for module, name in (("toolbox.logger", "Experiment"), ("toolbox.metrics", "ValueMeter")):
        setattr(modules[module], name, type(name, (), {"__module__": module}))
    return modules


def save_checkpoint(network: nn.Module, path: Path, zipped: bool = False, epoch: int = 12) -> None:
    """Write what it kept of an epoch, in the file format of torch 1.4 unless `zipped`."""
    modules = old_modules()
    logger, meter = modules["toolbox.logger"].Experiment(), modules["toolbox.metrics"].ValueMeter()
    meter.val = 0.001
    logger.meters = {"hyperparams": {"learning_rate": meter}}
    logger.logged = {"val": {"mAP": {1: 55.1}}}
    state = {
        "epoch": epoch + 1,
        "state_dict": network.state_dict(),
        "best_score": 55.1,
        "best_epoch": epoch,
        "exp_logger": logger,
        "res_list": {7: [0, 1]},
    }
    with mock.patch.dict(sys.modules, modules):
        torch.save(state, path, _use_new_zipfile_serialization=zipped)


def write_run(folder: Path, network: nn.Module, model_name: str = "cnn1d_3", dataset: str = "ecg") -> Path:
    """Write a run's folder: checkpoints, config.json, logger.json; its best checkpoint."""
    folder.mkdir(parents=True)
    options = {"dataset": dataset, "model_name": model_name, "num_classes": 5, "lr": 0.001, "name": folder.name}
    logged = {split: {"loss": {"1": 0.4}, "mAP": {"1": 55.1}} for split in ("train", "val")}
    log = {"name": folder.name, "options": options, "date_and_time": "01-04-2020--10-00-00", "info": {}}
    (folder / "config.json").write_text(json.dumps(options))
    (folder / "logger.json").write_text(json.dumps({**log, "logged": logged}))
    for name in ("checkpoint.pth.tar", "model_best.pth.tar"):
        save_checkpoint(network, folder / name)
    return folder / "model_best.pth.tar"
