"""Flags of the commands: which command, which run, and which annotations are scored."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from dataclasses import dataclass

from toolbox.utils.aami import LEARNING_PERIOD, MATCH_WINDOW
from toolbox.utils.options import Conflict, conflicts_of_each, number, option

LAST_SEED = 2**32 - 1  # that NumPy takes


def version_name(text: str) -> str:
    """An argparse type: "bump", "latest" or a number."""
    if text in ("bump", "latest") or (text.isascii() and text.isdigit()):
        return text if text in ("bump", "latest") else str(int(text))
    raise ArgumentTypeError(f"{text!r}: expected bump, latest or a number")


def resume_name(text: str) -> str:
    """An argparse type: "latest", "best", an epoch, or nothing."""
    if text in ("", "latest", "best") or (text.isascii() and text.isdigit()):
        return text
    raise ArgumentTypeError(f"{text!r}: expected latest, best or the number of an epoch")


@dataclass(frozen=True)
class CommandOptions:
    """Commands and runs."""

    help: str | None = option(
        None,
        "these flags; the rest by topic: all, train, data, test, predict, score, compare, sweep, export",
        const="common",
        metavar="TOPIC",
        also=("-h",),
        role="action",
        common=True,
    )
    about: bool = option(False, "print versions, the device and where runs are", role="action", common=True)
    test: bool = option(False, "score the test split; with --resume, default best", role="action", common=True)
    prepare: bool = option(False, "build or verify the data, print what they are, stop", role="action", common=True)
    export: str | None = option(
        None,
        "write a run's model as an ONNX file for use without torch, and check it",
        choices=("onnx",),
        const="onnx",
        role="action",
        common=True,
    )
    resume: str = option(
        "", "resume a run from a checkpoint", type=resume_name, metavar="latest|best|N", role="action", common=True
    )
    version: str | None = option(
        None,
        "which run of these flags; bump: a new one, as when training starts; else latest",
        type=version_name,
        metavar="bump|latest|N",
        role="action",
        common=True,
    )
    pretrained: str | None = option(
        None,
        "start from the best weights of a file or another run, or from two-lead, one-lead, live",
        metavar="FILE|RUN|NAME",
        exclusive="start",
        common=True,
    )
    import_weights: str | None = option(
        None,
        "weights of the predecessor's .pth.tar, to start from, or to --test, --predict, --export; runs no code of it",
        metavar="FILE",
        exclusive="start",
    )
    short_run: bool = option(False, "10 mini-batches per pass: a trial of the whole pipeline", common=True)
    seeds: int = option(
        1, "train, or score, N seeds as one experiment", type=number(int, 1, 1000), role="action", common=True
    )
    verbose: bool = option(False, "print every validation prediction", role="action")
    config: str | None = option(
        None,
        "flags from a YAML file, from recipes/NAME.yaml, or from a run's config.json",
        metavar="FILE|NAME",
        role="action",
        common=True,
    )
    write_records: str | None = option(
        None, "with --prepare: write synthetic recordings as WFDB records", metavar="DIR", role="action"
    )


@dataclass(frozen=True)
class ScoreOptions:
    """Compare two annotators: beats, episodes, measurements (EC57)."""

    score: list[str] | None = option(
        None,
        "folders of WFDB records, or records: compare two annotators of each",
        nargs="+",
        metavar="RECORD",
        role="action",
        common=True,
    )
    ref_annotator: str = option("atr", "annotator of the reference", metavar="EXTENSION", role="action")
    test_annotator: str = option("ecg", "annotator that is scored", metavar="EXTENSION", role="action", common=True)
    score_dir: str | None = option(
        None, "where the annotations to score are, if not beside the records", metavar="DIR", role="action"
    )
    exclude: list[str] = option(
        [], "records not to score, such as paced ones", nargs="+", metavar="RECORD", role="action"
    )
    score_start: float = option(
        LEARNING_PERIOD, "seconds at the start left out", type=number(float, 0), metavar="S", role="action"
    )
    match_window: float = option(
        MATCH_WINDOW,
        "seconds that two beats of a pair may lie apart",
        type=number(float, 0),
        metavar="S",
        role="action",
    )
    out: str | None = option(
        None,
        "--score writes PATH.json and PATH.txt; --predict, --export and --compare into folder PATH",
        metavar="PATH",
        role="action",
        common=True,
    )


@dataclass(frozen=True)
class CompareOptions:
    """Compare runs."""

    compare: list[str] | None = option(
        None,
        "compare runs by name, number or pattern, the others with the first; all, or none named: with the best",
        nargs="*",
        metavar="RUN",
        role="action",
        common=True,
    )
    list: bool = option(
        False, "the runs in a table: --compare without files and differences", role="action", common=True
    )
    sort: str | None = option(
        None,
        "sort the runs by this score, the best first",
        choices=("acc1", "acc_class", "macro_f1", "S F1", "V F1", "kappa", "j_kappa", "AUROC"),
        role="action",
    )


def imports_weights(args: Namespace) -> bool:
    """Check whether --import-weights was given now, not only when the run was started."""
    return bool(args.import_weights) and "import_weights" in args.given


CONFLICTS = (
    *conflicts_of_each(
        ("test", "prepare", "export", "predict", "score", "resume", "version", "pretrained"),
        lambda args, name: (args.compare is not None or args.list) and name in args.given,
        "--compare and --list look at runs that there are; leave out {flag}",
    ),
    Conflict(lambda args: args.compare is not None and args.list, "--list is a short --compare; leave out one of them"),
    Conflict(
        lambda args: args.sort is not None and args.compare is None and not args.list,
        "--sort goes with --compare and --list",
    ),
    Conflict(
        lambda args: args.export and (args.score or args.predict or args.test or args.prepare or args.seeds > 1),
        "--export writes a model; leave out --score, --predict, --test, --prepare and --seeds",
    ),
    Conflict(
        lambda args: args.score and (args.prepare or args.test or args.resume),
        "--score compares annotation files; leave out --test, --resume and --prepare",
    ),
    Conflict(
        lambda args: args.score and args.predict,
        "--score and --predict are two commands; annotate first, then score",
    ),
    *conflicts_of_each(
        ("exclude", "score_dir"), lambda args, name: name in args.given and not args.score, "{flag} goes with --score"
    ),
    Conflict(
        lambda args: (
            args.out
            and not (args.score or args.predict or args.export or (args.test and imports_weights(args)))
            and args.compare is None
        ),
        "--out goes with --score, --predict, --export, --compare or --test --import-weights",
    ),
    Conflict(
        lambda args: args.seeds > 1 and (args.prepare or (args.resume not in ("", "latest") and not args.test)),
        "--seeds goes with training, with --resume latest and with --test",
    ),
    Conflict(
        lambda args: args.starts and args.seed + args.seeds - 1 > LAST_SEED,
        f"--seeds {{seeds}} from --seed {{seed}} on end beyond {LAST_SEED}, the last seed there is",
    ),
    Conflict(
        lambda args: args.seeds > 1 and args.version not in (None, "bump", "latest"),
        "--version {version} names one run; --seeds takes the newest experiment, or starts one",
    ),
    Conflict(
        lambda args: args.prepare and (args.test or args.resume),
        "--prepare stops after the data; leave out --test and --resume",
    ),
    Conflict(
        lambda args: args.write_records and not (args.prepare and args.dataset.startswith("synthetic")),
        "--write-records goes with --prepare --dataset synthetic",
    ),
    Conflict(
        lambda args: args.resume and args.pretrained and "pretrained" in args.given,
        "--pretrained conflicts with --resume, which brings its own weights",
    ),
    Conflict(
        lambda args: imports_weights(args) and (args.resume or args.prepare),
        "--import-weights brings the weights of no run; leave out --resume and --prepare",
    ),
    Conflict(
        lambda args: imports_weights(args) and args.continues and (args.version or args.model_file or args.seeds > 1),
        "--import-weights names the weights; leave out --version, --model-file and --seeds",
    ),
    Conflict(
        lambda args: args.continues and args.version == "bump",
        "--version bump starts a new run; --resume and --test take latest or a number",
    ),
    Conflict(
        lambda args: args.starts and args.version == "latest",
        "--version latest names a trained run: add --resume latest to resume it, or --test to score it",
    ),
)
