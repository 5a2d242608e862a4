"""Entry point: train, resume, test, annotate recordings, score annotations, or prepare.

python commander.py --model-name resnet1d_10 --version bump
python commander.py --test --resume best
python commander.py --predict RECORDING...
python commander.py --score ecg_data/mitdb --test-annotator ecg
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from argparse import Namespace
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from args import FREE_FLAGS, NAME_FLAGS, extract_name, parse_args, run_options, stored_options
from toolbox.interrupt import Ended, Endings, Interrupted
from toolbox.runs import (
    Run,
    check_config,
    claim,
    continued,
    list_runs,
    nothing_left,
    resume_command,
    select,
    spoilt,
)
from toolbox.utils import UserError, explained, os_reason, tune_process, write_json

if TYPE_CHECKING:
    from loaders.ecg_loader import Batches, Data, ECGLoader
    from toolbox.board import NullBoard
    from trainer import Setting, Training

TRIAL_BATCHES = 10  # of each pass of a --short-run
EVALUATION_BATCH = 1024  # rows at once where nothing is learned; scores do not depend on it


def __getattr__(name: str) -> Any:
    """save_checkpoint and load_checkpoint, where the predecessor had them; they bring torch, so only when asked for."""
    if name in ("save_checkpoint", "load_checkpoint"):
        from toolbox import checkpoint

        return getattr(checkpoint, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Do what the command line `argv` says and return what came of it.

    Raises:
        UserError: a mistake in the flags, the data or the files; SystemExit from the parser for flags alone.
        Interrupted: SIGTERM or Ctrl-C while training; the run is saved and can be gone on with.
    """
    tune_process()
    args = parse_args(argv)
    try:
        return act(args)
    except OSError as error:  # what nobody closer to the file could say more about
        raise UserError(f"{os_reason(error)}; what was there before is kept") from error
    except RuntimeError as error:
        if told := explained(error):
            raise UserError(told) from error
        raise


def act(args: Namespace) -> dict[str, Any]:
    """Do the one thing that `args` ask for."""
    if args.prepare:
        return prepare(args)
    if args.score:
        return score(args)
    if args.predict:
        return predict_recordings(args)
    if args.export:
        return export_model(args)
    if args.seeds > 1:
        return run_experiment(args)
    if not (args.test or args.resume):
        return train_run(args)
    run = find_run(args)
    args = continued(args, run, FREE_FLAGS)
    return test_run(args, run) if args.test else train_run(args, run)


def run_experiment(args: Namespace) -> dict[str, Any]:
    """Train several seeds as one experiment, or score them."""
    from toolbox.seeds import Actions, run_seeds

    return run_seeds(args, extract_name(args), Actions(train_run, test_run, run_options, NAME_FLAGS, FREE_FLAGS))


def find_run(args: Namespace) -> Run:
    """The run that the given flags and --version mean: the newest unless a number is given."""
    wanted = {key: getattr(args, key) for key in NAME_FLAGS if key in args.given}
    version = int(args.version) if args.version not in (None, "latest") else None
    for folder in spoilt(args.root_dir):
        print(f"warning: {folder} is passed over: its config.json is missing or damaged", file=sys.stderr)
    run = select(list_runs(args.root_dir), wanted, version)
    check_config(run)
    return Run(run.path, {**run.config, "options": stored_options(run.options, run.path / "config.json")})


@dataclass
class Session:
    """What the flags describe, built: data, model and how they meet."""

    args: Namespace
    data: Data
    setting: Setting

    def batches(self, part: ECGLoader, **options: Any) -> Batches:
        """Batches of one part of the data, few of them in a trial."""
        from loaders.ecg_loader import Batches

        limit = TRIAL_BATCHES if self.args.short_run else None
        if self.args.workers == 0:
            part.to(self.setting.device)  # worker processes gather on the CPU
        return Batches(part, workers=self.args.workers, limit=limit, **options)

    def training(self) -> Training:
        """The model with its optimizer, schedule, batches and an empty log."""
        import torch

        from toolbox.learner import Average, Learner
        from toolbox.logger import Experiment
        from toolbox.optimizers import get_optimizer, get_scheduler
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
        average = Average(self.setting.model, args.ema) if args.ema else None
        learner = Learner(self.setting.model, optimizer, schedule, args.accumulate, args.clip_grad, average)
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
        from toolbox.checkpoint import load_weights
        from toolbox.schema import check_fits

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


