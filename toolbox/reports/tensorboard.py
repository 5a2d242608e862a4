"""Logging to TensorBoard, and a logger of the same methods that does nothing.

No call draws from a global random generator or changes the model: a run computes the same numbers with TensorBoard and
without.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolbox.plotter import one_vs_rest, plot_confusion_matrix, plot_roc_curve
from toolbox.reports.event_files import GRAPH, read_events, wait_for_new_name
from toolbox.utils import UserError

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)


class NullLogger:
    """A logger whose methods do nothing, for runs without TensorBoard."""

    def scalars(self, split: str, scores: Mapping[str, Any], epoch: int) -> None:
        """Write every number in `scores` under SCORE/SPLIT; nested mappings under KEY/KEY/SPLIT.

        Left out: "epoch" (it is the x axis), values that are None, not finite, or not a number.
        """

    def learning_rate(self, lr: float, epoch: int) -> None:
        """Write the learning rate of `epoch` under "learning_rate"."""

    def graph(self, model: torch.nn.Module, example_input: Any) -> None:
        """Write the network, traced on `example_input` (a batch, or a tuple of forward's arguments).

        A model that cannot be traced costs one log line. Mode, random generators and gradients stay as they are.
        """

    def histograms(self, model: torch.nn.Module, epoch: int) -> None:
        """Write weights/NAME and gradients/NAME of every parameter that has values, all of them finite."""

    def pictures(
        self, split: str, confusion: Any, probabilities: Any, labels: Any, class_names: Sequence[str], epoch: int
    ) -> None:
        """Write confusion/SPLIT, confusion_normalised/SPLIT and roc/SPLIT as images, pr_curve/CLASS/SPLIT as PR curves.

        Args:
            confusion: counts (C, C), rows true.
            probabilities: (n, C).
            labels: (n,), 0..C-1.
            class_names: C names. A class of `labels` that has no beat has no PR curve; of two classes the second
                (Abnormal) alone has one.
        """

    def lacks(self, split: str, scores: Mapping[str, Any], epoch: int) -> bool:
        """Whether a picture of `epoch` with these `scores` is not on disk: the process ended while it was drawn."""
        return False

    def hparams(self, options: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
        """Write the flags with the final scores (hparam/SCORE) for the HPARAMS tab, into this run itself."""

    def flush(self) -> None:
        """Write pending events to disk."""

    def close(self) -> None:
        """Flush and close; no method is called afterwards."""


def _quiet_writers() -> None:
    """Keep TensorBoard's writing thread from printing a traceback; its error is raised by the next call, too."""
    shown = threading.excepthook
    if getattr(shown, "quiet", False):
        return

    def hook(failed: threading.ExceptHookArgs) -> None:
        if not (type(failed.thread).__name__ == "_AsyncWriterThread" and isinstance(failed.exc_value, OSError)):
            shown(failed)

    hook.quiet = True  # type: ignore[attr-defined]
    threading.excepthook = hook


class TensorBoardLogger(NullLogger):
    """Writes each TensorBoard event once; `NullLogger` documents the methods.

    Args:
        folder: of the events; created when missing.
        first_epoch: events of this epoch and later that an earlier run left in `folder` are hidden, so that a resumed
            run has one value per epoch. None hides nothing.
    """

    def __init__(self, folder: Path, first_epoch: int | None = 1) -> None:
        make_writer = summary_writer()
        _quiet_writers()
        wait_for_new_name(folder)
        self._folder = folder
        self._writer: Any = self._write(make_writer, log_dir=str(folder), purge_step=first_epoch)
        self._write(self._writer.flush)  # the start event, which hides those of first_epoch and later
        self._there = read_events(folder)
        self._new: set[str] = set()  # splits with scores that were not there before
        self._epoch = (first_epoch or 1) - 1  # the latest one written
        # Drawing takes most of a second; a thread of its own draws while the next epoch trains.
        self._painter = ThreadPoolExecutor(1, thread_name_prefix="board")
        self._painting: list[Future[None]] = []

    def _write(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call a method of the writer and name the folder in its OSErrors.

        The writer's thread meets them, and raises them at a later call, where no file is known.
        """
        try:
            return call(*args, **options)
        except OSError as error:
            error.filename = f"TensorBoard's events in {self._folder}"
            raise
        except UnicodeEncodeError as error:
            raise UserError(f"TensorBoard cannot write to {self._folder}: a folder whose name is no text") from error

    def _at(self, epoch: int) -> int:
        self._epoch = max(self._epoch, epoch)
        return epoch

    def scalars(self, split: str, scores: Mapping[str, Any], epoch: int) -> None:
        for tag, value in flatten(scores):
            if tag != "epoch" and self._scalar(f"{tag}/{clean(split)}", value, epoch):
                self._new.add(split)

    def learning_rate(self, lr: float, epoch: int) -> None:
        self._scalar("learning_rate", lr, epoch)

    def _scalar(self, tag: str, value: float, epoch: int) -> bool:
        """Write a number; False when it is there already."""
        if self._there.get((tag, self._at(epoch))) == np.float32(value):
            return False
        self._write(self._writer.add_scalar, tag, value, epoch)
        return True

    def graph(self, model: torch.nn.Module, example_input: Any) -> None:
        if GRAPH in self._there:
            return
        # add_graph prints a failed trace's error before it raises it
        with _undisturbed(model), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                self._write(self._writer.add_graph, model, example_input)
            except Exception as error:  # tracing runs any model's own code; no error of it stops the run
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                log.warning("no graph for TensorBoard, the model cannot be traced: %s", reason)

    def histograms(self, model: torch.nn.Module, epoch: int) -> None:
        for name, parameter in model.named_parameters():
            self._histogram(f"weights/{name}", parameter, epoch)
            if parameter.grad is not None:
                self._histogram(f"gradients/{name}", parameter.grad, epoch)

    def _histogram(self, tag: str, tensor: torch.Tensor, epoch: int) -> None:
        values = tensor.detach().float().cpu().numpy()  # NumPy has no bfloat16
        if values.size and np.isfinite(values).all():
            self._write(self._writer.add_histogram, tag, values, self._at(epoch))

    def pictures(
        self, split: str, confusion: Any, probabilities: Any, labels: Any, class_names: Sequence[str], epoch: int
    ) -> None:
        def wanted(tag: str) -> bool:
            return split in self._new or (tag, epoch) not in self._there

        def paint() -> None:
            figures: dict[str, Callable[[], Figure]] = {
                "confusion": lambda: plot_confusion_matrix(confusion, class_names),
                "confusion_normalised": lambda: plot_confusion_matrix(confusion, class_names, normalize=True),
                "roc": lambda: plot_roc_curve(probabilities, labels, class_names),
            }
            for name, draw in figures.items():
                tag = f"{name}/{clean(split)}"
                if wanted(tag):
                    self._write(self._writer.add_image, tag, _pixels(draw()), epoch, dataformats="HWC")
            for name, scores, positive in one_vs_rest(probabilities, labels, class_names):
                tag = f"pr_curve/{clean(name)}/{clean(split)}"
                if positive.any() and wanted(tag):
                    self._write(self._writer.add_pr_curve, tag, positive, scores, epoch)

        self._at(epoch)
        self._painting.append(self._painter.submit(paint))

    def lacks(self, split: str, scores: Mapping[str, Any], epoch: int) -> bool:
        names = list(scores.get("per_class", {}))
        curves = [name for name in names[len(names) == 2 :] if scores["per_class"][name].get("support")]
        tags = ["confusion", "confusion_normalised", "roc", *(f"pr_curve/{clean(name)}" for name in curves)]
        return any((f"{tag}/{clean(split)}", epoch) not in self._there for tag in tags)

    def hparams(self, options: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard.summary import hparams

        metrics = {f"hparam/{tag}": value for tag, value in flatten(scores) if "/" not in tag and tag != "epoch"}
        # A number stays one, so that the tab can sort by it; True, lists and the rest become text.
        plain = {k: v if type(v) in (int, float, str) or v is None else str(v) for k, v in options.items()}
        # SummaryWriter.add_hparams would open another run beside this one.
        for summary in hparams(plain, metrics):
            self._write(self._writer._get_file_writer().add_summary, summary)
        for tag, value in metrics.items():
            self._scalar(tag, value, self._epoch)

    def flush(self) -> None:
        while self._painting:
            self._painting.pop(0).result()  # raises the thread's error
        self._write(self._writer.flush)

    def close(self) -> None:
        self.flush()
        self._painter.shutdown()
        self._write(self._writer.close)


def summary_writer() -> Any:
    """torch's SummaryWriter; UserError when the package tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
    return SummaryWriter


def get_board(folder: Path, enabled: bool, first_epoch: int | None = 1) -> TensorBoardLogger | NullLogger:
    """A `TensorBoardLogger` over `folder`; when not `enabled` a `NullLogger`, which writes and imports nothing.

    Raises:
        UserError: enabled, and the package tensorboard is not installed.
    """
    return TensorBoardLogger(folder, first_epoch) if enabled else NullLogger()


def clean(name: str) -> str:
    """A part of a tag: `name` in letters, digits, "_", "-" and "." ("+P" becomes "plusP")."""
    return re.sub(r"[^\w.-]", "_", str(name).replace("+", "plus"), flags=re.ASCII)


def flatten(scores: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """(tag, value) of every finite number in nested mappings, in order; keys joined by "/"."""
    for key, value in scores.items():
        tag = prefix + clean(key)
        if isinstance(value, Mapping):
            yield from flatten(value, f"{tag}/")
        elif hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy or Torch scalar
            yield from flatten({key: value.item()}, prefix)
        elif isinstance(value, int | float) and math.isfinite(value):
            yield tag, float(value)


def _pixels(figure: Figure) -> np.ndarray:
    """`figure` as RGB (height, width, 3) uint8; torch's own add_figure would go through pyplot."""
    figure.set_dpi(100)
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]  # the canvas is Agg's


@contextlib.contextmanager
def _undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Evaluate `model` without gradients in a block; restore its modes and the random generators afterwards."""
    import torch

    modes = {module: module.training for module in model.modules()}
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=list(devices)), torch.no_grad():
            model.eval()
            yield
    finally:
        for module, training in modes.items():
            module.training = training
