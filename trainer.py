"""One pass over the batches; what training, validation and testing make of it; and a run's epochs, one by one."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolbox.board import NullBoard
from toolbox.checkpoint import generator_states, restore_generators, save_epoch
from toolbox.learner import Learner
from toolbox.logger import Experiment, epoch_line
from toolbox.metrics import better, evaluate, make_meters, ranking_scores
from toolbox.optimizers import learning_rate
from toolbox.results import write_val_results
from toolbox.utils import UserError, progress

SHOWN = 256  # ids of a bad batch that a message lists


@dataclass
class Setting:
    """What the three passes have in common.

    Attributes:
        model: (batch, 1, 187) -> logits (batch, num_classes).
        criterion: logits and labels -> scalar loss.
        class_names: one for each logit.
        device: where model and batches meet.
        bf16: run under bfloat16 autocast.
    """

    model: nn.Module
    criterion: nn.Module
    class_names: tuple[str, ...]
    device: torch.device
    bf16: bool = False


@dataclass
class Outcome:
    """What a pass gave: scores, and for each row (in the order of the batches) its id, label and probabilities."""

    scores: dict[str, Any]
    ids: Tensor
    labels: Tensor
    probabilities: Tensor

    def results(self) -> dict[str, list[int]]:
        """{beat id: [predicted, true]}."""
        predicted = self.probabilities.argmax(dim=1)
        rows = zip(self.ids.tolist(), predicted.tolist(), self.labels.tolist(), strict=True)
        return {str(beat): [call, label] for beat, call, label in rows}


def run_epoch(setting: Setting, batches: Any, what: str, learner: Learner | None = None) -> Outcome:
    """Go through `batches` once.

    Args:
        setting: model, criterion and where they run.
        batches: gives batches with x (B, 1, 187), y (B,) and ids (B,).
        what: shown at the progress bar.
        learner: improves the model by each batch's loss; None leaves it as it is.
    """
    start = time.perf_counter()
    device = setting.device
    ids, labels, outputs, losses, rates = [], [], [], [], []
    setting.model.train(learner is not None)
    with nullcontext() if learner is not None else torch.inference_mode():
        for number, batch in enumerate(progress(batches, what, total=len(batches)), start=1):
            x, y = batch.x.to(device, non_blocking=True), batch.y.to(device, non_blocking=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=setting.bf16):
                logits = setting.model(x)
                loss = setting.criterion(logits, y)
            if learner is not None:
                rates.append(learning_rate(learner.optimizer))
                learner.learn(loss, last=number == len(batches))
                losses.append(loss.detach())
            ids.append(batch.ids)
            labels.append(y)
            outputs.append(logits.detach())
    # All that is derived is derived here, once: nothing waits for the device in the loop.
    if learner is not None:
        check_losses(losses, rates, ids, learner.accumulate, what)
    y, logits = torch.cat(labels), torch.cat(outputs).float()
    meters = make_meters(len(setting.class_names), device)
    meters["confusion"].update(logits.argmax(dim=1), y)
    if learner is not None:
        for part, loss in zip(labels, losses, strict=True):
            meters["loss"].update(loss, len(part))
    else:  # with class weights, the mean over all rows is not the mean of the batches' means
        meters["loss"].update(setting.criterion(logits, y), len(y))
    scores = {"loss": meters["loss"].avg, **evaluate(meters["confusion"].value(), setting.class_names)}
    scores["seconds"] = time.perf_counter() - start
    return Outcome(scores, torch.cat(ids).cpu(), y.cpu(), logits.softmax(dim=1).cpu())


def check_losses(losses: list[Tensor], rates: list[float], ids: list[Tensor], accumulate: int, what: str) -> None:
    """Stop at the first batch whose loss is not finite.

    Args:
        losses, rates, ids: of each batch, its loss, the learning rate of its step and its rows.
        accumulate: batches per step.
        what: the epoch, as the message names it.

    Raises:
        UserError: with the step, the learning rate and the ids of its rows.
    """
    bad = torch.nonzero(~torch.isfinite(torch.stack(losses)))
    if len(bad):
        k = int(bad[0])
        rows = ", ".join(map(str, ids[k].tolist()[:SHOWN])) + (" ..." if len(ids[k]) > SHOWN else "")
        raise UserError(
            f"the training loss became {float(losses[k])} in {what}, step {k // accumulate + 1} (batch {k + 1} of "
            f"{len(losses)}), learning rate {rates[k]:g}; the last checkpoint is kept. Try a lower --lr, or look at "
            f"the batch's rows: {rows}"
        )


def train(setting: Setting, batches: Any, learner: Learner, what: str = "train") -> Outcome:
    """One epoch of training.

    Raises:
        UserError: the loss is not finite any more.
    """
    outcome = run_epoch(setting, batches, what, learner)
    return finite(outcome, "training")


def finite(outcome: Outcome, what: str) -> Outcome:
    """`outcome`, unless its loss or a probability is not a number: UserError."""
    loss = outcome.scores["loss"]
    if not abs(loss) < float("inf") or not outcome.probabilities.isfinite().all():
        raise UserError(f"the {what} loss became {loss}; the last checkpoint is kept. Try a lower --lr")
    return outcome


def validate(setting: Setting, batches: Any, what: str = "validate") -> Outcome:
    """Scores on rows that the model does not learn from, ranking scores included.

    Raises:
        UserError: what the model says is not finite.
    """
    outcome = finite(run_epoch(setting, batches, what), what)
    outcome.scores.update(ranking_scores(outcome.probabilities.numpy(), outcome.labels.numpy()))
    return outcome


def test(setting: Setting, batches: Any) -> Outcome:
    """The same on the test rows."""
    return validate(setting, batches, "test")


@dataclass
class Training:
    """All that changes while a run goes on, one epoch after the other.

    Attributes:
        setting: model, criterion and where they run.
        learner: how the model learns.
        batches: of the training rows; its generator draws the order.
        held_out: batches of the validation rows.
        log: what has been measured.
        monitor: the validation score that the best epoch is chosen by.
        epoch: the epoch that was finished last.
        best: {"epoch", "monitor", "score"} of the best epoch so far, None before the first.
    """

    setting: Setting
    learner: Learner
    batches: Any
    held_out: Any
    log: Experiment
    monitor: str
    epoch: int = 0
    best: dict[str, Any] | None = None

    def fit(self, folder: Path, epochs: int, board: NullBoard, verbose: bool = False) -> None:
        """Go on to the last epoch; after each, all that a resume needs is in `folder`."""
        while self.epoch < epochs:
            self.epoch += 1
            what = f"epoch {self.epoch}/{epochs}"
            outcome = self.advance(what)
            results = outcome.results()
            write_val_results(folder, self.epoch, results)
            self.log.to_json(folder / "logger.json")
            self.show(what, outcome, board)
            # Last: where the latest checkpoint says that an epoch is finished, all else of that epoch is written.
            save_epoch(folder, self.epoch, self.state(), best=(self.best or {}).get("epoch") == self.epoch)
            if verbose:
                names = self.setting.class_names
                for beat, (called, label) in results.items():
                    print(f"beat {beat}: {names[called]}, is {names[label]}{'' if called == label else '  WRONG'}")

    def advance(self, what: str) -> Outcome:
        """Train and validate one epoch; the validation's outcome."""
        rate = learning_rate(self.learner.optimizer)
        learned = train(self.setting, self.batches, self.learner, what)
        average = self.learner.average
        if average is not None:
            average.swap()  # what is scored and kept as the model is the average
        outcome = validate(self.setting, self.held_out, f"{what}, validation")
        if average is not None:
            average.swap()
        self.learner.schedule.after_epoch(outcome.scores["acc1"])
        self.log.log("train", self.epoch, {**learned.scores, "lr": rate})
        self.log.log("val", self.epoch, outcome.scores)
        score = outcome.scores[self.monitor]
        if self.best is None or better(self.monitor, score, self.best["score"]):
            self.best = {"epoch": self.epoch, "monitor": self.monitor, "score": score}
        return outcome

    def show(self, what: str, outcome: Outcome, board: NullBoard) -> None:
        """The epoch as a line on the terminal and in TensorBoard."""
        learned, held_out = self.log.logged["train"][-1], outcome.scores
        mark = "  best so far" if self.best and self.best["epoch"] == self.epoch else ""
        print(epoch_line(what, learned, held_out) + mark, flush=True)
        board.scalars("train", learned, self.epoch)
        board.scalars("val", held_out, self.epoch)
        board.learning_rate(learned["lr"], self.epoch)
        board.histograms(self.setting.model, self.epoch)
        confusion = np.array(held_out["confusion"])
        names, n = self.setting.class_names, self.epoch
        board.pictures("val", confusion, outcome.probabilities.numpy(), outcome.labels.numpy(), names, n)
        board.flush()

    def state(self) -> dict[str, Any]:
        """Tensors and plain values from which `restore` goes on as if nothing had happened."""
        live, average = self.setting.model.state_dict(), self.learner.average
        return {
            "epoch": self.epoch,
            "model": {**live, **average.weights()} if average is not None else live,  # what the scores belong to
            "live": live if average is not None else None,  # what goes on learning
            "averaged": average.steps if average is not None else 0,
            "optimizer": self.learner.optimizer.state_dict(),
            "schedule": self.learner.schedule.state_dict(),
            "order": self.batches.generator.get_state(),
            "generators": generator_states(),
            "best": self.best,
            "log": self.log.to_dict(),
            "class_names": list(self.setting.class_names),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave; the model's weights are loaded by whoever checks that they fit."""
        self.epoch, self.best = state["epoch"], state["best"]
        self.learner.optimizer.load_state_dict(state["optimizer"])
        self.learner.schedule.load_state_dict(state["schedule"])
        if self.learner.average is not None:
            self.learner.average.restore(state["averaged"], state["model"])
        self.batches.generator.set_state(state["order"].cpu())
        log = Experiment.from_dict(state["log"])
        log.options, log.logged["hyperparams"] = self.log.options, self.log.logged["hyperparams"]  # --epochs may grow
        self.log = log
        restore_generators(state["generators"])
