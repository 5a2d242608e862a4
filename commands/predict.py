"""Annotates recordings with the network of a run or of a file. Needs no torch for an exported one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from commands.options import ScoreOptions, imports_weights
from commands.runs import find_run, single_lead_run
from inference import load
from inference.classifier import Classifier
from inference.corrections import find_corrections
from inference.files import AnnotateOptions
from inference.many import annotate_files
from inference.options import CsvOptions, PredictOptions
from loaders.io.discovery import find_recordings
from loaders.io.recording import CsvFormat
from toolbox.options import DeviceOptions
from toolbox.utils.options import pick


def run(args: Namespace) -> dict[str, Any]:
    """Annotate the recordings that --predict names."""
    options, csv = pick(PredictOptions, args), csv_format(args)
    out = pick(ScoreOptions, args).out
    items, failed = find_recordings(options.predict or [], csv=csv.fs is not None)
    corrections = find_corrections(options.corrections, [item.name for item in items])
    settings = AnnotateOptions(
        options.lead, options.peaks, options.polarity, options.live, options.annotator, Path(out) if out else None,
        options.png, csv, corrections,
    )  # fmt: skip
    processes = args.workers if "workers" in args.given else 0
    classifier, single = load_classifiers(args)
    return annotate_files(items, failed, classifier, settings, processes, single)


def csv_format(args: Namespace) -> CsvFormat:
    """What the flags say of CSV files."""
    options = pick(CsvOptions, args)
    return CsvFormat(options.fs, tuple(options.columns), options.gain)


def load_classifier(args: Namespace) -> Classifier:
    """The network of --model-file, or of the run that the flags and --resume mean (its best epoch unless given).

    Raises:
        UserError: there is none, or it has to know a whole recording and is to read one that comes live.
    """
    return load_classifiers(args)[0]


def load_classifiers(args: Namespace) -> tuple[Classifier, Classifier | None]:
    """The network of `load_classifier`; and where it is a run's that reads several leads, the best epoch of the newest
    run of the same dataset whose network reads one, for recordings that have no more."""
    options, device = pick(PredictOptions, args), pick(DeviceOptions, args)
    where = "cpu" if device.disable_cuda else device.device
    if imports_weights(args):
        from commands.imported import imported_classifier  # needs torch

        return imported_classifier(args, where), None
    run = None if options.model_file else find_run(args)
    source = options.model_file if run is None else run.path
    classifier = load.load_classifier(source, where, args.resume, options.engine)
    live = options.live or options.predict == ["-"]
    if classifier.input_spec and live:
        classifier.input_spec.check_live(classifier.name)
    if run is None or live or classifier.input_spec is None or classifier.input_spec.leads == 1:
        return classifier, None
    single = single_lead_run(args, run.options["dataset"])
    return classifier, None if single is None else load.load_classifier(single.path, where, "", options.engine)
