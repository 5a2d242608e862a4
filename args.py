"""The command line: flags, their values from the command line and from files, conflicts, names and versions of runs."""

from __future__ import annotations

import argparse
import hashlib
import re
from argparse import Namespace
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from commands.label_options import CONFLICTS as LABEL_CONFLICTS
from commands.label_options import LABELS, LabelOptions
from commands.options import CONFLICTS as COMMAND_CONFLICTS
from commands.options import CommandOptions, CompareOptions, ScoreOptions
from commands.sweep_options import CONFLICTS as SWEEP_CONFLICTS
from commands.sweep_options import SweepOptions
from inference.options import CONFLICTS as PREDICT_CONFLICTS
from inference.options import AdaptOptions, CsvOptions, PredictOptions
from loaders.conflicts import CONFLICTS as DATA_CONFLICTS
from loaders.options import (
    BalanceOptions,
    BatchOptions,
    InputOptions,
    SourceOptions,
    SplitOptions,
    SyntheticPatientOptions,
)
from models.options import CONFLICTS as MODEL_CONFLICTS
from models.options import ModelOptions
from toolbox.options import CONFLICTS as TRAINING_CONFLICTS
from toolbox.options import (
    ClusterOptions,
    CriterionOptions,
    DeviceOptions,
    FigureOptions,
    OptimizerOptions,
    SchedulerOptions,
    TrainingOptions,
)
from toolbox.runs.folders import versions
from toolbox.utils import UserError, nearest
from toolbox.utils.aami import classes_of
from toolbox.utils.addresses import public_address
from toolbox.utils.options import (
    Brief,
    Conflict,
    Refusing,
    add_options,
    exclusive_pairs,
    parse_values,
    read_config,
    with_role,
)
from toolbox.utils.program import program_words

DESCRIPTION = """Train, resume and test networks that classify heartbeats of the MIT-BIH Arrhythmia Database.
Each training is a run with a folder of its own, ROOT/DATASET/runs/NAME."""

GROUPS: dict[str, type] = {
    "what to do (training unless given)": CommandOptions,
    "annotate recordings": PredictOptions,
    "recordings as CSV files": CsvOptions,
    "classes by a recording's other beats": AdaptOptions,
    "score annotations, beat by beat (EC57)": ScoreOptions,
    "machines that share the work": ClusterOptions,
    "compare runs": CompareOptions,
    "search for flags": SweepOptions,
    "name and describe runs": LabelOptions,
    "data": SourceOptions,
    "which rows train, validate and test": SplitOptions,
    "model input of a beat (all but the defaults need raw records)": InputOptions,
    "patients made of the training records' own beats": SyntheticPatientOptions,
    "model": ModelOptions,
    "training": TrainingOptions,
    "batches": BatchOptions,
    "rare classes": BalanceOptions,
    "optimizer": OptimizerOptions,
    "learning rate": SchedulerOptions,
    "loss": CriterionOptions,
    "device": DeviceOptions,
    "pictures": FigureOptions,
}
# Flags that make up a run's name, in its order; that say what to do now; that may change on --resume.
NAME_FLAGS = with_role("name", *GROUPS.values())
ACTION_FLAGS = with_role("action", *GROUPS.values())
FREE_FLAGS = with_role("free", *GROUPS.values())

CONFLICTS: tuple[Conflict, ...] = (
    *COMMAND_CONFLICTS,
    *LABEL_CONFLICTS,
    *SWEEP_CONFLICTS,
    *PREDICT_CONFLICTS,
    *DATA_CONFLICTS,
    *TRAINING_CONFLICTS,
    *MODEL_CONFLICTS,
)
# Flags that other programs have -> the one meant here.
ELSEWHERE = {
    "--train": "--model-name", "--gpu": "--device", "--cuda": "--device", "--eval": "--test", "--evaluate": "--test",
    "--validate": "--test", "--annotate": "--predict", "--learning-rate": "--lr", "--bs": "--batch-size",
    "--arch": "--model-name", "--data-dir": "--root-dir", "--help-all": "--help",
}  # fmt: skip
LONGEST_NAME = 24  # characters of a database, with its list, in a run's name
RECIPES = Path(__file__).resolve().parent / "recipes"


