"""Annotate a corpus: recordings of this machine or from elsewhere, by one process, several, or a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from inference.classifier import Classifier
from inference.corpus.one import CorpusItem, CorpusWork
from inference.corpus.tables import FOLDER, Finished, TablesWork, by_partition, write_failed
from inference.corrections import find_corrections
from inference.files import AnnotateOptions
from loaders.io.discovery import Item, find_recordings
from loaders.io.remote import is_remote, is_web, local_path, parent_of, under
from loaders.io.remote_recordings import RemoteItem, find_remote
from toolbox.utils import UserError, progress
from toolbox.utils.addresses import public_address
from toolbox.utils.parallel import run_all, spread
from toolbox.utils.signals import Ended


def annotate_corpus(
    arguments: Sequence[str],
    classifier: Classifier,
    options: AnnotateOptions,
    *,
    out: str | None = None,
    processes: int = 0,
    single: Classifier | None = None,
    corrections: Sequence[str] = (),
    report: Callable[[dict[str, Any]], None] = lambda summary: None,
) -> dict[str, Any]:
    """Annotate the recordings that `arguments` name and renew the tables of all; one that fails is listed.

    Args:
        arguments: paths and addresses of recordings, folders and patterns.
        options: see `AnnotateOptions`; its `out` and `corrections` are set here.
        out: the path or the address of the folder for all files; None for beside each recording.
        processes: how many recordings to annotate at once, where no cluster is at work.
        single: a network of one lead, see `annotate_lead`.
        corrections: files and folders of lists of corrected beats.
        report: called with what `CorpusWork` returns of each recording, as it is finished.

    Returns:
        {"recordings": how many are finished, "done_before": how many of them were, "failed": {path: why},
        "tables": the path or the address of the tables}.

    Raises:
        UserError: nothing can be annotated, by fault of the user; or tables cannot be written.
    """
    base = _base(arguments, out)
    tables = under(base, FOLDER)
    items, failed = _find(arguments, options, out)
    options = replace(options, corrections=find_corrections(list(corrections), [item.source.name for item in items]))
    named, refused = _by_path(items, base)
    write_failed(tables, {})  # before the work: can it be written there?
    done_before: list[int] = []
    counted: list[int] = []

    def say(summary: dict[str, Any]) -> None:
        counted.append(1)
        done_before.extend([1] * bool(summary.get("done_before")))
        with tqdm.external_write_mode():  # moves progress bars out of the way
            report(summary)

    def kept(summary: dict[str, Any]) -> Finished:
        files = under(named[summary["path"]].folder, named[summary["path"]].source.name)
        return Finished(summary["id"], files, summary["fingerprint"])

    try:
        work = CorpusWork(classifier, single, options)
        done, everyone_failed = run_all(work, named, {**failed, **refused}, processes, say, kept)
    except Ended as stop:
        stop.advice = f"{len(counted)} of {len(named)} recordings are finished; the same command skips them and goes on"
        raise
    _renew_tables(TablesWork(tables, options.annotator), done.values(), processes)
    write_failed(tables, everyone_failed)
    return {
        "recordings": len(done),
        "done_before": len(done_before),
        "failed": everyone_failed,
        "tables": public_address(tables),
    }


def _renew_tables(work: TablesWork, finished: Any, processes: int) -> None:
    """Renew the partitions of the tables that the finished recordings are in; UserError where one cannot be written."""
    parts = by_partition(finished)
    for position, result in progress(spread(work, parts, processes), "tables", total=len(parts)):
        if isinstance(result, Exception):
            raise UserError(f"tables in {work.folder}, part={parts[position][0]}: {result}") from result


def _base(arguments: Sequence[str], out: str | None) -> str:
    """The folder that ids count from and that the tables go to: `out`, else the one folder that was named."""
    if out is not None:
        if is_web(out):
            raise UserError(f"{public_address(out)} cannot be written to; give --out a folder, or a place as s3://")
        return local_path(out)
    folders = [local_path(each).rstrip("/") for each in arguments]
    if len(folders) == 1 and (is_remote(folders[0]) or Path(folders[0]).is_dir()):
        if is_web(folders[0]):
            raise UserError(f"{public_address(folders[0])} cannot be written to; say by --out where the files go")
        return folders[0]
    raise UserError("several recordings or folders: say by --out where their files and tables go")


def _find(
    arguments: Sequence[str], options: AnnotateOptions, out: str | None
) -> tuple[list[CorpusItem], dict[str, str]]:
    """The recordings that the arguments name, and why others name none."""
    csv = options.csv.fs is not None
    sources: list[Item | RemoteItem] = []
    failed: dict[str, str] = {}
    here = [local_path(each) for each in arguments if not is_remote(each)]
    if here:
        items, failed = find_recordings(here, csv=csv)
        sources += items
    for address in filter(is_remote, arguments):
        try:
            sources += find_remote(address, csv, options.annotator)
        except UserError as error:
            failed[public_address(address)] = str(error)
    return [_placed(source, out) for source in sources], failed


def _placed(source: Item | RemoteItem, out: str | None) -> CorpusItem:
    below = source.below.as_posix() if isinstance(source, Item) else source.below
    if out is not None:
        folder = under(local_path(out), below)
    else:
        folder = parent_of(source.address) if isinstance(source, RemoteItem) else os.fspath(source.path.parent)
    return CorpusItem(source, folder, under(below, source.name) if below != "." else source.name)


def _by_path(items: Sequence[CorpusItem], base: str) -> tuple[dict[str, CorpusItem], dict[str, str]]:
    """Recordings by their path; and those whose files would overwrite another's, with the reason."""
    owner: dict[str, str] = {}
    named: dict[str, CorpusItem] = {}
    refused: dict[str, str] = {}
    for item in items:
        if (first := owner.setdefault(item.id, item.path)) != item.path:
            refused[item.path] = f"{item.path}: its files would overwrite those of {first}; annotate it by another call"
        else:
            named[item.path] = item
    return named, refused
