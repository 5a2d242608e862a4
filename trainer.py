"""Training, validation and test: one epoch body for all three, and the epochs of a run, one by one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolbox.logger import STOPPED
from toolbox.metrics.epoch import better, evaluate, make_meters, monitored, ranking_scores, waited
from toolbox.optimizers import learning_rate
from toolbox.reports.console import batch_bar, epoch_header, epoch_row, print_predictions, stop_line
from toolbox.reports.null_logger import NullLogger
from toolbox.reports.run_files import write_val_results
from toolbox.runs.checkpoint import LATEST, save_checkpoint, save_epoch
from toolbox.training.distributed import ALONE
from toolbox.training.outputs import EpochOutputs, EpochResult
from toolbox.training.state import TrainContext, TrainingState
from toolbox.training.step import OptimizerStep
from toolbox.utils.aami import KAGGLE_ROW
from toolbox.utils.signals import Signals, Timer

AfterStep = Callable[[EpochOutputs], None]


def run_epoch(
    context: TrainContext,
    batches: Any,
    title: str,
    stepper: OptimizerStep | None = None,
    outputs: EpochOutputs | None = None,
    after_step: AfterStep | None = None,
) -> EpochResult:
    """Run the model over `batches` once; with a `stepper`, train it.

    Args:
        context: model, criterion and device.
        batches: of x (B, leads, samples), features (B, k) or None, y (B,) and ids (B,).
        title: name of the epoch, at the progress bar and in messages.
        stepper: steps the optimizer by each batch's loss; None leaves the model as it is.
        outputs: of the batches before the first of `batches`, where an interrupted epoch is resumed.
        after_step: called with the outputs so far after each optimizer step but the last.

    Raises:
        UserError: while training, a loss or weight is not finite.
    """
    outputs = outputs or EpochOutputs()
    model, criterion, device, processes = context.model, context.criterion, context.device, context.processes
    first, total = outputs.batches + 1, len(batches)
    training, rate = stepper is not None, 0.0
    model.train(training)
    criterion.train(training)

    with nullcontext() if training else torch.inference_mode():
        bar = batch_bar(batches, title, total + 1 - first)
        for number, whole in enumerate(bar, start=first):
            batch = processes.cut(whole)
            inputs = batch.inputs(device)  # x (B, leads, samples), perhaps features (B, k)
            y = batch.y.to(device, non_blocking=True)  # (B,)
            forward = partial(context.forward, other=batch.other, share=batch.share)
            if stepper is not None:
                rate = learning_rate(stepper.optimizer)
                logits, loss = (stepper.graphs or stepper.learn)(forward, inputs, y, number == total)
            else:
                logits, loss = forward(inputs, y)  # (B, num_classes), ()
            outputs.add(batch.ids, y, logits, loss, rate, len(whole.y))
            bar.show(outputs.losses, outputs.sizes)
            if stepper is not None and stepper.waiting == 0 and after_step is not None and number < total:
                after_step(outputs)

    # Scores are derived once, here: nothing waits for the device in the loop.
    outputs.merge(processes)
    if stepper is not None:
        outputs.check_finite(model, stepper.accumulate, title)
    ids, y, logits = outputs.joined()  # (n,), (n,), (n, num_classes)
    logits = logits.float()
    meters = make_meters(len(context.class_names), device)
    meters["confusion"].update(logits.argmax(dim=1), y)
    # With class weights, the mean over all rows is not the mean of the batches' means.
    meters["loss"].update(outputs.mean_loss() if training else criterion(logits, y), len(y))
    scores = {"loss": meters["loss"].avg, **evaluate(meters["confusion"].value(), context.class_names)}
    scores["seconds"] = outputs.seconds
    curve = outputs.loss_curve() if training else []
    return EpochResult(scores, ids.cpu(), y.cpu(), logits.softmax(dim=1).cpu(), curve)


def train(
    context: TrainContext,
    batches: Any,
    stepper: OptimizerStep,
    title: str = "train",
    outputs: EpochOutputs | None = None,
    after_step: AfterStep | None = None,
) -> EpochResult:
    """Train for one epoch, or the rest of one; arguments as in `run_epoch`.

    Raises:
        UserError: a loss or weight is not finite any more.
    """
    result = run_epoch(context, batches, title, stepper, outputs, after_step)
    result.check_finite("training")
    return result


def validate(context: TrainContext, batches: Any, title: str = "validate", rate: float | None = None) -> EpochResult:
    """Score rows that the model does not learn from, ranking scores (mAP, AUROC) included.

    Args:
        rate: the learning rate, for the message when the outputs are not finite.

    Raises:
        UserError: a loss or probability is not finite.
    """
    result = run_epoch(context, batches, title)
    result.check_finite(title if rate is None else f"{title} (learning rate {rate:g})")
    result.scores.update(ranking_scores(result.probabilities.numpy(), result.labels.numpy()))
    return result


def test(context: TrainContext, batches: Any) -> EpochResult:
    """Score the test rows."""
    return validate(context, batches, "test")


def progressive_samples(epoch: int, epochs: int, first: int) -> int:
    """The samples of each row that `epoch` (1-based) reads: `first`, rising evenly to all after 3/5 of `epochs`.

    Most rows end in padding and beats differ most near their start, so early epochs learn as much from less.
    """
    rise = max(round(0.6 * epochs), 1)
    return first + (KAGGLE_ROW - first) * min(epoch - 1, rise) // rise


@dataclass
class Training(TrainingState):
    """A run in training, one epoch after the other; see TrainingState for its other attributes.

    Attributes:
        after_epoch: called once the scores of an epoch are written.
        give_up: asked with this training before an epoch; True ends it there, as a search does with poor ones.
        best_result: of the validation of the best epoch, None where another process ran it.
        within: the loss within the last epoch, see EpochOutputs.loss_curve.
    """

    after_epoch: Callable[[], object] = lambda: None
    give_up: Callable[[Training], bool] = lambda training: False
    best_result: EpochResult | None = None
    within: list[tuple[float, float]] = field(default_factory=list)

    def fit(
        self,
        folder: Path,
        epochs: int,
        board: NullLogger,
        verbose: bool = False,
        minutes: float = 0.0,
        patience: int = 0,
    ) -> None:
        """Train to the last epoch; after each, and every `minutes` within, save all that a resume needs in `folder`.

        Args:
            folder: of the run.
            epochs: how many there are in all.
            board: shows the epochs.
            verbose: print the prediction of each validation beat.
            minutes: between two saves within an epoch; 0 for none.
            patience: stop after so many epochs without a better score; 0 for never.

        Raises:
            Interrupted: SIGTERM or Ctrl-C came; the training so far is saved.
        """
        processes = self.context.processes
        with Signals() as signals:
            timer = Timer(minutes)
            print(epoch_header(self.monitor, self.context.class_names), flush=True)

            def save_within(outputs: EpochOutputs) -> None:
                if processes.any(bool(signals.received) or timer.is_due(), outputs.batches):
                    epoch = f"epoch {self.epoch + 1}"
                    outputs.merge(processes)
                    outputs.check_finite(self.context.model, self.stepper.accumulate, epoch)
                    if processes.first:
                        save_checkpoint(folder / LATEST, self.state(outputs))
                    timer.start()
                    signals.received = max(processes.gather(signals.received))
                    signals.check(f"batch {outputs.batches} of {len(self.batches)} in {epoch}")

            self.note_stop(epochs, patience)
            while self.epoch < epochs and STOPPED not in self.log.logged:
                result = self.run_epoch(epochs, save_within)
                self.note_stop(epochs, patience)
                if processes.first:
                    self.save(folder, epochs, result, board, verbose)
                timer.start()
                signals.received = max(processes.gather(signals.received))
                signals.check(f"epoch {self.epoch}")
            if STOPPED in self.log.logged:
                print(stop_line(self.log.logged[STOPPED]), flush=True)

    def note_stop(self, epochs: int, patience: int) -> None:
        """Note in the log that the training ends before the last of its `epochs`, or that it does not."""
        self.log.logged.pop(STOPPED, None)
        waited_out = 0 < patience <= waited(self.epoch, self.best)
        if self.epoch < epochs and (waited_out or (self.epoch > 0 and self.give_up(self))):
            stop = {"epoch": self.epoch, "epochs": epochs, "patience": patience if waited_out else 0, "best": self.best}
            self.log.logged[STOPPED] = stop

    def save(self, folder: Path, epochs: int, result: EpochResult, board: NullLogger, verbose: bool) -> None:
        """Show the last epoch, one of `epochs`, and write all of it in `folder`."""
        predictions = result.predictions()
        write_val_results(folder, self.epoch, predictions)
        self.log.to_json(folder / "logger.json")
        self.log_epoch(epochs, result, board)
        self.after_epoch()
        # Last: once the latest checkpoint says that an epoch is finished, everything else of it is written.
        save_epoch(folder, self.epoch, self.state(), best=self._is_best())
        if verbose:
            print_predictions(predictions, self.context.class_names)

    def run_epoch(self, epochs: int, after_step: AfterStep | None = None) -> EpochResult:
        """Train the next one of `epochs` epochs and validate it; the result of the validation."""
        title = f"epoch {self.epoch + 1}/{epochs}"
        if self.first_samples < KAGGLE_ROW:
            self.batches.samples = progressive_samples(self.epoch + 1, epochs, self.first_samples)
        if self.interrupted is None:
            self.rate = learning_rate(self.stepper.optimizer)

        # train
        outputs, self.interrupted = self.interrupted, None
        trained = train(self.context, self.batches, self.stepper, title, outputs, after_step)
        self.epoch += 1
        self.within = trained.losses
        if self.batches.losses is not None:  # --prune chooses rows by their last loss
            likelihood = trained.probabilities.gather(1, trained.labels.unsqueeze(1)).squeeze(1)  # (n,)
            self.batches.record_losses(trained.ids, -likelihood.clamp(min=1e-12).log())

        # validate; with --ema the averaged weights, which are also kept as the model
        average, rate = self.stepper.average, learning_rate(self.stepper.optimizer)
        if average is not None:
            average.swap()
        result = validate(self.context, self.val_batches, f"{title}, validation", rate)
        if average is not None:
            average.swap()
        self.keep_scored()

        # schedule, log, best epoch
        self.stepper.schedule.after_epoch(result.scores["acc1"])
        self.log.log("train", self.epoch, {**trained.scores, "lr": self.rate})
        self.log.log("val", self.epoch, result.scores)
        score = monitored(self.monitor, result.scores, self.epoch)
        if self.best is None or better(self.monitor, score, self.best["score"]):
            self.best = {"epoch": self.epoch, "monitor": self.monitor, "score": score}
            self.best_result = result
        return result

    def log_epoch(self, epochs: int, result: EpochResult, board: NullLogger) -> None:
        """Show the epoch, one of `epochs`, as a line on the terminal and in TensorBoard."""
        trained, val = self.log.logged["train"], result.scores
        seconds = [entry["seconds"] for entry in (*trained, *self.log.logged["val"])]
        left = sum(seconds) / len(trained) * (epochs - self.epoch)
        names, best = self.context.class_names, self._is_best()
        print(epoch_row(self.epoch, epochs, trained[-1], val, self.monitor, names, best, left), flush=True)
        board.within(self.epoch, self.within)
        board.scalars("train", trained[-1], self.epoch)
        board.scalars("val", val, self.epoch)
        board.learning_rate(trained[-1]["lr"], self.epoch)
        board.histograms(self.context.model, self.epoch)
        board.flush()  # the pictures of the epoch before, drawn while this one trained
        self.draw(result, board)

    def redraw(self, board: NullLogger) -> None:
        """Redraw the figures of the last epoch, if a killed process did not finish them."""
        scores = self.log.at("val", self.epoch)
        if scores is None or not board.lacks("val", scores, self.epoch):
            return
        live = {name: value.clone() for name, value in self.context.model.state_dict().items()}
        self.context.model.load_state_dict(self.scored)
        context = replace(self.context, processes=ALONE)  # only the first of several draws
        result = validate(context, self.val_batches, f"epoch {self.epoch} again, for its pictures")
        self.context.model.load_state_dict(live)
        self.draw(result, board)

    def draw(self, result: EpochResult, board: NullLogger) -> None:
        """Draw the figures of the last epoch's validation in TensorBoard."""
        probabilities, labels = result.probabilities.numpy(), result.labels.numpy()
        confusion = np.array(result.scores["confusion"])
        board.pictures("val", confusion, probabilities, labels, self.context.class_names, self.epoch)

    def _is_best(self) -> bool:
        return self.best is not None and self.best["epoch"] == self.epoch
