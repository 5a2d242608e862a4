"""Logging to TensorBoard.

No call draws from a global random generator or changes the model: a run computes the same numbers with TensorBoard and
without.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolbox.plotter import one_vs_rest, plot_confusion_matrix, plot_roc_curve
from toolbox.reports.event_files import GRAPH, read_events, wait_for_new_name
from toolbox.reports.null_logger import NullLogger, clean, flatten
from toolbox.utils import UserError

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
WITHIN = 1000  # steps of an epoch, for the losses within it


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
        self._first_epoch = first_epoch
        self._inner: Any = None  # writes the losses within epochs
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

    def about(self, texts: Mapping[str, str]) -> None:
        for heading, text in texts.items():
            if text and (f"{heading}/text_summary", 0) not in self._there:
                self._write(self._writer.add_text, heading, text, 0)

    def within(self, epoch: int, losses: Sequence[tuple[float, float]]) -> None:
        if self._inner is None:
            folder, first = self._folder / "within", self._first_epoch
            start = None if first is None else WITHIN * (first - 1) + 1
            wait_for_new_name(folder)
            self._inner = self._write(summary_writer(), log_dir=str(folder), purge_step=start)
        for share, loss in losses:
            self._write(self._inner.add_scalar, "loss/train", loss, round(WITHIN * (epoch - 1 + share)))

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

    def hparams(self, options: Mapping[str, Any], scores: Mapping[str, Any], planned: Sequence[str] = ()) -> None:
        from torch.utils.tensorboard.summary import hparams

        metrics = {f"hparam/{tag}": value for tag, value in flatten(scores) if "/" not in tag and tag != "epoch"}
        columns = dict.fromkeys([*(f"hparam/{clean(name)}" for name in planned), *metrics], 0.0)
        # A number stays one, so that the tab can sort by it; True, lists and the rest become text.
        plain = {k: v if type(v) in (int, float, str) or v is None else str(v) for k, v in options.items()}
        # SummaryWriter.add_hparams would open another run beside this one.
        for summary in hparams(plain, columns):
            self._write(self._writer._get_file_writer().add_summary, _first_column(summary, next(iter(plain), "")))
        for tag, value in metrics.items():
            self._scalar(tag, value, self._epoch)

    def flush(self) -> None:
        while self._painting:
            self._painting.pop(0).result()  # raises the thread's error
        self._write(self._writer.flush)
        if self._inner is not None:
            self._write(self._inner.flush)

    def close(self) -> None:
        self.flush()
        self._painter.shutdown()
        self._write(self._writer.close)
        if self._inner is not None:
            self._write(self._inner.close)


def _first_column(summary: Any, name: str) -> Any:
    """The summary of an experiment, with the flag `name` as the first: TensorBoard sorts those that differ, by name."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    for value in summary.value:
        content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for info in content.experiment.hparam_infos:
            info.differs = info.name == name
        value.metadata.plugin_data.content = content.SerializeToString()
    return summary


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