def build(args: Namespace) -> Session:
    """Data, model and criterion as the flags tell; nothing is left on disk but the data's cache."""
    from loaders import get_loader
    from models import get_model
    from toolbox.checkpoint import seed_everything
    from toolbox.losses import get_criterion
    from toolbox.utils import make_deterministic, pick_device, use_bf16
    from trainer import Setting

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
    setting = Setting(model.to(device), criterion.to(device), data.train.class_names, device, bf16)
    return Session(args, data, setting)


def fit_scaling(model: Any, data: Data) -> None:
    """Let a model that scales what it reads take the scaling from the training rows."""
    if hasattr(model, "fit_scaling"):
        model.fit_scaling(*data.train.inputs())


def start_weights(model: Any, args: Namespace) -> None:
    """Load what --pretrained or --import-weights names, if one does; a head of other size is new."""
    from toolbox.checkpoint import BEST, load_checkpoint, load_weights
    from toolbox.importer import import_weights
    from toolbox.schema import check_fits

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


def train_run(args: Namespace, run: Run | None = None) -> dict[str, Any]:
    """Start a run, or go on with `run`; no other process can do so meanwhile."""
    from toolbox.board import summary_writer
    from toolbox.lock import hold

    if run is not None:
        with hold(run.path):
            return continue_run(args, run)
    session = build(args)
    training = session.training()
    if args.tensorboard:
        summary_writer()  # what is not installed is told before there is a run
    wanted = int(args.version) if args.version not in (None, "bump") else None
    path, version = claim(Path(args.root_dir) / args.dataset / "runs", extract_name(args), wanted)
    with nothing_left(path), hold(path):
        run = start_run(session, training, path, version)
        print(f"run {run.path}", flush=True)
        return fit(session, training, run)


def continue_run(args: Namespace, run: Run) -> dict[str, Any]:
    """Go on with `run` from the checkpoint that --resume names."""
    from toolbox.provenance import resumed
    from toolbox.resume import is_finished, load_named, rewind, take_up
    from toolbox.schema import check_options

    state = load_named(run.path, args.resume, mend=True)
    if is_finished(run.path, state, args.resume, args.epochs):
        print(
            f"nothing to do: {run.name} has finished epoch {state['epoch']} of {args.epochs}; more --epochs extend it"
        )
        return {"run": str(run.path), "epoch": state["epoch"], "best": state["best"]}
    session = build(args)
    training = session.training()
    if not session.load_model(state, run) and state.get("within"):
        print("warning: the epoch that was under way begins anew, on these data", file=sys.stderr)
        state = {**state, "within": None}
    check_options(state, run.options, FREE_FLAGS, run.path / "config.json")
    take_up(training, state, run.path)
    entry = resumed(run.config, session.data.describe(), session.setting.device, training.epoch)
    run.config["resumed"] = [*run.config.get("resumed", []), entry]
    run.config["options"] = run_options(args)
    write_json(run.path / "config.json", run.config)
    rewind(run.path, args.resume, training)
    within = f" and {training.broken_off.batches} batches of the next" if training.broken_off else ""
    print(f"going on with {run.path} after epoch {training.epoch}{within}", flush=True)
    return fit(session, training, run)


