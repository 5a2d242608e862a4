"""Flags of --predict."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass

from toolbox.utils.options import Conflict, conflicts_of_each, number, option

TWO_LEAD, ONE_LEAD, LIVE = PRETRAINED = ("two-lead", "one-lead", "live")  # networks that come with the program
NO_ADAPTATION, VOTES, FUSION, SMOOTH = ADAPTATIONS = ("none", "votes", "fusion", "smooth")


def extension(text: str) -> str:
    """An argparse type: extension of an annotation file; none that recordings or reports have."""
    of_others = "hea dat edf bdf ish dcm scp mwf mfer xml mat npy npz csv tsv txt gz json html png".split()
    if not (text.isascii() and text.isalnum() and text[0].isalpha()) or text.lower() in of_others:
        raise ArgumentTypeError(f"{text!r}: expected letters and digits, and none of {', '.join(of_others)}")
    return text


@dataclass(frozen=True)
class PredictOptions:
    """Annotate recordings."""

    predict: list[str] | None = option(
        None,
        "annotate WFDB, EDF, CSV and device files, folders of them; -: CSV lines as they come",
        nargs="+",
        metavar="RECORDING",
        role="action",
        common=True,
    )
    model_file: str | None = option(
        None,
        "two-lead, one-lead or live, which come with the program, or a checkpoint or .onnx; else what fits the leads",
        metavar="NAME|FILE",
        role="action",
        common=True,
    )
    engine: str = option(
        "auto",
        "auto: onnx for a --model-file *.onnx, or without torch",
        choices=("auto", "torch", "onnx"),
        role="action",
    )
    lead: str | None = option(
        None, "lead to annotate; MLII or II unless given, else the first", metavar="NAME", role="action"
    )
    peaks: str = option(
        "detect", "find R peaks, or take a file's beats", type=extension, metavar="detect|ANNOTATOR", role="action"
    )
    polarity: str = option(
        "auto", "auto turns a lead that is upside down", choices=("auto", "keep", "invert"), role="action"
    )
    live: bool = option(False, "as if recordings came live: a beat knows the 3 s after its R peak", role="action")
    annotator: str = option(
        "ecg", "extension of the annotation files written", type=extension, metavar="EXTENSION", role="action"
    )
    corrections: list[str] = option(
        [],
        "lists of corrected beats that a page saved, or folders of them: apply them",
        nargs="+",
        metavar="FILE",
        role="action",
    )
    png: bool = option(False, "draw the most telling strips as a picture, too", role="action")


@dataclass(frozen=True)
class AdaptOptions:
    """Decisions about a beat that look at the recording's other beats."""

    adapt: str = option(
        "none",
        "with --test and --predict, classes by the recording's beats that are alike: votes of clusters of them, fusion "
        "for these and then F by shape and time, or smooth; kept with a run",
        choices=ADAPTATIONS,
        role="free",
        common=True,
    )


@dataclass(frozen=True)
class CsvOptions:
    """How CSV files of recordings are read."""

    fs: float | None = option(
        None,
        "of CSV files and arrays: samples per second",
        type=number(float, 0, above=True),
        metavar="HZ",
        role="action",
        common=True,
    )
    columns: list[str] = option(
        [], "of CSV files: columns that are leads", nargs="+", metavar="NAME|N", role="action", common=True
    )
    gain: float | None = option(
        None,
        "of CSV files and arrays: what 1 mV is written as, 1000 for microvolts",
        type=number(float, 0, above=True),
        metavar="N",
        role="action",
        common=True,
    )


PREDICTING = ("lead", "peaks", "polarity", "live", "annotator", "corrections", "png", "fs", "columns", "gain", "engine")
CONFLICTS = (
    Conflict(
        lambda args: "-" in (args.predict or ()) and len(args.predict) > 1,
        "--predict - reads standard input; annotate other recordings with another command",
    ),
    Conflict(
        lambda args: "-" in (args.predict or ()) and args.fs is None,
        "--predict -: lines of numbers do not state their sampling rate; give it by --fs",
    ),
    *conflicts_of_each(
        ("peaks", "annotator", "corrections", "png", "out", "workers"),
        lambda args, name: "-" in (args.predict or ()) and name in args.given,
        "--predict - writes lines to standard output; leave out {flag}",
    ),
    Conflict(
        lambda args: "adapt" in args.typed and args.adapt != "none" and (args.live or "-" in (args.predict or ())),
        "--adapt {adapt} needs the whole recording, which a stream is not; leave it out",
    ),
    Conflict(
        lambda args: args.adapt != "none" and args.starts and not args.features,
        "--adapt {adapt} compares features of beats, and there are none; add --context window and --features",
    ),
    Conflict(
        lambda args: args.adapt != "none" and args.starts and args.model_name not in (None, "mlp"),
        "--adapt {adapt} compares features as --model-name mlp scales them, {model_name} does not; add --adapt none",
    ),
    Conflict(
        lambda args: args.predict and (args.test or args.prepare),
        "--predict annotates recordings; leave out --test and --prepare",
    ),
    Conflict(
        lambda args: args.model_file and (args.resume or args.version),
        "--model-file is the model; leave out --resume and --version",
    ),
    Conflict(
        lambda args: args.annotator == args.peaks,
        "--annotator {annotator}: --peaks reads those files; write others",
    ),
    Conflict(
        lambda args: (args.model_file or "").endswith(".onnx") and (args.export or args.engine == "torch"),
        "--model-file {model_file}: expected a checkpoint; --engine onnx annotates with .onnx files",
    ),
    Conflict(
        lambda args: args.export and args.model_file in PRETRAINED,
        "--model-file {model_file} comes as ONNX, too: pretrained/{model_file}.onnx; leave out --export",
    ),
    Conflict(
        lambda args: args.model_file and not (args.predict or args.export),
        "--model-file goes with --predict",
    ),
    *conflicts_of_each(
        PREDICTING,
        lambda args, name: name in args.given and getattr(args, name) and not args.predict,
        "{flag} goes with --predict",
    ),
)
