"""Flags of training: optimizer, schedule, loss, device."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass

from toolbox.utils.cluster import cluster_address
from toolbox.utils.options import Conflict, conflicts_of_each, listed, number, option, spelling

# The names in the tables of functions: CRITERIA of toolbox.losses, OPTIMIZERS of toolbox.optimizers, SCHEDULERS of
# toolbox.schedulers, TRACKERS of toolbox.reports.trackers. They stand here, too, so that --help imports no torch; tests
# compare them.
CRITERION_NAMES = ("nll", "crossentropy", "focal", "logitadjusted", "bce", "mse", "l1")
OPTIMIZER_NAMES = ("sgd", "adam", "adamw")
TRACKER_NAMES = ("tensorboard", "mlflow", "wandb", "trackio")
SCHEDULER_NAMES = ("StepLR", "ExponentialLR", "ReduceLROnPlateau", "cosine", "onecycle")
MOST_THREADS = 1024


def device_name(text: str) -> str:
    """An argparse type: auto, cpu, mps, cuda or cuda:N."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", text):
        raise ArgumentTypeError(f"{text!r}: expected auto, cpu, cuda, cuda:N or mps")
    return text


def thread_count(text: str) -> str:
    """An argparse type: auto, or a number of threads."""
    if text != "auto" and not (re.fullmatch(r"[0-9]{1,4}", text) and 1 <= int(text) <= MOST_THREADS):
        raise ArgumentTypeError(f"{text!r}: expected auto, or a number of threads from 1 to {MOST_THREADS}")
    return text if text == "auto" else str(int(text))


@dataclass(frozen=True)
class TrainingOptions:
    """Length of a training, and how the model is chosen and kept."""

    epochs: int = option(20, "how many epochs in all", type=number(int, 1), role="free", common=True)
    start_epoch: int = option(1, "number of the first epoch", type=number(int, 1))
    checkpoint_minutes: float = option(
        5.0, "between checkpoints within an epoch; 0: none", type=number(float, 0), metavar="MINUTES", role="free"
    )
    monitor: str = option(
        "macro_f1",
        "validation score that chooses the best epoch: macro_f1, acc1, acc_class, meanIoU, mAP, kappa, j_kappa, loss; "
        "last: always the last epoch",
        choices=("macro_f1", "acc1", "acc_class", "meanIoU", "mAP", "kappa", "j_kappa", "loss", "last"),
        metavar="SCORE",
    )
    patience: int = option(
        0,
        "stop after N epochs without a better --monitor, 0: never; --scheduler cosine and onecycle, and --progressive, "
        "span all --epochs, so a stop cuts off their end",
        type=number(int, 0),
        role="free",
        common=True,
    )
    seed: int = option(42, "of weights, order and validation split", type=number(int, 0, 2**32 - 1), common=True)
    accumulate: int = option(1, "batches per optimizer step", type=number(int, 1))
    clip_grad: float | None = option(
        None, "longest gradient, as a norm over all weights", type=number(float, 0, above=True), metavar="X"
    )
    ema: float = option(
        0.999,
        "decay of the averaged weights that are scored and kept as the model; 0: no average",
        type=number(float, 0, 1),
    )
    tensorboard: bool = option(False, "as --tracker tensorboard", negatable=True, role="free", common=True)
    tracker: list[str] = option(
        ["none"],
        f"watch the training by, any of {', '.join(TRACKER_NAMES)}, several at once; each keeps to this machine",
        choices=("none", *TRACKER_NAMES),
        nargs="+",
        role="free",
        common=True,
    )


@dataclass(frozen=True)
class ClusterOptions:
    """Machines that share the work."""

    cluster: str | None = option(
        None,
        "with --predict, --score and --prepare: a Dask cluster that does the work, by its scheduler's address or file; "
        "local:N starts N processes here",
        type=cluster_address,
        metavar="tcp://HOST:PORT|FILE.json|local:N",
        role="action",
    )


@dataclass(frozen=True)
class FigureOptions:
    """The pictures of a run, in pics/ and pred/."""

    figures: list[str] = option(
        ["png"],
        "their formats, of png, pdf, svg; PNG is always written",
        choices=("png", "pdf", "svg"),
        nargs="+",
        role="free",
    )
    dpi: int = option(120, "pixels per inch of PNG", type=number(int, 30, 1200), role="free")
    titles: bool = option(True, "titles inside; a paper's caption says the same", negatable=True, role="free")


@dataclass(frozen=True)
class OptimizerOptions:
    """The optimizer."""

    optimizer: str = option(
        "adam",
        f"one of {', '.join(OPTIMIZER_NAMES)}",
        type=listed("optimizer", OPTIMIZER_NAMES),
        role="name",
        common=True,
    )
    lr: float = option(
        0.01, "learning rate; the highest of a schedule", type=number(float, 0, above=True), role="name", common=True
    )
    momentum: float = option(0.9, "of sgd", type=number(float, 0, 1))
    betas: list[float] = option(
        [0.9, 0.999], "of adam and adamw", type=number(float, 0, 1, below=True), nargs=2, metavar="X"
    )
    weight_decay: float = option(
        0.0001, "of the weights; biases and normalisation go without", also=("--wd",), type=number(float, 0)
    )