def start_run(session: Session, training: Training, path: Path, version: int) -> Run:
    """Fill the folder of a new run, now that everything it needs is known to be good: a checkpoint of its start, and
    last its config.json, which makes it a run."""
    from toolbox.checkpoint import LATEST, save_checkpoint
    from toolbox.provenance import describe

    config = {
        "name": path.name,
        "version": version,
        "started": datetime.now(UTC).isoformat(timespec="microseconds"),
        "options": run_options(session.args),
        "class_names": list(session.setting.class_names),
        "precision": "bf16" if session.setting.bf16 else "fp32",
        "data": session.data.describe(),
        "warnings": session.data.warnings,
        **describe(session.setting.device),
    }
    if (experiment := getattr(session.args, "experiment", None)) is not None:
        config["experiment"] = experiment
    training.log.name = path.name
    save_checkpoint(path / LATEST, training.state())
    write_json(path / "config.json", config)
    return Run(path, config)


def fit(session: Session, training: Training, run: Run) -> dict[str, Any]:
    """Train to the last epoch, then draw the run's curves and page, and say what was reached.

    Raises:
        Interrupted: SIGTERM or Ctrl-C, with the command that goes on.
    """
    from loaders.describe import missing_classes
    from toolbox.board import get_board

    args = session.args
    for line in [*missing_classes(session.data), *(f"note: {warning}" for warning in session.data.warnings)]:
        print(line, file=sys.stderr)
    board = get_board(run.path / "tensorboard", args.tensorboard, training.epoch + 1)
    try:
        board.graph(training.setting.model, session.data.val[0].inputs(training.setting.device))
        training.make_up(board)
        training.fit(run.path, args.epochs, board, args.verbose, args.checkpoint_minutes)
        return finish(training, run, board)
    except (Interrupted, Ended) as stop:
        board.close()
        told = stop if isinstance(stop, Interrupted) else Interrupted(stop.signal, f"epoch {training.epoch}")
        told.command = resume_command(run, NAME_FLAGS)
        raise told from None


def finish(training: Training, run: Run, board: NullBoard) -> dict[str, Any]:
    """The curves and the page of a run that has come to its last epoch."""
    from toolbox.logger import scores_table
    from toolbox.results import write_page, write_pictures

    logged, best = training.log.logged, training.best or {}
    entry = training.log.at("val", best["epoch"]) or {}
    board.hparams(logged["hyperparams"], entry)
    board.close()
    write_pictures(run.path, logged)
    write_page(run, logged, training.best)
    print(f"best epoch {best['epoch']} by {best['monitor']}, validation scores:\n{scores_table(entry)}\nrun {run.path}")
    return {"run": str(run.path), "epoch": training.epoch, "best": training.best, "val": entry}


def test_run(args: Namespace, run: Run) -> dict[str, Any]:
    """Score the test rows with a checkpoint of `run`, the best unless --resume names another."""
    import numpy as np

    from toolbox.board import get_board
    from toolbox.logger import Experiment, scores_table
    from toolbox.patient_results import write_patient_results
    from toolbox.results import write_page, write_test_results
    from toolbox.resume import load_named
    from trainer import run_epoch, test

    state = load_named(run.path, args.resume or "best")
    if not state["log"]["logged"]["val"]:
        raise UserError(f"{run.name} has finished no epoch yet; there is nothing to score")
    session = build(args)
    session.load_model(state, run)
    outcome = test(session.setting, session.batches(session.data.test, batch_size=session.evaluation_batch()))
    epoch, names, scores = state["epoch"], session.setting.class_names, outcome.scores
    print(f"{run.name}, epoch {epoch}, test scores:\n{scores_table(scores)}", flush=True)  # first: the disk may be full
    probabilities, labels = outcome.probabilities.numpy(), outcome.labels.numpy()
    path = write_test_results(run.path, epoch, scores, outcome.results(), probabilities, labels, names)
    data, held_out = session.data, None
    if args.validate_on == "val":
        held_out = run_epoch(
            session.setting, session.batches(data.val, batch_size=session.evaluation_batch()), "calibrate"
        )
    origin = data.test.origin(outcome.ids)
    found, lines = write_patient_results(run.path, epoch, outcome, origin, names, args.split, held_out)
    board = get_board(run.path / "tensorboard", args.tensorboard, None)  # the curves go on behind this epoch
    board.scalars("test", scores, epoch)
    board.pictures("test", np.array(scores["confusion"]), probabilities, labels, names, epoch)
    board.close()
    log = Experiment.from_json(run.path / "logger.json")  # all epochs; the checkpoint knows those up to its own
    write_page(run, log.logged, state["best"])
    print("\n".join(lines), flush=True)
    for warning in session.data.warnings:
        print(f"note: {warning}", file=sys.stderr)
    print(f"written {path.parent}")
    return {"run": str(run.path), "epoch": epoch, "best": state["best"], "test": scores, "patients": found}


