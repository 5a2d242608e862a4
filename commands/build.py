"""Builds what the flags describe: data, model, criterion, and the training that joins them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from args import NAME_FLAGS, run_options
from commands.options import CommandOptions
from commands.pretrained import pretrained_file
from loaders import get_loader
from loaders.datasets.batches import Batches
from loaders.datasets.build import Data
from loaders.datasets.databases import people_of
from loaders.datasets.dataset import ECGLoader
from loaders.options import BalanceOptions, BatchOptions
from models import get_model
from models.options import ModelOptions
from toolbox.logger import Experiment
from toolbox.losses import get_criterion
from toolbox.optimizers import get_optimizer
from toolbox.options import DeviceOptions, FigureOptions, TrainingOptions
from toolbox.runs.checkpoint import load_checkpoint, load_weights
from toolbox.runs.checkpoint_checks import check_fits
from toolbox.runs.folders import Run
from toolbox.runs.pickle_reader import import_weights
from toolbox.schedulers import get_scheduler
from toolbox.training.cuda_graph import GraphedStep
from toolbox.training.distributed import ALONE, Processes
from toolbox.training.job_layers import share_layers
from toolbox.training.step import OptimizerStep, WeightEMA
from toolbox.utils import UserError, note, warn
from toolbox.utils.device import make_deterministic, pick_device, use_bf16
from toolbox.utils.options import pick_groups
from toolbox.utils.seeding import seed_everything
from trainer import TrainContext, Training

TRIAL_BATCHES = 10  # of each pass of a --short-run
TRIAL_ROWS = 32  # that imported weights are tried on
EVALUATION_BATCH = 1024  # rows at once where nothing is learned; scores do not depend on it


@dataclass(frozen=True)
class Options:
    """The flags, split by what they configure."""

    command: CommandOptions
    model: ModelOptions
    training: TrainingOptions
    batches: BatchOptions
    balance: BalanceOptions
    device: DeviceOptions
    figures: FigureOptions

    @classmethod
    def of(cls, args: Namespace) -> Options:
        """Split the flags of a command line."""
        return pick_groups(cls, args)


@dataclass
class BuiltRun:
    """Data and model of a run, and how they meet.

    Attributes:
        args: all flags, as the factories of the predecessor take them and config.json keeps them.
        options: the same, split by what they configure.
        data: rows of training, validation and test.
        context: model, criterion and device.
        threads: how many the training has, and what they were chosen by; see commands.threads.
    """

    args: Namespace
    options: Options
    data: Data
    context: TrainContext
    threads: dict[str, Any] = field(default_factory=dict)

    def batches(self, part: ECGLoader, **options: Any) -> Batches:
        """Batches of one part of the data, few of them in a trial."""
        limit = TRIAL_BATCHES if self.options.command.short_run else None
        workers = self.options.batches.workers
        if workers == 0:
            part.to(self.context.device)  # worker processes gather on the CPU
        return Batches(part, workers=workers, limit=limit, **options)

    def evaluation_batches(self, part: ECGLoader) -> Batches:
        """Batches of rows that nothing is learned from: large ones, in a trial those of training."""
        size = self.options.batches.batch_size if self.options.command.short_run else EVALUATION_BATCH
        return self.batches(part, batch_size=size)

    def training(self) -> Training:
        """The model with its optimizer, schedule, batches and an empty log."""
        options, training, model = self.options.batches, self.options.training, self.context.model
        processes = self.context.processes
        self.context.criterion = share_layers(model, self.context.criterion, processes)
        balance, train_rows = self.options.balance, self.data.train
        weights = train_rows.sample_weights(balance.sampler, balance.effective_beta) if balance.sampler else None
        batches = self.batches(
            train_rows, generator=torch.Generator().manual_seed(training.seed), weights=weights,
            batch_size=options.batch_size, augment=options.augment, mixup=options.mixup, prune=options.prune,
        )  # fmt: skip
        optimizer = get_optimizer(self.args, model)
        steps = (-(-batches.batches_of(batches.rows(first)) // training.accumulate) for first in (True, False))
        schedule = get_scheduler(self.args, optimizer, *steps)
        average = WeightEMA(model, training.ema) if training.ema else None
        stepper = OptimizerStep(model, optimizer, schedule, training.accumulate, training.clip_grad, average, processes)
        stepper.graphs = graphed(stepper, self.context, self.options)
        held_out = self.evaluation_batches(self.data.val)
        rest = training.monitor, options.progressive, training.start_epoch - 1
        return Training(self.context, stepper, batches, held_out, self.empty_log(), *rest)

    def empty_log(self) -> Experiment:
        """The log of a run that begins: its flags, model size and data."""
        parameters = sum(p.numel() for p in self.context.model.parameters())
        log = Experiment("", run_options(self.args), {"parameters": parameters, "data": self.data.describe()})
        shown = (*NAME_FLAGS, "epochs", "weight_decay", "seed")
        log.logged["hyperparams"] = {key: getattr(self.args, key) for key in shown}
        return log

    def load_model(self, state: dict[str, Any], run: Run) -> bool:
        """Load the weights of a checkpoint of `run`; warn when the data differ from those it was started on.

        Returns:
            Whether the data are the same.

        Raises:
            UserError: the weights do not fit.
        """
        check_fits(state, self.options.model.model_name, self.context.class_names, run.path)
        if self.options.command.test:
            self.check_records(run)
        load_weights(self.context.model, state["model"], run.path)
        if state["live"] and not self.options.command.test:  # with --ema, the scored and the learning weights differ
            load_weights(self.context.model, state["live"], run.path)
        same = run.config["data"]["fingerprint"] == self.data.cache.fingerprint
        if not same:
            warn(
                f"{run.name} was trained on other data ({run.config['data']['source']}); scores are not "
                f"comparable with those on {self.data.cache.meta['source']['where']}"
            )
        return same

    def check_records(self, run: Run) -> None:
        """Raise UserError when records or people that `run` learned from would test it now."""
        then, now = run.config["data"], self.data.facts
        if "people" in now:
            learned = listed(then, "people") or people_of(listed(then, "records"))
            tested = now["people"]["test"]
        else:
            learned, tested = listed(then, "records"), now.get("records", {}).get("test", [])
        both = sorted(set(learned) & set(tested))
        if both:
            names = ", ".join(both[:6]) + (" ..." if len(both) > 6 else "")
            raise UserError(
                f"{run.name} learned from records that would test it now: {names}; "
                "the records, or the file of --patients, are not those that it was trained with; put them back"
            )


def graphed(stepper: OptimizerStep, context: TrainContext, options: Options) -> GraphedStep | None:
    """The steps of a training as CUDA graphs, as --cuda-graphs says; None, with a line that says why where they were to
    be expected, for those that are not captured.

    Raises:
        UserError: "on", and the device is none that has them.
    """
    wanted = options.device.cuda_graphs
    if wanted == "off" or (wanted == "auto" and context.device.type != "cuda"):
        return None
    if context.device.type != "cuda":
        raise UserError(f"--cuda-graphs on: the device is {context.device}, and only CUDA has them; leave it out")
    reasons = {
        "--mixup gives each batch another loss": options.batches.mixup > 0,
        "--compile makes steps of its own": options.device.compile,
        "--masking reads the length of each row on the way": options.model.masking,
        "several processes exchange gradients within a step": context.processes.size > 1,
    }
    if reason := next((text for text, holds in reasons.items() if holds), ""):
        note(f"steps run without CUDA graphs: {reason}")
        return None
    return GraphedStep(stepper)


def listed(data: Mapping[str, Any], what: str) -> list[str]:
    """The "records" or "people" that trained, by a run's config.json; none where it does not name them."""
    parts = data.get(what)
    names = parts.get("train") if isinstance(parts, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def build(args: Namespace, processes: Processes = ALONE) -> BuiltRun:
    """Data, model and criterion as the flags describe them; nothing is left on disk but the data's cache.

    Args:
        processes: that train the model together.
    """
    options = Options.of(args)
    balance = options.balance
    device = pick_device(options.device.device, options.device.disable_cuda)
    make_deterministic(options.device.deterministic)
    bf16 = use_bf16(options.device.precision, device)
    data = get_loader(args)
    args.num_classes = data.train.num_classes
    seed_everything(options.training.seed)
    model = get_model(args, **data.train.shape())
    if not (options.command.resume or options.command.test):
        fit_scaling: Any = getattr(model, "fit_scaling", None)  # of models that scale their inputs
        if fit_scaling is not None:
            fit_scaling(*data.train.inputs())
        start_weights(model, options, args.root_dir)
        check_outputs(model, data.train, options.command.import_weights or options.command.pretrained)
    weights = data.train.class_weights(balance.class_balance, balance.effective_beta) if balance.class_balance else None
    criterion = get_criterion(args, weights, data.train.class_counts())
    if options.device.compile:
        model.compile()  # in place: the state_dict keeps its names
    context = TrainContext(model.to(device), criterion.to(device), data.train.class_names, device, bf16, processes)
    return BuiltRun(args, options, data, context)


@torch.no_grad()
def check_outputs(model: nn.Module, rows: ECGLoader, source: str | None) -> None:
    """Refuse weights of a file, `source`, that are numbers, and yet so large that the network's outputs are none."""
    if source is None:
        return
    batch = rows.batch(torch.arange(min(len(rows), TRIAL_ROWS)))
    logits = model.eval()(*batch.inputs(torch.device("cpu")))
    model.train()
    if not bool(logits.isfinite().all()):
        raise UserError(f"{source} is of no use: with its weights the network's outputs are NaN or infinite")


def start_weights(model: nn.Module, options: Options, root: str) -> None:
    """Load the weights that --pretrained or --import-weights names, if any; a head of another size stays as it is."""
    command = options.command
    if command.import_weights:
        load_weights(model, import_weights(command.import_weights), command.import_weights, new_head=True)
    if not command.pretrained:
        return
    path = pretrained_file(command.pretrained, root)
    state = load_checkpoint(path)
    check_fits(state, options.model.model_name, state.get("class_names", ()), path)  # other classes get a new head
    load_weights(model, state["model"], path, new_head=True)
