"""Annotates recordings with the network of a run or of a file. Needs no torch for an exported one."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from commands.options import ScoreOptions, imports_weights
from commands.runs import find_run, names_run, single_lead_run
from inference import load
from inference.classifier import Classifier, short_limits, training_warnings
from inference.corrections import find_corrections
from inference.files import AnnotateOptions
from inference.many import annotate_files, print_summary
from inference.options import LIVE, ONE_LEAD, TWO_LEAD, CsvOptions, PredictOptions
from loaders.io.discovery import find_recordings
from loaders.io.recording import CsvFormat
from loaders.io.remote import is_remote
from toolbox.options import ClusterOptions, DeviceOptions
from toolbox.runs.folders import Run, list_runs
from toolbox.utils import UserError, note, printable, warn
from toolbox.utils.cluster import working_on
from toolbox.utils.options import pick


def run(args: Namespace) -> dict[str, Any]:
    """Annotate the recordings that --predict names."""
    options, csv = pick(PredictOptions, args), csv_format(args)
    out = pick(ScoreOptions, args).out
    settings = AnnotateOptions(
        options.lead, options.peaks, options.polarity, options.live, options.annotator, Path(out) if out else None,
        options.png, csv, {}, args.adapt if "adapt" in args.given else None,
    )  # fmt: skip
    processes = args.workers if "workers" in args.given else 0
    cluster = pick(ClusterOptions, args).cluster
    if cluster or any(map(is_remote, [*(options.predict or []), out or ""])):
        return run_corpus(args, settings, cluster, processes)
    items, failed = find_recordings(options.predict or [], csv=csv.fs is not None)
    settings = replace(settings, corrections=find_corrections(options.corrections, [item.name for item in items]))
    classifier = load_classifier(args)
    return annotate_files(items, failed, classifier, settings, processes, load_single(args, classifier))


def run_corpus(args: Namespace, settings: AnnotateOptions, cluster: str | None, processes: int) -> dict[str, Any]:
    """Annotate recordings over a cluster, or from and to places elsewhere, with tables of all of them."""
    from inference.corpus.many import annotate_corpus

    classifier = load_classifier(args)
    for text in training_warnings(classifier):
        warn(text)
    with working_on(cluster):
        result = annotate_corpus(
            args.predict, classifier, settings, out=args.out, processes=processes,
            single=load_single(args, classifier), corrections=args.corrections, report=print_summary,
        )  # fmt: skip
    counts = f"{result['recordings']} recordings, {result['done_before']} of them done before"
    print(printable(f"{counts}, {len(result['failed'])} failed; tables of all: {result['tables']}"))
    return result


def csv_format(args: Namespace) -> CsvFormat:
    """The format of CSV files that the flags state."""
    options = pick(CsvOptions, args)
    return CsvFormat(options.fs, tuple(options.columns), options.gain)


def load_classifier(args: Namespace) -> Classifier:
    """The network of --model-file, or of the run that the flags and --resume mean (its best epoch unless given); where
    no flag names one, a network that comes with the program. A line on stderr says which, and its limits.

    Raises:
        UserError: there is none, or it has to know a whole recording and is to read one that comes live.
    """
    options = pick(PredictOptions, args)
    if imports_weights(args):
        from commands.imported import imported_classifier  # needs torch

        return imported_classifier(args, _device(args))
    source = options.model_file or default_network(args) or own_run(args).path
    classifier = load.load_classifier(source, _device(args), args.resume, options.engine)
    if classifier.input_spec and _is_live(args):
        classifier.input_spec.check_live(classifier.name)
    say_limits(args, classifier)
    return classifier


def own_run(args: Namespace) -> Run:
    """The run that the flags name; UserError where there is none, with what annotates without."""
    try:
        return find_run(args)
    except UserError as error:
        raise UserError(f"{error}; without flags of a run, a network that comes with the program annotates") from error


def default_network(args: Namespace) -> str:
    """The name of the network that comes with the program, for recordings or for streams; "" where a run is named."""
    if args.model_file or names_run(args):
        return ""
    return LIVE if _is_live(args) else TWO_LEAD


def say_limits(args: Namespace, classifier: Classifier) -> None:
    """Say in one line which network it is and what it learned from, unless its warnings do; where none was named, also
    which runs there are."""
    default = default_network(args)
    if not training_warnings(classifier) and (limits := short_limits(classifier)):
        note(limits if not default else f"{limits}; --model-file takes another network")
    runs = [run for run in list_runs(args.root_dir) if not run.trial] if default else []
    if runs:
        note(f"no flag names one of the {len(runs)} runs in {args.root_dir}: --resume best takes {runs[-1].name}")


def load_single(args: Namespace, classifier: Classifier) -> Classifier | None:
    """The network for recordings of one lead, where the `classifier` reads several: of a run the best epoch of the
    newest run of the same dataset that reads one; None where there is none, or none is needed."""
    several = classifier.input_spec is not None and classifier.input_spec.leads > 1
    if args.model_file or imports_weights(args) or _is_live(args) or not several:
        return None
    if default_network(args):
        return load.load_classifier(ONE_LEAD, _device(args), "", args.engine)
    run = single_lead_run(args, find_run(args, quiet=True).options["dataset"])
    return None if run is None else load.load_classifier(run.path, _device(args), "", args.engine)


def _device(args: Namespace) -> str:
    device = pick(DeviceOptions, args)
    return "cpu" if device.disable_cuda else device.device


def _is_live(args: Namespace) -> bool:
    return bool(args.live or args.predict == ["-"])