def get_parser(
    kind: type[argparse.ArgumentParser] = Brief, only: Container[str] | None = None
) -> argparse.ArgumentParser:
    """The parser of all flags, with their help and defaults; or of those whose names are in `only`."""
    parser = kind(prog=program_words()[-1], description=DESCRIPTION, allow_abbrev=False, add_help=False)
    for title, options in GROUPS.items():
        add_options(parser, options, title, only)
    return parser


def parse_args(argv: list[str] | None = None) -> Namespace:
    """The flags: those given, else those of --config, else the defaults. Exits with code 2 on a mistake.

    Returns:
        A Namespace with a value for each flag and `given`, the set of names that were given (by flag or file).
    """
    parser = get_parser()
    unset = object()
    defaults = {action.dest: action.default for action in parser._actions}
    parsed, unknown = parser.parse_known_args(argv, Namespace(**dict.fromkeys(defaults, unset)))
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_hint(unknown[0], parser)}")
    given = {key: value for key, value in vars(parsed).items() if value is not unset}
    if given.keys() & {"device", "disable_cuda"}:  # either of them stands for both, here and over a run's own
        given = {"device": defaults["device"], "disable_cuda": defaults["disable_cuda"], **given}
    from_file: dict[str, Any] = {}
    if "config" in given:
        try:
            path = find_recipe(given["config"])
            from_file = parse_values(read_config(str(path)), get_parser(Refusing), without=("config",))
            if path.name == "config.json":  # repeating a run starts another, with a name of its own
                from_file = {key: value for key, value in from_file.items() if key not in LABELS}
        except UserError as error:
            parser.error(f"--config {given['config']}: {error}")
        for one, other in exclusive_pairs(*GROUPS.values()):
            if one in given and other not in given:
                from_file.pop(other, None)  # flags win
    return _whole(defaults, {**from_file, **given}, parser, given)


def args_of(values: Mapping[str, Any]) -> Namespace:
    """The flags with these values, which their types have read already, and else the defaults.

    Raises:
        UserError: they make no sense together.
    """
    parser = get_parser(Refusing)
    return _whole({action.dest: action.default for action in parser._actions}, values, parser, {})


def _whole(
    defaults: dict[str, Any], values: Mapping[str, Any], parser: argparse.ArgumentParser, typed: Mapping[str, Any]
) -> Namespace:
    """All flags, those that others decide included, after a check of their conflicts; `typed` are of `values`."""
    args = Namespace(**{**defaults, **values}, given=frozenset(values))
    if args.train_on and args.split not in ("kfold", typed.get("split")):
        args.split = "databases"  # in place of the default, or of a recipe's
    if args.num_classes is None:
        args.num_classes = classes_of(args.dataset, args.split)
    if not (args.help or args.about):
        check_conflicts(args, defaults, parser, frozenset(typed))
    return args


def _hint(word: str, parser: argparse.ArgumentParser) -> str:
    """A suggestion for an unknown word."""
    flag = f"--{word.partition('=')[0].lstrip('-').replace('_', '-').lower()}"
    names = [name for name in parser._option_string_actions if name.startswith("--")]
    meant = ELSEWHERE.get(flag) or (flag if flag in names else "")
    return f", did you mean {meant!r}?" if meant else nearest(flag, names) or "; --help all lists the flags"


def find_recipe(name: str) -> Path:
    """The file that --config names: a path, or a recipe by its name, "fast" or "recipes/fast.yaml".

    Raises:
        UserError: there is no such file; the message lists the recipes.
    """
    recipe = RECIPES / f"{Path(name).name.removesuffix('.yaml')}.yaml"
    if Path(name).exists():
        return Path(name)
    if recipe.is_file() and Path(name).parent in (Path(), Path("recipes")):
        return recipe
    recipes = sorted(path.stem for path in RECIPES.glob("*.yaml"))
    hint = nearest(recipe.stem, recipes) or ";"
    raise UserError(f"cannot read it: No such file or directory{hint} recipes: {', '.join(recipes)}")


