"""What the flags describe, built: data, model and how they meet; and the run that they mean."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from args import NAME_FLAGS, run_options, stored_options
from toolbox.runs.folders import Run, check_config, list_runs, runs_without_config, select
from toolbox.utils import UserError

if TYPE_CHECKING:
    from loaders.datasets.batches import Batches
    from loaders.datasets.build import Data
    from loaders.datasets.dataset import ECGLoader
    from trainer import TrainContext, Training


TRIAL_BATCHES = 10  # of each pass of a --short-run
EVALUATION_BATCH = 1024  # rows at once where nothing is learned; scores do not depend on it


def find_run(args: Namespace) -> Run:
    """The run that the given flags and --version mean: the newest unless a number is given."""
    wanted = {key: getattr(args, key) for key in NAME_FLAGS if key in args.given}
    version = int(args.version) if args.version not in (None, "latest") else None
    for folder in runs_without_config(args.root_dir):
        print(f"warning: {folder} is passed over: its config.json is missing or damaged", file=sys.stderr)
    run = select(list_runs(args.root_dir), wanted, version)
    check_config(run)
    return Run(run.path, {**run.config, "options": stored_options(run.options, run.path / "config.json")})


@dataclass
class BuiltRun:
    """What the flags describe, built: data, model and how they meet."""

    args: Namespace
    data: Data
    setting: TrainContext

    def batches(self, part: ECGLoader, **options: Any) -> Batches:
        """Batches of one part of the data, few of them in a trial."""
        from loaders.datasets.batches import Batches

        limit = TRIAL_BATCHES if self.args.short_run else None
        if self.args.workers == 0:
            part.to(self.setting.device)  # worker processes gather on the CPU
        return Batches(part, workers=self.args.workers, limit=limit, **options)

    def training(self) -> Training:
        """The model with its optimizer, schedule, batches and an empty log."""
        import torch

        from toolbox.logger import Experiment
        from toolbox.optimizers import get_optimizer, get_scheduler
        from toolbox.training.step import OptimizerStep, WeightEMA
        from trainer import Training

        args = self.args
        weights = self.data.train.sample_weights(args.sampler, args.effective_beta) if args.sampler else None
        order = torch.Generator().manual_seed(args.seed)
        options = {"batch_size": args.batch_size, "augment": args.augment, "mixup": args.mixup, "prune": args.prune}
        batches = self.batches(self.data.train, generator=order, weights=weights, **options)
        held_out = self.batches(self.data.val, batch_size=self.evaluation_batch())
        optimizer = get_optimizer(args, self.setting.model)
        steps = (-(-batches.batches_of(batches.rows(first)) // args.accumulate) for first in (True, False))
        schedule = get_scheduler(args, optimizer, *steps)
        average = WeightEMA(self.setting.model, args.ema) if args.ema else None
        learner = OptimizerStep(self.setting.model, optimizer, schedule, args.accumulate, args.clip_grad, average)
        parameters = sum(p.numel() for p in self.setting.model.parameters())
        log = Experiment("", run_options(args), {"parameters": parameters, "data": self.data.describe()})
        log.logged["hyperparams"] = {key: getattr(args, key) for key in (*NAME_FLAGS, "epochs", "weight_decay", "seed")}
        rest = args.monitor, args.progressive, args.start_epoch - 1
        return Training(self.setting, learner, batches, held_out, log, *rest)

    def evaluation_batch(self) -> int:
        """Rows at once where nothing is learned; in a trial as many as in training."""
        return self.args.batch_size if self.args.short_run else EVALUATION_BATCH

    def load_model(self, state: dict[str, Any], run: Run) -> bool:
        """The weights of a checkpoint of `run`; UserError when they do not fit, a warning when the data differ.

        Returns:
            Whether the data are those that the run was started on.
        """
        from toolbox.runs.checkpoint import load_weights
        from toolbox.runs.checkpoint_checks import check_fits

        check_fits(state, self.args.model_name, self.setting.class_names, run.path)
        load_weights(self.setting.model, state["model"], run.path)
        if state["live"] and not self.args.test:  # with --ema, what is scored and what goes on learning differ
            load_weights(self.setting.model, state["live"], run.path)
        same = run.config["data"]["fingerprint"] == self.data.cache.fingerprint
        if not same:
            print(
                f"warning: {run.name} was trained on other data ({run.config['data']['source']}); scores are not "
                f"comparable with those on {self.data.cache.meta['source']['where']}",
                file=sys.stderr,
            )
        return same


def build(args: Namespace) -> BuiltRun:
    """Data, model and criterion as the flags tell; nothing is left on disk but the data's cache."""
    from loaders import get_loader
    from models import get_model
    from toolbox.losses import get_criterion
    from toolbox.runs.checkpoint import seed_everything
    from toolbox.utils.device import make_deterministic, pick_device, use_bf16
    from trainer import TrainContext

    device = pick_device(args.disable_cuda)
    make_deterministic(args.deterministic)
    bf16 = use_bf16(args.precision, device)
    data = get_loader(args)
    args.num_classes = data.train.num_classes
    seed_everything(args.seed)
    model = get_model(args, **data.train.shape())
    if not (args.resume or args.test):
        fit_scaling(model, data)
        start_weights(model, args)
    weights = data.train.class_weights(args.class_balance, args.effective_beta) if args.class_balance else None
    criterion = get_criterion(args, weights, data.train.class_counts())
    if args.compile:
        model.compile()  # in place: the state_dict keeps its names
    setting = TrainContext(model.to(device), criterion.to(device), data.train.class_names, device, bf16)
    return BuiltRun(args, data, setting)


def fit_scaling(model: Any, data: Data) -> None:
    """Let a model that scales what it reads take the scaling from the training rows."""
    if hasattr(model, "fit_scaling"):
        model.fit_scaling(*data.train.inputs())


def start_weights(model: Any, args: Namespace) -> None:
    """Load what --pretrained or --import-weights names, if one does; a head of other size is new."""
    from toolbox.runs.checkpoint import BEST, load_checkpoint, load_weights
    from toolbox.runs.checkpoint_checks import check_fits
    from toolbox.runs.pickle_reader import import_weights

    if args.import_weights:
        load_weights(model, import_weights(args.import_weights), args.import_weights, new_head=True)
    if not args.pretrained:
        return
    path = Path(args.pretrained)
    if not path.exists():
        named = [run.path for run in list_runs(args.root_dir) if run.name == args.pretrained]
        if not named:
            known = ", ".join(run.name for run in list_runs(args.root_dir)) or "none yet"
            raise UserError(f"--pretrained {args.pretrained}: no such file, folder or run; runs: {known}")
        path = named[-1]
    path = path / BEST if path.is_dir() else path
    state = load_checkpoint(path)
    check_fits(state, args.model_name, state.get("class_names", ()), path)  # other classes get a new head
    load_weights(model, state["model"], path, new_head=True)
