"""Flags of --predict."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass

from toolbox.utils.options import number, option


def extension(text: str) -> str:
    """An argparse type: extension of an annotation file; none that recordings or reports have."""
    taken = ("hea", "dat", "edf", "csv", "tsv", "txt", "json", "html", "png")
    if not (text.isascii() and text.isalnum() and text[0].isalpha()) or text.lower() in taken:
        raise ArgumentTypeError(f"{text!r}: expected letters and digits, and none of {', '.join(taken)}")
    return text


@dataclass(frozen=True)
class PredictOptions:
    """Annotate recordings."""

    predict: list[str] | None = option(
        None,
        "annotate WFDB records, EDF and CSV files, folders of them; -: CSV lines as they come",
        nargs="+",
        metavar="RECORDING",
        role="action",
    )
    model_file: str | None = option(
        None, "checkpoint or .onnx to annotate with, else best of a run", metavar="FILE", role="action"
    )
    engine: str = option(
        "auto", "auto: onnx for a --model-file *.onnx", choices=("auto", "torch", "onnx"), role="action"
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
    annotator: str = option("ecg", "extension of the annotation files written", type=extension, role="action")
    png: bool = option(False, "draw the most telling strips as a picture, too", role="action")


@dataclass(frozen=True)
class CsvOptions:
    """How CSV files of recordings are read."""

    fs: float | None = option(
        None, "of CSV files: samples per second", type=number(float, 0, above=True), role="action"
    )
    columns: list[str] = option([], "of CSV files: columns that are leads", nargs="+", metavar="NAME|N", role="action")
    gain: float | None = option(
        None,
        "of CSV files: what 1 mV is written as, 1000 for microvolts",
        type=number(float, 0, above=True),
        role="action",
    )
