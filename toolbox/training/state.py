"""The state of a training: all that a checkpoint saves, for a resume that gives the same bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.logger import Experiment
from toolbox.losses import mixed_loss
from toolbox.optimizers import load_optimizer
from toolbox.training.distributed import ALONE, Processes
from toolbox.training.outputs import EpochOutputs
from toolbox.training.step import OptimizerStep
from toolbox.utils.aami import KAGGLE_ROW
from toolbox.utils.seeding import generator_states, restore_generators


@dataclass
class TrainContext:
    """The parts that training, validation and test share.

    Attributes:
        model: x (B, leads, samples), and features (B, k) where there are any, to logits (B, num_classes).
        criterion: logits and labels (B,) to a scalar loss.
        class_names: one for each logit.
        device: the device of the model; batches are moved there.
        bf16: run under bfloat16 autocast.
        processes: that share the batches; by default this one alone.
    """

    model: nn.Module
    criterion: nn.Module
    class_names: tuple[str, ...]
    device: torch.device
    bf16: bool = False
    processes: Processes = ALONE

    def forward(
        self, inputs: tuple[Tensor, ...], y: Tensor, other: Tensor | None = None, share: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """The logits (B, num_classes) and the loss () of a batch: inputs of the model, labels y (B,), after mixup also
        the labels `other` (B,) of the rows mixed in, and the `share` of the rows themselves."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = self.model(*inputs)
            loss = mixed_loss(self.criterion, logits, y, other, share)
        return logits, loss


@dataclass
class TrainingState:
    """The state of a run in training, which checkpoints hold.

    Attributes:
        context: model, criterion and device.
        stepper: the optimizer with its schedule and weight average.
        batches: of the training rows; its generator draws their order.
        val_batches: of the validation rows.
        log: the scores of all epochs.
        monitor: the validation score that the best epoch is chosen by.
        first_samples: samples of each row that the first epoch reads.
        epoch: the epoch that was finished last.
        best: {"epoch", "monitor", "score"} of the best epoch so far, None before the first.
        rate: the learning rate at the start of the current epoch.
        scored: the weights that the scores of `epoch` belong to; with --ema the averaged ones.
        interrupted: outputs of the first batches of the current epoch, where it was interrupted before a resume.
    """

    context: TrainContext
    stepper: OptimizerStep
    batches: Any
    val_batches: Any
    log: Experiment
    monitor: str
    first_samples: int = KAGGLE_ROW
    epoch: int = 0
    best: dict[str, Any] | None = None
    rate: float = 0.0
    scored: dict[str, Tensor] = field(init=False)
    interrupted: EpochOutputs | None = None

    def __post_init__(self) -> None:
        self.keep_scored()

    def state(self, outputs: EpochOutputs | None = None) -> dict[str, Any]:
        """Tensors and plain values from which `restore` resumes bit for bit.

        Args:
            outputs: of the first batches of the current epoch; None between two epochs.
        """
        live, average = self.context.model.state_dict(), self.stepper.average
        within = None
        if outputs is not None:
            averaged = average.weights() if average is not None else None
            begun = self.batches.begun
            within = {"begun": begun, "rate": self.rate, "averaged": averaged, "gathered": outputs.state()}
        return {
            "epoch": self.epoch,
            "model": self.scored,
            "live": live if average is not None or within is not None else None,  # the weights that go on learning
            "averaged": average.steps if average is not None else 0,
            "optimizer": self.stepper.optimizer.state_dict(),
            "schedule": self.stepper.schedule.state_dict(),
            "order": self.batches.generator.get_state(),
            "losses": self.batches.losses,
            "within": within,
            "generators": generator_states(),
            "best": self.best,
            "log": self.log.to_dict(),
            "class_names": list(self.context.class_names),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a `state`; the model's weights are loaded by the caller, who checks that they fit.

        Raises:
            Exception: of any kind, for a state that is not of this training.
        """
        self.epoch, self.best, within = state["epoch"], state["best"], state.get("within")
        load_optimizer(self.stepper.optimizer, state["optimizer"])
        self.stepper.schedule.load_state_dict(state["schedule"])
        self.scored = {name: value.to(self.context.device) for name, value in state["model"].items()}
        if self.stepper.average is not None:
            self.stepper.average.restore(state["averaged"], within["averaged"] if within else state["model"])
        self.batches.generator.set_state(state["order"].cpu())
        losses, saved = self.batches.losses, state.get("losses")
        if losses is not None and saved is not None and saved.shape == losses.shape:  # else the data are others
            losses.copy_(saved)
        if within:
            self.rate, self.interrupted = within["rate"], EpochOutputs(within["gathered"], self.context.device)
            batches, classes = self.batches, len(self.context.class_names)
            self.interrupted.check_origin(len(batches), batches.batch_size, len(batches.dataset.y), classes)
            batches.resume_at(within["begun"].cpu(), state["order"].cpu(), self.interrupted.batches)
        log = Experiment.from_dict(state["log"])
        log.options, log.logged["hyperparams"] = self.log.options, self.log.logged["hyperparams"]  # --epochs may grow
        self.log = log
        restore_generators(state["generators"])

    def keep_scored(self) -> None:
        """Copy the weights that the scores of the epoch belong to."""
        average = self.stepper.average
        weights = {**self.context.model.state_dict(), **(average.weights() if average is not None else {})}
        self.scored = {name: value.clone() for name, value in weights.items()}