def check_conflicts(
    args: Namespace, defaults: dict[str, Any], parser: argparse.ArgumentParser, words: frozenset[str]
) -> None:
    """Refuse flags that make no sense together; exits with code 2. `words` are those of the command line itself."""
    changed = frozenset(key for key in args.given if getattr(args, key) != defaults[key])
    continues = bool(args.test or args.resume or args.predict or args.export)
    starts = not (continues or args.prepare or args.score or args.edit or args.list or args.compare is not None)
    view = Namespace(**vars(args), changed=changed, typed=changed & words, continues=continues, starts=starts)
    for conflict in SWEEP_CONFLICTS if args.sweep else CONFLICTS:  # a search checks each trial's flags by all
        if conflict.when(view):
            parser.error(conflict.text(view))


def stored_options(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The flags that a run's config.json at `path` holds, checked as if they had been typed.

    Raises:
        UserError: an unknown flag or a bad value: it was edited, damaged, or written by a newer version.
    """
    try:
        parser = get_parser(Refusing)
        options = parse_values(values, parser, without=ACTION_FLAGS)
        if not {"dataset", "model_name"} <= options.keys():
            raise UserError("dataset and model_name are missing")
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return {**{key: parser.get_default(key) for key in values}, **options}


def run_options(args: Namespace) -> dict[str, Any]:
    """The flags that describe a run, as config.json keeps them; of addresses, nothing that may be a secret."""
    kept = {key: value for key, value in sorted(vars(args).items()) if key not in (*ACTION_FLAGS, "given")}
    return {key: public_address(value) if key.endswith("_url") and value else value for key, value in kept.items()}


def extract_name(args: Namespace) -> str:
    """The name that the flags give a run, up to its version: "ecg_resnet1d_10_opadam_StepLR_lr0.01_nll_bs128_".

    It tells the rows as well: split, databases, and where they are no rows of Kaggle's, leads and features.
    """
    name = f"{args.dataset}_{args.model_name}_op{args.optimizer}_{args.scheduler}_lr{args.lr}_{args.criterion}"
    name += f"_bs{args.batch_size}_"
    if args.class_balance:
        name += f"cb{args.class_balance}_"
    if args.sampler:
        name += f"samp{args.sampler}_"
    if args.split not in ("kaggle", "databases"):
        name += f"split{args.split}_"
    if args.fold:
        name += f"fold{args.fold.replace('/', 'of')}_"
    if args.train_on:
        name += f"on{database_names(args.train_on)}_"
    elif args.records_dir and Path(args.records_dir).name != "mitdb":
        name += f"on{_short(args.records_dir)}_"
    if args.context == "window":
        name += f"leads{args.leads}_"
    if args.features:
        name += f"{'+'.join(args.features)}_"
    if args.neighbours:
        name += f"neighbours{args.neighbours}_"
    return name


def database_names(texts: list[str]) -> str:
    """Databases and folders, with their lists, as names of runs and folders have them: "mitdb.ds1+svdb.dev"."""
    text = "+".join(map(_short, texts))
    return text if len(text) <= 4 * LONGEST_NAME else f"{text[: 4 * LONGEST_NAME - 7]}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _short(database: str) -> str:
    """A database, list or folder in a run's name: "mitdb.ds1"; long ones by their beginning and a digest."""
    place, _, listed = database.rpartition(":") if ":" in Path(database).name else (database, "", "")
    text = ".".join(part for part in (Path(place).absolute().name, listed) if part)
    text = re.sub(r"[^\w.-]", "-", text)
    if len(text) <= LONGEST_NAME:
        return text
    return f"{text[: LONGEST_NAME - 7]}-{_digest(text)}"


def get_version(args: Namespace) -> int | None:
    """The version that --version names among the runs of these flags: N itself, the newest, or the next free one.

    None for "latest" where there is none.
    """
    if args.version not in (None, "bump", "latest"):
        return int(args.version)
    taken = versions(Path(args.root_dir) / args.dataset / "runs", extract_name(args))
    if args.version == "latest":
        return taken[-1] if taken else None
    return (taken[-1] if taken else 0) + 1