@dataclass(frozen=True)
class SchedulerOptions:
    """The learning rate over time."""

    scheduler: str = option(
        "StepLR",
        f"one of {', '.join(SCHEDULER_NAMES)}",
        type=listed("scheduler", SCHEDULER_NAMES),
        role="name",
        common=True,
    )
    step: int = option(5, "epochs: period of StepLR, patience of ReduceLROnPlateau", type=number(int, 1))
    lr_decay: float = option(0.995, "factor of these and of ExponentialLR", type=number(float, 0, 1, above=True))
    warmup: float = option(0.1, "share of all steps that cosine and onecycle rise for", type=number(float, 0, 1))


@dataclass(frozen=True)
class CriterionOptions:
    """The loss."""

    criterion: str = option(
        "nll",
        f"one of {', '.join(CRITERION_NAMES)}",
        type=listed("criterion", CRITERION_NAMES),
        role="name",
        common=True,
    )
    focal_gamma: float = option(2.0, "of focal", type=number(float, 0))
    label_smoothing: float = option(0.0, "of crossentropy", type=number(float, 0, 1))
    logit_tau: float = option(1.0, "of logitadjusted (Menon 2021)", type=number(float, 0, 10))


@dataclass(frozen=True)
class DeviceOptions:
    """Where and how exactly it is computed."""

    device: str = option(
        "auto",
        "auto: cuda where there is one, else mps, else cpu",
        type=device_name,
        metavar="auto|cpu|cuda|cuda:N|mps",
        role="free",
        common=True,
    )
    threads: str = option(
        "auto",
        "of a training on a CPU; auto: OMP_NUM_THREADS, else as many as a few steps at its start are fastest with; a "
        "resumed run keeps its own",
        type=thread_count,
        metavar="auto|N",
        role="free",
    )
    cuda_graphs: str = option(
        "auto",
        "training steps as CUDA graphs, the same bits in less time; auto: on CUDA, where they can be captured",
        choices=("auto", "on", "off"),
        role="free",
    )
    compile: bool = option(False, "torch.compile: pays on GPUs", negatable=True)
    precision: str = option("auto", "auto: bf16 where the hardware has it", choices=("auto", "fp32", "bf16"))
    deterministic: bool = option(False, "the same bits every time on GPUs", negatable=True)
    disable_cuda: bool = option(False, "the predecessor's spelling of --device cpu", role="free")


# Flags that only some choices read: flag -> the flag of the choice, and which of its values read it.
READ_BY = {
    "label_smoothing": ("criterion", ("crossentropy",)),
    "focal_gamma": ("criterion", ("focal",)),
    "logit_tau": ("criterion", ("logitadjusted",)),
    "momentum": ("optimizer", ("sgd",)),
    "betas": ("optimizer", ("adam", "adamw")),
    "step": ("scheduler", ("StepLR", "ReduceLROnPlateau")),
    "lr_decay": ("scheduler", ("StepLR", "ExponentialLR", "ReduceLROnPlateau")),
    "warmup": ("scheduler", ("cosine", "onecycle")),
}


def unread(flag: str, choice: str, readers: tuple[str, ...]) -> Conflict:
    """The row that refuses a typed `flag` that the value of `choice` does not read, as it would do nothing."""
    return Conflict(
        lambda args: args.starts and flag in args.typed and getattr(args, choice) not in readers,
        f"{spelling(flag)} does nothing with {spelling(choice)} {{{choice}}}; "
        f"it goes with {spelling(choice)} {' or '.join(readers)}",
    )


CONFLICTS = (
    Conflict(
        lambda args: args.cluster and not (args.predict or args.score or args.prepare),
        "--cluster goes with --predict, --score and --prepare; torchrun shares a training out",
    ),
    Conflict(
        lambda args: args.cluster and "-" in (args.predict or ()),
        "--predict - reads one stream; leave out --cluster",
    ),
    Conflict(
        lambda args: args.cluster and "workers" in args.typed,
        "--cluster has workers of its own; leave out --workers",
    ),
    *(unread(flag, choice, readers) for flag, (choice, readers) in READ_BY.items()),
    *conflicts_of_each(
        ("ema", "momentum", "label_smoothing"),
        lambda args, name: args.starts and getattr(args, name) == 1,
        "{flag} 1 leaves nothing to learn from; expected less than 1",
    ),
    Conflict(
        lambda args: args.starts and args.scheduler == "ReduceLROnPlateau" and args.lr_decay == 1,
        "--scheduler ReduceLROnPlateau with --lr-decay 1 never lowers the rate; expected a factor below 1",
    ),
    Conflict(
        lambda args: args.disable_cuda and args.device not in ("auto", "cpu"),
        "--disable-cuda stays on the CPU; leave out --device {device}",
    ),
    Conflict(
        lambda args: args.predict and "threads" in args.typed,
        "--threads is for training and --test; with --predict set OMP_NUM_THREADS={threads}",
    ),
    Conflict(
        lambda args: args.resume and "start_epoch" in args.given,
        "--start-epoch conflicts with --resume, which knows its epoch",
    ),
    Conflict(
        lambda args: args.patience and args.starts and args.monitor == "last",
        "--patience {patience} does nothing with --monitor last, which every epoch improves; take a score",
    ),
    Conflict(
        lambda args: args.starts and args.start_epoch > args.epochs,
        "--start-epoch {start_epoch} lies behind --epochs {epochs}",
    ),
)
