"""One pass over the batches; what training, validation and testing make of it; and a run's epochs, one by one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolbox.logger import Experiment
from toolbox.losses import mixed_loss
from toolbox.metrics.epoch import better, evaluate, make_meters, monitored, ranking_scores
from toolbox.optimizers import learning_rate, load_optimizer
from toolbox.reports.console import batch_bar, epoch_header, epoch_row, print_predictions
from toolbox.reports.run_files import write_val_results
from toolbox.reports.tensorboard import NullLogger
from toolbox.runs.checkpoint import LATEST, save_checkpoint, save_epoch
from toolbox.training.nonfinite import check_losses, check_weights, finite
from toolbox.training.outputs import EpochOutputs, EpochResult
from toolbox.training.step import OptimizerStep
from toolbox.utils.aami import KAGGLE_ROW
from toolbox.utils.seeding import generator_states, restore_generators
from toolbox.utils.signals import Signals, Timer


@dataclass
class TrainContext:
    """What the three passes have in common.

    Attributes:
        model: (batch, leads, samples), and features (batch, k) if there are any, to logits (batch, num_classes).
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


def run_epoch(
    setting: TrainContext,
    batches: Any,
    what: str,
    learner: OptimizerStep | None = None,
    gathered: EpochOutputs | None = None,
    after_step: Callable[[EpochOutputs], None] | None = None,
) -> EpochResult:
    """Go through `batches` once.

    Args:
        setting: model, criterion and where they run.
        batches: gives batches with inputs (x (B, leads, samples) and perhaps features (B, k)), y (B,) and ids (B,).
        what: shown at the progress bar.
        learner: improves the model by each batch's loss; None leaves it as it is.
        gathered: what the batches before those that `batches` gives now have given, when a pass is gone on with.
        after_step: called after each step of the learner but the last, with what the batches have given so far.
    """
    gathered = gathered or EpochOutputs()
    device, first, total = setting.device, gathered.batches + 1, len(batches)
    rate = 0.0  # of the step that a batch belongs to
    setting.model.train(learner is not None)
    setting.criterion.train(learner is not None)
    with nullcontext() if learner is not None else torch.inference_mode():
        bar = batch_bar(batches, what, total + 1 - first)
        for number, batch in enumerate(bar, start=first):
            inputs, y = batch.inputs(device), batch.y.to(device, non_blocking=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=setting.bf16):
                logits = setting.model(*inputs)
                loss = mixed_loss(setting.criterion, logits, y, batch.other, batch.share)
            if learner is not None:
                rate = learning_rate(learner.optimizer)
                learner.learn(loss, last=number == total)
            gathered.add(batch.ids, y, logits, loss, rate)
            bar.show(gathered.losses, gathered.sizes)
            if learner is not None and learner.waiting == 0 and after_step is not None and number < total:
                after_step(gathered)
    # All that is derived is derived here, once: nothing waits for the device in the loop.
    if learner is not None:
        check_losses(gathered, learner.accumulate, what)
        check_weights(setting.model, gathered, learner.accumulate, what)
    ids, y, logits = gathered.whole()
    logits = logits.float()
    meters = make_meters(len(setting.class_names), device)
    meters["confusion"].update(logits.argmax(dim=1), y)
    if learner is not None:
        sizes = torch.tensor(gathered.sizes, dtype=torch.float64, device=device)
        meters["loss"].update(torch.stack(gathered.losses).double() @ sizes / len(y), len(y))
    else:  # with class weights, the mean over all rows is not the mean of the batches' means
        meters["loss"].update(setting.criterion(logits, y), len(y))
    scores = {"loss": meters["loss"].avg, **evaluate(meters["confusion"].value(), setting.class_names)}
    scores["seconds"] = gathered.seconds
    return EpochResult(scores, ids.cpu(), y.cpu(), logits.softmax(dim=1).cpu())


def train(setting: TrainContext, batches: Any, learner: OptimizerStep, what: str = "train", **rest: Any) -> EpochResult:
    """One epoch of training, or the `rest` of one (see `run_epoch`).

    Raises:
        UserError: the loss is not finite any more.
    """
    outcome = run_epoch(setting, batches, what, learner, **rest)
    return finite(outcome, "training")


def validate(setting: TrainContext, batches: Any, what: str = "validate", rate: float | None = None) -> EpochResult:
    """Scores on rows that the model does not learn from, ranking scores included; `rate` is told when they are none.

    Raises:
        UserError: what the model says is not finite.
    """
    outcome = run_epoch(setting, batches, what)
    finite(outcome, what if rate is None else f"{what} (learning rate {rate:g})")
    outcome.scores.update(ranking_scores(outcome.probabilities.numpy(), outcome.labels.numpy()))
    return outcome