def predict_recordings(args: Namespace) -> dict[str, Any]:
    """Annotate the recordings that --predict names, with the model of a run or of --model-file."""
    from loaders.listing import find_recordings
    from loaders.recordings import CsvFormat
    from predictor import Settings, predict_all

    csv = CsvFormat(args.fs, tuple(args.columns), args.gain)
    if args.predict == ["-"]:
        from streaming import annotate_lines

        polarity = "keep" if args.polarity == "auto" else args.polarity
        return annotate_lines(sys.stdin, sys.stdout, load_classifier(args), csv, args.lead, polarity)
    out = Path(args.out) if args.out else None
    settings = Settings(args.lead, args.peaks, args.polarity, args.live, args.annotator, out, args.png, csv)
    items, failed = find_recordings(args.predict, csv=args.fs is not None)
    processes = args.workers if "workers" in args.given else 0
    return predict_all(items, failed, load_classifier(args), settings, processes)


def load_classifier(args: Namespace) -> Any:
    """The network of --model-file, or of the run that the flags and --resume mean (its best epoch unless given)."""
    if args.engine == "onnx" or (args.model_file and args.model_file.endswith(".onnx")):
        from loaders.recipe import Recipe
        from toolbox.onnx_model import OnnxClassifier, exported

        path = args.model_file or exported(find_run(args).path, args.resume)
        return whole_reader(OnnxClassifier(path, Recipe.from_plain), args)
    from loaders.recipe import Recipe
    from models import get_model
    from toolbox.checkpoint import load_weights
    from toolbox.classifier import Classifier
    from toolbox.utils import pick_device

    state, run, path = load_state(args)
    name = run.name if run else str(path)
    options = {"num_classes": len(state["class_names"]), **state["log"]["options"]}
    windows = options.get("context", "kaggle") != "kaggle"
    if options.get("neighbours") or (options.get("features") and not windows):
        raise UserError(
            f"{name} reads neighbours' rows, or features beside Kaggle's rows; --predict takes networks of Kaggle's "
            "rows alone, and of windows (--context window) with features or without"
        )
    recipe = Recipe.of(Namespace(**options)) if windows else None
    model = get_model(Namespace(**options), **(recipe.shape() if recipe else {}))
    load_weights(model, state["model"], path)
    called = f"{options['model_name']}, epoch {state['epoch']} of {name}"
    return whole_reader(Classifier(model, state["class_names"], called, pick_device(args.disable_cuda), recipe), args)


def whole_reader(classifier: Any, args: Namespace) -> Any:
    """`classifier`; UserError when it has to know a whole recording and is to read one that comes live."""
    if classifier.recipe and (args.live or args.predict == ["-"]):
        raise UserError(
            f"{classifier.name} compares a beat with the whole recording, which --live and --predict - do not know yet"
        )
    return classifier


def load_state(args: Namespace) -> tuple[dict[str, Any], Run | None, Path]:
    """The checkpoint of --model-file, or of a run, which comes with it; and its file."""
    from toolbox.checkpoint import checkpoint_name, load_checkpoint
    from toolbox.resume import load_named
    from toolbox.schema import check_whole

    if args.model_file:
        run, path = None, Path(args.model_file)
        state = load_checkpoint(path)
    else:
        run = find_run(args)
        path = run.path / checkpoint_name(args.resume or "best")
        state = load_named(run.path, args.resume or "best")
    check_whole(state, path)
    return state, run, path