def test(setting: TrainContext, batches: Any) -> EpochResult:
    """The same on the test rows."""
    return validate(setting, batches, "test")


def progressive_samples(epoch: int, epochs: int, first: int) -> int:
    """How many samples of each row `epoch` (1-based) reads: `first`, rising in even parts to all after 3/5 of `epochs`.

    Most rows end in padding and beats differ most near their start, so early epochs learn as much from less.
    """
    rise = max(round(0.6 * epochs), 1)
    return first + (KAGGLE_ROW - first) * min(epoch - 1, rise) // rise


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
        first_samples: how many samples of each row the first epoch reads.
        epoch: the epoch that was finished last.
        best: {"epoch", "monitor", "score"} of the best epoch so far, None before the first.
        rate: the learning rate at the start of the epoch under way.
        scored: the weights that the scores of `epoch` belong to; with --ema the averaged ones.
        broken_off: what the first batches of the epoch under way have given before a resume.
    """

    setting: TrainContext
    learner: OptimizerStep
    batches: Any
    held_out: Any
    log: Experiment
    monitor: str
    first_samples: int = KAGGLE_ROW
    epoch: int = 0
    best: dict[str, Any] | None = None
    rate: float = 0.0
    scored: dict[str, Tensor] = field(init=False)
    broken_off: EpochOutputs | None = None

    def __post_init__(self) -> None:
        self._keep_scored()

    def fit(self, folder: Path, epochs: int, board: NullLogger, verbose: bool = False, minutes: float = 0.0) -> None:
        """Go on to the last epoch; after each, and every `minutes` within, all that a resume needs is in `folder`.

        Raises:
            Interrupted: SIGTERM or Ctrl-C came; what has been learned is saved.
        """
        with Signals() as signals:
            timer = Timer(minutes)
            print(epoch_header(self.monitor), flush=True)

            def after_step(gathered: EpochOutputs) -> None:
                if signals.received or timer.is_due():
                    where = f"epoch {self.epoch + 1}"
                    check_losses(gathered, self.learner.accumulate, where)
                    check_weights(self.setting.model, gathered, self.learner.accumulate, where)
                    save_checkpoint(folder / LATEST, self.state(gathered))
                    timer.start()
                    signals.check(f"batch {gathered.batches} of {len(self.batches)} in {where}")

            while self.epoch < epochs:
                outcome = self.advance(epochs, after_step)
                results = outcome.results()
                write_val_results(folder, self.epoch, results)
                self.log.to_json(folder / "logger.json")
                self.show(epochs, outcome, board)
                # Last: where the latest checkpoint says that an epoch is finished, all else of it is written.
                save_epoch(folder, self.epoch, self.state(), best=(self.best or {}).get("epoch") == self.epoch)
                timer.start()
                if verbose:
                    print_predictions(results, self.setting.class_names)
                signals.check(f"epoch {self.epoch}")

    def advance(self, epochs: int, after_step: Callable[[EpochOutputs], None] | None = None) -> EpochResult:
        """Train and validate the next one of `epochs` epochs; the validation's outcome."""
        what = f"epoch {self.epoch + 1}/{epochs}"
        if self.first_samples < KAGGLE_ROW:
            self.batches.samples = progressive_samples(self.epoch + 1, epochs, self.first_samples)
        if self.broken_off is None:
            self.rate = learning_rate(self.learner.optimizer)
        gathered, self.broken_off = self.broken_off, None
        learned = train(self.setting, self.batches, self.learner, what, gathered=gathered, after_step=after_step)
        self.epoch += 1
        if self.batches.losses is not None:
            true = learned.probabilities.gather(1, learned.labels.unsqueeze(1)).squeeze(1)
            self.batches.record_losses(learned.ids, -true.clamp(min=1e-12).log())
        average = self.learner.average
        if average is not None:
            average.swap()  # what is scored and kept as the model is the average
        outcome = validate(self.setting, self.held_out, f"{what}, validation", learning_rate(self.learner.optimizer))
        if average is not None:
            average.swap()
        self._keep_scored()
        self.learner.schedule.after_epoch(outcome.scores["acc1"])
        self.log.log("train", self.epoch, {**learned.scores, "lr": self.rate})
        self.log.log("val", self.epoch, outcome.scores)
        score = monitored(self.monitor, outcome.scores, self.epoch)
        if self.best is None or better(self.monitor, score, self.best["score"]):
            self.best = {"epoch": self.epoch, "monitor": self.monitor, "score": score}
        return outcome

    def show(self, epochs: int, outcome: EpochResult, board: NullLogger) -> None:
        """The epoch, one of `epochs`, as a line on the terminal and in TensorBoard."""
        learned, held_out = self.log.logged["train"][-1], outcome.scores
        seconds = [one["seconds"] for part in ("train", "val") for one in self.log.logged[part]]
        left = sum(seconds) / self.epoch * (epochs - self.epoch)
        best = self.best is not None and self.best["epoch"] == self.epoch
        print(epoch_row(self.epoch, epochs, learned, held_out, self.monitor, best, left), flush=True)
        board.scalars("train", learned, self.epoch)
        board.scalars("val", held_out, self.epoch)
        board.learning_rate(learned["lr"], self.epoch)
        board.histograms(self.setting.model, self.epoch)
        board.flush()  # the pictures of the epoch before, drawn while this one trained
        self.draw(outcome, board)

    def make_up(self, board: NullLogger) -> None:
        """Draw the pictures of the last epoch that a process which was killed was still drawing."""
        scores = self.log.at("val", self.epoch)
        if scores is None or not board.lacks("val", scores, self.epoch):
            return
        live = {name: value.clone() for name, value in self.setting.model.state_dict().items()}
        self.setting.model.load_state_dict(self.scored)
        outcome = validate(self.setting, self.held_out, f"epoch {self.epoch} again, for its pictures")
        self.setting.model.load_state_dict(live)
        self.draw(outcome, board)

    def draw(self, outcome: EpochResult, board: NullLogger) -> None:
        """The pictures of the last epoch's validation in TensorBoard."""
        names, n = self.setting.class_names, self.epoch
        confusion = np.array(outcome.scores["confusion"])
        board.pictures("val", confusion, outcome.probabilities.numpy(), outcome.labels.numpy(), names, n)

    def state(self, gathered: EpochOutputs | None = None) -> dict[str, Any]:
        """Tensors and plain values from which `restore` goes on as if nothing had happened.

        Args:
            gathered: what the first batches of the epoch under way have given; None between two epochs.
        """
        live, average = self.setting.model.state_dict(), self.learner.average
        within = None
        if gathered is not None:
            mean = average.weights() if average is not None else None
            begun = self.batches.begun
            within = {"begun": begun, "rate": self.rate, "averaged": mean, "gathered": gathered.state()}
        return {
            "epoch": self.epoch,
            "model": self.scored,
            "live": live if average is not None or within is not None else None,  # what goes on learning
            "averaged": average.steps if average is not None else 0,
            "optimizer": self.learner.optimizer.state_dict(),
            "schedule": self.learner.schedule.state_dict(),
            "order": self.batches.generator.get_state(),
            "losses": self.batches.losses,
            "within": within,
            "generators": generator_states(),
            "best": self.best,
            "log": self.log.to_dict(),
            "class_names": list(self.setting.class_names),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave; the model's weights are loaded by whoever checks that they fit.

        Raises:
            Exception: of any kind, for a state that is not of this training.
        """
        self.epoch, self.best, within = state["epoch"], state["best"], state.get("within")
        load_optimizer(self.learner.optimizer, state["optimizer"])
        self.learner.schedule.load_state_dict(state["schedule"])
        self.scored = {name: value.to(self.setting.device) for name, value in state["model"].items()}
        if self.learner.average is not None:
            self.learner.average.restore(state["averaged"], within["averaged"] if within else state["model"])
        self.batches.generator.set_state(state["order"].cpu())
        losses, known = self.batches.losses, state.get("losses")
        if losses is not None and known is not None and known.shape == losses.shape:  # else the data are others
            losses.copy_(known)
        if within:
            self.rate, self.broken_off = within["rate"], EpochOutputs(within["gathered"], self.setting.device)
            self.check_broken_off(self.broken_off)
            self.batches.resume_at(within["begun"].cpu(), state["order"].cpu(), self.broken_off.batches)
        log = Experiment.from_dict(state["log"])
        log.options, log.logged["hyperparams"] = self.log.options, self.log.logged["hyperparams"]  # --epochs may grow
        self.log = log
        restore_generators(state["generators"])

    def check_broken_off(self, gathered: EpochOutputs) -> None:
        """ValueError when what the first batches of an epoch have given cannot come from these batches."""
        ids, labels, outputs = gathered.whole()
        classes, rows = len(self.setting.class_names), len(self.batches.dataset.y)
        if gathered.batches >= len(self.batches) or set(gathered.sizes) != {self.batches.batch_size}:
            raise ValueError(f"{gathered.batches} batches of {sorted(set(gathered.sizes))[:9]} rows")
        if outputs.shape[1] != classes or not (labels.min() >= 0 and labels.max() < classes):
            raise ValueError(f"logits or labels that are not of {classes} classes")
        if not (ids.min() >= 0 and ids.max() < rows):
            raise ValueError(f"rows {ids.min()} to {ids.max()} of {rows}")

    def _keep_scored(self) -> None:
        average = self.learner.average
        weights = {**self.setting.model.state_dict(), **(average.weights() if average is not None else {})}
        self.scored = {name: value.clone() for name, value in weights.items()}