def export_model(args: Namespace) -> dict[str, Any]:
    """Write a checkpoint as ONNX, in 32 and in 8 bits, checked and scored on the test split, with a model card."""
    from loaders.ecg_loader import Batches
    from loaders.recipe import describe_row
    from models.layers import fold_batch_norm
    from toolbox.exporter import Source, check_installed, export
    from toolbox.onnx_model import FOLDER
    from toolbox.runs import run_of_file

    check_installed()
    state, run, path = load_state(args)
    if run is None:
        run = run_of_file(path, state)
        run.config["options"] = stored_options(run.options, path)
        if run.path == path.parent and "root_dir" not in args.given:
            args.root_dir = str(run.path.parents[2])
    args = continued(args, run, FREE_FLAGS)
    args.test, args.disable_cuda, args.compile = True, True, False  # as it is scored, on the CPU
    session = build(args)
    session.load_model(state, run)
    row, options = describe_row(args, session.data), vars(args)
    source = Source(
        session.setting.model, fold_batch_norm, session.data, Batches, row, options, run.config, state, path
    )
    found = export(source, Path(args.out) if args.out else path.parent / FOLDER)
    return {"run": str(run.path), **found}


def prepare(args: Namespace) -> dict[str, Any]:
    """Build or verify the data and say what they are."""
    from loaders import get_loader
    from loaders.describe import describe
    from loaders.sources import write_synthetic

    summary, lines = describe(get_loader(args))
    print("\n".join(lines))
    if args.write_records:
        summary["records"] = write_synthetic(args, args.write_records)
        print(f"written {len(summary['records'])} WFDB records to {args.write_records}")
    return summary


def score(args: Namespace) -> dict[str, Any]:
    """Compare two annotators of records beat by beat, print EC57's figures and write them where --out says."""
    from loaders.pairs import find_pairs, read_pair
    from toolbox.ec57 import compare, is_paced
    from toolbox.ec57_report import report, summary, write
    from toolbox.utils import progress

    sides = (args.ref_annotator, args.test_annotator, args.score_dir)
    records, lacking = find_pairs(args.score, *sides, args.exclude)
    compared, paced = {}, []
    for record in progress(records, "score"):
        pair = read_pair(record, *sides)
        try:
            compared[pair.name] = compare(
                pair.reference, pair.test, pair.fs, pair.length, args.score_start, args.match_window
            )
        except ValueError as error:
            raise UserError(f"record {record}: {error}; --score-start says when") from error
        paced += [pair.name] if is_paced(pair.reference.symbol) else []
    settings = {key: getattr(args, key) for key in ("ref_annotator", "test_annotator", "score_start", "match_window")}
    result = {**settings, "not_scored": lacking, "paced": paced, **summary(compared)}
    print(report(result))
    if lacking:
        print(f"note: no .{args.test_annotator} of {', '.join(lacking)}; they are not scored", file=sys.stderr)
    if paced:
        print(f"note: {', '.join(paced)} hold paced beats; EC57 leaves such records out (--exclude)", file=sys.stderr)
    if args.out:
        print(f"written {' and '.join(map(str, write(args.out, result)))}")
    return result


def cli() -> int:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold what is no character, as on stderr
    with Endings() as endings:
        try:
            result = main()
        except Interrupted as stop:
            print(stop, file=sys.stderr)
            return stop.code
        except UserError as error:
            if endings.came is None:
                print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
                return 2
        except BaseException:
            if endings.came is None:
                raise
        else:
            return 1 if result.get("failed") else 0
    print(endings.came, file=sys.stderr)
    return endings.came.code


def leave(code: int) -> NoReturn:
    """End the process. After a signal at once: it may have come amid an import of torch's, whose own end then hangs."""
    if code > 128:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    leave(cli())
